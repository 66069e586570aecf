"""Errors for held-out structures, by group and by the number of training structures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._arrays import Array
from .._html import table

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class LeftOutGroups:
    """Errors of each group for the model of all other groups.

    Attributes
    ----------
    groups : numpy.ndarray of str, shape (n_groups,)
        Names of the groups, in order.
    n_structures : numpy.ndarray of int, shape (n_groups,)
        Number of structures of each group with an energy.
    rmse : numpy.ndarray, shape (n_groups,)
        Root mean square error of the energy per atom, in the unit of the training energies.
    errors : numpy.ndarray, shape (n_structures of the rows,)
        Error of the energy per atom of each structure, prediction minus label; NaN for structures that were not chosen.
    """

    groups: NDArray[Any]
    n_structures: Indices
    rmse: Array
    errors: Array

    @classmethod
    def of(cls, names: NDArray[Any], groups: NDArray[Any], errors: Array) -> LeftOutGroups:
        """Return the result from errors of the models without each group, (n_groups, n_structures)."""
        own = np.full(len(groups), np.nan)
        for name, of_model in zip(names, errors, strict=True):
            own[groups == name] = of_model[groups == name]
        parts = [own[groups == name] for name in names]
        sizes = np.array([np.count_nonzero(~np.isnan(part)) for part in parts])
        return cls(names, sizes, np.array([root_mean_square(part) for part in parts]), own)

    def _repr_html_(self) -> str:
        rows = [
            [name, size, f"{error:.4g}"]
            for name, size, error in zip(
                self.groups.tolist(), self.n_structures.tolist(), self.rmse.tolist(), strict=True
            )
        ]
        return table("Errors of left-out groups", rows, ["", "structures", "error per atom"])


@dataclass(frozen=True)
class LearningCurve:
    """Errors for held-out structures by the number of training structures.

    Attributes
    ----------
    sizes : numpy.ndarray of int, shape (n_sizes,)
        Numbers of training structures, ascending.
    errors : numpy.ndarray, shape (n_sizes, n_draws)
        Root mean square error of the energy per atom; within a draw of the same held-out structures.
    """

    sizes: Indices
    errors: Array

    @classmethod
    def of(cls, sizes: Indices, counts: Indices, errors: Array) -> LearningCurve:
        """Return the result from counts and errors of structures in models, (n_draws, n_sizes, n_structures)."""
        unseen = counts[:, -1] == 0
        found = [
            [root_mean_square(of_size[of_draw]) for of_draw, of_size in zip(unseen, of_sizes, strict=True)]
            for of_sizes in np.moveaxis(errors, 1, 0)
        ]
        return cls(sizes, np.array(found))

    @property
    def mean(self) -> Array:
        """Mean over the draws, shape (n_sizes,)."""
        mean: Array = self.errors.mean(axis=1)
        return mean

    @property
    def spread(self) -> Array:
        """Standard deviation over the draws (ddof=1), shape (n_sizes,); NaN for one draw."""
        if self.errors.shape[1] < 2:
            return np.full(len(self.sizes), np.nan)
        spread: Array = self.errors.std(axis=1, ddof=1)
        return spread

    def _repr_html_(self) -> str:
        rows = [
            [size, f"{mean:.4g}", f"{spread:.2g}"]
            for size, mean, spread in zip(self.sizes.tolist(), self.mean.tolist(), self.spread.tolist(), strict=True)
        ]
        return table("Learning curve", rows, ["structures", "error per atom", "spread over draws"])


def root_mean_square(errors: Array) -> float:
    """Return the root mean square of errors that are not NaN; NaN without any."""
    there = errors[~np.isnan(errors)]
    return float(np.sqrt((there**2).mean())) if len(there) else float("nan")
