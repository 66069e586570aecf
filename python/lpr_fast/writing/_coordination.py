"""Coordination numbers."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from numpy.typing import NDArray

from .._arrays import Array
from .._errors import InvalidInputError
from ..descriptors._structures import structure_of

COORDINATION = "coordination"

# Largest distance of neighbours, in sums of covalent radii.
_BONDED = 1.25


def coordinations(frame: Atoms, atoms: NDArray[np.int64], radius: float | None) -> Array:
    """Neighbours of some atoms: up to a distance in Å, or 1.25 times the sum of the covalent radii.

    Raises
    ------
    InvalidInputError
        For a radius that is not positive and finite.
    """
    if radius is not None and not 0.0 < radius < np.inf:
        raise InvalidInputError(f"radius is {radius:g}; it must be positive and finite (Å).")
    radii = covalent_radii[frame.numbers]
    structure = structure_of(frame, 2.0 * _BONDED * radii.max() if radius is None else radius)
    counts = np.zeros(len(atoms))
    for k, atom in enumerate(atoms.tolist()):
        found, vectors = structure.neighbours(atom)
        distances = np.sqrt((vectors * vectors).sum(axis=1))
        limits = _BONDED * (radii[atom] + radii[found]) if radius is None else np.full(len(found), radius)
        counts[k] = np.count_nonzero(distances <= limits)
    return counts
