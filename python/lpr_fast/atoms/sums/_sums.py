"""Weighted sums of local predictions: their rows of phi, kernels between them, and scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ... import _core
from ..._arrays import Array
from .._describer import Describer, Ready
from .._frames import threads_for

if TYPE_CHECKING:
    from ..._rigidity import Rigidity

Indices = NDArray[np.int64]

#: Covariances: of the subset of regressors, of the same with held rows fixed, of the projected process.
Kind = Literal["sr", "held", "pp"]

# Atoms of a frame that are described at once, and rows of phi or of kernels in memory at once.
_DESCRIBED = 2048
_ROWS = 256


@dataclass(frozen=True)
class Members:
    """Environments of each sum and their weights: one entry for each environment of each sum, ordered by sum.

    Attributes
    ----------
    count : int
        Number of sums.
    sums : numpy.ndarray of int
        Sum of each entry, ascending.
    atoms : numpy.ndarray of int
        Environment of each entry: atom of a frame, or row of features.
    weights : numpy.ndarray
        Weight of each entry.
    """

    count: int
    sums: Indices
    atoms: Indices
    weights: Array

    @classmethod
    def whole(cls, n_atoms: int) -> Members:
        """Return a single sum over all atoms of a frame."""
        return cls(1, np.zeros(n_atoms, dtype=np.int64), np.arange(n_atoms), np.ones(n_atoms))

    @classmethod
    def of_weights(cls, weights: Sequence[Array]) -> Members:
        """Return sums from the weights of all environments."""
        atoms = [np.zeros(0, dtype=np.int64), *map(np.flatnonzero, weights)]
        values = [np.zeros(0), *(of_sum[chosen] for of_sum, chosen in zip(weights, atoms[1:], strict=True))]
        sums = np.repeat(np.arange(len(weights)), [len(chosen) for chosen in atoms[1:]])
        return cls(len(weights), sums, np.concatenate(atoms), np.concatenate(values))

    def only(self, kept: NDArray[np.bool_]) -> Members:
        """Return some of the sums."""
        chosen = kept[self.sums]
        sums = (np.cumsum(kept) - 1)[self.sums[chosen]]
        return Members(int(kept.sum()), sums, self.atoms[chosen], self.weights[chosen])

    def select(self, chosen: NDArray[np.bool_], atoms: Indices) -> Members:
        """Return some of the entries, with other numbers of the environments."""
        return Members(self.count, self.sums[chosen], atoms[chosen], self.weights[chosen])

    def add(self, values: Array, to: Array) -> None:
        """Add values of environments, (n, K), times their weights, to the sums `to`, (count, K)."""
        if not len(self.sums):
            return
        starts = np.flatnonzero(np.diff(self.sums, prepend=-1))
        weighted = values[self.atoms] * self.weights[:, None]
        to[self.sums[starts]] += np.add.reduceat(weighted, starts, axis=0)


@dataclass(frozen=True)
class Sums:
    """Weighted sums of local predictions.

    Attributes
    ----------
    rows : numpy.ndarray, shape (n, M)
        Sums of phi.
    counts : numpy.ndarray, shape (n, n_species)
        Sums of the weights over the atoms of each species of the model.
    features, numbers : numpy.ndarray, shapes (n_atoms, D) and (n_atoms,); or None
        Normalised features and species of all atoms of the sums; needed for kernels between sums.
    members : Members
        Atoms of each sum.
    """

    rows: Array
    counts: Array
    features: Array | None
    numbers: Indices
    members: Members

    @classmethod
    def joined(cls, parts: Sequence[Sums], size: int, n_species: int) -> Sums:
        """Return the sums of several frames as one object; empty for no frames."""
        features = [part.features for part in parts if part.features is not None]
        first = np.cumsum([0, *(len(part.numbers) for part in parts)]).tolist()
        of_sums = np.cumsum([0, *(part.members.count for part in parts)]).tolist()
        nobody = np.zeros(0, dtype=np.int64)
        members = Members(
            of_sums[-1],
            np.concatenate([nobody, *(p.members.sums + start for p, start in zip(parts, of_sums, strict=False))]),
            np.concatenate([nobody, *(p.members.atoms + start for p, start in zip(parts, first, strict=False))]),
            np.concatenate([np.zeros(0), *(part.members.weights for part in parts)]),
        )
        return cls(
            np.concatenate([np.zeros((0, size)), *(part.rows for part in parts)]),
            np.concatenate([np.zeros((0, n_species)), *(part.counts for part in parts)]),
            np.concatenate(features) if features else None,
            np.concatenate([nobody, *(part.numbers for part in parts)]),
            members,
        )


@dataclass(frozen=True)
class SumScoring:
    """Scoring of sums by a model.

    Attributes
    ----------
    zeta : float or None
        Power of the kernel; None for linear models.
    baseline : dict of int to float, or None
        Energy per atom of each species.
    prior_variance : float
        Factor from variances to squared energies; 0 if it is not known.
    counts_residual : bool
        Whether the prior variance was calibrated for the projected process, so that sigma includes the residual.
    """

    core: _core.Model
    rigidity: Rigidity
    describer: Describer
    species: tuple[int, ...]
    zeta: float | None
    baseline: dict[int, float] | None
    prior_variance: float
    counts_residual: bool

    def sums(self, ready: Ready, members: Members, n_threads: int, *, with_features: bool) -> Sums:
        """Return the sums of one frame; the bits depend on the frame, the members and the model alone."""
        used, places = np.unique(members.atoms, return_inverse=True)
        n_threads = threads_for(len(used), n_threads)
        among_used = Members(members.count, members.sums, places, members.weights)
        rows = np.zeros((members.count, self.core.size))
        kept: list[Array] = []
        for first, features in self._described(ready, used, n_threads):
            numbers = ready.frame.numbers[used[first : first + len(features)]].astype(np.int32)
            for start in range(0, len(features), _ROWS):
                chosen = slice(start, start + _ROWS)
                local = places - (first + start)
                phi = self.core.phi(features[chosen], numbers[chosen], n_threads)
                among_used.select((local >= 0) & (local < len(phi)), local).add(phi, rows)
            if with_features and self.zeta is not None:
                kept.append(_core.normalised(features, n_threads))
        numbers = ready.frame.numbers[used].astype(np.int64)
        counts = np.zeros((members.count, len(self.species)))
        among_used.add((numbers[:, None] == self.species).astype(np.float64), counts)
        return Sums(rows, counts, np.concatenate(kept) if kept else None, numbers, among_used)

    def energies(self, rows: Array, counts: Array) -> Array | None:
        """Return sums of local energies; None for models without energies."""
        if self.baseline is None:
            return None
        baseline = np.array([self.baseline[s] for s in self.species])
        found: Array = self.rigidity.predict(rows) + (counts * baseline).sum(axis=1)
        return found

    def residuals(self, rows: Array, own: Array, n_threads: int) -> Array | None:
        """Return the residuals of sums, from their kernels with themselves; None for linear models."""
        if self.zeta is None:
            return None
        assert self.rigidity._prior is not None
        explained = self.rigidity._prior.variance(rows, 1.0, n_threads)
        found: Array = np.maximum(own - explained, 0.0)  # keeps NaN
        return found

    def sigmas(self, variance: Array, residual: Array | None) -> Array | None:
        """Return standard deviations in the unit of the energies; None if the prior variance is not known."""
        if self.prior_variance == 0.0:
            return None
        unseen = residual if self.counts_residual and residual is not None else 0.0
        sigma: Array = np.sqrt(self.prior_variance * (variance + unseen))
        return sigma

    def own_kernels(self, sums: Sums, n_threads: int) -> Array:
        """Return the kernel of each sum with itself, from pairs of its atoms; NaN without features."""
        if sums.features is None:
            return np.full(len(sums.rows), np.nan)
        own = np.zeros(len(sums.rows))
        ends = np.searchsorted(sums.members.sums, np.arange(len(own) + 1)).tolist()
        for number, (first, last) in enumerate(pairwise(ends)):
            atoms, weights = sums.members.atoms[first:last], sums.members.weights[first:last]
            for s in self.species:
                of_species = sums.numbers[atoms] == s
                own[number] += self._own(sums.features[atoms[of_species]], weights[of_species], n_threads)
        return own

    def covariance(self, sums: Sums, kind: Kind, n_threads: int) -> Array:
        """Return the covariances of sums, (n, n), in units of the prior variance."""
        factor, mu = self.rigidity._factor, self.rigidity.regularizer
        if kind == "held":
            whitened = factor.whitened_held(sums.rows, n_threads)
            held: Array = mu * _core.kernel_rows(whitened, whitened, 1.0, n_threads)
            return held
        seen = factor.covariance(sums.rows, sums.rows, mu, n_threads)
        if kind == "sr":
            return seen
        assert self.rigidity._prior is not None
        explained = self.rigidity._prior.covariance(sums.rows, sums.rows, 1.0, n_threads)
        found: Array = seen + (self._kernels(sums, n_threads) - explained)
        return found

    def _described(self, ready: Ready, atoms: Indices, n_threads: int) -> Iterator[tuple[int, Array]]:
        """Yield features of some atoms, ascending, in parts that depend on the frame alone."""
        step = _DESCRIBED if self.describer.is_local else max(len(atoms), 1)
        for first in range(0, len(atoms), step):
            yield first, self.describer.features([ready], [atoms[first : first + step]], n_threads)

    def _own(self, features: Array, weights: Array, n_threads: int) -> float:
        """Return the weighted sum of kernels between all pairs of environments of one species."""
        assert self.zeta is not None
        count = threads_for(len(features), n_threads)
        own = 0.0
        for first in range(0, len(features), _ROWS):
            block, rest = features[first : first + _ROWS], features[first:]
            kernels = _core.kernel_rows(block, rest, self.zeta, count)
            kernels *= weights[first : first + _ROWS, None]
            kernels *= weights[first:]
            own += float(kernels[:, : len(block)].sum()) + 2.0 * float(kernels[:, len(block) :].sum())
        return own

    def _kernels(self, sums: Sums, n_threads: int) -> Array:
        """Return the kernels between all sums."""
        assert self.zeta is not None
        assert sums.features is not None
        found = np.zeros((len(sums.rows), len(sums.rows)))
        for s in self.species:
            of_species = sums.numbers == s
            places = np.cumsum(of_species) - 1
            members = sums.members.select(of_species[sums.members.atoms], places[sums.members.atoms])
            features = sums.features[of_species]
            count = threads_for(len(features), n_threads)
            for first in range(0, len(features), _ROWS):
                kernels = _core.kernel_rows(features, features[first : first + _ROWS], self.zeta, count)
                with_block = np.zeros((len(found), kernels.shape[1]))
                members.add(kernels, with_block)
                local = members.atoms - first
                among_block = members.select((local >= 0) & (local < kernels.shape[1]), local)
                among_block.add(np.ascontiguousarray(with_block.T), found)
        symmetric: Array = 0.5 * (found + found.T)
        return symmetric
