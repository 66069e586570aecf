"""Factors of the core as tuples of arrays: for pickling, and for adding columns."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from . import _core
from ._arrays import Array

#: Arguments of ``HessianFactor.from_triangle``, and those of ``with_held`` if rows are held.
Parts: TypeAlias = tuple[tuple[int, list[int], Array, float, float], tuple[Array, Array, Array] | None]


def parts_of(factor: _core.HessianFactor) -> Parts:
    """Return all parts of a factor, except the rows added by updates."""
    of_triangle = factor.size, factor.columns, factor.triangle(), factor.condition_number, factor.error_estimate
    return of_triangle, factor.held()


def factor_from(parts: Parts) -> _core.HessianFactor:
    """Return the factor made of `parts_of`."""
    of_triangle, held = parts
    factor = _core.HessianFactor.from_triangle(*of_triangle)
    return factor if held is None else factor.with_held(*held)


def widened(factor: _core.HessianFactor, n_new: int, regularizer: float) -> _core.HessianFactor:
    """Return the factor with `n_new` more columns, in which H is the regularizer alone."""
    if n_new == 0:
        return factor
    (size, columns, triangle, _, estimate), held = parts_of(factor)
    last = len(triangle)
    wider = np.zeros((last + n_new, last + n_new))
    wider[:last, :last] = triangle
    wider[range(last, last + n_new), range(last, last + n_new)] = np.sqrt(regularizer)
    more = list(range(size, size + n_new))
    unknown_condition = 0.0
    of_triangle = size + n_new, [*columns, *more], wider, unknown_condition, estimate
    padded = None if held is None else (_padded(held[0], n_new), _padded(held[1], n_new), held[2])
    return factor_from((of_triangle, padded))


def _padded(rows: Array, n_new: int) -> Array:
    return np.hstack([rows, np.zeros((len(rows), n_new))])
