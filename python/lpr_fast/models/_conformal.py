"""Conformal intervals: half-widths that contain errors of new structures at a given rate, for any distribution."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._arrays import Array, as_number
from .._errors import InvalidInputError
from .._words import counted

Indices = NDArray[np.int64]

# Name of the only group if there are no groups.
EVERYTHING = ""


@dataclass(frozen=True)
class Interval:
    """The interval of one group.

    Attributes
    ----------
    n_structures : int
        Number of structures that determine it.
    quantile : float
        Upper bound of errors over sigma at the given rate.
    """

    n_structures: int
    quantile: float


@dataclass(frozen=True)
class Conformal:
    """Conformal intervals of a model, for each group of structures.

    Attributes
    ----------
    coverage : float
        Least share of the errors of new structures of a group that the intervals contain.
    group_key : str or None
        Name of the group in ``Atoms.info``; None if all structures are one group, named "".
    energy : dict of str to Interval
        Quantiles of absolute errors of totals over sigma, for each group.
    force : dict of str to Interval
        Quantiles of the length of the error of a force over its largest standard deviation, for each group; empty if
        forces were not calibrated.
    """

    coverage: float
    group_key: str | None
    energy: Mapping[str, Interval]
    force: Mapping[str, Interval]

    def facts(self) -> dict[str, Any]:
        """Return the section ``conformal`` of a model file."""
        parts = {"energy": self.energy, "force": self.force}
        return {
            "coverage": self.coverage,
            "group_key": self.group_key,
            **{what: {name: [i.n_structures, i.quantile] for name, i in part.items()} for what, part in parts.items()},
        }

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Conformal:
        """Return the intervals from the section ``conformal`` of a model file."""
        energy, force = ({name: Interval(*i) for name, i in facts[what].items()} for what in ("energy", "force"))
        return cls(facts["coverage"], facts["group_key"], energy, force)

    def quantiles(self, what: str, groups: Sequence[str]) -> Array:
        """Return the quantile of the group of each structure.

        Raises
        ------
        InvalidInputError
            For a group without intervals.
        """
        intervals = self.energy if what == "energy" else self.force
        for number, group in enumerate(groups):
            if group not in intervals:
                known = ", ".join(map(repr, intervals)) or "none"
                raise InvalidInputError(
                    f"frame {number} has {self.group_key} {group!r}, which has no intervals of {what}, unlike {known}; "
                    "calibrate with structures of that group."
                )
        return np.array([intervals[group].quantile for group in groups])


def as_coverage(given: Any) -> float:
    """Check a share between 0 and 1.

    Raises
    ------
    InvalidInputError
        For other values.
    """
    coverage = as_number("coverage", given)
    if not 0.0 < coverage < 1.0:
        raise InvalidInputError(f"coverage is {coverage:g}; it must be between 0 and 1, such as 0.9.")
    return coverage


def intervals(
    what: str, scores: Array, structures: Indices, groups: Sequence[str], coverage: float
) -> dict[str, Interval]:
    """Return the interval of each group, from scores of predictions and their structures.

    Raises
    ------
    InvalidInputError
        For groups of too few structures; the message names the groups and the number needed.
    """
    of_score = np.array(groups)[structures] if len(structures) else np.zeros(0, dtype=np.str_)
    names = sorted(set(of_score.tolist()))
    counts = {name: len(np.unique(structures[of_score == name])) for name in names}
    needed = needed_for(coverage)
    small = [
        f"{name!r} has {count}" if name else f"there are {count}" for name, count in counts.items() if count < needed
    ]
    if small or not names:
        raise InvalidInputError(
            f"intervals of {what} that contain {coverage:.4g} of the errors need {counted(needed, 'structure')} in "
            f"each group, but {', '.join(small) or 'there are none'}; give more structures, leave these groups out, or "
            "give a smaller coverage."
        )
    return {
        name: Interval(counts[name], quantile(scores[of_score == name], structures[of_score == name], coverage))
        for name in names
    }


def needed_for(coverage: float) -> int:
    """Return the least number of structures for a finite interval of this coverage."""
    share = _exactly(coverage)
    return math.ceil(share / (1 - share))


def quantile(scores: Array, structures: Indices, coverage: float) -> float:
    """Return the score that new scores do not exceed at the rate `coverage`.

    For one score of each of n structures it is the ceil((n + 1) coverage)-th smallest (Vovk, Gammerman and Shafer,
    2005). Several scores of a structure share its weight, so that the rate is that of a random prediction of a new
    structure (Lee, Barber and Willett, arXiv:2306.06342).
    """
    _, numbers, counts = np.unique(structures, return_inverse=True, return_counts=True)
    order = np.argsort(scores, kind="stable")
    below = np.cumsum(1.0 / counts[numbers[order]])
    wanted = float(_exactly(coverage) * (len(counts) + 1))
    place = int(np.searchsorted(below, wanted * (1.0 - 1e-12)))
    return float(scores[order[place]])


def _exactly(coverage: float) -> Fraction:
    """Return a decimal number as the fraction that it means."""
    return Fraction(coverage).limit_denominator(10**6)
