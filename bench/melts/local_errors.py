"""Whether the columns rank atoms as the errors of their energies do, where these are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import spearmanr

from .columns import Columns
from .potentials import Array

MEASURES: dict[str, Callable[[Columns], Array]] = {
    "1/sqrt(plain LPR)": lambda columns: 1 / np.sqrt(columns.lpr),
    "1/sqrt(held LPR)": lambda columns: 1 / np.sqrt(columns.held),
    "residual": lambda columns: columns.residual,
    "mu / held LPR + residual": lambda columns: columns.projected,
    "spread of a committee": lambda columns: spread(columns),
}


def local_errors(columns: Columns, training: Columns) -> Array:
    """|predicted - known| of each atom, eV, without the mean difference of its species over the training atoms."""
    difference = columns.predicted - columns.known
    for kind in np.unique(training.species):
        chosen = training.species == kind
        shift = (training.predicted[chosen] - training.known[chosen]).mean()
        difference[columns.species == kind] -= shift
    return np.abs(difference)


def spread(columns: Columns) -> Array:
    """Standard deviation over the committee; of each member the mean of every species is taken off."""
    members = columns.committee.copy()
    for kind in np.unique(columns.species):
        chosen = columns.species == kind
        members[:, chosen] -= members[:, chosen].mean(axis=1, keepdims=True)
    return members.std(axis=0)


def rank_correlation(measure: Array, errors: Array) -> float:
    """Spearman's."""
    return float(spearmanr(measure, errors).statistic)


def quartile_errors(columns: Columns, training: Columns) -> list[float]:
    """Mean local error (meV) in quartiles of held LPR, from the lowest."""
    errors = 1000 * local_errors(columns, training)
    return [float(errors[part].mean()) for part in np.array_split(np.argsort(columns.held), 4)]
