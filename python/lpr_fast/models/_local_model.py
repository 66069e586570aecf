"""A fitted model on arrays: features and species in, one row of numbers for each environment out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import Array
from .._rigidity import Rigidity
from ._basis import Basis, SparseKernelBasis

Loss = Literal["total", "per_atom"]

# What they square the errors of.
LOSS_NAMES = {"total": "total energies", "per_atom": "energies per atom"}
Indices = NDArray[np.int64]

# Rows of phi that exist at a time. Results do not depend on it.
CHUNK_ROWS = 2048


class LocalScores(NamedTuple):
    """What a model says of environments, each of shape (n,); NaN for species that it does not know."""

    lpr: Array
    variance: Array
    residual: Array | None
    energy: Array | None


@dataclass(frozen=True)
class LocalModel:
    """Basis, factor of the Hessian, and what makes scoring cheap.

    Attributes
    ----------
    basis : SparseKernelBasis or LinearBasis
        What the weights multiply.
    rigidity : Rigidity
        Of size M; it holds the weights, if there were energies.
    factors : dict of int to Rigidity
        For each centre species, the rigidity for phi that vanish for the others (`Rigidity.restrict`).
    priors : dict of int to HessianFactor
        For kernels, the factor of K_MM among the active environments of each centre species.
    baseline : dict of int to float, or None
        Energy of each species that was taken off before fitting.
    loss : {"total", "per_atom"}
        What the training minimised.
    provenance : dict
        Where the model comes from, as JSON can hold it.
    """

    basis: Basis
    rigidity: Rigidity
    factors: dict[int, Rigidity]
    priors: dict[int, _core.HessianFactor]
    baseline: dict[int, float] | None
    loss: Loss
    provenance: Mapping[str, Any]

    @classmethod
    def assemble(
        cls,
        basis: Basis,
        rigidity: Rigidity,
        prior: Array | None,
        *,
        baseline: dict[int, float] | None,
        loss: Loss,
        provenance: Mapping[str, Any],
        n_threads: int,
    ) -> LocalModel:
        """A model from the factor of its whole Hessian and `Basis.prior`: the factors of each species are made here."""
        factors, priors = {}, {}
        for s in basis.species:
            columns = basis.columns(s)
            if columns.start == columns.stop:
                continue
            alone = len(basis.species) == 1
            factors[s] = rigidity if alone else rigidity.restrict(np.arange(basis.size)[columns], n_threads=n_threads)
            if prior is not None:
                priors[s] = _core.factorize_prior(np.ascontiguousarray(prior[columns, columns]), n_threads)
        return cls(basis, rigidity, factors, priors, baseline, loss, provenance)

    @property
    def has_energies(self) -> bool:
        """Whether the model predicts energies."""
        return self.rigidity._weights is not None  # the property would copy them

    def score(self, features: Array, species: Indices, n_threads: int) -> LocalScores:
        """LPR, variance, residual and local energy of environments.

        Parameters
        ----------
        features : numpy.ndarray, shape (n, D)
            As `Basis.prepare` gives them.
        species : numpy.ndarray of int, shape (n,)
            Centre species.
        n_threads : int
            See `Rigidity`.
        """
        n = len(features)
        is_kernel = isinstance(self.basis, SparseKernelBasis)
        form, residual, energy = np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.nan)
        for s, rows in self._chunks(species):
            form[rows], residual[rows], energy[rows] = 0.0, 1.0, self.baseline[s] if self.baseline else 0.0
            if s not in self.factors:
                continue
            part = self._score_species(s, features[rows], n_threads)
            form[rows] = part["forms"]
            if is_kernel:
                residual[rows] = np.maximum(1.0 - part["explained"], 0.0)
            if self.has_energies:
                energy[rows] += part["energies"]
        with np.errstate(divide="ignore", over="ignore"):
            lpr = 1.0 / form
        return LocalScores(
            lpr,
            self.rigidity.regularizer * form,
            residual if is_kernel else None,
            energy if self.has_energies else None,
        )

    def _score_species(self, species: int, features: Array, n_threads: int) -> dict[str, Array]:
        """What one species' environments are scored to, by names: forms, explained, energies."""
        if species in self._scorers:
            scorer = self._scorers[species]
            return scorer.score(features, True, True, self.has_energies, n_threads)  # noqa: FBT003
        phi = self.basis.rows(species, features, n_threads)
        scores = {"forms": self.factors[species].variance(phi, scale=1.0, n_threads=n_threads)}
        if self.rigidity._weights is not None:
            scores["energies"] = (phi * self.rigidity._weights[self.basis.columns(species)]).sum(axis=1)
        return scores

    @cached_property
    def _scorers(self) -> dict[int, _core.KernelScorer]:
        """For kernels, active set and factors of each species packed together."""
        if not isinstance(self.basis, SparseKernelBasis):
            return {}
        weights = self.rigidity.weights
        return {
            s: _core.KernelScorer(
                self.basis.active[s],
                self.basis.zeta,
                factor._factor,
                self.priors[s],
                None if weights is None else weights[self.basis.columns(s)],
            )
            for s, factor in self.factors.items()
        }

    def phi(self, features: Array, species: Indices, n_threads: int) -> Array:
        """Rows phi of environments, (n, D) -> (n, M)."""
        phi = np.zeros((len(features), self.basis.size))
        for s, rows in self._chunks(species):
            phi[rows, self.basis.columns(s)] = self.basis.rows(s, features[rows], n_threads)
        return phi

    def _chunks(self, species: Indices) -> Iterator[tuple[int, Indices]]:
        for s in self.basis.species:
            of_species = np.flatnonzero(species == s)
            for first in range(0, len(of_species), CHUNK_ROWS):
                yield s, of_species[first : first + CHUNK_ROWS]
