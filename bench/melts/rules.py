"""Rules by which a frame is called unlike the training set, and how often they fire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .columns import Columns
from .potentials import Array

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Rule:
    """A frame fires where more than a share (%) of its atoms is beyond limits of the training set."""

    name: str
    beyond: Callable[[Columns, Columns], Flags]
    share: float = 5.0


def below(column: str, percent: float) -> Callable[[Columns, Columns], Flags]:
    """Atoms whose rigidity is below that of so many percent of the training atoms of their species."""

    def flags(columns: Columns, training: Columns) -> Flags:
        return getattr(columns, column) < limits(columns, training, column, percent)

    return flags


def above(percent: float) -> Callable[[Columns, Columns], Flags]:
    """Atoms whose residual is above that of all but so many percent of the training atoms of their species."""

    def flags(columns: Columns, training: Columns) -> Flags:
        return columns.residual > limits(columns, training, "residual", 100 - percent)

    return flags


def limits(columns: Columns, training: Columns, column: str, percent: float) -> Array:
    """Quantile of the training atoms of each atom's species."""
    values = getattr(training, column)
    kinds = np.unique(training.species)
    quantiles = np.array([np.quantile(values[training.species == kind], percent / 100) for kind in kinds])
    return quantiles[np.searchsorted(kinds, columns.species)]


def either(loose: float, unlike: float) -> Callable[[Columns, Columns], Flags]:
    """Loose, unlike the training set, or both."""
    return lambda columns, training: below("held", loose)(columns, training) | above(unlike)(columns, training)


def both(loose: float, unlike: float) -> Callable[[Columns, Columns], Flags]:
    """Loose and unlike the training set."""
    return lambda columns, training: below("held", loose)(columns, training) & above(unlike)(columns, training)


RULES = (
    Rule("any LPR below the lowest of training", below("lpr", 0), share=0),
    Rule("plain LPR below 0.1 %", below("lpr", 0.1)),
    Rule("plain LPR below 1 %", below("lpr", 1)),
    Rule("plain LPR below 5 %", below("lpr", 5), share=25),
    Rule("held LPR below 0.1 %", below("held", 0.1)),
    Rule("held LPR below 1 %", below("held", 1)),
    Rule("held LPR below 5 %", below("held", 5), share=25),
    Rule("residual above 99.9 %", above(0.1)),
    Rule("residual above 99 %", above(1)),
    Rule("held LPR below 1 % and residual above 99 %", both(1, 1)),
    Rule("held LPR below 1 % or residual above 99.9 %", either(1, 0.1)),
    Rule("held LPR below 1 % or residual above 99 %", either(1, 1)),
)
SHARES = (0.0, 1.0, 5.0, 10.0, 25.0, 50.0)


def shares(rule: Rule, columns: Columns, training: Columns) -> Array:
    """Percent of the atoms of each frame that are beyond the limits."""
    return 100 * np.bincount(columns.frame, rule.beyond(columns, training)) / np.bincount(columns.frame)


def fired(rule: Rule, columns: Columns, training: Columns) -> float:
    """Percent of the frames that fire."""
    return float(100 * np.mean(shares(rule, columns, training) > rule.share))
