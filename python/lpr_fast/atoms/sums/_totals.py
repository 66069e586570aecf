"""Scores of the total energies of structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._arrays import Array
from ...models._scores import Columns
from .._describer import Ready
from ._sums import Members, Sums, SumScoring

# Largest frame whose kernels between all pairs of atoms are summed: beyond, they take longer than the scores.
LARGEST_PAIRED = 4096


@dataclass(frozen=True)
class Totals(Columns):
    """Scores of total energies, each of shape (n_frames,); NaN for frames with unknown species.

    It is also a mapping from the names of the arrays that are not None to the arrays.

    Attributes
    ----------
    lpr : numpy.ndarray
        Rigidity of the total, 1 / (X^T H^-1 X) with X the sum of phi over the atoms.
    variance : numpy.ndarray
        Subset-of-regressors variance mu / lpr, in units of the prior variance.
    residual : numpy.ndarray or None
        sum_ij k(i,j) - X^T K_MM^-1 X, the distance of the total from the active set. It may exceed 1, because it is
        that of a sum over the atoms. NaN for frames of more than 4096 atoms. None for linear models.
    energy : numpy.ndarray or None
        The total energy. None for models without energies.
    sigma : numpy.ndarray or None
        Its standard deviation, in its unit. None if the prior variance is not known.
    """

    lpr: Array
    variance: Array
    residual: Array | None
    energy: Array | None
    sigma: Array | None


# Columns of files about the total of each frame, and the array of each.
TOTAL_COLUMNS = {"lpr_total": "lpr", "sigma_total": "sigma"}


@dataclass(frozen=True)
class TotalScoring:
    """Scoring of total energies by a model."""

    scoring: SumScoring

    def of(self, batch: Sequence[Ready], n_threads: int) -> Totals:
        """Return the totals of whole frames; the bits of each do not depend on other frames or on threads."""
        known = [self._knows(ready) for ready in batch]
        found = [self._total(ready, n_threads) for ready, is_known in zip(batch, known, strict=True) if is_known]
        rows = np.array([sums.rows[0] for sums, _ in found]).reshape(len(found), self.scoring.core.size)
        counts = np.array([sums.counts[0] for sums, _ in found]).reshape(len(found), len(self.scoring.species))
        own = np.array([kernel for _, kernel in found])
        return _spread(self._totals(rows, counts, own, n_threads), np.array(known, dtype=bool))

    def _total(self, ready: Ready, n_threads: int) -> tuple[Sums, float]:
        """Return the sum over all atoms of a frame, without their features, and its kernel with itself."""
        is_paired = len(ready.frame) <= LARGEST_PAIRED
        sums = self.scoring.sums(ready, Members.whole(len(ready.frame)), n_threads, with_features=is_paired)
        return replace(sums, features=None), float(self.scoring.own_kernels(sums, n_threads)[0])

    def _totals(self, rows: Array, counts: Array, own: Array, n_threads: int) -> Totals:
        scoring = self.scoring
        lpr = scoring.rigidity.lpr(rows, n_threads=n_threads)
        variance = scoring.rigidity.variance(rows, n_threads=n_threads)
        residual = scoring.residuals(rows, own, n_threads)
        energies = scoring.energies(rows, counts)
        return Totals(lpr, variance, residual, energies, scoring.sigmas(variance, residual))

    def _knows(self, ready: Ready) -> bool:
        return bool(np.isin(ready.frame.numbers, self.scoring.species).all())


def all_totals(parts: Sequence[Totals]) -> Totals:
    """Return all totals as one object."""
    arrays: dict[str, Any] = dict.fromkeys(vars(parts[0]))
    arrays |= {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Totals(**arrays)


def _spread(totals: Totals, known: NDArray[np.bool_]) -> Totals:
    """Return totals of all frames, with NaN for those with unknown species."""
    if known.all():
        return totals

    def spread(values: Array) -> Array:
        result = np.full(len(known), np.nan)
        result[known] = values
        return result

    arrays: dict[str, Any] = {name: None if values is None else spread(values) for name, values in vars(totals).items()}
    return Totals(**arrays)
