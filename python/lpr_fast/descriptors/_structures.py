"""Conversion of structures of ASE to those of the core: checked, and sorted into bins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from .. import _core
from .._errors import InvalidInputError

_LARGEST_NUMBER = 2**24


def structure_of(
    frame: Atoms, cutoff: float, species: Sequence[int] = (), name: str = "the structure"
) -> _core.Structure:
    """Sort the atoms of a structure into bins, for neighbours within a cutoff.

    Parameters
    ----------
    species : sequence of int
        Atomic numbers that a descriptor knows, ascending.
    name : str
        Name of the structure in errors.

    Raises
    ------
    InvalidInputError
        For positions and cells that are not finite, atoms at the same place, and cells that span no volume or are too
        dense.
    """
    _check_numbers(frame, name)
    return _core.Structure(
        np.ascontiguousarray(frame.positions, dtype=np.float64),
        frame.numbers.astype(np.int32),
        frame.cell.array,
        frame.pbc,
        species,
        cutoff,
        name,
    )


def checked_structure(frame: Atoms, name: str) -> Atoms:
    """Return the structure if its numbers are finite; without a cutoff there are no further checks.

    Raises
    ------
    InvalidInputError
        For positions and cells that are not finite.
    """
    _check_numbers(frame, name)
    wrong = np.flatnonzero(~np.isfinite(frame.positions).all(axis=1))
    if wrong.size:
        raise InvalidInputError(
            f"{name}, atom {wrong[0]} has a position that is not finite; correct or remove the frame."
        )
    if not np.isfinite(frame.cell.array).all():
        raise InvalidInputError(f"{name} has a cell that is not finite; correct or remove the frame.")
    return frame


def _check_numbers(frame: Atoms, name: str) -> None:
    strange = frame.numbers[(frame.numbers < 0) | (frame.numbers > _LARGEST_NUMBER)]
    if strange.size:
        raise InvalidInputError(f"{name} has an atomic number {strange[0]}; it must be from 0 to {_LARGEST_NUMBER}.")
