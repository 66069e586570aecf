"""Whitened coordinates, in which H is the identity: z = R^-T phi, so that |z|^2 = phi^T H^-1 phi and LPR = 1 / |z|^2.

A row x that joins the data with weight w changes H to I + z_x z_x^T, z_x = sqrt(w) R^-T x. If rows are held, the same
is true of the components of all z orthogonal to the held directions: these span the same space whatever is added.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import _core
from ._arrays import Array
from ._rigidity import Rigidity
from ._thin import ThinFactor


@dataclass(frozen=True)
class Whitening:
    """Whitening by a factor, with the predictions of its held rows fixed if `is_held`."""

    factor: _core.HessianFactor | ThinFactor
    is_held: bool
    n_threads: int

    @classmethod
    def of(cls, rigidity: Rigidity, *, is_held: bool, n_threads: int) -> Whitening:
        """Return the whitening by the factor of a rigidity."""
        return cls(rigidity._factor, is_held, n_threads)

    def rows(self, phi: Array) -> Array:
        """Return z of rows of phi: (n, M) -> (n, r)."""
        whitened = self.factor.whitened_held if self.is_held else self.factor.whitened
        return whitened(phi, self.n_threads)

    def forms(self, phi: Array) -> Array:
        """Return |z|^2 of rows of phi, computed without z: (n,)."""
        lpr = self.factor.lpr_held if self.is_held else self.factor.lpr
        return 1.0 / lpr(phi, self.n_threads)

    def moments(self) -> Moments:
        """Return an empty accumulator of sum w z z^T."""
        return Moments(self)


class Moments:
    """Accumulator of sum w z z^T; its bits depend on the rows and their order alone."""

    def __init__(self, whitening: Whitening) -> None:
        self._whitening = whitening
        self._sum: _core.SecondMoments | None = None
        if isinstance(whitening.factor, _core.HessianFactor):
            self._sum = _core.SecondMoments(whitening.factor, whitening.is_held)

    def add(self, phi: Array, weights: Array) -> None:
        """Add rows of phi, (n, M), with weights (n,)."""
        rows = phi
        if not isinstance(self._whitening.factor, _core.HessianFactor):
            rows = self._whitening.rows(phi)
            self._sum = self._sum or _core.SecondMoments(identity_factor(rows.shape[1]), held=False)
        assert self._sum is not None
        self._sum.add(rows, weights, self._whitening.n_threads)

    def total(self) -> Array:
        """Return the sum, (r, r)."""
        assert self._sum is not None
        return self._sum.sum(self._whitening.n_threads)


def identity_factor(size: int) -> _core.HessianFactor:
    """Return the factor of H = I."""
    return _core.HessianFactor.from_triangle(size, list(range(size)), np.eye(size), 1.0, np.nan)


def holds(rigidity: Rigidity) -> bool:
    """Return whether rows are held."""
    factor = rigidity._factor
    if isinstance(factor, ThinFactor):
        return factor.holds
    held = factor.held()
    return held is not None and len(held[0]) > 0


def squared_norms(z: Array) -> Array:
    """Return the squared norms of rows."""
    result: Array = (z * z).sum(axis=1)
    return result
