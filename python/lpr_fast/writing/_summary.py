"""What a whole run came to, in memory that does not grow with it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from .._arrays import Array
from ..atoms._pipeline import Scores
from ._sinks import error_per_atom

# Rigidities are counted in so many bins for each power of ten: quantiles are right to a quarter of a percent.
_BINS_PER_DECADE = 1000

# Atoms that are counted together: counting some at a time takes as long for each bin as for many atoms.
_COUNTED_TOGETHER = 2**16

_MOST_REASONS = 100
_OUTSIDE = 10**6  # the number of the bin for infinity, and less that of the one for zero


@dataclass(frozen=True)
class Extreme:
    """A value, and the atom that has it."""

    value: float
    frame: int
    atom: int
    species: int


@dataclass
class _Bins:
    """How many rigidities fall into each bin, by the numbers of these."""

    _counts: dict[int, int] = field(default_factory=dict)
    _waiting: list[NDArray[np.int64]] = field(default_factory=list)
    _n_waiting: int = 0

    def add(self, lpr: Array) -> None:
        """Count rigidities in, none of which is NaN."""
        with np.errstate(divide="ignore"):
            numbers: NDArray[np.float64] = np.floor(np.log10(lpr) * _BINS_PER_DECADE)
        self._waiting.append(np.clip(numbers, -_OUTSIDE, _OUTSIDE).astype(np.int64))
        self._n_waiting += len(lpr)
        if self._n_waiting >= _COUNTED_TOGETHER:
            self.counts()

    def counts(self) -> dict[int, int]:
        """The count of each bin that is not empty."""
        if self._waiting:
            found, counts = np.unique(np.concatenate(self._waiting), return_counts=True)
            self._waiting, self._n_waiting = [], 0
            self.merge(zip(found.tolist(), counts.tolist(), strict=True))
        return self._counts

    def merge(self, counts: Iterable[tuple[int, int]]) -> None:
        """Count in what has been counted already."""
        for number, count in counts:
            self._counts[number] = self._counts.get(number, 0) + count


@dataclass
class RunSummary:
    """Counts, extremes and quantiles of all frames that were scored.

    Attributes
    ----------
    n_frames, n_atoms : int
        How many were scored.
    n_read, n_skipped : int
        Frames that have come, and those of them that could not be read or scored.
    skipped : list of (int, str)
        Numbers of these, and what is wrong; of the first hundred.
    n_unknown : int
        Atoms with NaN: of species that the model does not know, or near them.
    lpr_lowest, residual_largest : Extreme or None
        The least rigid atom, and the one that the active set describes worst; frames and atoms are counted from 0.
    n_energies, squared_errors : int and float
        Frames that came with an energy, and the sum of their squared errors per atom.
    """

    n_frames: int = 0
    n_atoms: int = 0
    n_read: int = 0
    n_skipped: int = 0
    skipped: list[tuple[int, str]] = field(default_factory=list)
    n_unknown: int = 0
    lpr_lowest: Extreme | None = None
    residual_largest: Extreme | None = None
    n_energies: int = 0
    squared_errors: float = 0.0
    _bins: _Bins = field(default_factory=_Bins)

    def add(self, frames: list[Atoms], scores: Scores, energy_key: str) -> None:
        """Count frames in, in their order."""
        numbers = np.concatenate([frame.numbers for frame in frames])
        known = ~np.isnan(scores.lpr)
        self.n_unknown += int(np.count_nonzero(~known))
        if known.any():
            self._bins.add(scores.lpr[known])
            lowest = _extreme(scores.lpr, np.nanargmin(scores.lpr), numbers, scores)
            self.lpr_lowest = _lower(self.lpr_lowest, lowest, sign=1)
            if scores.residual is not None:
                largest = _extreme(scores.residual, np.nanargmax(scores.residual), numbers, scores)
                self.residual_largest = _lower(self.residual_largest, largest, sign=-1)
        if scores.local_energy is not None:
            self._compare(frames, scores.local_energy, energy_key)
        self.n_frames += len(frames)
        self.n_read += len(frames)
        self.n_atoms += len(scores)

    def skip(self, number: int, reason: str) -> None:
        """Count a frame in that could not be scored."""
        self.n_read += 1
        self.n_skipped += 1
        if len(self.skipped) < _MOST_REASONS:
            self.skipped.append((number, reason))

    def merge(self, other: RunSummary) -> None:
        """Count in the frames that come next, summed up already."""
        self.lpr_lowest = _lower(self.lpr_lowest, other.lpr_lowest, sign=1)
        self.residual_largest = _lower(self.residual_largest, other.residual_largest, sign=-1)
        self._bins.merge(other._bins.counts().items())
        self.skipped = [*self.skipped, *other.skipped][:_MOST_REASONS]
        for name in ("n_frames", "n_atoms", "n_read", "n_skipped", "n_unknown", "n_energies", "squared_errors"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def energy_rmse(self) -> float | None:
        """Root mean square error of energies per atom, if frames came with energies."""
        return math.sqrt(self.squared_errors / self.n_energies) if self.n_energies else None

    def quantile(self, share: float) -> float:
        """The LPR below which such a share of the atoms lies, to a quarter of a percent; NaN if there are none."""
        counts = sorted(self._bins.counts().items())
        wanted, passed = share * (sum(count for _, count in counts) - 1), 0
        for number, count in counts:
            passed += count
            if passed > wanted:
                return _middle_of(number)
        return math.nan

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        facts = {each.name: getattr(self, each.name) for each in fields(self)}
        extremes = {name: facts[name] and asdict(facts[name]) for name in ("lpr_lowest", "residual_largest")}
        return {**facts, **extremes, "_bins": sorted(self._bins.counts().items())}

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> RunSummary:
        """What `to_json` gave."""
        extremes = {name: facts[name] and Extreme(**facts[name]) for name in ("lpr_lowest", "residual_largest")}
        skipped = [(number, reason) for number, reason in facts["skipped"]]
        return cls(**{**facts, **extremes, "skipped": skipped, "_bins": _Bins(dict(facts["_bins"]))})

    def _compare(self, frames: list[Atoms], local_energy: Array, key: str) -> None:
        start = 0
        for frame in frames:
            error = error_per_atom(frame, local_energy[start : start + len(frame)], key)
            start += len(frame)
            if math.isfinite(error):
                self.n_energies += 1
                self.squared_errors += error**2


def _middle_of(number: int) -> float:
    if abs(number) == _OUTSIDE:
        return math.inf if number > 0 else 0.0
    return float(10.0 ** ((number + 0.5) / _BINS_PER_DECADE))


def _extreme(values: Array, index: Any, numbers: NDArray[Any], scores: Scores) -> Extreme:
    return Extreme(float(values[index]), int(scores.frame[index]), int(scores.atom[index]), int(numbers[index]))


def _lower(so_far: Extreme | None, found: Extreme | None, *, sign: int) -> Extreme | None:
    """The lower of two, or with a sign of -1 the higher; the first if they are equal."""
    if so_far is None or found is None:
        return so_far or found
    return found if sign * found.value < sign * so_far.value else so_far
