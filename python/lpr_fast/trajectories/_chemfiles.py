"""Binary trajectories of molecular dynamics codes, by chemfiles: positions and cells, but no species."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from .._errors import InvalidInputError, MissingPackageError

SUFFIXES = (".xtc", ".trr", ".dcd", ".nc")


def n_steps(path: Path) -> int:
    """Frames of a file."""
    with _opened(path) as file:
        return int(file.nsteps)


def frames_of(path: Path, wanted: range, topology: Atoms | None) -> Iterator[tuple[int, Atoms]]:
    """Numbers and frames, in Å, with the species of a structure of the same atoms.

    Raises
    ------
    InvalidInputError
        If there is no such structure, or it has another number of atoms.
    """
    if topology is None:
        raise InvalidInputError(
            f"{path} holds no species; give a structure with the same atoms in the same order (topology, --topology)."
        )
    with _opened(path) as file:
        for number in wanted:
            yield number, _atoms(file.read_step(number))


def _atoms(frame: Any) -> Atoms:
    """Positions and cell; what has no cell is not periodic."""
    vectors = np.array(frame.cell.matrix).T  # there, vectors are columns
    is_periodic = bool(np.abs(np.linalg.det(vectors)) > 0.0)
    return Atoms(positions=np.array(frame.positions), cell=vectors if is_periodic else None, pbc=is_periodic)


def _opened(path: Path) -> Any:
    try:
        import chemfiles
    except ImportError as error:
        raise MissingPackageError(
            f"{path.suffix} files need chemfiles; install it with: pip install 'lpr-fast[traj]'"
        ) from error
    chemfiles.set_warnings_callback(lambda _: None)
    with path.open("rb"):
        return chemfiles.Trajectory(str(path))
