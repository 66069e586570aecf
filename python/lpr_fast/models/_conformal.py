"""Conformal intervals: half-widths that hold errors of new structures at a stated rate, whatever these are like."""

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

Indices = NDArray[np.int64]

# What the only group is called where structures are not told apart.
EVERYTHING = ""


@dataclass(frozen=True)
class Interval:
    """The interval of one group.

    Attributes
    ----------
    n_structures : int
        Structures that it was made from.
    quantile : float
        What errors, or errors over sigma, are at most at the stated rate.
    """

    n_structures: int
    quantile: float


@dataclass(frozen=True)
class Conformal:
    """Conformal intervals of a model, for each group of structures.

    Attributes
    ----------
    coverage : float
        Share of the errors of new structures of a group that the intervals hold, at least.
    group_key : str or None
        What says which group a structure belongs to; None: all are one group, named "".
    energy : dict of str to Interval
        Of energies: quantiles of |error| / sigma of totals.
    force : dict of str to Interval
        Of forces, quantiles of the length of the error over the largest standard deviation of the force; empty if
        forces were not calibrated.
    """

    coverage: float
    group_key: str | None
    energy: Mapping[str, Interval]
    force: Mapping[str, Interval]

    def facts(self) -> dict[str, Any]:
        """The section ``conformal`` of a model file."""
        parts = {"energy": self.energy, "force": self.force}
        return {
            "coverage": self.coverage,
            "group_key": self.group_key,
            **{what: {name: [i.n_structures, i.quantile] for name, i in part.items()} for what, part in parts.items()},
        }

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Conformal:
        """What `facts` gave, as JSON had it."""
        energy, force = ({name: Interval(*i) for name, i in facts[what].items()} for what in ("energy", "force"))
        return cls(facts["coverage"], facts["group_key"], energy, force)

    def quantiles(self, what: str, groups: Sequence[str]) -> Array:
        """The quantile of the group of each structure.

        Raises
        ------
        InvalidInputError
            For a group that had no structures.
        """
        intervals = self.energy if what == "energy" else self.force
        for number, group in enumerate(groups):
            if group not in intervals:
                known = ", ".join(map(repr, intervals)) or "none"
                raise InvalidInputError(
                    f"frame {number} has {self.group_key} {group!r}, for which there are no intervals of {what}; there "
                    f"are those of {known}: calibrate with structures of that group."
                )
        return np.array([intervals[group].quantile for group in groups])


def as_coverage(given: Any) -> float:
    """A share between 0 and 1.

    Raises
    ------
    InvalidInputError
        For anything else.
    """
    coverage = as_number("coverage", given)
    if not 0.0 < coverage < 1.0:
        raise InvalidInputError(f"coverage is {coverage:g}; it must be between 0 and 1, such as 0.9.")
    return coverage


def intervals(
    what: str, scores: Array, structures: Indices, groups: Sequence[str], coverage: float
) -> dict[str, Interval]:
    """The interval of each group, from scores of predictions and the structures that these are of.

    Raises
    ------
    InvalidInputError
        For groups of too few structures, naming them and how many are needed.
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
            f"intervals of {what} that hold {coverage:.4g} of the errors need {needed} structures in each group, but "
            f"{', '.join(small) or 'there are none'}; give more of these, leave them out, or ask for less coverage."
        )
    return {
        name: Interval(counts[name], quantile(scores[of_score == name], structures[of_score == name], coverage))
        for name in names
    }


def needed_for(coverage: float) -> int:
    """Structures without which no finite interval has such a coverage."""
    share = _exactly(coverage)
    return math.ceil(share / (1 - share))


def quantile(scores: Array, structures: Indices, coverage: float) -> float:
    """The score that new ones do not exceed at such a rate.

    One score for each of n structures: the ceil((n + 1) coverage)-th in order (Vovk, Gammerman and Shafer, 2005).
    Several for a structure share its weight, so that the rate is that of a random prediction of a new structure (Lee,
    Barber and Willett, arXiv:2306.06342).
    """
    _, numbers, counts = np.unique(structures, return_inverse=True, return_counts=True)
    order = np.argsort(scores, kind="stable")
    below = np.cumsum(1.0 / counts[numbers[order]])
    wanted = float(_exactly(coverage) * (len(counts) + 1))
    place = int(np.searchsorted(below, wanted * (1.0 - 1e-12)))
    return float(scores[order[place]])


def _exactly(coverage: float) -> Fraction:
    """The share that a decimal stands for."""
    return Fraction(coverage).limit_denominator(10**6)
