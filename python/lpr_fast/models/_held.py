"""Predictions that a fitted model holds fixed, in addition to the means of its species."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import Array
from ._archive import put_factor
from ._basis import Basis
from ._reference import without_reference
from ._training import structure_rows

Indices = NDArray[np.int64]


def mean_rows(basis: Basis, structures: Sequence[tuple[Array, Indices]], n_threads: int) -> Array:
    """Return the mean of phi over the environments of each structure, (n_structures, M)."""
    features = [basis.prepare(found) for found, _ in structures]
    sums = structure_rows(basis, features, [species for _, species in structures], n_threads)
    means: Array = sums / np.array([[len(species)] for _, species in structures])
    return means


def holding(model: _core.Model, rows: Array, n_threads: int) -> _core.Model:
    """Return the model with these rows held too, without the reference, which is of the former held rows."""
    whole = model.factor
    before = whole.held()
    whole = whole.holding(rows if before is None else np.vstack([before[0], rows]))
    text, arrays = without_reference(*model.parts())
    facts = json.loads(text)
    factors = {"hessian": whole}
    for species, columns in _columns(facts).items():
        if f"hessian.{species}" in facts["factors"]:
            factors[f"hessian.{species}"] = whole.restrict_to(list(columns), n_threads)
    for name, factor in factors.items():
        facts["factors"][name] = put_factor(name, factor, arrays)
    return _core.Model.from_parts(json.dumps(facts), arrays)


def _columns(facts: dict[str, Any]) -> dict[int, range]:
    """Return the columns of phi of each species."""
    species, constant = facts["species"], bool(facts.get("constants"))
    widths = facts.get("n_active") or [facts["n_features"] + constant] * len(species)
    stops = np.cumsum(widths).tolist()
    return {s: range(stop - width, stop) for s, width, stop in zip(species, widths, stops, strict=True)}
