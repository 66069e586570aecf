"""Rigidity from arrays."""

from __future__ import annotations

import warnings

from numpy.typing import ArrayLike

from . import _core
from ._accumulator import HessianAccumulator, Method, accumulate_rows
from ._arrays import (
    Array,
    as_columns,
    as_count,
    as_environments,
    as_matrix,
    as_number,
    as_rows,
    as_square,
    as_vector,
)
from ._errors import InvalidInputError, LprWarning, factorisation_warnings
from ._factorised import FactorisedHessian
from ._progress import Progress, silent
from ._symmetry import asymmetry_warning, symmetrised
from ._thin import ThinFactor, is_thin
from ._words import counted


class Rigidity(FactorisedHessian):
    r"""Local prediction rigidity of a model, from the triangular factor of its Hessian.

    .. math::
        \mathrm{LPR}_i = \frac{1}{\phi_i^T H^{-1} \phi_i}, \qquad
        H = \sum_A w_A X_A X_A^T + \mu P

    with phi_i the derivative of local prediction i with respect to the M weights, X_A the sum of phi over the atoms of
    training structure A, w_A its weight, mu the regularizer and P the prior: the identity for linear models and neural
    networks, K_MM for sparse kernel models (S. Chong et al., J. Chem. Theory Comput. 2023, 19, 8020).

    Build one with `from_features`, `from_kernels`, `from_hessian` or `from_accumulator`. Objects are immutable, can be
    pickled, and can be used by several threads at once. Results have the same bits however environments are divided
    among calls, and for any `n_threads`; its default, 0, means ``OMP_NUM_THREADS``, or all cores of the process.

    When one local prediction is held eps away from its optimum and the rest of the model adapts, the loss
    sum_A w_A (y_A - X_A . c)^2 + mu c^T P c grows by LPR_i eps^2. The LPR scales with the loss: for a loss on total
    energies (w_A = 1, the default) a structure of N equal atoms gives each of them an LPR of at least N^2, for a loss
    on energies per atom (w_A = 1 / N_A^2) of at least 1. With P = I no LPR is below mu / |phi_i|^2, the value of an
    environment about which the training set says nothing.

    Examples
    --------
    The features of the training structures have no third component, so nothing determines predictions along it:

    >>> import numpy as np
    >>> from lpr_fast import Rigidity
    >>> X = np.random.default_rng(seed=0).normal(size=(100, 3)) * [1.0, 1.0, 0.0]
    >>> rigidity = Rigidity.from_features(X, regularizer=1e-6)
    >>> lpr = rigidity.lpr([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    >>> bool(lpr[0] > 10.0), f"{lpr[1]:.0e}"
    (True, '1e-06')
    """

    def __init__(self) -> None:
        raise InvalidInputError(
            "Rigidity() builds nothing; use Rigidity.from_features, from_kernels, from_hessian or from_accumulator."
        )

    def _warn(self, stacklevel: int) -> None:
        """Issue the warnings about the factorisation; they point `stacklevel` calls up."""
        size, n_dropped, estimate = self.size, self.n_dropped, self._factor.error_estimate
        for message in factorisation_warnings(
            method=self._method, size=size, n_dropped=n_dropped, error_estimate=estimate
        ):
            warnings.warn(message, LprWarning, stacklevel=stacklevel + 1)

    @classmethod
    def _build(
        cls,
        accumulator: HessianAccumulator,
        prior: Array | None,
        regularizer: float,
        n_threads: int,
        stacklevel: int = 3,
    ) -> Rigidity:
        """Return the rigidity of accumulated rows; warnings point `stacklevel` calls up."""
        mu = as_number("regularizer", regularizer)
        factor, weights = _core.fit(accumulator._core, mu, prior, as_count("n_threads", n_threads))
        rigidity = cls._from_factor(
            factor, mu, accumulator.method, weights=weights if accumulator.is_labelled else None
        )
        rigidity._warn(stacklevel)
        return rigidity

    @classmethod
    def _build_with_residuals(
        cls, accumulator: HessianAccumulator, prior: Array | None, regularizer: float, n_threads: int
    ) -> Rigidity:
        """Return the same, with the factor of the prior for `residual`; warnings point at the caller's caller."""
        rigidity = cls._build(accumulator, prior, regularizer, n_threads, stacklevel=4)
        if prior is not None:
            rigidity._prior = _core.factorize_prior(prior, as_count("n_threads", n_threads))
        return rigidity

    @classmethod
    def from_features(
        cls,
        X: ArrayLike,
        *,
        regularizer: float,
        targets: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        method: Method = "qr",
        n_threads: int = 0,
        progress: Progress = silent,
    ) -> Rigidity:
        """Return the rigidity of a linear model: H = X^T W X + mu I.

        If there are at most a quarter as many rows as columns, H is factorised within the span of the rows (`method` is
        then ``"thin"``). Memory is then of order N M, not M^2, and rigidities are as accurate as by QR of all columns.

        Parameters
        ----------
        X : array_like, shape (N, M)
            Structure rows: features summed over the atoms of each training structure.
        regularizer : float
            mu > 0.
        targets : array_like, shape (N,), optional
            Reference value of each row; `weights` and `predict` need them.
        weights : array_like, shape (N,), optional
            Weight w_A of each row's squared residual: 1 (the default) for a loss on total energies, 1 / N_A^2 for one
            on energies per atom.
        method : {"qr", "gram"}
            See `HessianAccumulator`.
        n_threads : int
            See `Rigidity`.
        progress : callable, optional
            Called as ``progress(stage, n_rows_done, n_rows)``, for instance a `ProgressLine`. It does not change the
            bits of the results.

        Raises
        ------
        InvalidInputError
            For arrays and regularizers that cannot be used.
        NotPositiveDefiniteError
            If ``method="gram"`` and the problem is too ill-conditioned for it.
        """
        rows = as_rows("X", X)
        accumulator = accumulate_rows(rows, weights, targets, method, n_threads, progress)
        if method == "qr" and is_thin(rows):
            return cls._thin(rows, weights, targets, regularizer, n_threads)
        return cls._build(accumulator, None, regularizer, n_threads)

    @classmethod
    def _thin(
        cls, rows: Array, weights: ArrayLike | None, targets: ArrayLike | None, regularizer: float, n_threads: int
    ) -> Rigidity:
        """Return the rigidity of few rows, already checked by an accumulator, within their span."""
        mu, count = as_number("regularizer", regularizer), as_count("n_threads", n_threads)
        w = None if weights is None else as_vector("weights", weights)
        y = None if targets is None else as_vector("targets", targets)
        factor, model_weights = ThinFactor.fit(rows, w, y, mu, count)
        return cls._from_factor(factor, mu, "thin", weights=model_weights)

    @classmethod
    def from_kernels(
        cls,
        K_NM: ArrayLike,
        K_MM: ArrayLike,
        *,
        regularizer: float,
        targets: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        method: Method = "qr",
        n_threads: int = 0,
        progress: Progress = silent,
    ) -> Rigidity:
        """Return the rigidity of a sparse kernel model: H = K_NM^T W K_NM + mu K_MM.

        The LPR of a sparse kernel model means nothing far from the active points: it is infinite where all kernels
        vanish. Look at the `residual` k(i,i) - k_Mi^T K_MM^-1 k_Mi too, or at the `projected_process_variance`.

        Parameters
        ----------
        K_NM : array_like, shape (N, M)
            Kernels between training structures and active points, summed over the atoms of each structure.
        K_MM : array_like, shape (M, M)
            Kernels among the active points; symmetric positive semidefinite. No jitter is added: active points that
            are redundant in float64 are dropped with an `LprWarning`, and `n_dropped` counts them.
        regularizer : float
            mu > 0.
        targets, weights, method, n_threads, progress
            As for `from_features`.

        Raises
        ------
        InvalidInputError
            For arrays and regularizers that cannot be used.
        NotPositiveDefiniteError
            If K_MM has a negative eigenvalue, or if ``method="gram"`` and the problem is too ill-conditioned for it.
        """
        rows = as_rows("K_NM", K_NM)
        prior = as_matrix("K_MM", K_MM)
        n_active = rows.shape[1]
        if prior.shape != (n_active, n_active):
            raise InvalidInputError(
                f"K_MM has shape {prior.shape}, expected {(n_active, n_active)} for {counted(n_active, 'column')} of "
                "K_NM; check that the two are not swapped."
            )
        accumulator = accumulate_rows(rows, weights, targets, method, n_threads, progress)
        return cls._build_with_residuals(accumulator, prior, regularizer, n_threads)

    @classmethod
    def from_hessian(cls, H: ArrayLike, *, regularizer: float = 0.0, n_threads: int = 0) -> Rigidity:
        """Return the rigidity for a dense Hessian, for instance that of a neural network: H + mu I.

        H is the Hessian of *half* the summed squares, so that it equals X^T W X for a linear model: halve the result of
        automatic differentiation for sum_A w_A (y_A - Y_A)^2, and give mu for the penalty mu |c|^2. The full Hessian of
        a network need not be positive definite. The Gauss-Newton Hessian is: for it pass the rows of the Jacobian
        dY_A/dc to `from_features`.

        Parameters
        ----------
        H : array_like, shape (M, M)
            Symmetric; H + mu I must be positive definite. An asymmetry of up to 1e-4 of the largest entry counts as
            rounding of derivatives in float32: H is averaged with its transpose, with an `LprWarning`.
        regularizer : float
            mu >= 0. With 0, `variance` and `covariance` need an explicit scale.
        n_threads : int
            See `Rigidity`.

        Raises
        ------
        InvalidInputError
            For arrays and regularizers that cannot be used.
        NotPositiveDefiniteError
            If H + mu I is not positive definite; the message names the smallest eigenvalue and a regularizer that
            suffices.
        """
        mu = as_number("regularizer", regularizer)
        hessian, asymmetry = symmetrised(as_square("H", H))
        factor = _core.factorize_hessian(hessian, mu, as_count("n_threads", n_threads))
        rigidity = cls._from_factor(factor, mu, "hessian")
        if asymmetry > 0.0:
            warnings.warn(asymmetry_warning(asymmetry, factor.error_estimate), LprWarning, stacklevel=2)
        rigidity._warn(2)
        return rigidity

    @classmethod
    def from_accumulator(
        cls, accumulator: HessianAccumulator, *, regularizer: float, prior: ArrayLike | None = None, n_threads: int = 0
    ) -> Rigidity:
        """Return the rigidity of accumulated training rows: H = sum_A w_A X_A X_A^T + mu P.

        More rows may be added to the accumulator afterwards.

        Parameters
        ----------
        accumulator : HessianAccumulator
            An accumulator with at least one row.
        regularizer : float
            mu > 0.
        prior : array_like, shape (M, M), optional
            P, symmetric positive semidefinite, for instance K_MM; the identity by default.
        n_threads : int
            See `Rigidity`.

        Raises
        ------
        InvalidInputError
            As for `from_kernels`, and for an accumulator without rows.
        NotPositiveDefiniteError
            As for `from_kernels`.
        """
        if not isinstance(accumulator, HessianAccumulator):
            raise InvalidInputError(f"accumulator is a {type(accumulator).__name__}; it must be a HessianAccumulator.")
        prior_array = None if prior is None else as_square("prior (K_MM)", prior)
        return cls._build_with_residuals(accumulator, prior_array, regularizer, n_threads)

    def restrict(self, columns: ArrayLike, *, n_threads: int = 0) -> Rigidity:
        """Return a smaller rigidity with the same results, for phi that vanish outside `columns`.

        It is exact and as accurate as the whole: these columns of the inverse factor are triangularised again.

        Parameters
        ----------
        columns : array_like of int, shape (m,)
            Distinct columns of phi, in the order that the new phi will have.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        Rigidity
            A rigidity of size m: its phi have m columns. Rows passed to its `updated` must vanish outside `columns`
            too.

        Raises
        ------
        InvalidInputError
            For an empty list, repeated columns, or columns outside 0 ... M - 1.
        """
        chosen, count = as_columns(columns), as_count("n_threads", n_threads)
        return self._from_factor(
            self._factor.restrict_to(chosen, count),
            self._regularizer,
            self._method,
            weights=None if self._weights is None else self._weights[chosen],
            prior=None if self._prior is None else self._prior.restrict_to(chosen, count),
        )

    def updated(
        self,
        rows: ArrayLike,
        weights: ArrayLike | None = None,
        *,
        targets: ArrayLike | None = None,
        n_threads: int = 0,
    ) -> Rigidity:
        """Return the rigidity after more training rows, H + rows^T W rows; this object does not change.

        Several updates give rigidities with the bits of a single one. With `targets` the weights of the model are
        updated too, c + H_new^-1 rows^T W (targets - rows c) (recursive least squares). Without targets the new
        rigidity has no weights: the old ones do not fit the new rows. The error of updated weights grows with the
        condition number of H, that of weights from a fit to all rows only with its square root.

        Parameters
        ----------
        rows : array_like, shape (n, M)
            Structure rows.
        weights : array_like, shape (n,), optional
            As for `HessianAccumulator.add`.
        targets : array_like, shape (n,), optional
            Reference value of each row, minus the baseline for the rigidity of a fitted model.
        n_threads : int
            See `Rigidity`.

        Raises
        ------
        InvalidInputError
            As for `HessianAccumulator.add`, and for targets if there are no weights to update.
        """
        row_array, count = as_matrix("rows", rows), as_count("n_threads", n_threads)
        weight_array = None if weights is None else as_vector("weights", weights)
        factor = self._factor.updated(row_array, weight_array, count)
        updated = None
        if targets is not None:
            updated = self._updated_weights(factor, row_array, weight_array, as_vector("targets", targets), count)
        return self._from_factor(factor, self._regularizer, self._method, weights=updated, prior=self._prior)

    def _with_unlabelled_rows(self, rows: HessianAccumulator, n_threads: int) -> Rigidity:
        """Return the rigidity after training rows without targets, with the same weights."""
        assert isinstance(self._factor, _core.HessianFactor)  # this rigidity comes from an accumulator
        factor = self._factor.updated_by(rows._core, n_threads)
        return self._from_factor(factor, self._regularizer, self._method, weights=self._weights, prior=self._prior)

    def holding(self, rows: ArrayLike) -> Rigidity:
        """Return the same rigidity with `lpr_held` in addition: the LPR with the predictions of `rows` fixed.

        A direction that the data do not determine can lower the LPR of many environments at once and hide the
        differences between them. Hold that direction: the mean of phi over the atoms of each species, if totals of one
        composition do not determine how the energy is split between the species; a group of environments; an isolated
        atom; a phase.

        Parameters
        ----------
        rows : array_like, shape (q, M)
            Rows of phi; their scale does not matter. Rows that depend linearly on others have no further effect.

        Returns
        -------
        Rigidity
            All other results have the same bits; `restrict` and `updated` keep the held rows.

        Raises
        ------
        InvalidInputError
            For rows that cannot be used, or are all zero.
        """
        return self._from_factor(
            self._factor.holding(as_environments("rows", rows)),
            self._regularizer,
            self._method,
            weights=self._weights,
            prior=self._prior,
        )

    def __repr__(self) -> str:
        return (
            f"Rigidity(size={self.size}, regularizer={self.regularizer:g}, method={self.method!r}, "
            f"condition_number={self.condition_number:.1e}, n_dropped={self.n_dropped})"
        )
