"""Structures of ASE as the core takes them: checked, and sorted into bins."""

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
    """Atoms in bins in which neighbours within a cutoff are found.

    Parameters
    ----------
    species : sequence of int
        Atomic numbers that a descriptor knows, ascending.
    name : str
        What error messages call the structure.

    Raises
    ------
    InvalidInputError
        For positions and cells that are not finite, atoms at the same place, and cells that span no volume or are too
        dense.
    """
    strange = frame.numbers[(frame.numbers < 0) | (frame.numbers > _LARGEST_NUMBER)]
    if strange.size:
        raise InvalidInputError(f"{name} has an atomic number {strange[0]}; they go from 0 to {_LARGEST_NUMBER}.")
    return _core.Structure(
        np.ascontiguousarray(frame.positions, dtype=np.float64),
        frame.numbers.astype(np.int32),
        frame.cell.array,
        frame.pbc,
        species,
        cutoff,
        name,
    )
