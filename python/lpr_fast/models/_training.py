"""Structure rows from features, and the baseline of energies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from .._arrays import Array
from ._basis import Basis

Indices = NDArray[np.int64]

# Rows of phi in memory at once. Results do not depend on it.
CHUNK_ROWS = 2048

_BASELINE_ROWS = 64

# Smaller singular values of the compositions, relative to the largest, are rounding of linear dependencies.
_RANK_TOLERANCE = 1e-13


def structure_rows(basis: Basis, features: Sequence[Array], species: Sequence[Indices], n_threads: int) -> Array:
    """Return the structure rows X_A, the sums of phi over the atoms of each structure: (n_structures, M).

    The bits of a row depend on its structure alone: kernels are computed in large chunks, but summed within pieces of a
    structure that do not depend on other structures.
    """
    rows = np.zeros((len(features), basis.size))
    for s in basis.species:
        columns = basis.columns(s)
        for pieces in _grouped(_pieces(species, s)):
            together = np.concatenate([features[a][atoms] for a, atoms in pieces])
            phi = basis.rows(s, together, n_threads)
            start = 0
            for a, atoms in pieces:
                rows[a, columns] += phi[start : start + len(atoms)].sum(axis=0)
                start += len(atoms)
    return rows


def _pieces(species: Sequence[Indices], wanted: int) -> Iterator[tuple[int, Indices]]:
    for a, of_structure in enumerate(species):
        atoms = np.flatnonzero(of_structure == wanted)
        for first in range(0, len(atoms), CHUNK_ROWS):
            yield a, atoms[first : first + CHUNK_ROWS]


def _grouped(pieces: Iterator[tuple[int, Indices]]) -> Iterator[list[tuple[int, Indices]]]:
    group: list[tuple[int, Indices]] = []
    n_rows = 0
    for piece in pieces:
        group.append(piece)
        n_rows += len(piece[1])
        if n_rows >= CHUNK_ROWS:
            yield group
            group, n_rows = [], 0
    if group:
        yield group


def fit_baseline(counts: NDArray[np.int64], energies: Array, weights: Array) -> Array:
    """Fit an energy per atom of each species to total energies by weighted least squares of minimum norm.

    Parameters
    ----------
    counts : numpy.ndarray, shape (n_structures, n_species)
        Numbers of atoms of each species in each structure.
    energies, weights : numpy.ndarray, shape (n_structures,)
        Total energies, and the weights of their squared residuals.

    Returns
    -------
    numpy.ndarray, shape (n_species,)
        If all compositions are equal, the matrix has rank 1 and the energy is divided evenly.
    """
    rows = np.sqrt(weights)[:, None] * np.column_stack([counts, energies])
    triangle: Array = np.zeros((0, rows.shape[1]))
    # The pieces are so small that LAPACK uses one thread: the bits are the same for any number of threads.
    for first in range(0, len(rows), _BASELINE_ROWS):
        triangle = np.asarray(np.linalg.qr(np.vstack([triangle, rows[first : first + _BASELINE_ROWS]]), mode="r"))
    return np.asarray(np.linalg.lstsq(triangle[:, :-1], triangle[:, -1], rcond=_RANK_TOLERANCE)[0], dtype=np.float64)
