"""Batches of described structures, and their training rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._arrays import Array
from ._basis import Basis
from ._rows import Rows, concatenated, derivative_labels, energy_labels
from ._structures import Structures
from ._training import structure_rows

Indices = NDArray[np.int64]

#: Rows of structures with forces that are passed on at once. Results do not depend on it.
TOGETHER = 1024

#: Yields phi of forces and virials that are labels, in the order of `Derivatives`, in parts.
MakeRows: TypeAlias = Callable[[Basis, int], Iterator[Array]]


@dataclass(frozen=True)
class Derivatives:
    """Components of the forces and the virial of a structure that are labels.

    Attributes
    ----------
    kinds : numpy.ndarray of int, shape (k,)
        `FORCE` or `VIRIAL`.
    targets, sigmas : numpy.ndarray, shape (k,)
        The labels, and their standard deviations.
    rows : callable
        Yields the rows, from a basis and a number of threads.
    """

    kinds: Indices
    targets: Array
    sigmas: Array
    rows: MakeRows

    def __len__(self) -> int:
        """Return the number of labels."""
        return len(self.kinds)


@dataclass(frozen=True)
class Batch:
    """Consecutive structures.

    Attributes
    ----------
    features : numpy.ndarray, shape (n, D)
        Features of all their environments.
    species : list of numpy.ndarray of int
        Species of the environments of each structure.
    derivatives : sequence of Derivatives
        Labels of each structure other than its energy; empty for a fit without such labels.
    """

    features: Array
    species: list[Indices]
    derivatives: Sequence[Derivatives] = ()

    def __len__(self) -> int:
        """Return the number of structures."""
        return len(self.species)


def rows_of(basis: Basis, batch: Batch, structures: Structures, first: int, n_threads: int) -> Iterator[Rows]:
    """Yield the rows of a batch that begins with structure number `first`, in blocks of whole structures.

    Only structures with very many rows are divided among blocks.
    """
    energies = Rows(_summed(basis, batch, n_threads), energy_labels(structures, first, first + len(batch)))
    if not batch.derivatives:
        yield energies
        return
    waiting: list[Rows] = []
    for k, derivatives in enumerate(batch.derivatives):
        waiting.append(energies.part(k, k + 1))
        for rows in _derivative_rows(basis, derivatives, waiting[-1], n_threads):
            waiting.append(rows)
            if sum(map(len, waiting)) >= TOGETHER:
                yield concatenated(waiting)
                waiting = []
    if waiting:
        yield concatenated(waiting)


def _summed(basis: Basis, batch: Batch, n_threads: int) -> Array:
    """Return the structure rows, (n_structures, M)."""
    prepared = np.split(basis.prepare(batch.features), np.cumsum([len(numbers) for numbers in batch.species])[:-1])
    return structure_rows(basis, prepared, batch.species, n_threads)


def _derivative_rows(basis: Basis, derivatives: Derivatives, energy: Rows, n_threads: int) -> Iterator[Rows]:
    """Yield rows of forces and virial of a structure; their labels follow from that of its energy."""
    if not len(derivatives):
        return
    labels = derivative_labels(energy.labels, derivatives.kinds, derivatives.targets, derivatives.sigmas)
    start = 0
    for phi in derivatives.rows(basis, n_threads):
        if len(phi):  # empty if the structure has no virial
            yield Rows(phi, labels[start : start + len(phi)])
        start += len(phi)
