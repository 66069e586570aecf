"""Cells as featomic takes them: periodic along all three vectors, or along none."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from .._arrays import Array
from .._errors import InvalidInputError

# Vectors that span less than this share of the box of their lengths do not make a cell.
_SMALLEST_ANGLE = 1e-6


def for_featomic(frame: Atoms, cutoff: float, name: str) -> Atoms:
    """The same environments in a cell that featomic takes.

    A structure that is periodic along one or two vectors gets new vectors along the others: at right angles to the
    periodic ones, and so long that no atom has a neighbour across.
    """
    _check_positions(frame, name)
    bare = Atoms(numbers=frame.numbers, positions=frame.positions)
    if not frame.pbc.any():
        return bare
    bare.cell = frame.cell.array if frame.pbc.all() else _padded_cell(frame, cutoff, name)
    bare.pbc = True
    _check_cell(bare.cell.array, name)
    return bare


def _check_positions(frame: Atoms, name: str) -> None:
    wrong = np.flatnonzero(~np.isfinite(frame.positions).all(axis=1))
    if wrong.size:
        raise InvalidInputError(f"{name}, atom {wrong[0]} has a position that is not finite; mend or remove the frame.")
    if not np.isfinite(frame.cell.array).all():
        raise InvalidInputError(f"{name} has a cell that is not finite; mend or remove the frame.")


def _padded_cell(frame: Atoms, cutoff: float, name: str) -> Array:
    periodic = np.asarray(frame.cell.array, dtype=np.float64)[frame.pbc]
    if np.linalg.matrix_rank(periodic, tol=_SMALLEST_ANGLE * max(1.0, np.abs(periodic).max())) < len(periodic):
        _refuse_cell(periodic, name)
    directions = np.linalg.svd(periodic)[2][len(periodic) :]  # at right angles to all periodic vectors
    along = frame.positions @ directions.T
    lengths = np.ptp(along, axis=0) + cutoff + 1.0
    return np.vstack([periodic, directions * lengths[:, None]])


def _check_cell(cell: Array, name: str) -> None:
    volume, box = abs(np.linalg.det(cell)), np.linalg.norm(cell, axis=1).prod()
    if not volume > _SMALLEST_ANGLE * box:
        _refuse_cell(cell, name)


def _refuse_cell(vectors: Array, name: str) -> None:
    raise InvalidInputError(
        f"{name} is periodic, but its cell vectors {np.round(vectors, 4).tolist()} span no volume; give the cell, or "
        "set pbc to False along what is not periodic."
    )
