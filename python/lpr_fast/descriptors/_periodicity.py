"""Cells as featomic takes them: periodic along all three vectors, or along none."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from .._arrays import Array
from .._errors import InvalidInputError

# Vectors that span less than this share of the box of their lengths do not make a cell.
_SMALLEST_SHARE = 1e-6

# Nothing is so dense that an atom has more; computing them would take for ever.
_MOST_NEIGHBOURS = 20_000


def check_geometry(frame: Atoms, cutoff: float, name: str) -> None:
    """Throw for positions and cells that are not finite, atoms that coincide, and cells that span no volume."""
    wrong = np.flatnonzero(~np.isfinite(frame.positions).all(axis=1))
    if wrong.size:
        raise InvalidInputError(f"{name}, atom {wrong[0]} has a position that is not finite; mend or remove the frame.")
    if not np.isfinite(frame.cell.array).all():
        raise InvalidInputError(f"{name} has a cell that is not finite; mend or remove the frame.")
    order = np.lexsort(frame.positions.T)
    same = np.flatnonzero((np.diff(frame.positions[order], axis=0) == 0.0).all(axis=1))
    if same.size:
        a, b = sorted(order[same[0] : same[0] + 2].tolist())
        raise InvalidInputError(f"{name} has atoms {a} and {b} at the same place; mend or remove the frame.")
    periodic = _periodic_vectors(frame)
    # The product of the singular values is the length, area or volume that the vectors span.
    spanned = np.linalg.svd(periodic, compute_uv=False).prod() if len(periodic) else 1.0
    if not spanned > _SMALLEST_SHARE * np.linalg.norm(periodic, axis=1).prod():
        raise InvalidInputError(
            f"{name} is periodic, but its cell vectors {np.round(periodic, 4).tolist()} span no volume; give the cell, "
            "or set pbc to False along what is not periodic."
        )
    # Within the cutoff along periodic vectors: a length, a disc or a ball.
    within = (1.0, 2.0 * cutoff, np.pi * cutoff**2, 4.0 / 3.0 * np.pi * cutoff**3)[len(periodic)]
    neighbours = len(frame) * max(1.0, within / spanned)
    if len(periodic) and neighbours > max(_MOST_NEIGHBOURS, len(frame)):
        raise InvalidInputError(
            f"{name} has so dense or so flat a cell that each atom would have {neighbours:.0e} neighbours within "
            f"{cutoff:g}; check cell, units and cutoff."
        )


def for_featomic(frame: Atoms, cutoff: float) -> Atoms:
    """The same environments in a cell that featomic takes.

    A structure that is periodic along one or two vectors gets new vectors along the others: at right angles to the
    periodic ones, and so long that no atom has a neighbour across.
    """
    bare = Atoms(numbers=frame.numbers, positions=frame.positions)
    if frame.pbc.any():
        bare.cell = frame.cell.array if frame.pbc.all() else _padded_cell(frame, cutoff)
        bare.pbc = True
    return bare


def _periodic_vectors(frame: Atoms) -> Array:
    vectors: Array = frame.cell.array[frame.pbc]
    return vectors


def directions_beside(frame: Atoms) -> Array:
    """Unit vectors at right angles to all periodic vectors and to one another, as many as there are others."""
    periodic = _periodic_vectors(frame)
    directions: Array = np.linalg.svd(periodic)[2][len(periodic) :] if len(periodic) else np.eye(3)
    return directions


def _padded_cell(frame: Atoms, cutoff: float) -> Array:
    periodic, directions = _periodic_vectors(frame), directions_beside(frame)
    along = frame.positions @ directions.T
    lengths = np.ptp(along, axis=0) + cutoff + 1.0
    return np.vstack([periodic, directions * lengths[:, None]])
