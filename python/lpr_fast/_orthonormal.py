"""Orthonormal bases of a few long rows.

Scalar products come from the core: their bits depend on the two rows alone, not on threads or on the other rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import _core
from ._arrays import Array

# A row whose norm falls below this share in a projection has lost digits and is projected again, up to so many times.
_SMALL_SHARE = 0.5
_MAX_PASSES = 4

# Up to so many rows are made orthogonal one by one; more are halved.
_LEAF = 8

# Entries that are projected at once: 32 MB.
_ENTRIES = 2**22


@dataclass(frozen=True, eq=False)
class Basis:
    """Orthonormal rows, stored as rows and as columns.

    Attributes
    ----------
    rows : numpy.ndarray, shape (r, M)
    columns : numpy.ndarray, shape (M, r)
    """

    rows: Array
    columns: Array

    @classmethod
    def of(cls, rows: Array) -> Basis:
        """Return a basis from orthonormal rows."""
        return cls(np.ascontiguousarray(rows), np.ascontiguousarray(rows.T))

    def __len__(self) -> int:
        """Return r."""
        return len(self.rows)

    def split(self, vectors: Array, n_threads: int) -> tuple[Array, Array]:
        """Return coordinates within the span, (n, r), and the remainders orthogonal to it, (n, M), to full accuracy."""
        coordinates, left = self._projected(vectors, n_threads)
        if len(self) == self.rows.shape[1]:
            return coordinates, np.zeros_like(left)  # the basis spans the whole space: remainders are rounding
        small = np.flatnonzero(norms(left) < _SMALL_SHARE * norms(vectors))
        if small.size:
            again, left[small] = self._projected(left[small], n_threads)
            coordinates[small] += again
        return coordinates, left

    def _projected(self, vectors: Array, n_threads: int) -> tuple[Array, Array]:
        if not len(self) or not len(vectors):
            return np.zeros((len(vectors), len(self))), vectors.copy()
        coordinates = row_products(vectors, self.rows, n_threads)
        return coordinates, vectors - row_products(coordinates, self.columns, n_threads)

    def extended(self, vectors: Array, n_threads: int) -> tuple[Basis, Array]:
        """Return this basis extended to span the vectors too, and the coordinates of the vectors in it."""
        growing = _Growing(self, len(vectors), n_threads)
        inside, left = self.split(vectors, n_threads)
        growing.coordinates[:, : len(self)] = inside
        growing.take(left, norms(left), 0)
        coordinates = np.ascontiguousarray(growing.coordinates[:, : growing.count])
        return Basis.of(growing.rows[: growing.count]), coordinates


class _Growing:
    """A basis that vectors are added to by the Gram-Schmidt method.

    A remainder that is rounding becomes a direction like any other; its coordinates are negligible.
    """

    def __init__(self, basis: Basis, n_vectors: int, n_threads: int) -> None:
        self.count, size = basis.rows.shape
        self.rows = np.vstack([basis.rows, np.zeros((min(n_vectors, size - self.count), size))])
        self.coordinates = np.zeros((n_vectors, len(self.rows)))
        self._n_threads = n_threads

    def take(self, left: Array, whole: Array, first: int) -> None:
        """Add the remainders `left` of the vectors from number `first`; `whole` are the norms of those vectors."""
        if len(left) <= _LEAF:
            start = self.count
            for i, remainder in enumerate(left):
                self._take_one(remainder, float(whole[i]), first + i, start)
            return
        half, start = len(left) // 2, self.count
        self.take(left[:half], whole[:half], first)
        new = Basis.of(self.rows[start : self.count])
        along, rest = new.split(left[half:], self._n_threads)
        self.coordinates[first + half : first + len(left), start : self.count] += along
        self.take(rest, whole[half:], first + half)

    def _take_one(self, remainder: Array, whole: float, number: int, start: int) -> None:
        coordinates = self.coordinates[number]
        new = self.rows[start : self.count]
        along = (new * remainder).sum(axis=1)
        remainder = remainder - (along[:, None] * new).sum(axis=0)
        coordinates[start : self.count] += along
        norm = float(norms(remainder[None])[0])
        for _ in range(_MAX_PASSES):
            if norm == 0.0 or norm > _SMALL_SHARE * whole:
                break
            inside, left = Basis.of(self.rows[: self.count])._projected(remainder[None], self._n_threads)
            coordinates[: self.count] += inside[0]
            remainder, whole, norm = left[0], norm, float(norms(left)[0])
        if norm > _SMALL_SHARE * whole and self.count < len(self.rows):
            self.rows[self.count] = remainder / norm
            coordinates[self.count] = norm
            self.count += 1


def row_products(a: Array, b: Array, n_threads: int) -> Array:
    """Return the scalar products of rows, a b^T, as kernels of power one: (n, k) and (m, k) -> (n, m)."""
    return _core.kernel_rows(np.ascontiguousarray(a), np.ascontiguousarray(b), 1.0, n_threads)


def norms(vectors: Array) -> Array:
    """Return the norms of rows, also where squares of entries underflow or overflow."""
    largest = np.abs(vectors).max(axis=1, initial=0.0)
    unit = np.where(largest > 0.0, largest, 1.0)
    result: Array = unit * np.sqrt(np.square(vectors / unit[:, None]).sum(axis=1))
    return result


def row_slices(n_rows: int, n_columns: int) -> list[slice]:
    """Return slices of rows, each of which is projected at once."""
    step = max(1, _ENTRIES // n_columns)
    return [slice(first, first + step) for first in range(0, n_rows, step)]
