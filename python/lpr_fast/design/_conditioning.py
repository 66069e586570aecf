"""What rows of data would do to the forms f = |z|^2 of targets, in the coordinates of `_whitening`.

With a row z_x in the data, H becomes S = I + z_x z_x^T there, and z^T S^-1 z = |z|^2 - (z . z_x)^2 / (1 + |z_x|^2).
The root of S^-1 is I - kappa d d^T along d = z_x / |z_x|: it whitens rows again for the next row that joins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .._arrays import Array
from ._whitening import products, squares

# Where less than such a share of a form is left, the difference has lost digits.
_CANCELS = 1e-3


@dataclass(frozen=True)
class Direction:
    """The only one in which a row of data changes H: d of norm one, and |z_x|^2."""

    d: Array
    square: float

    @classmethod
    def of(cls, row: Array) -> Direction | None:
        """That of a row, (r,); None for zeros."""
        square = float((row * row).sum())
        return None if square == 0.0 else cls(row / math.sqrt(square), square)

    @property
    def beta(self) -> float:
        """S^-1 = I - beta d d^T."""
        return self.square / (1.0 + self.square)

    @property
    def kappa(self) -> float:
        """S^-1/2 = I - kappa d d^T."""
        return self.beta / (1.0 + 1.0 / math.sqrt(1.0 + self.square))

    def along(self, rows: Array, n_threads: int) -> Array:
        """Components of rows: (n, 1)."""
        return products(rows, self.d[None, :], n_threads)

    def whiten(self, rows: Array, n_threads: int) -> None:
        """Apply S^-1/2 to rows, in place."""
        rows -= self.kappa * self.along(rows, n_threads) * self.d


def forms_after(targets: Array, block: Array, n_threads: int) -> Array:
    """Forms of targets, (n, r), when the rows of a block, (k, r), are in the data: (n,)."""
    if len(block) == 1:
        return _forms_after_one(targets, block[0], n_threads)
    rows, rest = targets.copy(), block.copy()
    for k in range(len(rest)):
        if step := Direction.of(rest[k]):
            step.whiten(rows, n_threads)
            step.whiten(rest[k + 1 :], n_threads)
    return squares(rows)


def _forms_after_one(targets: Array, row: Array, n_threads: int) -> Array:
    """The same by a difference, which needs no other rows; where it cancels, by the sum of squares that it is."""
    before, step = squares(targets), Direction.of(row)
    if step is None:
        return before
    along = step.along(targets, n_threads)
    after: Array = before - step.beta * along[:, 0] ** 2
    lost = np.flatnonzero(after < _CANCELS * before)
    rest = targets[lost] - along[lost] * step.d
    after[lost] = squares(rest) + along[lost, 0] ** 2 / (1.0 + step.square)
    return after
