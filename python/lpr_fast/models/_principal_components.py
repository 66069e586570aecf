"""A map of environments: the directions in which their features differ most."""

from __future__ import annotations

import numpy as np

from .. import _core
from .._arrays import Array

# More vectors than are wanted make those converge faster; rounds are fixed, so that nothing depends on rounding.
_SPARE = 9
_ROUNDS = 100


def principal_components(features: Array, count: int) -> Array:
    """Coordinates along the leading principal components: (n, D) -> (n, count).

    Subspace iteration on the matrix of scalar products. All products are those of the core, which have the same bits
    for any number of threads; LAPACK, which promises nothing of the kind, sees a matrix of a dozen rows only. The
    coordinate that is farthest from zero is positive, along each component.
    """
    coordinates = np.zeros((len(features), count))
    if not len(features):
        return coordinates
    centred = features - features.mean(axis=0)
    gram = _products(centred, centred)
    vectors = np.random.default_rng(0).standard_normal((min(len(gram), count + _SPARE), len(gram)))
    for _ in range(_ROUNDS):
        vectors = _orthonormal(_products(vectors, gram))
    projected = _products(_products(vectors, gram), vectors)
    values, turns = np.linalg.eigh((projected + projected.T) / 2.0)
    leading = np.argsort(-values, kind="stable")[:count]
    lengths = np.sqrt(np.maximum(values[leading], 0.0))
    found = _products(vectors.T, turns[:, leading].T) * lengths
    farthest = found[np.abs(found).argmax(axis=0), np.arange(len(leading))]
    coordinates[:, : len(leading)] = found * np.where(farthest < 0.0, -1.0, 1.0) + 0.0  # no negative zeros
    return coordinates


def _products(a: Array, b: Array) -> Array:
    """Scalar products of rows: (n, D), (m, D) -> (n, m)."""
    return _core.kernel_rows(np.ascontiguousarray(a), np.ascontiguousarray(b), 1.0, 0)


def _orthonormal(rows: Array) -> Array:
    """Rows made orthonormal, each against those before it, twice for the sake of rounding; zeros stay zeros."""
    found: list[Array] = []
    for row in rows:
        for _ in range(2):
            for other in found:
                row = row - (other * row).sum() * other
            norm = np.sqrt((row * row).sum())
            row = row / norm if norm > 0.0 else row
        found.append(row)
    return np.array(found)
