"""Effect of training rows that join or leave on the quadratic forms |z|^2 of targets, in whitened coordinates.

See `_whitening` for z. When the rows Z of a block, (k, r), join the data, H becomes S = I + Z^T Z in these coordinates.
Q is an orthonormal basis of the span of Z. Within the span S = R^T R by a QR that never squares Z; outside it S is the
identity. So T = I - Q^T Q + Q^T R^-1 Q is a root, T T^T = S^-1, and T^T whitens rows again for the next block that
joins. For a block that leaves, S = I - Z^T Z.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from . import _core
from ._arrays import Array
from ._orthonormal import Basis, row_products
from ._whitening import identity_factor, squared_norms

# Where less than this share of a quadratic form is left, the difference has lost digits.
_CANCELLATION = 1e-3


@dataclass(frozen=True)
class Step:
    """Change of H when a block of rows joins the data, or leaves it.

    Attributes
    ----------
    span : Basis
        Q, the only directions in which H changes.
    factor : _core.HessianFactor
        R.
    """

    span: Basis
    factor: _core.HessianFactor

    @classmethod
    def joining(cls, block: Array, n_threads: int) -> Step | None:
        """Return the change for rows Z that join, (k, r); None if all are zero."""
        span, coordinates = _within_span(block, n_threads)
        if not len(span):
            return None
        return cls(span, identity_factor(len(span)).updated(coordinates, None, n_threads))

    @classmethod
    def leaving(cls, block: Array, n_threads: int) -> Step | None:
        """Return the change for rows Z that leave, (k, r), all singular values below 1; None if all are zero."""
        span, coordinates = _within_span(block, n_threads)
        if not len(span):
            return None
        columns = np.ascontiguousarray(coordinates.T)
        return cls(span, _core.factorize_hessian(-row_products(columns, columns, n_threads), 1.0, n_threads))

    def along(self, rows: Array, n_threads: int) -> Array:
        """Return the components of rows along the span: (n, r) -> (n, q)."""
        return row_products(rows, self.span.rows, n_threads)

    def shrunk(self, along: Array, n_threads: int) -> Array:
        """Return components times B, where S^-1 = I - Q^T B Q: (n, q) -> (n, q)."""
        inverse = self.factor.whitened(np.eye(len(self.span)), n_threads)
        return row_products(along, np.eye(len(self.span)) - row_products(inverse, inverse, n_threads), n_threads)

    def whiten(self, rows: Array, n_threads: int) -> None:
        """Apply T^T to rows, in place."""
        along = self.along(rows, n_threads)
        rows += row_products(self.factor.whitened(along, n_threads) - along, self.span.columns, n_threads)


def _within_span(block: Array, n_threads: int) -> tuple[Basis, Array]:
    return Basis.of(np.zeros((0, block.shape[1]))).extended(block, n_threads)


def quadratic_forms_after(targets: Array, block: Array, n_threads: int) -> Array:
    """Return the quadratic forms of targets, (n, r), after the rows of a block, (k, r), have joined: (n,)."""
    if len(block) == 1:
        return _forms_after_one(targets, block[0], n_threads)
    rows = targets.copy()
    if step := Step.joining(block, n_threads):
        step.whiten(rows, n_threads)
    return squared_norms(rows)


def _forms_after_one(targets: Array, row: Array, n_threads: int) -> Array:
    """Return the same for a single row by a difference; by a sum of squares where the difference cancels."""
    before, square = squared_norms(targets), float((row * row).sum())
    if square == 0.0:
        return before
    direction = row / math.sqrt(square)
    along = row_products(targets, direction[None, :], n_threads)
    after: Array = before - square / (1.0 + square) * along[:, 0] ** 2
    lost = np.flatnonzero(after < _CANCELLATION * before)
    rest = targets[lost] - along[lost] * direction
    after[lost] = squared_norms(rest) + along[lost, 0] ** 2 / (1.0 + square)
    return after
