"""Basis functions of a model, phi, for each species."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import Array

#: Name of the array of active environments in files.
ENVIRONMENTS = "active.environments"


class Basis(Protocol):
    """Functions phi of the features of an environment; those of one centre species vanish for all others."""

    @property
    def species(self) -> tuple[int, ...]:
        """Centre species, ascending."""
        ...

    @property
    def n_features(self) -> int:
        """D, the number of features of an environment."""
        ...

    @property
    def size(self) -> int:
        """M, the number of weights."""
        ...

    def columns(self, species: int) -> slice:
        """Return the columns of phi of a centre species."""
        ...

    def prepare(self, features: Array) -> Array:
        """Return the features for `rows` from those of the descriptor."""
        ...

    def rows(self, species: int, features: Array, n_threads: int) -> Array:
        """Return phi of environments of one species, in the columns of that species: (n, D) -> (n, M_s)."""
        ...

    def prior(self, n_threads: int) -> Array | None:
        """Return P of the penalty mu c^T P c, (M, M); None for the identity."""
        ...


def _slices(sizes: Mapping[int, int]) -> dict[int, slice]:
    stops = np.cumsum(list(sizes.values()))
    return {s: slice(int(stop) - size, int(stop)) for (s, size), stop in zip(sizes.items(), stops, strict=True)}


@dataclass(frozen=True)
class SparseKernelBasis:
    """phi_m = (x . x_m)^zeta with normalised features; zero between different centre species.

    Attributes
    ----------
    active : dict of int to numpy.ndarray, shape (M_s, D)
        Normalised features of the active environments of each centre species; species ascending.
    zeta : float
        Power of the kernel.
    environments : numpy.ndarray of int, shape (M, 2), or None
        Structure and atom of each active environment, see `SparseKernelModel.active_environments`.
    """

    active: dict[int, Array]
    zeta: float
    environments: NDArray[np.int64] | None = None

    @property
    def species(self) -> tuple[int, ...]:
        """Centre species, ascending."""
        return tuple(self.active)

    @property
    def n_features(self) -> int:
        """D, the length of an environment's features."""
        return int(next(iter(self.active.values())).shape[1])

    @property
    def size(self) -> int:
        """M, the number of active environments."""
        return sum(len(active) for active in self.active.values())

    @cached_property
    def _columns(self) -> dict[int, slice]:
        return _slices({s: len(active) for s, active in self.active.items()})

    def columns(self, species: int) -> slice:
        """Columns of phi that belong to a centre species."""
        return self._columns[species]

    def prepare(self, features: Array) -> Array:
        """Return features of norm one; zeros, as of isolated atoms, stay zero."""
        return _core.normalised(features, 0)

    def rows(self, species: int, features: Array, n_threads: int) -> Array:
        """Return kernels with the active environments of one species: (n, D) -> (n, M_s)."""
        active = self.active[species]
        if not len(active):
            return np.zeros((len(features), 0))
        return _core.kernel_rows(features, active, self.zeta, n_threads)

    def prior(self, n_threads: int) -> Array:
        """Return K_MM; it has a block for each species."""
        K_MM = np.zeros((self.size, self.size))
        for s in self.species:
            columns = self.columns(s)
            K_MM[columns, columns] = self.rows(s, self.active[s], n_threads)
        return K_MM


@dataclass(frozen=True)
class LinearBasis:
    """phi = the features, in a separate block of columns for each centre species.

    Attributes
    ----------
    species : tuple of int
        Centre species, ascending.
    n_features : int
        D, the number of features of an environment.
    has_constants : bool
        Whether each block begins with a one.
    """

    species: tuple[int, ...]
    n_features: int
    has_constants: bool = False

    @property
    def width(self) -> int:
        """Number of columns of a species."""
        return self.n_features + self.has_constants

    @property
    def size(self) -> int:
        """M, the number of columns of all species."""
        return self.width * len(self.species)

    def columns(self, species: int) -> slice:
        """Columns of phi that belong to a centre species."""
        start = self.species.index(species) * self.width
        return slice(start, start + self.width)

    def prepare(self, features: Array) -> Array:
        """Return the features unchanged."""
        return features

    def rows(self, species: int, features: Array, n_threads: int) -> Array:  # noqa: ARG002
        """Return the features, after a one if there are constants."""
        return np.column_stack([np.ones(len(features)), features]) if self.has_constants else features

    def prior(self, n_threads: int) -> None:  # noqa: ARG002
        """Return None, for the identity."""
        return


def active_order(basis: SparseKernelBasis, n_threads: int) -> dict[int, NDArray[np.int64]]:
    """Return the columns of the active environments of each species, in the order of farthest points."""
    order = {}
    for s, active in basis.active.items():
        first = basis.columns(s).start
        chosen = np.array(
            _core.farthest_points(active, len(active), 0, 0.0, n_threads) if len(active) else [], dtype=np.int64
        )
        rest = np.setdiff1d(np.arange(len(active)), chosen)
        order[s] = first + np.concatenate([chosen, rest])
    return order


def basis_to_parts(basis: Basis) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return a basis as facts for JSON, and arrays."""
    facts: dict[str, Any] = {"species": list(basis.species), "n_features": basis.n_features}
    if not isinstance(basis, SparseKernelBasis):
        return facts, {}
    arrays: dict[str, NDArray[Any]] = {f"active.{s}": active for s, active in basis.active.items()}
    if basis.environments is not None:
        arrays[ENVIRONMENTS] = basis.environments
    return facts | {"zeta": basis.zeta}, arrays


def basis_from_parts(facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Basis:
    """Return the basis from the result of `basis_to_parts`."""
    species = tuple(facts["species"])
    if "zeta" not in facts:
        return LinearBasis(species, facts["n_features"])
    return SparseKernelBasis({s: arrays[f"active.{s}"] for s in species}, facts["zeta"], arrays.get(ENVIRONMENTS))
