"""Described structures, a batch at a time, and the training rows that are made of them."""

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

#: Rows of structures with forces that are handed on together. Results do not depend on it.
TOGETHER = 1024

#: Makes phi of forces and virials that are labels, in the order of `Derivatives`, part by part.
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
        Makes the rows: of a basis and a number of threads.
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
    """Structures that follow one another.

    Attributes
    ----------
    features : numpy.ndarray, shape (n, D)
        Features of all their environments.
    species : list of numpy.ndarray of int
        Species of each one's environments.
    derivatives : sequence of Derivatives
        What else than its energy is a label of each; empty where no structure of a fit has more.
    """

    features: Array
    species: list[Indices]
    derivatives: Sequence[Derivatives] = ()

    def __len__(self) -> int:
        """Return the number of structures."""
        return len(self.species)


def rows_of(basis: Basis, batch: Batch, structures: Structures, first: int, n_threads: int) -> Iterator[Rows]:
    """Rows of the structures of a batch, of which the first has a number; some at a time, which make whole structures.

    Only a structure with very many rows comes in parts.
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
    """Phi of each structure, summed over its environments: (n_structures, M)."""
    prepared = np.split(basis.prepare(batch.features), np.cumsum([len(numbers) for numbers in batch.species])[:-1])
    return structure_rows(basis, prepared, batch.species, n_threads)


def _derivative_rows(basis: Basis, derivatives: Derivatives, energy: Rows, n_threads: int) -> Iterator[Rows]:
    """Rows of forces and virials of one structure, by the row of its energy."""
    if not len(derivatives):
        return
    labels = derivative_labels(energy.labels, derivatives.kinds, derivatives.targets, derivatives.sigmas)
    start = 0
    for phi in derivatives.rows(basis, n_threads):
        if len(phi):  # a structure may have no virial
            yield Rows(phi, labels[start : start + len(phi)])
        start += len(phi)
