"""Equivalent atoms of a crystal, strains that keep them equivalent, and differences of their features."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from .._arrays import Array
from .._errors import InvalidInputError, MissingPackageError
from .._species import symbol

Rotations = NDArray[np.int64]

# Tolerance of positions in Å.
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Symmetry:
    """The symmetry of a crystal, from spglib.

    Attributes
    ----------
    space_group : str
        Symbol and number of the space group.
    orbits : numpy.ndarray of int, shape (n_atoms,)
        The same number for equivalent atoms.
    """

    space_group: str
    orbits: NDArray[np.int64]

    def kinds(self, numbers: NDArray[Any]) -> dict[int, int]:
        """Number of inequivalent atoms of each species."""
        return {s: len(np.unique(self.orbits[numbers == s])) for s in np.unique(numbers).tolist()}


def symmetry_of(crystal: Atoms) -> Symmetry:
    """Space group and equivalent atoms of a crystal.

    Raises
    ------
    InvalidInputError
        For a crystal in which no symmetry can be found.
    MissingPackageError
        If spglib is missing.
    """
    found = _dataset(_cell_of(crystal))
    return Symmetry(f"{found.international} ({found.number})", np.asarray(found.equivalent_atoms, dtype=np.int64))


def kept_rotations(crystal: Atoms) -> Array:
    """Rotations, shape (g, 3, 3), with which a strain must commute so that equivalent atoms stay equivalent.

    Translations and inversions survive any strain x -> F x. If they do not suffice to make equivalent atoms equivalent,
    the result is the smallest sufficient group that one more operation generates, or else the whole group.

    Raises
    ------
    InvalidInputError, MissingPackageError
        As `symmetry_of`.
    """
    primitive = _standard(crystal, is_primitive=True)
    found = _dataset(primitive)
    vectors, places, _ = primitive
    moved = np.array([_images(vectors, places, r, t) for r, t in zip(found.rotations, found.translations, strict=True)])
    always = np.flatnonzero([abs(np.trace(r)) == 3 for r in found.rotations])
    wanted = len(set(found.equivalent_atoms.tolist()))
    choices = [always, *(np.append(always, k) for k in range(len(moved))), np.arange(len(moved))]
    groups = [_generated(found.rotations[chosen]) for chosen in choices if _n_orbits(moved[chosen]) == wanted]
    smallest = min(groups, key=len)
    columns = vectors.T
    turned: Array = columns @ smallest @ np.linalg.inv(columns)
    return turned


def standard_cells(crystal: Atoms) -> list[Atoms]:
    """The primitive and the conventional cell of a crystal, without a rotation."""
    cells = [_standard(crystal, is_primitive=is_primitive) for is_primitive in (True, False)]
    return [Atoms(numbers, scaled_positions=places, cell=vectors, pbc=True) for vectors, places, numbers in cells]


def keeping(strain: Array, rotations: Array) -> Array:
    """The part of a strain that commutes with rotations: its mean over them."""
    return np.mean([rotation.T @ strain @ rotation for rotation in rotations], axis=0)  # type: ignore[no-any-return]


def spread(features: Array, numbers: NDArray[Any]) -> dict[int, float]:
    """Largest distance between the normalised features of two atoms of each species."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    rows = features / np.where(lengths > 0.0, lengths, 1.0)
    return {s: _largest_distance(rows[numbers == s]) for s in np.unique(numbers).tolist()}


def differences(kinds: dict[int, int], spreads: dict[int, float]) -> str:
    """The inequivalent atoms, for a message: "2 kinds of C whose features differ by 0.23"."""
    return ", ".join(
        f"{count} kinds of {symbol(s)} whose features differ by {spreads[s]:.2g}"
        for s, count in kinds.items()
        if count > 1
    )


def _largest_distance(rows: Array) -> float:
    return float(max(np.linalg.norm(rows - row, axis=1).max() for row in rows))


def _cell_of(crystal: Atoms) -> tuple[Array, Array, NDArray[Any]]:
    return crystal.cell.array, crystal.get_scaled_positions(), crystal.numbers  # type: ignore[no-untyped-call]


def _dataset(cell: tuple[Array, Array, NDArray[Any]]) -> Any:
    return _spglib("get_symmetry_dataset", cell, symprec=_TOLERANCE)


def _standard(crystal: Atoms, *, is_primitive: bool) -> tuple[Array, Array, NDArray[Any]]:
    """The primitive or the conventional cell of the same crystal, without a rotation."""
    cell: tuple[Array, Array, NDArray[Any]] = _spglib(
        "standardize_cell", _cell_of(crystal), to_primitive=is_primitive, no_idealize=True, symprec=_TOLERANCE
    )
    return cell


def _spglib(function: str, *given: Any, **options: Any) -> Any:
    """Result of a function of spglib; depending on its version, it fails with None or with an exception."""
    try:
        import spglib
    except ImportError as error:
        raise MissingPackageError(
            "symmetries need the package spglib; install it with: pip install 'lpr-fast[fit]'"
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            answer = getattr(spglib, function)(*given, **options)
        except getattr(spglib, "SpglibError", ()):
            answer = None
    if answer is None:
        raise InvalidInputError(
            "spglib finds no symmetry in the crystal; look for atoms on top of each other, or a cell without a volume."
        )
    return answer


def _images(vectors: Array, places: Array, rotation: Rotations, translation: Array) -> NDArray[np.int64]:
    """The image of each atom under an operation."""
    moved = places @ rotation.T + translation
    apart = moved[:, None, :] - places[None, :, :]
    distances = np.linalg.norm((apart - np.round(apart)) @ vectors, axis=2)
    return np.asarray(distances.argmin(axis=1), dtype=np.int64)


def _n_orbits(images: NDArray[np.int64]) -> int:
    """Number of orbits under permutations (n_operations, n_atoms)."""
    orbits = np.arange(images.shape[1])
    while True:
        lowest = np.minimum(orbits, orbits[images].min(axis=0))
        for image in images:
            np.minimum.at(lowest, image, orbits)
        if (lowest == orbits).all():
            return len(np.unique(orbits))
        orbits = lowest


def _generated(generators: Rotations) -> Rotations:
    """The group of integer matrices that some generate, up to signs, which do not matter for strains."""
    found = {_unsigned(np.eye(3, dtype=np.int64))}
    while True:
        products = {_unsigned(np.reshape(g, (3, 3)) @ h) for g in found for h in generators}
        if products <= found:
            return np.array(sorted(found)).reshape(-1, 3, 3)
        found |= products


def _unsigned(matrix: Rotations) -> tuple[int, ...]:
    entries = tuple(int(entry) for entry in matrix.ravel())
    return max(entries, tuple(-entry for entry in entries))
