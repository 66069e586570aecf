"""What models say of the total energies of structures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import Array
from ..models._scores import Columns
from ._describing import Describing, Ready

if TYPE_CHECKING:
    from .._rigidity import Rigidity

Indices = NDArray[np.int64]

# Atoms of a frame that are described together, and rows of phi that exist at a time.
_DESCRIBED = 2048
_ROWS = 256

# Threads would wait for one another longer than they compute for frames of fewer atoms; the bits are the same.
_FEW = 256

# Kernels between all pairs of atoms are summed up to so many atoms; they take longer than the scores beyond.
LARGEST_PAIRED = 4096


@dataclass(frozen=True)
class Totals(Columns):
    """What a model says of total energies, each of shape (n_frames,); NaN for frames with unknown species.

    Attributes
    ----------
    lpr : numpy.ndarray
        Rigidity of the total, 1 / (X^T H^-1 X) with X the sum of phi over the atoms.
    variance : numpy.ndarray
        Subset-of-regressors variance mu / lpr, in units of the prior variance.
    residual : numpy.ndarray or None
        sum_ij k(i,j) - X^T K_MM^-1 X: what the active set does not see of the total. NaN for frames of more than 4096
        atoms. None for linear models.
    energy : numpy.ndarray or None
        The total energy. None for models without energies.
    sigma : numpy.ndarray or None
        Its standard deviation, in its unit. None unless the model was calibrated.
    """

    lpr: Array
    variance: Array
    residual: Array | None
    energy: Array | None
    sigma: Array | None


# What files say of the total of each frame, and of which array that is.
TOTAL_COLUMNS = {"lpr_total": "lpr", "sigma_total": "sigma"}


@dataclass(frozen=True)
class TotalScoring:
    """A model, and what describes structures for it.

    Attributes
    ----------
    zeta : float or None
        Power of the kernel; None for linear models.
    baseline : dict of int to float, or None
        Energies of atoms.
    prior_variance : float
        Of a calibration; 0 without one.
    counts_residual : bool
        Whether that is one of the projected process.
    """

    core: _core.Model
    rigidity: Rigidity
    describing: Describing
    species: tuple[int, ...]
    zeta: float | None
    baseline: dict[int, float] | None
    prior_variance: float
    counts_residual: bool

    def of(self, batch: Sequence[Ready], n_threads: int) -> Totals:
        """Of whole frames; the bits of each depend on no other, nor on the number of threads."""
        known = [self._knows(ready) for ready in batch]
        found = [self._sums(ready, n_threads) for ready, is_known in zip(batch, known, strict=True) if is_known]
        X = np.array([rows for rows, _ in found]).reshape(len(found), self.core.size)
        own = np.array([kernel for _, kernel in found])
        frames = [ready.frame.numbers for ready, is_known in zip(batch, known, strict=True) if is_known]
        return _spread(self._totals(X, own, frames, n_threads), np.array(known, dtype=bool))

    def _totals(self, X: Array, own: Array, numbers: list[Indices], n_threads: int) -> Totals:
        rigidity = self.rigidity
        variance = rigidity.variance(X, n_threads=n_threads)
        residual = None if self.zeta is None else self._residual(X, own, n_threads)
        energy = None
        if self.baseline is not None:
            counts = np.array([[np.count_nonzero(of_frame == s) for s in self.baseline] for of_frame in numbers])
            baseline = np.array(list(self.baseline.values()))
            energy = rigidity.predict(X) + (counts.reshape(len(X), len(baseline)) * baseline).sum(axis=1)
        sigma = None
        if self.prior_variance > 0.0:
            unseen = residual if self.counts_residual and residual is not None else 0.0
            sigma = np.sqrt(self.prior_variance * (variance + unseen))
        return Totals(rigidity.lpr(X, n_threads=n_threads), variance, residual, energy, sigma)

    def _residual(self, X: Array, own: Array, n_threads: int) -> Array:
        assert self.rigidity._prior is not None
        explained = self.rigidity._prior.variance(X, 1.0, n_threads)
        residual: Array = np.maximum(own - explained, 0.0)  # of NaN it is NaN
        return residual

    def _knows(self, ready: Ready) -> bool:
        return bool(np.isin(ready.frame.numbers, self.species).all())

    def _sums(self, ready: Ready, n_threads: int) -> tuple[Array, float]:
        """Sum of phi over the atoms, and of the kernels between all of them; NaN where these are not summed."""
        n_threads = 1 if len(ready.frame) < _FEW else n_threads
        X = np.zeros(self.core.size)
        is_paired = self.zeta is not None and len(ready.frame) <= LARGEST_PAIRED
        kept: list[tuple[Indices, Array]] = []
        for features, numbers in self._described(ready, n_threads):
            for first in range(0, len(features), _ROWS):
                rows = slice(first, first + _ROWS)
                X += self.core.phi(features[rows], numbers[rows].astype(np.int32), n_threads).sum(axis=0)
            if is_paired:
                kept.append((numbers, _core.normalised(features, n_threads)))
        return X, self._own(kept, n_threads) if is_paired else np.nan

    def _described(self, ready: Ready, n_threads: int) -> Iterator[tuple[Array, Indices]]:
        """Features and species of the atoms, some at a time: as few as the frame alone decides."""
        numbers = ready.frame.numbers.astype(np.int64)
        if not self.describing.is_local or len(numbers) <= _DESCRIBED:
            yield self.describing.features([ready], [None], n_threads), numbers
            return
        assert ready.structure is not None
        order = ready.structure.order()
        for first in range(0, len(order), _DESCRIBED):
            part = (first, min(first + _DESCRIBED, len(order)))
            yield self.describing.features([ready], [part], n_threads), numbers[order[slice(*part)]]

    def _own(self, described: list[tuple[Indices, Array]], n_threads: int) -> float:
        """Kernel of the total with itself."""
        assert self.zeta is not None
        numbers = np.concatenate([part for part, _ in described])
        features = np.concatenate([part for _, part in described])
        own = 0.0
        for s in self.species:
            of_species = features[numbers == s]
            for first in range(0, len(of_species), _ROWS):
                some = np.ascontiguousarray(of_species[first : first + _ROWS])
                own += float(_core.kernel_rows(some, of_species, self.zeta, n_threads).sum())
        return own


def all_totals(parts: Sequence[Totals]) -> Totals:
    """All totals as one."""
    arrays: dict[str, Any] = dict.fromkeys(vars(parts[0]))
    arrays |= {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Totals(**arrays)


def _spread(totals: Totals, known: NDArray[np.bool_]) -> Totals:
    """Totals of all frames, with NaN for those that are not known."""
    if known.all():
        return totals

    def spread(values: Array) -> Array:
        result = np.full(len(known), np.nan)
        result[known] = values
        return result

    arrays: dict[str, Any] = {name: None if values is None else spread(values) for name, values in vars(totals).items()}
    return Totals(**arrays)
