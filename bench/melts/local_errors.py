"""Do the columns rank atoms as the errors of their energies do, where these are known?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import spearmanr

from lpr_fast import SparseKernelModel

from .columns import Columns
from .potentials import Array

Measure = Callable[[Columns, list[SparseKernelModel]], Array]

MEASURES: dict[str, Measure] = {
    "1/sqrt(plain LPR)": lambda columns, _: 1 / np.sqrt(columns.lpr),
    "1/sqrt(held LPR)": lambda columns, _: 1 / np.sqrt(columns.held),
    "residual": lambda columns, _: columns.residual,
    "committee": lambda columns, committee: spread(columns, committee),
}


def local_errors(columns: Columns, training: Columns) -> Array:
    """|predicted - known| of each atom, less the mean difference that its species has over the training atoms."""
    return np.abs(without_shift(columns.predicted - columns.known, columns, training.predicted - training.known, training))


def spread(columns: Columns, committee: list[SparseKernelModel]) -> Array:
    """Standard deviation over a committee; of each member the mean of every species is taken off."""
    members = np.array([columns.phi @ member.rigidity.weights for member in committee])
    for kind in np.unique(columns.species):
        chosen = columns.species == kind
        members[:, chosen] -= members[:, chosen].mean(axis=1, keepdims=True)
    return members.std(axis=0)


def without_shift(difference: Array, columns: Columns, of_training: Array, training: Columns) -> Array:
    """Less the mean over the training atoms of the same species."""
    shifted = difference.copy()
    for kind in np.unique(training.species):
        shifted[columns.species == kind] -= of_training[training.species == kind].mean()
    return shifted


def rank_correlation(measure: Array, errors: Array) -> float:
    """Spearman's."""
    return float(spearmanr(measure, errors).statistic)


def quartile_errors(held: Array, errors: Array) -> Array:
    """Mean error (meV) in quartiles of held LPR, from the lowest."""
    order = np.argsort(held)
    return np.array([1000 * errors[part].mean() for part in np.array_split(order, 4)])
