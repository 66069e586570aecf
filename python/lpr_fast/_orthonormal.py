"""Orthonormal bases of a few long rows, by products whose bits depend on their rows alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import _core
from ._arrays import Array

# Rows of which so little is left that what is left has lost digits are projected again; one that stays so is nothing.
_LITTLE = 0.5
_PASSES = 4

# Rows that are made orthogonal one by one; more of them by halves.
_LEAF = 8

# Entries of what is projected at once: 32 MB.
_ENTRIES = 2**22


@dataclass(frozen=True, eq=False)
class Basis:
    """Orthonormal rows, and the same as columns.

    Attributes
    ----------
    rows : numpy.ndarray, shape (r, M)
    columns : numpy.ndarray, shape (M, r)
    """

    rows: Array
    columns: Array

    @classmethod
    def of(cls, rows: Array) -> Basis:
        """A basis from rows that are orthonormal."""
        return cls(np.ascontiguousarray(rows), np.ascontiguousarray(rows.T))

    def __len__(self) -> int:
        """Return r."""
        return len(self.rows)

    def split(self, vectors: Array, n_threads: int) -> tuple[Array, Array]:
        """Coordinates within the span, (n, r), and what is orthogonal to it, (n, M), with the digits of the vectors."""
        coordinates, left = self._projected(vectors, n_threads)
        if len(self) == self.rows.shape[1]:
            return coordinates, np.zeros_like(left)  # the whole space: all else is rounding
        little = np.flatnonzero(norms(left) < _LITTLE * norms(vectors))
        if little.size:
            again, left[little] = self._projected(left[little], n_threads)
            coordinates[little] += again
        return coordinates, left

    def _projected(self, vectors: Array, n_threads: int) -> tuple[Array, Array]:
        if not len(self) or not len(vectors):
            return np.zeros((len(vectors), len(self))), vectors.copy()
        coordinates = product(vectors, self.rows, n_threads)
        return coordinates, vectors - product(coordinates, self.columns, n_threads)

    def extended(self, vectors: Array, n_threads: int) -> tuple[Basis, Array]:
        """A basis that spans the vectors too, its first rows these ones; and the coordinates of the vectors in it."""
        growing = _Growing(self, len(vectors), n_threads)
        inside, left = self.split(vectors, n_threads)
        growing.coordinates[:, : len(self)] = inside
        growing.take(left, norms(left), 0)
        coordinates = np.ascontiguousarray(growing.coordinates[:, : growing.count])
        return Basis.of(growing.rows[: growing.count]), coordinates


class _Growing:
    """A basis that takes up vectors by Gram's and Schmidt's method.

    A remainder that is rounding gets a direction like any other: it says next to nothing of it.
    """

    def __init__(self, basis: Basis, n_vectors: int, n_threads: int) -> None:
        self.count, size = basis.rows.shape
        self.rows = np.vstack([basis.rows, np.zeros((min(n_vectors, size - self.count), size))])
        self.coordinates = np.zeros((n_vectors, len(self.rows)))
        self._n_threads = n_threads

    def take(self, left: Array, whole: Array, first: int) -> None:
        """Remainders from vector `first` on, orthogonal to all rows so far when their norms were `whole`."""
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
        for _ in range(_PASSES):
            if norm == 0.0 or norm > _LITTLE * whole:
                break
            inside, left = Basis.of(self.rows[: self.count])._projected(remainder[None], self._n_threads)
            coordinates[: self.count] += inside[0]
            remainder, whole, norm = left[0], norm, float(norms(left)[0])
        if norm > _LITTLE * whole and self.count < len(self.rows):
            self.rows[self.count] = remainder / norm
            coordinates[self.count] = norm
            self.count += 1


def product(a: Array, b: Array, n_threads: int) -> Array:
    """Products of rows, a b^T: (n, k) and (m, k) -> (n, m)."""
    return _core.kernel_rows(np.ascontiguousarray(a), b, 1.0, n_threads)


def norms(vectors: Array) -> Array:
    """Norms of rows, right for entries whose squares leave the range of float64."""
    largest = np.abs(vectors).max(axis=1, initial=0.0)
    unit = np.where(largest > 0.0, largest, 1.0)
    result: Array = unit * np.sqrt(np.square(vectors / unit[:, None]).sum(axis=1))
    return result


def parts(n_rows: int, n_columns: int) -> list[slice]:
    """Slices of rows that are projected at once."""
    step = max(1, _ENTRIES // n_columns)
    return [slice(first, first + step) for first in range(0, n_rows, step)]
