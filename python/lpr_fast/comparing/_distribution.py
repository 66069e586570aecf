"""How numbers of atoms are distributed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._arrays import Array

_SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Distribution:
    """Mean and quantiles of finite numbers.

    Attributes
    ----------
    n, n_left_out : int
        Finite numbers, and others: infinite or NaN.
    mean, low, first_quartile, median, third_quartile, high : float
        Of the finite ones; `low` and `high` are quantiles of 5 and 95 %. NaN where there is none.
    """

    n: int
    n_left_out: int
    mean: float
    low: float
    first_quartile: float
    median: float
    third_quartile: float
    high: float

    @classmethod
    def of(cls, values: Array) -> Distribution:
        """Of an array."""
        finite = values[np.isfinite(values)]
        if not len(finite):
            return cls(0, len(values), *[float("nan")] * 6)
        return cls(
            len(finite),
            len(values) - len(finite),
            float(finite.mean()),
            *(float(value) for value in np.quantile(finite, _SHARES, method="nearest")),
        )
