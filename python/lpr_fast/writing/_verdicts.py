"""Counts of verdicts along a run, in constant memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models._reference import UNPINNED_SHARE
from ..models._scores import VERDICTS

Indices = NDArray[np.int64]

# Largest number of ranges of frames.
_MOST_RANGES = 10

_PINNED = VERDICTS.index("pinned")


def verdict_counts(verdicts: NDArray[np.float64]) -> list[int]:
    """Number of atoms with each verdict; NaN is ignored."""
    known = verdicts[~np.isnan(verdicts)].astype(np.int64)
    return [int(count) for count in np.bincount(known, minlength=len(VERDICTS))]


@dataclass
class VerdictsAlong:
    """Counts of verdicts in at most ten ranges of frames; the length of a range is a power of two.

    Attributes
    ----------
    frames_together : int
        Number of frames in a range; the first begins at frame 0.
    of_range : dict of int to list of int
        Atoms of each verdict, by the number of the range.
    n_beyond : int
        Number of frames in which more than `UNPINNED_SHARE` of the atoms, and at least two, are loose or unlike.
    first_beyond : int or None
        The first of them.
    """

    frames_together: int = 1
    of_range: dict[int, list[int]] = field(default_factory=dict)
    n_beyond: int = 0
    first_beyond: int | None = None

    def add(self, frame: int, counts: list[int]) -> None:
        """Add the atoms of a frame."""
        self._extend(frame)
        self._add(frame // self.frames_together, counts)
        # A single atom may be chance: in the training set itself one in a hundred is loose.
        if sum(counts) - counts[_PINNED] > max(1.0, UNPINNED_SHARE * sum(counts)):
            self.n_beyond += 1
            self._first(frame)

    def merge(self, other: VerdictsAlong) -> None:
        """Add counts of other frames."""
        for number, counts in other.of_range.items():
            first = number * other.frames_together
            # The last frame may be anywhere in its range, so ranges must be at least as long.
            self._extend(first, at_least=other.frames_together)
            self._add(first // self.frames_together, counts)
        self.n_beyond += other.n_beyond
        self._first(other.first_beyond)

    def to_json(self) -> dict[str, Any]:
        """The state, for JSON."""
        return {
            "frames_together": self.frames_together,
            "of_range": sorted(self.of_range.items()),
            "n_beyond": self.n_beyond,
            "first_beyond": self.first_beyond,
        }

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> VerdictsAlong:
        """The counts of a state that `to_json` returned."""
        of_range = {number: list(counts) for number, counts in facts["of_range"]}
        return cls(facts["frames_together"], of_range, facts["n_beyond"], facts["first_beyond"])

    def _first(self, frame: int | None) -> None:
        if frame is not None and (self.first_beyond is None or frame < self.first_beyond):
            self.first_beyond = frame

    def _extend(self, frame: int, at_least: int = 1) -> None:
        together = max(self.frames_together, at_least)
        while frame // together >= _MOST_RANGES:
            together *= 2
        if together == self.frames_together:
            return
        before, factor = self.of_range, together // self.frames_together
        self.frames_together, self.of_range = together, {}
        for number, counts in before.items():
            self._add(number // factor, counts)

    def _add(self, number: int, counts: list[int]) -> None:
        so_far = self.of_range.get(number, [0] * len(VERDICTS))
        self.of_range[number] = [a + b for a, b in zip(so_far, counts, strict=True)]
