"""What a factorised Hessian says of rows of phi."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from . import _core
from ._arrays import LARGEST_ENTRY, Array, as_count, as_environments, as_number, as_self_kernels, refuse_unusable
from ._errors import InvalidInputError
from ._factors import Parts, factor_from, parts_of
from ._progress import Progress, scored, silent
from ._thin import ThinFactor

# Kernels that explain more of a row than the row's kernel with itself allows, relative to that, are not of that row.
_MOST_EXPLAINED = 1.0 + 1e-4

# Rows of the identity that are looked at together.
_UNIT_ROWS = 256


AnyHessian = TypeVar("AnyHessian", bound="FactorisedHessian")


class FactorisedHessian:
    """Numbers that follow from the factor of a Hessian, and from that of its prior: see `Rigidity`."""

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
                "the variance needs a scale, because the regularizer, its default, is 0; give scale=..., for instance "
                "a calibrated prior variance."
            )
        return self._regularizer

    def lpr(self, phi: ArrayLike, *, n_threads: int = 0, progress: Progress = silent) -> Array:
        """Local prediction rigidity, 1 / (phi_i^T H^-1 phi_i). The variance is scale / LPR: no need to ask for both.

        Parameters
        ----------
        phi : array_like, shape (n, M)
            One row for each environment: features, kernels to the active points, or Jacobian rows. n may be zero; a
            single row may come without its brackets, (M,), here and below.
        n_threads : int
            See `Rigidity`.
        progress : callable, optional
            As for `from_features`.

        Returns
        -------
        numpy.ndarray, shape (n,)
            In units of the loss per squared prediction. Infinite for a row of zeros, and where float64 cannot hold it.

        Raises
        ------
        InvalidInputError
            For a wrong shape and, naming the row, for NaN and infinity.
        """
        count = as_count("n_threads", n_threads)
        return scored(lambda rows: self._factor.lpr(rows, count), as_environments("phi", phi), progress)

    def lpr_held(self, phi: ArrayLike, *, n_threads: int = 0) -> Array:
        """Local prediction rigidity while the predictions of the held rows are fixed: see `Rigidity.holding`.

        It is 1 / (phi_i^T (H^-1 - H^-1 B^T (B H^-1 B^T)^-1 B H^-1) phi_i) with the held rows B, the limit of the LPR as
        they become data of infinite weight; computed by a projection, without such weights and without differences.

        Parameters
        ----------
        phi : array_like, shape (n, M)
            One row for each environment.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        numpy.ndarray, shape (n,)
            At least the LPR, on the same scale. Infinite for rows that are held themselves: where less than 1e-26 of
            phi_i^T H^-1 phi_i is left, that is rounding.

        Raises
        ------
        InvalidInputError
            As `lpr`, and where nothing is held.
        """
        return self._factor.lpr_held(as_environments("phi", phi), as_count("n_threads", n_threads))

    def variance(
        self, phi: ArrayLike, *, scale: float | None = None, n_threads: int = 0, progress: Progress = silent
    ) -> Array:
        """Subset-of-regressors variance, scale * phi_i^T H^-1 phi_i; see also `projected_process_variance`.

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
        factor, count = self._scale(scale), as_count("n_threads", n_threads)
        return scored(lambda rows: self._factor.variance(rows, factor, count), as_environments("phi", phi), progress)

    def residual(self, phi: ArrayLike, k_ii: ArrayLike = 1.0, *, n_threads: int = 0) -> Array:
        """What the active points do not see of a row: k(i,i) - k_Mi^T K_MM^-1 k_Mi.

        Parameters
        ----------
        phi : array_like, shape (n, M)
            Kernels between each environment, or any sum of environments, and the active points.
        k_ii : float or array_like, shape (n,)
            Kernel of each row with itself: 1 for an environment with a normalised kernel, sum_ij k(i,j) for a sum.

        Returns
        -------
        numpy.ndarray, shape (n,)
            In units of the kernel's prior variance; at least 0.

        Raises
        ------
        InvalidInputError
            As `lpr`; without a prior, as `from_features` makes them; and where the active points explain more of a row
            than `k_ii` says there is.
        """
        if self._prior is None:
            raise InvalidInputError(
                "this rigidity has no K_MM, hence no residual; build it with from_kernels, or with from_accumulator "
                "and prior=K_MM."
            )
        rows = as_environments("phi", phi)
        own = as_self_kernels("k_ii", k_ii, len(rows))
        explained = self._prior.variance(rows, 1.0, as_count("n_threads", n_threads))
        wrong = np.flatnonzero(explained > _MOST_EXPLAINED * own)
        if wrong.size:
            i = int(wrong[0])
            raise InvalidInputError(
                f"k_ii of row {i} is {own[i]:g}, but the active points explain {explained[i]:g} of that row; give the "
                "kernel of each row with itself."
            )
        return np.maximum(own - explained, 0.0)

    def projected_process_variance(
        self, phi: ArrayLike, k_ii: ArrayLike = 1.0, *, scale: float | None = None, n_threads: int = 0
    ) -> Array:
        """Projected-process (DTC) variance: the subset-of-regressors variance, and the prior's of the residual.

        In units of the prior variance it is mu phi_i^T H^-1 phi_i + k(i,i) - k_Mi^T K_MM^-1 k_Mi, which does not vanish
        far from the active points, but goes to k(i,i).

        Parameters
        ----------
        phi, k_ii
            As for `residual`.
        scale : float, optional
            As for `variance`: the prior variance times the regularizer, which is the default.

        Returns
        -------
        numpy.ndarray, shape (n,)

        Raises
        ------
        InvalidInputError
            As `residual`.
        """
        unseen = self.residual(phi, k_ii, n_threads=n_threads)
        prior_variance = self._scale(scale) / self._regularizer
        return self.variance(phi, scale=scale, n_threads=n_threads) + prior_variance * unseen

    def predict(self, phi: ArrayLike) -> Array:
        """Predictions phi_i . c with the model's `weights`.

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
            As `lpr`, and without `weights`.
        """
        if self._weights is None:
            raise InvalidInputError(
                "this rigidity has no weights and predicts nothing; build it from rows with targets=..., and add rows "
                "by building it anew."
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
        a = as_environments("phi_a", phi_a)
        b = a if phi_b is None else as_environments("phi_b", phi_b)
        return self._factor.covariance(a, b, self._scale(scale), as_count("n_threads", n_threads))

    @property
    def regularizer(self) -> float:
        """mu, as given."""
        return self._regularizer

    @property
    def method(self) -> str:
        """How H was factorised: ``"qr"``, ``"gram"`` or ``"hessian"``; ``"thin"``: within the span of few rows."""
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
        """The model's weights c, shape (M,), if it was built from rows with targets; else None.

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
        if isinstance(self._factor, ThinFactor):
            return self._factor.hessian()
        triangle = self._factor.triangle()[:, np.argsort(self._factor.columns)]
        return triangle.T @ triangle

    def _learnt(
        self,
        factor: _core.HessianFactor | ThinFactor,
        rows: Array,
        weights: Array | None,
        targets: Array,
        n_threads: int,
    ) -> Array:
        """The weights after more rows with targets, with the factor after these."""
        if self._weights is None:
            raise InvalidInputError(
                "targets were given, but this rigidity has no weights to start from; build it from rows with "
                "targets=..., or leave them out."
            )
        if len(targets) != len(rows):
            raise InvalidInputError(f"got {len(targets)} targets for {len(rows)} rows; give one for each row.")
        wrong = np.flatnonzero(~(np.abs(targets) <= LARGEST_ENTRY))
        if wrong.size:
            raise InvalidInputError(
                f"the target of row {wrong[0]} is {targets[wrong[0]]}; it must be finite and at most {LARGEST_ENTRY:g}."
            )
        pulls = (targets - self.predict(rows)) * (1.0 if weights is None else weights)
        learnt = self._weights.copy()
        for first in range(0, self.size, _UNIT_ROWS):
            unit = np.eye(min(_UNIT_ROWS, self.size - first), self.size, first)
            learnt[first : first + len(unit)] += (factor.covariance(unit, rows, 1.0, n_threads) * pulls).sum(axis=1)
        return learnt

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
