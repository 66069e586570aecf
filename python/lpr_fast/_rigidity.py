"""Arrays in, rigidities out."""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import ArrayLike

from . import _core
from ._accumulator import HessianAccumulator, Method
from ._arrays import Array, as_columns, as_count, as_matrix, as_number, as_rows, as_square, as_vector
from ._errors import InvalidInputError, LprWarning, doubts


class Rigidity:
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
    (w_A = 1 / N_A^2) of at least 1. With P = I no LPR is below mu / |phi_i|^2, the value of an environment about
    which the training data say nothing.
    """

    _factor: _core.HessianFactor
    _regularizer: float
    _method: str
    _weights: Array | None

    def __init__(self) -> None:
        raise InvalidInputError(
            "Rigidity is not built directly; use its from_features, from_kernels, from_hessian or from_accumulator."
        )

    @classmethod
    def _from_factor(
        cls, factor: _core.HessianFactor, regularizer: float, method: str, weights: Array | None = None
    ) -> Rigidity:
        rigidity = cls.__new__(cls)
        rigidity._factor = factor
        rigidity._regularizer = regularizer
        rigidity._method = method
        rigidity._weights = weights
        return rigidity

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
        labelled = accumulator.is_labelled
        rigidity = cls._from_factor(factor, mu, accumulator.method, weights if labelled else None)
        rigidity._warn(stacklevel)
        return rigidity

    @classmethod
    def from_features(
        cls,
        X: ArrayLike,
        *,
        regularizer: float,
        weights: ArrayLike | None = None,
        method: Method = "qr",
        n_threads: int = 0,
    ) -> Rigidity:
        """Rigidity of a linear model: H = X^T W X + mu I.

        Parameters
        ----------
        X : array_like, shape (N, M)
            Structure rows: features summed over the atoms of each training structure.
        regularizer : float
            mu > 0.
        weights : array_like, shape (N,), optional
            Weight w_A of each row's squared residual: 1, the default, for total energies, 1 / N_A^2 for those per atom.
        method : {"qr", "gram"}
            See `HessianAccumulator`.
        n_threads : int
            See `Rigidity`.

        Raises
        ------
        InvalidInputError
            For arrays and regularizers that cannot be used.
        NotPositiveDefiniteError
            If ``method="gram"`` and the problem is too ill-conditioned for it.
        """
        rows = as_rows("X", X)
        accumulator = HessianAccumulator(rows.shape[1], method)
        accumulator.add(rows, weights, n_threads=n_threads)
        return cls._build(accumulator, None, regularizer, n_threads)

    @classmethod
    def from_kernels(
        cls,
        K_NM: ArrayLike,
        K_MM: ArrayLike,
        *,
        regularizer: float,
        weights: ArrayLike | None = None,
        method: Method = "qr",
        n_threads: int = 0,
    ) -> Rigidity:
        """Rigidity of a sparse kernel model: H = K_NM^T W K_NM + mu K_MM.

        The LPR of a sparse kernel model is blind far from the active points: where all kernels vanish it is infinite.
        Look at the residual k(i,i) - k_Mi^T K_MM^-1 k_Mi beside it.

        Parameters
        ----------
        K_NM : array_like, shape (N, M)
            Kernels between training structures and active points, summed over the atoms of each structure.
        K_MM : array_like, shape (M, M)
            Kernels among the active points; symmetric positive semidefinite. No jitter is added: active points that
            are redundant in float64 are dropped, `n_dropped` says how many, and an `LprWarning` says so.
        regularizer : float
            mu > 0.
        weights : array_like, shape (N,), optional
            Weight w_A of each row's squared residual: 1, the default, for total energies, 1 / N_A^2 for those per atom.
        method : {"qr", "gram"}
            See `HessianAccumulator`.
        n_threads : int
            See `Rigidity`.

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
        accumulator = HessianAccumulator(rows.shape[1], method)
        accumulator.add(rows, weights, n_threads=n_threads)
        return cls._build(accumulator, prior, regularizer, n_threads)

    @classmethod
    def from_hessian(cls, H: ArrayLike, *, regularizer: float = 0.0, n_threads: int = 0) -> Rigidity:
        """Rigidity from a dense Hessian, for instance a neural network's: H + mu I.

        H is that of *half* the summed squares, so that for a linear model it equals X^T W X: halve what automatic
        differentiation gives for sum_A w_A (y_A - Y_A)^2, and give mu for the penalty mu |c|^2.

        Parameters
        ----------
        H : array_like, shape (M, M)
            Symmetric; with `regularizer`, positive definite.
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
        factor = _core.factorize_hessian(as_square("H", H), mu, as_count("n_threads", n_threads))
        rigidity = cls._from_factor(factor, mu, "hessian")
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
        return cls._build(accumulator, prior_array, regularizer, n_threads)

    def _scale(self, scale: float | None) -> float:
        if scale is not None:
            number = as_number("scale", scale)
            if not 0.0 < number < math.inf:
                raise InvalidInputError(f"scale is {number}; it must be finite and positive.")
            return number
        if self._regularizer == 0.0:
            raise InvalidInputError(
                "the variance needs a scale, because the regularizer, its default, is 0; give scale=..., for instance "
                "a calibrated prior variance."
            )
        return self._regularizer

    def lpr(self, phi: ArrayLike, *, n_threads: int = 0) -> Array:
        """Local prediction rigidity, 1 / (phi_i^T H^-1 phi_i). The variance is scale / LPR: no need to ask for both.

        Parameters
        ----------
        phi : array_like, shape (n, M)
            One row for each environment: features, kernels to the active points, or Jacobian rows. n may be zero.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        numpy.ndarray, shape (n,)
            In units of the loss per squared prediction. Infinite for a row of zeros, and where float64 cannot hold it.

        Raises
        ------
        InvalidInputError
            For a wrong shape and, naming the row, for NaN and infinity.
        """
        return self._factor.lpr(as_matrix("phi", phi), as_count("n_threads", n_threads))

    def variance(self, phi: ArrayLike, *, scale: float | None = None, n_threads: int = 0) -> Array:
        """Subset-of-regressors variance, scale * phi_i^T H^-1 phi_i.

        Parameters
        ----------
        phi : array_like, shape (n, M)
            One row for each environment.
        scale : float, optional
            The regularizer by default: then the unit is the prior variance of the kernel.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        numpy.ndarray, shape (n,)
            Right wherever float64 can hold it, whatever the sizes of mu and phi; beyond, zero or infinite.

        Raises
        ------
        InvalidInputError
            As `lpr`, and if no scale is given where the regularizer is 0.
        """
        return self._factor.variance(as_matrix("phi", phi), self._scale(scale), as_count("n_threads", n_threads))

    def covariance(
        self, phi_a: ArrayLike, phi_b: ArrayLike | None = None, *, scale: float | None = None, n_threads: int = 0
    ) -> Array:
        """Covariance of local predictions, scale * phi_a^T H^-1 phi_b.

        Parameters
        ----------
        phi_a : array_like, shape (n_a, M)
            One row for each environment, or for any sum of environments.
        phi_b : array_like, shape (n_b, M), optional
            `phi_a` by default.
        scale : float, optional
            The regularizer by default.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        numpy.ndarray, shape (n_a, n_b)

        Raises
        ------
        InvalidInputError
            As `variance`.
        """
        a = as_matrix("phi_a", phi_a)
        b = a if phi_b is None else as_matrix("phi_b", phi_b)
        return self._factor.covariance(a, b, self._scale(scale), as_count("n_threads", n_threads))

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
        factor = self._factor.restrict_to(as_columns(columns), as_count("n_threads", n_threads))
        return self._from_factor(factor, self._regularizer, self._method)

    def updated(self, rows: ArrayLike, weights: ArrayLike | None = None, *, n_threads: int = 0) -> Rigidity:
        """The rigidity after more training rows, H + rows^T W rows; this object stays as it is.

        Rows may come in several updates, one after the other: the bits are those of one.

        Parameters
        ----------
        rows : array_like, shape (n, M)
            Structure rows.
        weights : array_like, shape (n,), optional
            Weight w_A of each row's squared residual: 1, the default, for total energies, 1 / N_A^2 for those per atom.
        n_threads : int
            See `Rigidity`.

        Raises
        ------
        InvalidInputError
            As `HessianAccumulator.add`.
        """
        row_array = as_matrix("rows", rows)
        weight_array = None if weights is None else as_vector("weights", weights)
        factor = self._factor.updated(row_array, weight_array, as_count("n_threads", n_threads))
        return self._from_factor(factor, self._regularizer, self._method)

    @property
    def regularizer(self) -> float:
        """mu, as given."""
        return self._regularizer

    @property
    def method(self) -> str:
        """How H was factorised: ``"qr"``, ``"gram"`` or ``"hessian"``."""
        return self._method

    @property
    def size(self) -> int:
        """M as given: the number of columns of phi."""
        return self._factor.size

    @property
    def n_dropped(self) -> int:
        """Active points left out because they are redundant in float64."""
        return self._factor.n_dropped

    @property
    def kept_columns(self) -> list[int]:
        """Columns of phi that count, in ascending order; the others are the `n_dropped` redundant active points."""
        return sorted(self._factor.columns)

    @property
    def weights(self) -> Array | None:
        """The model's weights c, shape (M,), if it was built from labelled rows (see `HessianAccumulator`); else None.

        They minimise sum_A w_A (y_A - X_A . c)^2 + mu c^T P c, and come from the QR itself, not from normal equations.
        Weights of dropped active points are zero.
        """
        return None if self._weights is None else self._weights.copy()

    @property
    def condition_number(self) -> float:
        """Estimate of the 2-norm condition number of the triangular factor, the square root of that of H."""
        return self._factor.condition_number

    @property
    def error_estimate(self) -> float | None:
        """Estimate of the largest relative error that rounding leaves in any rigidity; None for ``method="qr"``.

        It is often far too high for environments like those of the training set, and practically never too low. The QR
        route has no such number: its errors are those that one ulp of the inputs causes.
        """
        estimate = self._factor.error_estimate
        return None if math.isnan(estimate) else estimate

    def hessian(self) -> Array:
        """H of the kept columns as a dense array, for inspection: forming it loses digits that R has.

        Returns
        -------
        numpy.ndarray, shape (M - n_dropped, M - n_dropped)
        """
        triangle = self._factor.triangle()[:, np.argsort(self._factor.columns)]
        return triangle.T @ triangle

    def __reduce__(self) -> tuple[object, ...]:
        factor = self._factor
        parts = (factor.size, factor.columns, factor.triangle(), factor.condition_number, factor.error_estimate)
        return _from_parts, (type(self), parts, self._regularizer, self._method, self._weights)

    def __repr__(self) -> str:
        return (
            f"Rigidity(size={self.size}, regularizer={self.regularizer:g}, method={self.method!r}, "
            f"condition_number={self.condition_number:.1e}, n_dropped={self.n_dropped})"
        )


def _from_parts(
    cls: type[Rigidity],
    parts: tuple[int, list[int], Array, float, float],
    regularizer: float,
    method: str,
    weights: Array | None,
) -> Rigidity:
    return cls._from_factor(_core.HessianFactor.from_triangle(*parts), regularizer, method, weights)
