"""What models say of environments."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import Array

Loss = Literal["total", "per_atom"]

# What they square the errors of.
LOSS_NAMES = {"total": "total energies", "per_atom": "energies per atom"}
Indices = NDArray[np.int64]


class LocalScores(NamedTuple):
    """What a model says of environments, each of shape (n,); NaN for those that were left out."""

    lpr: Array
    variance: Array
    residual: Array | None
    energy: Array | None


def scores_of(model: _core.Model, features: Array, species: Indices, n_threads: int) -> LocalScores:
    """Scores of environments from raw features, (n, D); rows of NaN are left out."""
    known = ~np.isnan(features[:, 0])
    if known.all():
        return LocalScores(*model.score(features, species.astype(np.int32), n_threads))
    lpr, variance, residual, energy = model.score(features[known], species[known].astype(np.int32), n_threads)

    def spread(values: Array) -> Array:
        result = np.full(len(known), np.nan)
        result[known] = values
        return result

    return LocalScores(
        spread(lpr),
        spread(variance),
        None if residual is None else spread(residual),
        None if energy is None else spread(energy),
    )
