"""Residual covariance of forces: their prior covariance minus the part that the active set explains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ... import _core
from ..._arrays import Array
from .._describer import Ready

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class ForceResidual:
    r"""Part of the covariance of a force that the projected process adds.

    Under the prior, local predictions of one species have the covariance k(i, j) = s^zeta with s = x_i . x_j. With
    J_i = dx_i / dr the prior covariance of the force on an atom is the sum over all pairs of centres within the cutoff
    of

        zeta s^(zeta-1) J_i J_j^T + zeta (zeta-1) s^(zeta-2) (J_i x_j) (J_j x_i)^T.

    The active set explains F K_MM^-1 F^T of it. Rounding can make eigenvalues of a small difference negative; these
    are set to zero.

    Attributes
    ----------
    soap : Soap
        The descriptor.
    prior : HessianFactor
        The factor of K_MM.
    zeta : float
        Power of the kernel.
    """

    soap: _core.Soap
    prior: _core.HessianFactor
    zeta: float

    def covariances(self, ready: Ready, atoms: Indices, around: list[Indices], rows: Array, n_threads: int) -> Array:
        """Return the residual covariances of the forces on some atoms, (n, 3, 3).

        `around` has, for each of the atoms, the centres within the cutoff, and `rows` the rows of the forces.
        """
        seen = np.unique(np.concatenate(around))
        features = self.soap.features([ready.structure], [seen], n_threads)  # type: ignore[list-item]
        norms = np.sqrt((features**2).sum(axis=1))
        explained = self.prior.whitened(rows, n_threads).reshape(len(atoms), 3, -1)
        found = np.empty((len(atoms), 3, 3))
        for place, atom in enumerate(atoms.tolist()):
            centers, jacobians = _core.feature_jacobians(self.soap, ready.structure, atom)  # type: ignore[arg-type]
            among_seen = np.searchsorted(seen, centers)
            x, J = _normalised(features[among_seen], norms[among_seen], jacobians)
            whole = self._prior_covariance(x, J, ready.frame.numbers[centers])
            of_active = (explained[place][:, None] * explained[place]).sum(axis=-1)
            found[place] = _not_negative(whole - of_active)
        return found

    def _prior_covariance(self, x: Array, J: Array, numbers: Indices) -> Array:
        """Return the prior covariance of the force on one atom, from features of the centres and their derivatives."""
        found = np.zeros((3, 3))
        for s in np.unique(numbers):
            chosen = numbers == s
            found += self._of_species(x[chosen], np.ascontiguousarray(J[chosen]).reshape(-1, x.shape[1]))
        return found

    def _of_species(self, x: Array, J: Array) -> Array:
        n = len(x)
        products = _core.kernel_rows(x, x, 1.0, 1)
        slopes, curvatures = self._derivatives(products)
        of_rows = _core.kernel_rows(J, J, 1.0, 1).reshape(n, 3, n, 3)
        along = _core.kernel_rows(J, x, 1.0, 1).reshape(n, 3, n)
        other_way = along.transpose(2, 1, 0)
        found: Array = (slopes[:, None, :, None] * of_rows).sum(axis=(0, 2))
        found += (curvatures[:, None, None, :] * along[:, :, None, :] * other_way[:, None]).sum(axis=(0, 3))
        return found

    def _derivatives(self, products: Array) -> tuple[Array, Array]:
        """Return first and second derivatives of s^zeta; zero where it is not defined (s <= 0, zeta not integer)."""
        zeta = self.zeta
        if zeta == 1.0:
            return np.ones_like(products), np.zeros_like(products)
        s = products
        if zeta != int(zeta):
            there = products > 0.0
            s = np.where(there, products, 1.0)
            return (
                np.where(there, zeta * s ** (zeta - 1), 0.0),
                np.where(there, zeta * (zeta - 1) * s ** (zeta - 2), 0.0),
            )
        return zeta * s ** (zeta - 1), zeta * (zeta - 1) * s ** (zeta - 2)


def _normalised(features: Array, norms: Array, jacobians: Array) -> tuple[Array, Array]:
    """Return x = p / |p| and dx = (dp - x (x . dp)) / |p|; zero where p is zero."""
    inverse = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0.0)[:, None]
    x = features * inverse
    along = (jacobians * x[:, None, :]).sum(axis=2)[:, :, None]
    return x, (jacobians - along * x[:, None, :]) * inverse[:, :, None]


def _not_negative(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    found: Array = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return 0.5 * (found + found.T)
