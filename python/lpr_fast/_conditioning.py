"""What rows of data do to the forms f = |z|^2 of targets, in the coordinates of `_whitening`.

With the rows Z of a block, (k, r), in the data, H becomes S = I + Z^T Z there. Within the span of Z, of which Q is an
orthonormal basis, S is R^T R by a QR that never squares Z; beside it S is one. So T = I - Q^T Q + Q^T R^-1 Q is a root,
T T^T = S^-1, and T^T whitens rows again for the next block that joins. Of a block that leaves, S is 1 - Z^T Z.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from . import _core
from ._arrays import Array
from ._orthonormal import Basis
from ._whitening import products, squares, unit_factor

# Where less than such a share of a form is left, the difference has lost digits.
_CANCELS = 1e-3


@dataclass(frozen=True)
class Step:
    """A block of rows joins the data, or leaves it.

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
        """That of rows, (k, r); None for zeros."""
        span, coordinates = _within_span(block, n_threads)
        if not len(span):
            return None
        return cls(span, unit_factor(len(span)).updated(coordinates, None, n_threads))

    @classmethod
    def leaving(cls, block: Array, n_threads: int) -> Step | None:
        """The same for rows that leave; these have to leave something along every direction."""
        span, coordinates = _within_span(block, n_threads)
        if not len(span):
            return None
        columns = np.ascontiguousarray(coordinates.T)
        return cls(span, _core.factorize_hessian(-products(columns, columns, n_threads), 1.0, n_threads))

    def along(self, rows: Array, n_threads: int) -> Array:
        """Components of rows: (n, q)."""
        return products(rows, self.span.rows, n_threads)

    def shrunk(self, along: Array, n_threads: int) -> Array:
        """Components times B, where S^-1 = I - Q^T B Q: (n, q)."""
        inverse = self.factor.whitened(np.eye(len(self.span)), n_threads)
        return products(along, np.eye(len(self.span)) - products(inverse, inverse, n_threads), n_threads)

    def whiten(self, rows: Array, n_threads: int) -> None:
        """Apply T^T to rows, in place."""
        along = self.along(rows, n_threads)
        rows += products(self.factor.whitened(along, n_threads) - along, self.span.columns, n_threads)


def _within_span(block: Array, n_threads: int) -> tuple[Basis, Array]:
    return Basis.of(np.zeros((0, block.shape[1]))).extended(block, n_threads)


def forms_after(targets: Array, block: Array, n_threads: int) -> Array:
    """Forms of targets, (n, r), when the rows of a block, (k, r), are in the data: (n,)."""
    if len(block) == 1:
        return _forms_after_one(targets, block[0], n_threads)
    rows = targets.copy()
    if step := Step.joining(block, n_threads):
        step.whiten(rows, n_threads)
    return squares(rows)


def _forms_after_one(targets: Array, row: Array, n_threads: int) -> Array:
    """The same by a difference, which needs no other rows; where it cancels, by the sum of squares that it is."""
    before, square = squares(targets), float((row * row).sum())
    if square == 0.0:
        return before
    direction = row / math.sqrt(square)
    along = products(targets, direction[None, :], n_threads)
    after: Array = before - square / (1.0 + square) * along[:, 0] ** 2
    lost = np.flatnonzero(after < _CANCELS * before)
    rest = targets[lost] - along[lost] * direction
    after[lost] = squares(rest) + along[lost, 0] ** 2 / (1.0 + square)
    return after
