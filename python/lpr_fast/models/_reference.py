"""Scores of the training environments of a model, as counts in bins that do not depend on their order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import Array
from .._errors import InvalidInputError
from ._scores import LocalScores, scores_of

Indices = NDArray[np.int64]

#: Columns of scores whose distribution is kept.
COUNTED = ("lpr", "lpr_held", "variance", "residual")

# An environment is loose if at most this percentage of the training environments of its species is less rigid, and
# unlike the training set if this percentage of them has a smaller residual (tables: docs/guides/verdicts.md).
LOOSE_PERCENT = 1.0
UNLIKE_PERCENT = 99.9

# A frame is beyond the training set if a larger share of its atoms is loose or unlike (docs/guides/verdicts.md).
UNPINNED_SHARE = 0.03

# Smaller residuals never count as unlike: if all environments are in the active set, their residuals are rounding.
SMALLEST_RESIDUAL = 1e-8

# A bin contains the numbers that differ in the last 42 bits only: its middle is accurate to half a thousandth.
_DROPPED_BITS = 42
_INFINITE = 0x7FF << (52 - _DROPPED_BITS)

_PREFIX = "reference."


@dataclass
class Reference:
    """Numbers of environments of each species in each bin of each column."""

    _counts: dict[tuple[str, int], tuple[Indices, Indices]] = field(default_factory=dict)

    @property
    def species(self) -> set[int]:
        """Species with environments."""
        return {species for _, species in self._counts}

    @property
    def columns(self) -> list[str]:
        """Columns that were counted."""
        return [column for column in COUNTED if any(column == counted for counted, _ in self._counts)]

    def add(self, scores: LocalScores, numbers: Indices) -> None:
        """Add the scores of environments of the given species."""
        for column in COUNTED:
            values = getattr(scores, column)
            if values is None:
                continue
            for s in np.unique(numbers).tolist():
                self._merge((column, s), *np.unique(_bins(values[numbers == s]), return_counts=True))

    def merge(self, other: Reference) -> None:
        """Add the counts of another reference."""
        for key, counts in other._counts.items():
            self._merge(key, *counts)

    def _merge(self, key: tuple[str, int], bins: Indices, counts: Indices) -> None:
        before = self._counts.get(key)
        if before is not None:
            bins, places = np.unique(np.concatenate([before[0], bins]), return_inverse=True)
            together = np.zeros(len(bins), dtype=np.int64)
            np.add.at(together, places, np.concatenate([before[1], counts]))
            counts = together
        self._counts[key] = bins, counts

    def quantile(self, column: str, share: float, species: int) -> float:
        """Return a quantile: the middle of the bin of the smallest value with this share of all at or below it."""
        bins, counts = self._counts[column, species]
        upto = np.cumsum(counts)
        return _middle(int(bins[np.searchsorted(upto[:-1], share * upto[-1])]))

    def unlike_limits(self, percent: float) -> dict[int, float]:
        """Return the residual of each species that this percentage of environments does not exceed.

        It is empty for linear models, which have no residuals.
        """
        return {s: self.quantile("residual", percent / 100.0, s) for c, s in self._counts if c == "residual"}

    def to_arrays(self) -> dict[str, Indices]:
        """Return the arrays of a model file: bins, ascending, and cumulative counts."""
        arrays: dict[str, Indices] = {}
        for (column, species), (bins, counts) in self._counts.items():
            name = f"{_PREFIX}{column}.{species}"
            arrays[f"{name}.bins"], arrays[f"{name}.counts"] = bins, np.cumsum(counts)
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Reference:
        """Return the reference from the arrays of a model file; other arrays are ignored."""
        names = [name.split(".") for name in arrays if name.startswith(_PREFIX) and name.endswith(".bins")]
        counts = {}
        for _, column, species, _ in names:
            of_both = f"{_PREFIX}{column}.{species}"
            counts[column, int(species)] = arrays[f"{of_both}.bins"], np.diff(arrays[f"{of_both}.counts"], prepend=0)
        return cls(counts)


def reference_of(
    model: _core.Model, features: Array, species: Sequence[Indices], weights: Array, n_threads: int
) -> Reference:
    """Return the reference of environments, (n, D), of structures; those of zero weight are ignored."""
    reference, sizes = Reference(), [len(of_structure) for of_structure in species]
    counted, numbers = np.repeat(weights > 0.0, sizes), np.concatenate(species)
    if not counted.all():
        features, numbers = features[counted], numbers[counted]
    reference.add(scores_of(model, features, numbers, n_threads), numbers)
    return reference


def with_reference(model: _core.Model, reference: Reference) -> _core.Model:
    """Return the model with a reference, in place of an earlier one.

    Raises
    ------
    InvalidInputError
        If the reference has no environment of one of its species.
    """
    text, arrays = model.parts()
    facts = json.loads(text)
    missing = sorted(set(facts["species"]) - reference.species)
    if missing:
        raise InvalidInputError(
            f"there is no environment of species {missing[0]} to compare with; give structures with all species of the "
            f"model: {', '.join(map(str, facts['species']))}."
        )
    text, arrays = without_reference(text, arrays)
    limits = {"loose": LOOSE_PERCENT, "unlike": UNLIKE_PERCENT, "smallest_residual": SMALLEST_RESIDUAL}
    return _core.Model.from_parts(
        json.dumps({**json.loads(text), "reference": limits}), {**arrays, **reference.to_arrays()}
    )


def without_reference(text: str, arrays: Mapping[str, NDArray[Any]]) -> tuple[str, dict[str, NDArray[Any]]]:
    """Return the parts of a model without its reference."""
    facts = json.loads(text)
    facts.pop("reference", None)
    return json.dumps(facts), {name: array for name, array in arrays.items() if not name.startswith(_PREFIX)}


def _bins(values: Array) -> Indices:
    bins: Indices = np.ascontiguousarray(np.abs(values)).view(np.int64) >> _DROPPED_BITS
    return np.where(values == 0.0, 0, np.maximum(bins, 1))


def _middle(number: int) -> float:
    if number in (0, _INFINITE):
        return 0.0 if number == 0 else float("inf")
    low, high = (np.array([number, number + 1], dtype=np.int64) << _DROPPED_BITS).view(np.float64)
    return float(low + (high - low) / 2) if np.isfinite(high) else float(low)
