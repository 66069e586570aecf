"""Binary trajectories of molecular dynamics codes, by chemfiles: positions and cells, but no species."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from .._errors import InvalidInputError, MissingPackageError

# Names of formats by suffix, and what chemfiles calls them.
FORMATS = {".xtc": "xtc", ".trr": "trr", ".dcd": "dcd", ".nc": "amber-netcdf"}
_NAMES = {"xtc": "XTC", "trr": "TRR", "dcd": "DCD", "amber-netcdf": "Amber NetCDF"}


def n_steps(path: Path, format_name: str) -> int:
    """Frames of a file."""
    with _opened(path, format_name) as file:
        return int(file.nsteps)


def frames_of(path: Path, format_name: str, wanted: range) -> Iterator[tuple[int, Atoms]]:
    """Numbers and frames, in Å, of unknown species."""
    with _opened(path, format_name) as file:
        for number in wanted:
            yield number, _atoms(file.read_step(number))


def _atoms(frame: Any) -> Atoms:
    """Positions and cell; frames without a cell are not periodic."""
    vectors = np.array(frame.cell.matrix).T  # chemfiles has vectors as columns
    is_periodic = bool(np.abs(np.linalg.det(vectors)) > 0.0)
    return Atoms(positions=np.array(frame.positions), cell=vectors if is_periodic else None, pbc=is_periodic)


def _opened(path: Path, format_name: str) -> Any:
    try:
        import chemfiles
    except ImportError as error:
        raise MissingPackageError(
            f"{format_name} files need chemfiles; install it with: pip install 'lpr-fast[traj]'"
        ) from error
    chemfiles.set_warnings_callback(lambda _: None)
    path.open("rb").close()  # for the usual message if the file is missing
    try:
        return chemfiles.Trajectory(str(path), "r", _NAMES[format_name])
    except chemfiles.ChemfilesError as error:
        raise InvalidInputError(
            f"cannot read {path} as {format_name} ({str(error).rstrip('.')}); it is damaged, or of another format."
        ) from error
