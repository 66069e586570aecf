"""Changes of predictions when a block of training rows is left out.

In whitened coordinates (see `_whitening`), in which H = I, leaving out a block of rows Z = W^1/2 X R^-1, (k, r), gives
H = I - Z^T Z. With A = Z Z^T and the weighted residuals r = W^1/2 (y - X c),

    |z|^2 becomes |z|^2 + (Z z)^T (I - A)^-1 (Z z),
    phi . c becomes phi . c - (Z z)^T (I - A)^-1 r.

The errors of the block's own labels are W^-1/2 (I - A)^-1 r, with the covariance W^-1/2 (I - A)^-1 W^-1/2 if the
variance of the noise is 1 / w (Cook and Weisberg, Residuals and Influence in Regression, 1982). If an eigenvalue of A
is too close to one, a model of the other rows is fitted. For more rows than coordinates, I - Z^T Z is factorised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from .. import _core
from .._arrays import Array
from .._conditioning import Step
from .._errors import NotPositiveDefiniteError
from .._orthonormal import row_products
from .._rigidity import Rigidity
from .._whitening import Whitening, squared_norms
from ._rows import Rows

# Larger eigenvalues of (I - A)^-1 leave too few digits.
_HEAVY = 1e4


@dataclass(frozen=True)
class Fitted:
    """A model of rows.

    Attributes
    ----------
    firm : Rigidity
        Rigidity of all rows, with held rows if there are any.
    known : Rigidity
        Rigidity of the rows with labels, with weights; the same object as `firm` if all or none have labels.
    """

    firm: Rigidity
    known: Rigidity


@dataclass(frozen=True)
class Without:
    """Targets and labels for the model without a block of k rows.

    Attributes
    ----------
    forms : numpy.ndarray, shape (n_targets,)
        Quadratic forms phi^T H^-1 phi of the targets.
    shifts : numpy.ndarray, shape (n_targets,), or None
        Changes of the predictions for the targets; None without labels.
    errors : numpy.ndarray, shape (k,), or None
        Labels of the block minus predictions; NaN for rows without a label.
    studentised : numpy.ndarray, shape (k,), or None
        Errors over the square roots of 1 / w + phi^T H^-1 phi, which are their standard deviations if the variance of
        the noise is 1 / w; NaN for labels without a weight.
    leverage : float
        Trace of A: the number of parameters of the model that this block determines.
    is_refitted : bool
        Whether a model of the other rows was fitted.
    """

    forms: Array
    shifts: Array | None
    errors: Array | None
    studentised: Array | None
    leverage: float
    is_refitted: bool


@dataclass
class _View:
    """Targets in whitened coordinates of a factor, after some rows have been left out.

    Attributes
    ----------
    whitening : Whitening
        The whitening by the original factor.
    targets : numpy.ndarray, shape (n_targets, r)
        Rows z of the targets, after leaving out.
    images : numpy.ndarray, shape (r, r), or None
        Matrix that maps original rows z to those after leaving out; None if nothing was left out.
    moved : numpy.ndarray, shape (r,)
        Scalar products with original rows z give the changes of predictions.
    """

    whitening: Whitening
    targets: Array
    images: Array | None
    moved: Array

    @classmethod
    def of(cls, rigidity: Rigidity, phi: Array, *, is_held: bool, n_threads: int) -> _View:
        whitening = Whitening.of(rigidity, is_held=is_held, n_threads=n_threads)
        targets = whitening.rows(phi)
        return cls(whitening, targets, None, np.zeros(targets.shape[1]))

    def rows(self, phi: Array) -> Array:
        """Return rows z after leaving out."""
        z = self.whitening.rows(phi)
        return (
            z if self.images is None else row_products(z, np.ascontiguousarray(self.images.T), self.whitening.n_threads)
        )

    def predicted(self, phi: Array) -> Array:
        """Return the changes of predictions by leaving out."""
        if self.images is None:
            return np.zeros(len(phi))
        return row_products(self.whitening.rows(phi), self.moved[None, :], self.whitening.n_threads)[:, 0]

    def leave(self, leaving: _Leaving, solved: Array) -> None:
        """Leave out a block; `solved` is (I - A)^-1 r of it."""
        n = self.whitening.n_threads
        step = Step.leaving(leaving.z, n)
        if step is None:
            return
        if self.images is None:
            self.images = np.eye(len(self.moved))
        along = (leaving.z * solved[:, None]).sum(axis=0)
        self.moved = self.moved - row_products(self.images, along[None, :], n)[:, 0]
        step.whiten(self.targets, n)
        step.whiten(self.images, n)


@dataclass(frozen=True)
class _Leaving:
    """A block to leave out.

    Attributes
    ----------
    bare, z : numpy.ndarray, shape (k, r)
        Rows without and with the roots of their weights.
    root : numpy.ndarray
        V with V V^T = (I - A)^-1 for up to r rows, and (I - Z^T Z)^-1 for more.
    spread : numpy.ndarray, shape (k,)
        Diagonal of (I - A)^-1.
    forms : numpy.ndarray, shape (n_targets,)
        |z|^2 of the targets without the block.
    """

    bare: Array
    z: Array
    root: Array
    spread: Array
    forms: Array

    @classmethod
    def of(cls, view: _View, phi: Array, roots: Array) -> _Leaving | None:
        """Return the block; None if leaving it out would lose too many digits."""
        n = view.whitening.n_threads
        bare = view.rows(phi)
        z = roots[:, None] * bare
        is_wide = len(z) <= z.shape[1]
        factors = z if is_wide else np.ascontiguousarray(z.T)
        try:
            factor = _core.factorize_hessian(-row_products(factors, factors, n), 1.0, n)
        except NotPositiveDefiniteError:
            return None
        root = factor.whitened(np.eye(len(factors)), n)
        if not squared_norms(root).sum() - len(root) < _HEAVY:
            return None
        if is_wide:
            forms = squared_norms(view.targets) + squared_norms(factor.whitened(row_products(view.targets, z, n), n))
            return cls(bare, z, root, squared_norms(root), forms)
        return cls(
            bare, z, root, 1.0 + squared_norms(factor.whitened(z, n)), squared_norms(factor.whitened(view.targets, n))
        )

    def solved(self, residuals: Array) -> Array:
        """Return (I - A)^-1 r."""
        if len(self.z) == len(self.root):
            return self._inverse(residuals)
        inside = self._inverse((self.z * residuals[:, None]).sum(axis=0))
        found: Array = residuals + (self.z * inside).sum(axis=1)
        return found

    def _inverse(self, vector: Array) -> Array:
        found: Array = (self.root * (self.root * vector[:, None]).sum(axis=0)).sum(axis=1)
        return found


class Influences:
    """Targets of a model, and their changes when rows are left out.

    Parameters
    ----------
    fitted : Fitted
        The model of all rows.
    phi : numpy.ndarray, shape (n_targets, M)
        Rows of the targets.
    is_held : bool
        Whether variances are those with held rows fixed.
    refitted : callable
        Fits a model without given structures.
    """

    def __init__(
        self,
        fitted: Fitted,
        phi: Array,
        *,
        is_held: bool,
        refitted: Callable[[list[int]], Fitted],
        n_threads: int,
    ) -> None:
        self._fitted, self._phi, self._is_held, self._refitted = fitted, phi, is_held, refitted
        self._n_threads = n_threads
        self._weights = fitted.known.weights
        self._variance = _View.of(fitted.firm, phi, is_held=is_held, n_threads=n_threads)
        is_one = fitted.firm is fitted.known and not is_held
        self._prediction = self._variance if is_one else _View.of(fitted.known, phi, is_held=False, n_threads=n_threads)

    @property
    def forms(self) -> Array:
        """Quadratic forms phi^T H^-1 phi of the targets: (n_targets,)."""
        return squared_norms(self._variance.targets)

    def without(self, rows: Rows, labels: Array | None) -> Without:
        """Return the results without the rows of some structures; `labels` are minus the baseline."""
        found = self.downdated(rows, labels)
        return self._fitted_anew(rows, labels) if found is None else found[0]

    def downdated(self, rows: Rows, labels: Array | None) -> tuple[Without, Callable[[], None]] | None:
        """Return the same without a refit, and a function that leaves the rows out permanently.

        None if this would lose too many digits.
        """
        roots = np.sqrt(rows.weights)
        leaving = _Leaving.of(self._variance, rows.phi, roots)
        if leaving is None:
            return None
        leverage = float(squared_norms(leaving.z).sum())
        forms = leaving.forms
        if labels is None or self._weights is None:
            nothing = partial(self._variance.leave, leaving, np.zeros(len(rows)))
            return Without(forms, None, None, None, leverage, is_refitted=False), nothing
        residuals = labels - self._predicted(rows.phi, self._weights) - self._prediction.predicted(rows.phi)
        is_known = ~np.isnan(residuals)
        residuals[~is_known], roots[~is_known] = 0.0, 0.0
        of_variance = leaving
        if self._prediction is not self._variance:
            leaving = _Leaving.of(self._prediction, rows.phi, roots)
            if leaving is None:
                return None
        solved = leaving.solved(roots * residuals)
        along = (leaving.z * solved[:, None]).sum(axis=0)
        shifts = -(self._prediction.targets * along).sum(axis=1)
        errors = residuals + (leaving.bare * along).sum(axis=1)
        errors[~is_known] = np.nan
        studentised = _over(errors * roots, np.sqrt(leaving.spread), roots)
        leave = partial(self._leave, of_variance, leaving, solved)
        return Without(forms, shifts, errors, studentised, leverage, is_refitted=False), leave

    def _leave(self, of_variance: _Leaving, of_prediction: _Leaving, solved: Array) -> None:
        self._prediction.leave(of_prediction, solved)
        if self._prediction is not self._variance:
            self._variance.leave(of_variance, np.zeros(len(of_variance.z)))

    def _fitted_anew(self, rows: Rows, labels: Array | None) -> Without:
        others = self._refitted(np.unique(rows.labels["structure"]).tolist())
        column = "lpr_held" if self._is_held else "lpr"
        forms = 1.0 / getattr(others.firm, column)(self._phi, n_threads=self._n_threads)
        roots = np.sqrt(rows.weights)
        leverage = float((roots**2 * squared_norms(self._variance.whitening.rows(rows.phi))).sum())
        weights = others.known.weights
        if labels is None or self._weights is None or weights is None:
            return Without(forms, None, None, None, leverage, is_refitted=True)
        errors = labels - self._predicted(rows.phi, weights)
        beyond = 1.0 / others.known.lpr(rows.phi, n_threads=self._n_threads)
        studentised = _over(errors * roots, np.sqrt(1.0 + roots**2 * beyond), roots)
        shifts = self._predicted(self._phi, weights - self._weights)
        return Without(forms, shifts, errors, studentised, leverage, is_refitted=True)

    def _predicted(self, phi: Array, weights: Array) -> Array:
        return row_products(phi, weights[None, :], self._n_threads)[:, 0]


def _over(errors: Array, deviations: Array, roots: Array) -> Array:
    """Return errors over standard deviations, both times the roots of weights; NaN for zero weights."""
    found: Array = np.where(roots > 0.0, errors / deviations, np.nan)
    return found
