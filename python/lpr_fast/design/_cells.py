"""Cells of crystals and layers: vacuum, repetitions, strains."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from ase import Atoms
from ase.build import make_supercell
from numpy.typing import NDArray

from .._arrays import Array
from .._errors import InvalidInputError
from .._words import counted
from ._equivalence import standard_cells

# Å of vacuum between the images of a layer.
_VACUUM = 15.0


def periodic_plane(crystal: Atoms) -> Array:
    """The projector, shape (3, 3), on the span of the periodic cell vectors."""
    directions: list[Array] = []
    for vector in crystal.cell.array[crystal.pbc]:
        left = vector - sum((d @ vector) * d for d in directions)
        directions.append(left / np.linalg.norm(left))
    return np.einsum("ki,kj->ij", directions, directions)  # type: ignore[no-any-return]


def with_vacuum(crystal: Atoms) -> Atoms:
    """The crystal with vacuum in the directions in which it is not periodic, then periodic in all."""
    for axis in np.flatnonzero(~crystal.pbc).tolist():
        crystal.center(vacuum=_VACUUM / 2.0, axis=axis)  # type: ignore[no-untyped-call]
    crystal.pbc = True
    return crystal


def compact(crystal: Atoms, plane: Array, n_atoms: int) -> Atoms:
    """The most compact repetition of at most `n_atoms` atoms: its images are farthest apart.

    The given, the primitive and the conventional cell are repeated along their vectors; a layer's in its plane.

    Raises
    ------
    InvalidInputError
        If all cells have more atoms.
    """
    is_layer = not np.allclose(plane, np.eye(3))
    cells = [crystal] if is_layer else [crystal, *standard_cells(crystal)]
    found = [
        (_heights(cell, repeats, plane), cell, repeats)
        for cell in cells
        for repeats in _repetitions(n_atoms // len(cell), ~_leaves(cell, plane))
    ]
    if not found:
        smallest = min(map(len, cells))
        raise InvalidInputError(
            f"n_atoms is {n_atoms}, but the smallest cell has {counted(smallest, 'atom')}; give no less."
        )
    _, cell, repeats = max(found, key=lambda choice: choice[0])
    return make_supercell(cell, np.diag(repeats))  # type: ignore[no-any-return,no-untyped-call]


def strained(crystal: Atoms, strain: Array) -> Atoms:
    """The crystal x -> (1 + e) x, with the atoms wrapped into the cell."""
    found = crystal.copy()  # type: ignore[no-untyped-call]
    found.set_cell(crystal.cell.array @ (np.eye(3) + strain).T, scale_atoms=True)
    found.wrap(eps=1e-9)
    return found  # type: ignore[no-any-return]


def random_strain(largest: float, seed: int, number: int) -> Array:
    """Uniform principal strains in +-`largest`, along uniform random directions: (3, 3)."""
    rng = np.random.default_rng([seed, number])
    principal = rng.uniform(-largest, largest, 3)
    w, x, y, z = _unit(rng.standard_normal(4))
    turned = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    return (turned * principal) @ turned.T  # type: ignore[no-any-return]


def _unit(vector: Array) -> Array:
    return vector / np.sqrt((vector * vector).sum())  # type: ignore[no-any-return]


def _leaves(cell: Atoms, plane: Array) -> NDArray[np.bool_]:
    """Which cell vectors do not lie in the plane."""
    return np.linalg.norm(cell.cell.array - cell.cell.array @ plane, axis=1) > 1e-6  # type: ignore[no-any-return]


def _repetitions(most: int, repeatable: NDArray[np.bool_]) -> Iterator[tuple[int, int, int]]:
    """All repetitions of a cell with at most `most` copies."""
    a_most, b_most, c_most = (most if may else 1 for may in repeatable)
    for a in range(1, min(a_most, most) + 1):
        for b in range(1, min(b_most, most // a) + 1):
            yield from ((a, b, c) for c in range(1, min(c_most, most // (a * b)) + 1))


def _heights(cell: Atoms, repeats: tuple[int, int, int], plane: Array) -> tuple[float, float]:
    """Smallest distance between opposite faces of a repeated cell, and minus the largest, rounded for ties."""
    vectors = cell.cell.array * np.array(repeats)[:, None]
    heights = (1.0 / np.linalg.norm(np.linalg.inv(vectors), axis=0))[~_leaves(cell, plane)].round(6)
    return float(heights.min()), -float(heights.max())
