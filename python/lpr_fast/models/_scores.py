"""Scores of environments."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import Array
from .._html import table

Loss = Literal["total", "per_atom", "noise"]

# The quantity whose errors each loss squares.
LOSS_NAMES = {
    "total": "total energies",
    "per_atom": "energies per atom",
    "noise": "labels in units of their noise",
}

#: Names of the verdicts.
VERDICTS = ("pinned", "loose", "unlike")
Indices = NDArray[np.int64]
AnyScores = TypeVar("AnyScores", bound="LocalScores")


@dataclass(frozen=True)
class Columns(dict[str, NDArray[Any]]):
    """Arrays of equal length, as attributes; it is also a dictionary of the one-dimensional ones that are not None."""

    def __post_init__(self) -> None:
        """Fill the dictionary."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        self.update({n: values for n, values in found.items() if isinstance(values, np.ndarray) and values.ndim == 1})

    def __len__(self) -> int:
        """Return the length of the arrays."""
        return len(next(iter(self.values())))

    def _repr_html_(self) -> str:
        title = f"{type(self).__name__}: {len(self)}"
        header = ["", "lowest", "median", "highest", "left out"]
        numbers = {name: values for name, values in self.items() if values.dtype.kind != "U"}
        return table(title, [_summary(name, values) for name, values in numbers.items()], header)


@dataclass(frozen=True)
class LocalScores(Columns):
    """Scores of environments, each of shape (n,); NaN for environments of unknown species.

    It is also a mapping from the names of the arrays that are not None to the arrays: ``pandas.DataFrame(scores)``
    makes a table, and ``numpy.savez(file, **scores)`` a file.

    Attributes
    ----------
    lpr : numpy.ndarray
        Local prediction rigidity, on the scale of the model's loss; infinite where phi vanishes.
    lpr_held : numpy.ndarray or None
        The same with held rows fixed: the mean prediction of each species, whose shifts totals may not determine, and
        further rows of `StructureModel.holding`. None for models without held rows, such as those of one species.
    variance : numpy.ndarray
        Subset-of-regressors variance mu / LPR, in units of the kernel's prior variance.
    sigma : numpy.ndarray or None
        Standard deviation of the local energy, in the unit of the training energies. None if the prior variance is not
        known; see `StructureModel.calibrate`.
    residual : numpy.ndarray or None
        k(i,i) - k_Mi^T K_MM^-1 k_Mi, between 0 and 1: the distance from the active set. None for linear models.
    local_energy : numpy.ndarray or None
        Contribution to the total energy in the unit of the training energies, including the baseline of the species.
        None for models without energies.
    percentile : numpy.ndarray or None
        Percentage of the training environments of the same species whose LPR is lower. None for models without a
        reference; see `StructureModel.with_reference`.
    verdict : numpy.ndarray or None
        0 if the training set determines the prediction, 1 if the prediction is loose, 2 if the environment is unlike
        the training set. None as for `percentile`. `verdict_names` has the names.
    spread : numpy.ndarray or None
        Standard deviation of the local energy over the members of a committee (``ddof=1``), in the unit of the training
        energies. None for models without members.
    """

    lpr: Array
    lpr_held: Array | None
    variance: Array
    sigma: Array | None
    residual: Array | None
    local_energy: Array | None
    percentile: Array | None
    verdict: Array | None
    spread: Array | None

    @property
    def verdict_names(self) -> NDArray[np.str_] | None:
        """Names of the verdicts, ``""`` for environments of unknown species."""
        if self.verdict is None:
            return None
        return np.array([*VERDICTS, ""])[np.nan_to_num(self.verdict, nan=len(VERDICTS)).astype(np.int64)]

    def select(self: AnyScores, order: Indices | slice) -> AnyScores:
        """Return the scores of some environments, in the given order."""
        return self._changed(lambda values: values[order])

    def _changed(self: AnyScores, change: Callable[[NDArray[Any]], NDArray[Any]]) -> AnyScores:
        """Return scores with every array changed."""
        arrays = {each.name: getattr(self, each.name) for each in fields(self)}
        changed: dict[str, Any] = {n: None if values is None else change(values) for n, values in arrays.items()}
        return type(self)(**changed)


def _summary(name: str, values: NDArray[Any]) -> list[object]:
    """Return name, quantiles and number of NaN of a column."""
    there = values[~np.isnan(values)]
    quantiles = np.quantile(there, [0.0, 0.5, 1.0], method="nearest").tolist() if len(there) else [math.nan] * 3
    return [name, *(f"{value:.6g}" for value in quantiles), len(values) - len(there)]


def all_columns(found: Mapping[str, Array]) -> dict[str, Array]:
    """Return the core's scores, with None for columns that the model does not have."""
    return {each.name: found.get(each.name) for each in fields(LocalScores)}  # type: ignore[misc]


def core_scores(
    model: _core.Model, features: Array, species: Indices, n_threads: int, *, members: bool = False
) -> dict[str, Array]:
    """Return the core's scores of environments from features, (n, D), by name; NaN for rows of NaN.

    With `members` they include the local energies by each member: ``member_energies``, (n, K).
    """
    known = ~np.isnan(features[:, 0])
    if known.all():
        return model.score(features, species.astype(np.int32), n_threads, members)
    found = model.score(features[known], species[known].astype(np.int32), n_threads, members)

    def among_all(values: Array) -> Array:
        result = np.full((len(known), *values.shape[1:]), np.nan)
        result[known] = values
        return result

    return {name: among_all(values) for name, values in found.items()}


def scores_of(model: _core.Model, features: Array, species: Indices, n_threads: int) -> LocalScores:
    """Return the scores of environments from features, (n, D); NaN for rows of NaN."""
    return LocalScores(**all_columns(core_scores(model, features, species, n_threads)))
