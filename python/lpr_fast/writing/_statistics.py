"""Statistics of atoms, in constant memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .._arrays import Array
from ..atoms._pipeline import Scores
from ._verdicts import verdict_counts

# Bins per power of ten: quantiles are accurate to a quarter of a percent.
_BINS_PER_DECADE = 1000

# Atoms that are counted at once, because the cost is that of the bins.
_COUNTED_TOGETHER = 2**16

_OUTSIDE = 10**6  # number of the bin of infinity; its negative is the bin of zero

_EXTREMES = ("lpr_lowest", "lpr_held_lowest", "residual_largest", "force_sigma_largest")
_BINS = ("_bins", "_bins_held")

AnyStatistics = TypeVar("AnyStatistics", bound="Statistics")


@dataclass(frozen=True)
class Extreme:
    """A value and its atom."""

    value: float
    frame: int
    atom: int
    species: int


@dataclass
class _Bins:
    """Counts of rigidities in bins, by number of the bin."""

    _counts: dict[int, int] = field(default_factory=dict)
    _waiting: list[NDArray[np.int64]] = field(default_factory=list)
    _n_waiting: int = 0

    def add(self, lpr: Array) -> None:
        """Add rigidities; none is NaN."""
        with np.errstate(divide="ignore"):
            numbers: NDArray[np.float64] = np.floor(np.log10(lpr) * _BINS_PER_DECADE)
        self._waiting.append(np.clip(numbers, -_OUTSIDE, _OUTSIDE).astype(np.int64))
        self._n_waiting += len(lpr)
        if self._n_waiting >= _COUNTED_TOGETHER:
            self.counts()

    def counts(self) -> dict[int, int]:
        """Counts of the bins that are not empty."""
        if self._waiting:
            found, counts = np.unique(np.concatenate(self._waiting), return_counts=True)
            self._waiting, self._n_waiting = [], 0
            self.merge(zip(found.tolist(), counts.tolist(), strict=True))
        return self._counts

    def merge(self, counts: Iterable[tuple[int, int]]) -> None:
        """Add counts."""
        for number, count in counts:
            self._counts[number] = self._counts.get(number, 0) + count


@dataclass
class Statistics:
    """Counts, extremes and quantiles.

    Attributes
    ----------
    n_atoms, n_unknown : int
        Number of atoms, and of those with NaN (unknown species, or a neighbour of one).
    lpr_lowest, lpr_held_lowest, residual_largest : Extreme or None
        The atoms with the lowest LPR, lowest held LPR and largest residual; frames and atoms are counted from 0.
    force_sigma_largest : Extreme or None
        The atom with the largest uncertainty of its force, for runs with forces and models with a scale.
    n_energies, squared_errors : int and float
        Number of frames with energy, and the sum of their squared errors per atom.
    verdicts : list of int or None
        Atoms of each verdict; None for models without verdicts.
    """

    n_atoms: int = 0
    n_unknown: int = 0
    lpr_lowest: Extreme | None = None
    lpr_held_lowest: Extreme | None = None
    residual_largest: Extreme | None = None
    force_sigma_largest: Extreme | None = None
    n_energies: int = 0
    squared_errors: float = 0.0
    verdicts: list[int] | None = None
    _bins: _Bins = field(default_factory=_Bins)
    _bins_held: _Bins = field(default_factory=_Bins)

    def add_atoms(self, scores: Scores, numbers: NDArray[Any]) -> None:
        """Add the scores of atoms with these atomic numbers."""
        known = ~np.isnan(scores.lpr)
        self.n_atoms += len(scores)
        self.n_unknown += int(np.count_nonzero(~known))
        if not known.any():
            return
        self._bins.add(scores.lpr[known])
        lowest = _extreme(scores.lpr, np.nanargmin(scores.lpr), numbers, scores)
        self.lpr_lowest = _lower(self.lpr_lowest, lowest, sign=1)
        if scores.lpr_held is not None:
            self._bins_held.add(scores.lpr_held[known])
            lowest = _extreme(scores.lpr_held, np.nanargmin(scores.lpr_held), numbers, scores)
            self.lpr_held_lowest = _lower(self.lpr_held_lowest, lowest, sign=1)
        if scores.residual is not None:
            largest = _extreme(scores.residual, np.nanargmax(scores.residual), numbers, scores)
            self.residual_largest = _lower(self.residual_largest, largest, sign=-1)
        if scores.force_sigma is not None and not np.isnan(scores.force_sigma).all():
            largest = _extreme(scores.force_sigma, np.nanargmax(scores.force_sigma), numbers, scores)
            self.force_sigma_largest = _lower(self.force_sigma_largest, largest, sign=-1)
        if scores.verdict is not None:
            self._add_verdicts(verdict_counts(scores.verdict))

    def add_error(self, error: float) -> None:
        """Add the error of the energy per atom of a frame; NaN is ignored."""
        if math.isfinite(error):
            self.n_energies += 1
            self.squared_errors += error**2

    def merge(self, other: Statistics) -> None:
        """Add the statistics of the next atoms."""
        self.n_atoms += other.n_atoms
        self.n_unknown += other.n_unknown
        self.lpr_lowest = _lower(self.lpr_lowest, other.lpr_lowest, sign=1)
        self.lpr_held_lowest = _lower(self.lpr_held_lowest, other.lpr_held_lowest, sign=1)
        self.residual_largest = _lower(self.residual_largest, other.residual_largest, sign=-1)
        self.force_sigma_largest = _lower(self.force_sigma_largest, other.force_sigma_largest, sign=-1)
        self.n_energies += other.n_energies
        self.squared_errors += other.squared_errors
        self._bins.merge(other._bins.counts().items())
        self._bins_held.merge(other._bins_held.counts().items())
        if other.verdicts is not None:
            self._add_verdicts(other.verdicts)

    def _add_verdicts(self, counts: list[int]) -> None:
        so_far = self.verdicts or [0] * len(counts)
        self.verdicts = [a + b for a, b in zip(so_far, counts, strict=True)]

    @property
    def energy_rmse(self) -> float | None:
        """Root mean square error of energies per atom; None without energies."""
        return math.sqrt(self.squared_errors / self.n_energies) if self.n_energies else None

    def quantile(self, share: float, *, held: bool = False) -> float:
        """A quantile of the (held) LPR, to a quarter of a percent; NaN without atoms."""
        counts = sorted((self._bins_held if held else self._bins).counts().items())
        wanted, passed = share * (sum(count for _, count in counts) - 1), 0
        for number, count in counts:
            passed += count
            if passed > wanted:
                return _middle_of(number)
        return math.nan

    def to_json(self) -> dict[str, Any]:
        """The state, for JSON."""
        facts = {name: getattr(self, name) for name in Statistics.__dataclass_fields__}
        extremes = {name: facts[name] and asdict(facts[name]) for name in _EXTREMES}
        bins = {name: sorted(facts[name].counts().items()) for name in _BINS}
        return {**facts, **extremes, **bins}

    @classmethod
    def from_json(cls: type[AnyStatistics], facts: Mapping[str, Any]) -> AnyStatistics:
        """The statistics of a state that `to_json` returned."""
        extremes = {name: facts[name] and Extreme(**facts[name]) for name in _EXTREMES}
        return cls(**{**facts, **extremes, **{name: _Bins(dict(facts[name])) for name in _BINS}})


def _middle_of(number: int) -> float:
    if abs(number) == _OUTSIDE:
        return math.inf if number > 0 else 0.0
    return float(10.0 ** ((number + 0.5) / _BINS_PER_DECADE))


def _extreme(values: Array, index: Any, numbers: NDArray[Any], scores: Scores) -> Extreme:
    return Extreme(float(values[index]), int(scores.frame[index]), int(scores.atom[index]), int(numbers[index]))


def _lower(so_far: Extreme | None, found: Extreme | None, *, sign: int) -> Extreme | None:
    """The lower of two values (the higher for sign = -1); the first if they are equal."""
    if so_far is None or found is None:
        return so_far or found
    return found if sign * found.value < sign * so_far.value else so_far
