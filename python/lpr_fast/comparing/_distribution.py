"""Mean and quantiles of the scores of atoms."""

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
        Number of finite values, and of infinite values and NaN.
    mean, low, first_quartile, median, third_quartile, high : float
        Of the finite values; `low` and `high` are the 5 % and 95 % quantiles. NaN without any.
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
        """The distribution of an array."""
        finite = values[np.isfinite(values)]
        if not len(finite):
            return cls(0, len(values), *[float("nan")] * 6)
        return cls(
            len(finite),
            len(values) - len(finite),
            float(finite.mean()),
            *(float(value) for value in np.quantile(finite, _SHARES, method="nearest")),
        )
