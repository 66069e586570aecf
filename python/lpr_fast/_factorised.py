"""Rigidities, variances, residuals and predictions from a factorised Hessian."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from . import _core
from ._arrays import LARGEST_ENTRY, Array, as_count, as_environments, as_number, as_self_kernels, refuse_unusable
from ._errors import InvalidInputError
from ._factors import Parts, factor_from, parts_of
from ._progress import Progress, call_in_parts, silent
from ._thin import ThinFactor
from ._words import counted

# Largest k_Mi^T K_MM^-1 k_Mi relative to k(i,i): more than rounding above 1 means that the two are of different rows.
_MOST_EXPLAINED = 1.0 + 1e-4

# Rows of the identity in one call.
_UNIT_ROWS = 256


AnyHessian = TypeVar("AnyHessian", bound="FactorisedHessian")


class FactorisedHessian:
    """Results from the factor of a Hessian and the factor of its prior: see `Rigidity`."""

    _factor: _core.HessianFactor | ThinFactor
    _regularizer: float
    _method: str
    _weights: Array | None
    _prior: _core.HessianFactor | None

    @classmethod
    def _from_factor(
        cls: type[AnyHessian],
        factor: _core.HessianFactor | ThinFactor,
        regularizer: float,
        method: str,
        *,
        weights: Array | None = None,
        prior: _core.HessianFactor | None = None,
    ) -> AnyHessian:
        made = cls.__new__(cls)
        made._factor = factor
        made._regularizer = regularizer
        made._method = method
        made._weights = weights
        made._prior = prior
        return made

    def _scale(self, scale: float | None) -> float:
        if scale is not None:
            number = as_number("scale", scale)
            if not 0.0 < number < math.inf:
                raise InvalidInputError(f"scale is {number}; it must be finite and positive.")
            return number
        if self._regularizer == 0.0:
            raise InvalidInputError(
                "the variance needs a scale, because the default scale is the regularizer and that is 0; give "
                "scale=..., for instance a calibrated prior variance."
            )
        return self._regularizer

    def lpr(self, phi: ArrayLike, *, n_threads: int = 0, progress: Progress = silent) -> Array:
        """Return the local prediction rigidity, 1 / (phi_i^T H^-1 phi_i), of environments.

        Do not interpret local predictions of low rigidity: the training set does not determine them. The variance is
        scale / LPR.

        Parameters
        ----------
        phi : array_like, shape (n, M)
            One row for each environment: features, kernels to the active points, or Jacobian rows. n may be zero. A
            vector of shape (M,) counts as one row, here and in the other methods.
        n_threads : int
            See `Rigidity`.
        progress : callable, optional
            See `Rigidity.from_features`.

        Returns
        -------
        numpy.ndarray, shape (n,)
            In units of the loss per squared prediction. Infinite for a row of zeros, and where float64 overflows.

        Raises
        ------
        InvalidInputError
            For a wrong shape, and for NaN and infinity; the message names the row.
        """
        count = as_count("n_threads", n_threads)
        return call_in_parts(lambda rows: self._factor.lpr(rows, count), as_environments("phi", phi), progress)

    def lpr_held(self, phi: ArrayLike, *, n_threads: int = 0) -> Array:
        """Return the local prediction rigidity with the predictions of the held rows fixed: see `Rigidity.holding`.

        With the held rows B it is 1 / (phi_i^T (H^-1 - H^-1 B^T (B H^-1 B^T)^-1 B H^-1) phi_i): the limit of the LPR
        when B becomes data of infinite weight. It is computed by a projection, without large weights or differences.

        Parameters
        ----------
        phi, n_threads
            As for `lpr`.

        Returns
        -------
        numpy.ndarray, shape (n,)
            At least the LPR, in the same unit. Infinite for rows that are held themselves, that is where less than
            1e-26 of phi_i^T H^-1 phi_i is left.

        Raises
        ------
        InvalidInputError
            As for `lpr`, and if no rows are held.
        """
        return self._factor.lpr_held(as_environments("phi", phi), as_count("n_threads", n_threads))

    def variance(
        self, phi: ArrayLike, *, scale: float | None = None, n_threads: int = 0, progress: Progress = silent
    ) -> Array:
        """Return the subset-of-regressors variance, scale * phi_i^T H^-1 phi_i.

        It vanishes far from the active points of a sparse kernel model; `projected_process_variance` does not.

        Parameters
        ----------
        phi : array_like, shape (n, M)
            One row for each environment.
        scale : float, optional
            The regularizer by default: then the unit is the prior variance of the kernel.
        n_threads : int
            See `Rigidity`.
        progress : callable, optional
            See `Rigidity.from_features`.

        Returns
        -------
        numpy.ndarray, shape (n,)
            Accurate for any sizes of mu and phi; zero or infinite where float64 underflows or overflows.

        Raises
        ------
        InvalidInputError
            As for `lpr`, and if the regularizer is 0 and no scale is given.
        """
        factor, count = self._scale(scale), as_count("n_threads", n_threads)
        return call_in_parts(
            lambda rows: self._factor.variance(rows, factor, count), as_environments("phi", phi), progress
        )

    def residual(self, phi: ArrayLike, k_ii: ArrayLike = 1.0, *, n_threads: int = 0) -> Array:
        """Return the residual, the distance of a row from the active set: k(i,i) - k_Mi^T K_MM^-1 k_Mi.

        Do not trust the LPR of a sparse kernel model where the residual is near k(i,i): the environment is unlike all
        active environments.

        Parameters
        ----------
        phi : array_like, shape (n, M)
            Kernels between each environment, or any sum of environments, and the active points.
        k_ii : float or array_like, shape (n,)
            Kernel of each row with itself: 1 for an environment with a normalised kernel, sum_ij k(i,j) for a sum.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        numpy.ndarray, shape (n,)
            In units of the kernel's prior variance; at least 0.

        Raises
        ------
        InvalidInputError
            As for `lpr`; if there is no K_MM, as after `from_features`; and if k_Mi^T K_MM^-1 k_Mi of a row exceeds its
            `k_ii`.
        """
        if self._prior is None:
            raise InvalidInputError(
                "the residual needs K_MM, but this rigidity has none; build it with from_kernels, or with "
                "from_accumulator and prior=K_MM."
            )
        rows = as_environments("phi", phi)
        own = as_self_kernels("k_ii", k_ii, len(rows))
        explained = self._prior.variance(rows, 1.0, as_count("n_threads", n_threads))
        wrong = np.flatnonzero(explained > _MOST_EXPLAINED * own)
        if wrong.size:
            i = int(wrong[0])
            raise InvalidInputError(
                f"k_ii of row {i} is {own[i]:g}, but k_Mi^T K_MM^-1 k_Mi of that row is {explained[i]:g}, which is "
                "more; give the kernel of each row with itself."
            )
        return np.maximum(own - explained, 0.0)

    def projected_process_variance(
        self, phi: ArrayLike, k_ii: ArrayLike = 1.0, *, scale: float | None = None, n_threads: int = 0
    ) -> Array:
        """Return the projected-process (DTC) variance: the subset-of-regressors variance plus that of the residual.

        In units of the prior variance it is mu phi_i^T H^-1 phi_i + k(i,i) - k_Mi^T K_MM^-1 k_Mi. It does not vanish
        far from the active points but approaches k(i,i).

        Parameters
        ----------
        phi, k_ii
            As for `residual`.
        scale : float, optional
            As for `variance`: the prior variance times the regularizer. The regularizer by default.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        numpy.ndarray, shape (n,)
            In the unit of `scale`.

        Raises
        ------
        InvalidInputError
            As for `residual`.
        """
        residual = self.residual(phi, k_ii, n_threads=n_threads)
        prior_variance = self._scale(scale) / self._regularizer
        return self.variance(phi, scale=scale, n_threads=n_threads) + prior_variance * residual

    def predict(self, phi: ArrayLike) -> Array:
        """Return the predictions phi_i . c with the `weights` c.

        Parameters
        ----------
        phi : array_like, shape (n, M)
            One row for each environment, or for any sum of environments.

        Returns
        -------
        numpy.ndarray, shape (n,)
            In the unit of the targets.

        Raises
        ------
        InvalidInputError
            As for `lpr`, and if there are no `weights`.
        """
        if self._weights is None:
            raise InvalidInputError(
                "predictions need weights, but this rigidity has none; build it from rows with targets=..., and add "
                "rows together with their targets."
            )
        rows = as_environments("phi", phi)
        if rows.shape[1] != self.size:
            raise InvalidInputError(f"phi has {rows.shape[1]} columns, expected {self.size}, one for each weight.")
        refuse_unusable("phi", rows)
        predicted: Array = (rows * self._weights).sum(axis=1)
        return predicted

    def covariance(
        self, phi_a: ArrayLike, phi_b: ArrayLike | None = None, *, scale: float | None = None, n_threads: int = 0
    ) -> Array:
        """Return the covariance of local predictions, scale * phi_a^T H^-1 phi_b.

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
            In the unit of `scale`.

        Raises
        ------
        InvalidInputError
            As for `variance`.
        """
        a = as_environments("phi_a", phi_a)
        b = a if phi_b is None else as_environments("phi_b", phi_b)
        return self._factor.covariance(a, b, self._scale(scale), as_count("n_threads", n_threads))

    @property
    def regularizer(self) -> float:
        """The regularizer mu."""
        return self._regularizer

    @property
    def method(self) -> str:
        """How H was factorised: ``"qr"``, ``"gram"``, ``"hessian"``, or ``"thin"`` for QR in the span of few rows."""
        return self._method

    @property
    def size(self) -> int:
        """M, the number of columns of phi, including those dropped."""
        return self._factor.size

    @property
    def n_dropped(self) -> int:
        """Number of active points that were dropped as redundant in float64."""
        return self._factor.n_dropped

    @property
    def kept_columns(self) -> list[int]:
        """Columns of phi in use, in ascending order: all except those of the `n_dropped` redundant active points."""
        return sorted(self._factor.columns)

    @property
    def weights(self) -> Array | None:
        """The model's weights c, shape (M,), if the rows had targets; otherwise None.

        They minimise sum_A w_A (y_A - X_A . c)^2 + mu c^T P c, and follow from the QR, not from normal equations. The
        weights of dropped active points are zero.
        """
        return None if self._weights is None else self._weights.copy()

    @property
    def condition_number(self) -> float:
        """Estimate of the 2-norm condition number of the triangular factor R, the square root of that of H."""
        return self._factor.condition_number

    @property
    def error_estimate(self) -> float | None:
        """Estimate of the largest relative rounding error of any rigidity; None for ``method="qr"``.

        It is often far too high for environments like those of the training set, and practically never too low. The
        errors of QR are those of a change of the inputs by one ulp.
        """
        estimate = self._factor.error_estimate
        return None if math.isnan(estimate) else estimate

    def hessian(self) -> Array:
        """Return H of the kept columns as a dense array, for inspection: forming it loses digits that R has.

        Returns
        -------
        numpy.ndarray, shape (M - n_dropped, M - n_dropped)
            Rows and columns in the order of `kept_columns`.
        """
        if isinstance(self._factor, ThinFactor):
            return self._factor.hessian()
        triangle = self._factor.triangle()[:, np.argsort(self._factor.columns)]
        return triangle.T @ triangle

    def _updated_weights(
        self,
        factor: _core.HessianFactor | ThinFactor,
        rows: Array,
        weights: Array | None,
        targets: Array,
        n_threads: int,
    ) -> Array:
        """Return the weights after more rows with targets; `factor` is the one after these rows."""
        if self._weights is None:
            raise InvalidInputError(
                "targets were given, but this rigidity has no weights to update; build it from rows with targets=..., "
                "or leave the targets out."
            )
        if len(targets) != len(rows):
            raise InvalidInputError(
                f"got {counted(len(targets), 'target')} for {counted(len(rows), 'row')}; give one for each row."
            )
        wrong = np.flatnonzero(~(np.abs(targets) <= LARGEST_ENTRY))
        if wrong.size:
            raise InvalidInputError(
                f"the target of row {wrong[0]} is {targets[wrong[0]]}; it must be finite and at most {LARGEST_ENTRY:g}."
            )
        errors = (targets - self.predict(rows)) * (1.0 if weights is None else weights)
        updated = self._weights.copy()
        for first in range(0, self.size, _UNIT_ROWS):
            unit = np.eye(min(_UNIT_ROWS, self.size - first), self.size, first)
            updated[first : first + len(unit)] += (factor.covariance(unit, rows, 1.0, n_threads) * errors).sum(axis=1)
        return updated

    def __reduce__(self) -> tuple[object, ...]:
        factor = self._factor if isinstance(self._factor, ThinFactor) else parts_of(self._factor)
        prior = None if self._prior is None else parts_of(self._prior)
        return _from_parts, (type(self), factor, self._regularizer, self._method, self._weights, prior)


def _from_parts(
    cls: type[AnyHessian],
    factor: Parts | ThinFactor,
    regularizer: float,
    method: str,
    weights: Array | None,
    prior: Parts | None,
) -> AnyHessian:
    return cls._from_factor(
        factor if isinstance(factor, ThinFactor) else factor_from(factor),
        regularizer,
        method,
        weights=weights,
        prior=None if prior is None else factor_from(prior),
    )
