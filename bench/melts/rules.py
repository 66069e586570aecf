"""Rules by which a frame is called unlike the training set, and how often they fire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .columns import Columns
from .potentials import Array

Flags = NDArray[np.bool_]
Beyond = Callable[[Columns, Columns], Flags]


@dataclass(frozen=True)
class Rule:
    """A frame fires where more than a share (%) of its atoms is beyond the limits of the training atoms."""

    name: str
    beyond: Beyond
    share: float = 3.0

    def fired(self, columns: Columns, training: Columns) -> float:
        """Percent of the frames that fire."""
        shares = np.bincount(columns.frame, self.beyond(columns, training)) / np.bincount(columns.frame)
        return float(100 * np.mean(100 * shares > self.share))


def below(column: str, percent: float) -> Beyond:
    """Atoms whose rigidity is below that of all but so many percent of the training atoms of their species."""
    return lambda columns, training: getattr(columns, column) < limits(columns, training, column, percent)


def above(column: str, percent: float) -> Beyond:
    """Atoms with more of something than so many percent of the training atoms of their species."""
    return lambda columns, training: getattr(columns, column) > limits(columns, training, column, percent)


def either(one: Beyond, other: Beyond) -> Beyond:
    """Atoms that are beyond one limit or the other."""
    return lambda columns, training: one(columns, training) | other(columns, training)


def both(one: Beyond, other: Beyond) -> Beyond:
    """Atoms that are beyond both limits."""
    return lambda columns, training: one(columns, training) & other(columns, training)


def limits(columns: Columns, training: Columns, column: str, percent: float) -> Array:
    """The quantile among the training atoms of each atom's species."""
    values = getattr(training, column)
    kinds = np.unique(training.species)
    quantiles = np.array([np.quantile(values[training.species == kind], percent / 100) for kind in kinds])
    return quantiles[np.searchsorted(kinds, columns.species)]


def has_verdict(columns: Columns, training: Columns) -> Flags:  # noqa: ARG001
    """Atoms that the model's verdict calls loose, or unlike the training set."""
    return columns.verdict > 0


RULES = (
    Rule("any atom below the lowest training LPR", below("lpr", 0), share=0.0),
    Rule("plain LPR below 0.1 %", below("lpr", 0.1)),
    Rule("plain LPR below 1 %", below("lpr", 1)),
    Rule("plain LPR below 5 %, a quarter of the atoms", below("lpr", 5), share=25.0),
    Rule("held LPR below 0.1 %", below("held", 0.1)),
    Rule("held LPR below 1 %", below("held", 1)),
    Rule("held LPR below 5 %, a quarter of the atoms", below("held", 5), share=25.0),
    Rule("residual above 99.9 %", above("residual", 99.9)),
    Rule("residual above 99 %", above("residual", 99)),
    Rule("held below 1 % and residual above 99 %", both(below("held", 1), above("residual", 99))),
    Rule("held below 1 % or residual above 99 %", either(below("held", 1), above("residual", 99))),
    Rule("mu / held LPR + residual above 99 %", above("projected", 99)),
    Rule("verdict 1 or 2", has_verdict),
)
SHARES = tuple(
    Rule(f"verdict, more than {share:g} % of the atoms", has_verdict, share) for share in (0, 1, 2, 5, 10, 25)
)
