"""Summary of a run, in constant memory."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from ase import Atoms

from ..atoms._pipeline import Scores
from ._sinks import error_per_atom, group_of
from ._statistics import Statistics
from ._verdicts import VerdictsAlong, verdict_counts

Key = TypeVar("Key", bound=Hashable)

_MOST_REASONS = 100

# Largest number of groups; further groups are counted together, because each frame may have its own name.
_MOST_GROUPS = 100
OTHER_GROUPS = "all others"


@dataclass
class RunSummary(Statistics):
    """Counts, extremes and quantiles of all scored frames, of each species, and of each group of frames.

    Attributes
    ----------
    n_frames : int
        Number of scored frames.
    n_read, n_skipped : int
        Numbers of all frames so far, and of those that could not be read or scored.
    skipped : list of (int, str)
        Numbers and reasons of the first hundred skipped frames.
    n_atoms, n_unknown, lpr_lowest, residual_largest, n_energies, squared_errors, verdicts
        See `Statistics`.
    verdicts_along : VerdictsAlong
        Verdicts in ranges of frames.
    species : dict of int to Statistics
        Statistics of the atoms of each atomic number.
    groups : dict of str to Statistics
        Statistics of the frames of each ``config_type``: of the first hundred, and of all others together.
    """

    n_frames: int = 0
    n_read: int = 0
    n_skipped: int = 0
    skipped: list[tuple[int, str]] = field(default_factory=list)
    verdicts_along: VerdictsAlong = field(default_factory=VerdictsAlong)
    species: dict[int, Statistics] = field(default_factory=dict)
    groups: dict[str, Statistics] = field(default_factory=dict)

    def add(self, frames: list[Atoms], scores: Scores, energy_key: str) -> None:
        """Add frames, in order."""
        numbers = np.concatenate([frame.numbers for frame in frames])
        self.add_atoms(scores, numbers)
        for number in np.unique(numbers).tolist():
            chosen = np.flatnonzero(numbers == number)
            self.species.setdefault(number, Statistics()).add_atoms(scores.select(chosen), numbers[chosen])
        start = 0
        for frame in frames:
            of_frame = scores.select(slice(start, start + len(frame)))
            start += len(frame)
            if of_frame.verdict is not None and len(of_frame):
                self.verdicts_along.add(int(of_frame.frame[0]), verdict_counts(of_frame.verdict))
            group = self._group(group_of(frame))
            if group is not None:
                group.add_atoms(of_frame, frame.numbers)
            if of_frame.local_energy is not None:
                error = error_per_atom(frame, of_frame.local_energy, energy_key)
                for part in (self, group):
                    if part is not None:
                        part.add_error(error)
        self.n_frames += len(frames)
        self.n_read += len(frames)

    def skip(self, number: int, reason: str) -> None:
        """Add a frame that could not be scored."""
        self.n_read += 1
        self.n_skipped += 1
        if len(self.skipped) < _MOST_REASONS:
            self.skipped.append((number, reason))

    def merge(self, other: Statistics) -> None:
        """Add the summary of the next frames."""
        super().merge(other)
        assert isinstance(other, RunSummary)
        self.n_frames += other.n_frames
        self.n_read += other.n_read
        self.n_skipped += other.n_skipped
        self.skipped = [*self.skipped, *other.skipped][:_MOST_REASONS]
        self.verdicts_along.merge(other.verdicts_along)
        for number, part in other.species.items():
            self.species.setdefault(number, Statistics()).merge(part)
        for name, part in other.groups.items():
            group = self._group(name)
            assert group is not None
            group.merge(part)

    def to_json(self) -> dict[str, Any]:
        """The state, for JSON."""
        facts = {name: getattr(self, name) for name in ("n_frames", "n_read", "n_skipped", "skipped")}
        parts = {name: _pairs(getattr(self, name)) for name in ("species", "groups")}
        return {**super().to_json(), **facts, **parts, "verdicts_along": self.verdicts_along.to_json()}

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> RunSummary:
        """The summary of a state that `to_json` returned."""
        parts = {name: {key: Statistics.from_json(part) for key, part in facts[name]} for name in ("species", "groups")}
        skipped = [(number, reason) for number, reason in facts["skipped"]]
        along = VerdictsAlong.from_json(facts["verdicts_along"])
        return super().from_json({**facts, **parts, "skipped": skipped, "verdicts_along": along})

    def _group(self, name: str | None) -> Statistics | None:
        if name is None:
            return None
        if name not in self.groups and len(self.groups) >= _MOST_GROUPS:
            name = OTHER_GROUPS
        return self.groups.setdefault(name, Statistics())


def _pairs(parts: Mapping[Key, Statistics]) -> list[tuple[Key, dict[str, Any]]]:
    """Pairs instead of a dictionary: keys in JSON cannot be numbers."""
    return [(key, part.to_json()) for key, part in parts.items()]
