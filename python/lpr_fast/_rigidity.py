"""Arrays in, rigidities out."""

from __future__ import annotations

import warnings

from numpy.typing import ArrayLike

from . import _core
from ._accumulator import HessianAccumulator, Method, accumulated
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
from ._errors import InvalidInputError, LprWarning, doubts
from ._factorised import FactorisedHessian
from ._progress import Progress, silent
from ._symmetry import about_asymmetry, symmetrised
from ._thin import ThinFactor, is_thin


class Rigidity(FactorisedHessian):
    r"""Local prediction rigidity of a model, from one triangular factor of its Hessian.

    .. math::
        \mathrm{LPR}_i = \frac{1}{\phi_i^T H^{-1} \phi_i}, \qquad
        H = \sum_A w_A X_A X_A^T + \mu P

    with phi_i the derivative of local prediction i with respect to the M weights, X_A the sum of phi over the atoms of
    training structure A, w_A its weight, mu the regularizer and P the prior: the identity for linear models and neural
    networks, K_MM for sparse kernel models (S. Chong et al., J. Chem. Theory Comput. 2023, 19, 8020).

    Build one with `from_features`, `from_kernels`, `from_hessian` or `from_accumulator`. Objects are immutable, can be
    pickled, and can be used by several threads at once. Results do not depend on how environments are cut into calls
    nor on `n_threads`, to the last bit; its default, 0, stands for ``OMP_NUM_THREADS`` or all cores of the process.

    When one local prediction is held eps away from its optimum and the rest of the model adapts, the loss
    sum_A w_A (y_A - X_A . c)^2 + mu c^T P c grows by LPR_i eps^2. It scales with the loss: on total energies (w_A = 1,
    the default) a structure of N equal atoms gives each of them an LPR of at least N^2, on energies per atom
    (w_A = 1 / N_A^2) of at least 1. With P = I no LPR is below ``mu / |phi_i|^2``, the value of an environment about
    which the training data say nothing.
    """

    def __init__(self) -> None:
        raise InvalidInputError(
            "Rigidity is not built directly; use its from_features, from_kernels, from_hessian or from_accumulator."
        )

    def _warn(self, stacklevel: int) -> None:
        """Warn about what is doubtful in a new model; the warnings point `stacklevel` calls up."""
        size, n_dropped, estimate = self.size, self.n_dropped, self._factor.error_estimate
        for message in doubts(method=self._method, size=size, n_dropped=n_dropped, error_estimate=estimate):
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
        """What all constructors from rows call; warnings point `stacklevel` calls up."""
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
        """The same, with the factor of the prior; warnings point at the caller's caller."""
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
        """Rigidity of a linear model: H = X^T W X + mu I.

        At most a quarter as many rows as columns are looked at within their span (`method` is then ``"thin"``). Memory
        is then of order N M, not M^2, and rigidities are as right as by the QR of all columns.

        Parameters
        ----------
        X : array_like, shape (N, M)
            Structure rows: features summed over the atoms of each training structure.
        regularizer : float
            mu > 0.
        targets : array_like, shape (N,), optional
            What the model is to predict for each row: from them follow `weights` and `predict`.
        weights : array_like, shape (N,), optional
            Weight w_A of each row's squared residual: 1, the default, for total energies, 1 / N_A^2 for those per atom.
        method : {"qr", "gram"}
            See `HessianAccumulator`.
        n_threads : int
            See `Rigidity`.
        progress : callable, optional
            Called as ``progress(stage, rows_done, rows_in_all)``, such as a `ProgressLine`; the bits are the same.

        Raises
        ------
        InvalidInputError
            For arrays and regularizers that cannot be used.
        NotPositiveDefiniteError
            If ``method="gram"`` and the problem is too ill-conditioned for it.
        """
        rows = as_rows("X", X)
        accumulator = accumulated(rows, weights, targets, method, n_threads, progress)
        if method == "qr" and is_thin(rows):
            return cls._thin(rows, weights, targets, regularizer, n_threads)
        return cls._build(accumulator, None, regularizer, n_threads)

    @classmethod
    def _thin(
        cls, rows: Array, weights: ArrayLike | None, targets: ArrayLike | None, regularizer: float, n_threads: int
    ) -> Rigidity:
        """What few rows that an accumulator has taken say within their span."""
        mu, count = as_number("regularizer", regularizer), as_count("n_threads", n_threads)
        w = None if weights is None else as_vector("weights", weights)
        y = None if targets is None else as_vector("targets", targets)
        factor, of_model = ThinFactor.fit(rows, w, y, mu, count)
        return cls._from_factor(factor, mu, "thin", weights=of_model)

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
        """Rigidity of a sparse kernel model: H = K_NM^T W K_NM + mu K_MM.

        The LPR of a sparse kernel model is blind far from the active points: where all kernels vanish it is infinite.
        Look at the `residual` k(i,i) - k_Mi^T K_MM^-1 k_Mi beside it, or at the `projected_process_variance`.

        Parameters
        ----------
        K_NM : array_like, shape (N, M)
            Kernels between training structures and active points, summed over the atoms of each structure.
        K_MM : array_like, shape (M, M)
            Kernels among the active points; symmetric positive semidefinite. No jitter is added: active points that
            are redundant in float64 are dropped, `n_dropped` says how many, and an `LprWarning` says so.
        regularizer : float
            mu > 0.
        targets : array_like, shape (N,), optional
            What the model is to predict for each row: from them follow `weights` and `predict`.
        weights : array_like, shape (N,), optional
            Weight w_A of each row's squared residual: 1, the default, for total energies, 1 / N_A^2 for those per atom.
        method : {"qr", "gram"}
            See `HessianAccumulator`.
        n_threads : int
            See `Rigidity`.
        progress : callable, optional
            Called as ``progress(stage, rows_done, rows_in_all)``, such as a `ProgressLine`; the bits are the same.

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
                f"K_MM has shape {prior.shape}, expected {(n_active, n_active)} for the {n_active} columns of K_NM; "
                "check that the two are not swapped."
            )
        accumulator = accumulated(rows, weights, targets, method, n_threads, progress)
        return cls._build_with_residuals(accumulator, prior, regularizer, n_threads)

    @classmethod
    def from_hessian(cls, H: ArrayLike, *, regularizer: float = 0.0, n_threads: int = 0) -> Rigidity:
        """Rigidity from a dense Hessian, for instance a neural network's: H + mu I.

        H is that of *half* the summed squares, so that for a linear model it equals X^T W X: halve what automatic
        differentiation gives for sum_A w_A (y_A - Y_A)^2, and give mu for the penalty ``mu |c|^2``. The full Hessian of
        a network need not be positive definite; that of Gauss and Newton is, for which you give the rows of the
        Jacobian dY_A/dc to `from_features`.

        Parameters
        ----------
        H : array_like, shape (M, M)
            Symmetric; with `regularizer`, positive definite. Asymmetry of up to 1e-4 of the largest entry counts as
            rounding of derivatives in float32: H is averaged with its transpose, and an `LprWarning` says so.
        regularizer : float
            mu >= 0. With 0, `variance` and `covariance` need an explicit scale.
        n_threads : int
            See `Rigidity`.

        Raises
        ------
        InvalidInputError
            For arrays and regularizers that cannot be used.
        NotPositiveDefiniteError
            Naming the smallest eigenvalue and a regularizer that would suffice.
        """
        mu = as_number("regularizer", regularizer)
        hessian, asymmetry = symmetrised(as_square("H", H))
        factor = _core.factorize_hessian(hessian, mu, as_count("n_threads", n_threads))
        rigidity = cls._from_factor(factor, mu, "hessian")
        if asymmetry > 0.0:
            warnings.warn(about_asymmetry(asymmetry, factor.error_estimate), LprWarning, stacklevel=2)
        rigidity._warn(2)
        return rigidity

    @classmethod
    def from_accumulator(
        cls, accumulator: HessianAccumulator, *, regularizer: float, prior: ArrayLike | None = None, n_threads: int = 0
    ) -> Rigidity:
        """Rigidity from accumulated training rows: H = rows^T W rows + mu prior. The accumulator may go on afterwards.

        Parameters
        ----------
        accumulator : HessianAccumulator
            With at least one row.
        regularizer : float
            mu > 0.
        prior : array_like, shape (M, M), optional
            Symmetric positive semidefinite, for instance K_MM; the identity by default.
        n_threads : int
            See `Rigidity`.

        Raises
        ------
        InvalidInputError, NotPositiveDefiniteError
            As `from_kernels`; also for an accumulator without rows.
        """
        if not isinstance(accumulator, HessianAccumulator):
            raise InvalidInputError(f"accumulator is a {type(accumulator).__name__}; it must be a HessianAccumulator.")
        prior_array = None if prior is None else as_square("prior (K_MM)", prior)
        return cls._build_with_residuals(accumulator, prior_array, regularizer, n_threads)

    def restrict(self, columns: ArrayLike, *, n_threads: int = 0) -> Rigidity:
        """The same numbers with less work, for phi that vanish outside `columns`.

        Exact, and as accurate as the whole: the columns of the inverse factor that matter are triangularised anew.

        Parameters
        ----------
        columns : array_like of int, shape (m,)
            Different columns of phi, in the order in which they will be given.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        Rigidity
            Of size m: its phi have m columns. Further rows given to `updated` must vanish outside `columns` too.

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
        """The rigidity after more training rows, H + rows^T W rows; this object stays as it is.

        Rows may come in several updates, one after the other: the bits of rigidities are those of one. With `targets`
        the weights of the model follow, c + H_new^-1 rows^T W (targets - rows c) (recursive least squares); without,
        the new rigidity has no weights and predicts nothing, for those of before are not those of the rows.
        Updated weights lose as many digits as H has, those of a fit to all rows half of these.

        Parameters
        ----------
        rows : array_like, shape (n, M)
            Structure rows.
        weights : array_like, shape (n,), optional
            Weight w_A of each row's squared residual: 1, the default, for total energies, 1 / N_A^2 for those per atom.
        targets : array_like, shape (n,), optional
            What the model is to predict for each row (of a fitted model's `rigidity`: without its baseline).
        n_threads : int
            See `Rigidity`.

        Raises
        ------
        InvalidInputError
            As `HessianAccumulator.add`, and for targets where there are no weights to start from.
        """
        row_array, count = as_matrix("rows", rows), as_count("n_threads", n_threads)
        weight_array = None if weights is None else as_vector("weights", weights)
        factor = self._factor.updated(row_array, weight_array, count)
        learnt = None
        if targets is not None:
            learnt = self._learnt(factor, row_array, weight_array, as_vector("targets", targets), count)
        return self._from_factor(factor, self._regularizer, self._method, weights=learnt, prior=self._prior)

    def _knowing(self, rows: HessianAccumulator, n_threads: int) -> Rigidity:
        """The rigidity after training rows without targets, which leave the weights as they are."""
        assert isinstance(self._factor, _core.HessianFactor)  # of an accumulator
        factor = self._factor.updated_by(rows._core, n_threads)
        return self._from_factor(factor, self._regularizer, self._method, weights=self._weights, prior=self._prior)

    def holding(self, rows: ArrayLike) -> Rigidity:
        """The same rigidity, with `lpr_held` besides: how firm predictions are while those of `rows` are fixed.

        Hold what the data leave open in common for many environments, so that it does not hide what they say of each:
        the mean of phi over the atoms of each species, where totals of one composition do not say how the energy is
        split between species; groups of environments; an isolated atom; a phase.

        Parameters
        ----------
        rows : array_like, shape (q, M)
            Rows of phi, of which the scale does not matter. Rows that depend on others hold nothing more.

        Returns
        -------
        Rigidity
            With the bits of this one in all else; `restrict` and `updated` keep what is held.

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
