"""Similarity of atoms to the environments of given structures, by the model's kernel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import Array
from .._errors import InvalidInputError
from ._frames import as_list
from ._pipeline import Pipeline, stacked

if TYPE_CHECKING:
    from ase import Atoms

# Atoms of a prototype with a larger kernel have the same environment, so that one of them is enough.
_EQUAL = 1.0 - 1e-12


class Prototypes:
    """Environments of given structures, to compare others with.

    Parameters
    ----------
    zeta : float
        Power of the kernel.
    """

    def __init__(self, pipeline: Pipeline, prototypes: Iterable[Atoms], zeta: float, n_threads: int) -> None:
        self._zeta, self._n_threads = zeta, n_threads
        self._known = [self._environments(pipeline, prototype) for prototype in as_list(prototypes)]
        if not self._known:
            raise InvalidInputError("prototypes is empty; give at least one structure.")

    @classmethod
    def of_environments(cls, features: Array, numbers: NDArray[np.int64], zeta: float, n_threads: int) -> Prototypes:
        """Return a single prototype with the given environments: their features, and the species of their centres."""
        found = cls.__new__(cls)
        found._zeta, found._n_threads = zeta, n_threads
        rows = _core.normalised(np.ascontiguousarray(features), n_threads)
        found._known = [{s: rows[numbers == s] for s in np.unique(numbers).tolist()}]
        return found

    def similarities(self, features: Array, numbers: NDArray[np.int64]) -> Array:
        """Return each row's largest kernel with the environments of each prototype; zero if none is of its species."""
        rows = _core.normalised(np.ascontiguousarray(features), self._n_threads)
        found = np.zeros((len(rows), len(self._known)))
        for s in np.unique(numbers).tolist():
            of_species = np.flatnonzero(numbers == s)
            having = np.array([k for k, environments in enumerate(self._known) if s in environments], dtype=np.int64)
            if not len(having):
                continue
            others = [self._known[k][s] for k in having]
            kernels = self._kernels(rows[of_species], np.concatenate(others))
            first = np.cumsum([0, *map(len, others[:-1])])
            found[np.ix_(of_species, having)] = np.maximum.reduceat(kernels, first, axis=1)
        return found

    def of_frames(self, pipeline: Pipeline, frames: Iterable[Atoms]) -> Array:
        """Return the similarities of all atoms of structures: (n_atoms, n_prototypes)."""
        parts = (
            (piece, self.similarities(pipeline.features(piece, self._n_threads), piece.numbers))
            for piece in pipeline.pieces(frames, "error")
        )
        return stacked(parts, len(self._known))

    def _environments(self, pipeline: Pipeline, prototype: Atoms) -> dict[int, Array]:
        """Return the distinct environments of a prototype for each species."""
        (piece,) = pipeline.pieces([prototype], "error", limit=len(prototype))
        rows, numbers = _core.normalised(pipeline.features(piece, self._n_threads), self._n_threads), piece.numbers
        return {s: self._different(rows[numbers == s]) for s in np.unique(numbers).tolist()}

    def _different(self, rows: Array) -> Array:
        chosen: list[int] = []
        kernels = self._kernels(rows, rows)
        for k in range(len(rows)):
            if not chosen or kernels[k, chosen].max() <= _EQUAL:
                chosen.append(k)
        return rows[chosen]

    def _kernels(self, rows: Array, others: Array) -> Array:
        return _core.kernel_rows(np.ascontiguousarray(rows), np.ascontiguousarray(others), self._zeta, self._n_threads)
