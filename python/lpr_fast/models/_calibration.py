"""Prior variances, which convert variances to squared energies, from errors of held-out structures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np

from .._arrays import Array
from .._errors import InvalidInputError

#: The variance that a calibration scales: that of the subset of regressors, or of the projected process.
VarianceKind = Literal["sr", "pp"]


@dataclass(frozen=True)
class Calibration:
    """Calibration of energies on total energies of held-out structures.

    Attributes
    ----------
    prior_variance : float
        Squared energy of a variance of 1. Its relative standard deviation is (2 / n_totals)^0.5.
    projected_process : int
        1 if the residual is included, for the projected process (``"pp"``), otherwise 0 (``"sr"``).
    n_totals : int
        Number of total energies.
    mean_absolute_error : float
        Mean absolute error of the totals, in the unit of the energies.
    crps : float
        Mean continuous ranked probability score of the totals, in the unit of the energies: the mean absolute error,
        generalised to predictions with a standard deviation.
    """

    prior_variance: float
    projected_process: int
    n_totals: int
    mean_absolute_error: float
    crps: float

    @property
    def variance(self) -> VarianceKind:
        """The scaled variance: ``"sr"`` or ``"pp"``."""
        return "pp" if self.projected_process else "sr"

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Calibration:
        """Return the calibration from the section ``calibration`` of a model file."""
        return cls(**{each.name: facts[each.name] for each in fields(cls)})

    def facts(self) -> dict[str, float]:
        """Return the section ``calibration`` of a model file."""
        return asdict(self)


def calibrated(errors: Array, variances: Array, kind: VarianceKind) -> Calibration:
    """Return the prior variance of maximum likelihood, for normal errors whose variances it scales.

    Raises
    ------
    InvalidInputError
        If there are no errors, if all are zero, and for variances that are not positive.
    """
    if not len(errors):
        raise InvalidInputError(
            "there are no structures to calibrate with; give structures that the model was not fitted to."
        )
    wrong = np.flatnonzero(~(np.isfinite(variances) & (variances > 0.0)))
    if wrong.size:
        raise InvalidInputError(
            f"the total of frame {wrong[0]} has variance {variances[wrong[0]]:g}, which allows no error; leave it out, "
            "or calibrate variance='pp'."
        )
    constant = float(np.mean(errors**2 / variances))
    if not 0.0 < constant < math.inf:
        raise InvalidInputError(
            f"the errors of the totals are at most {np.abs(errors).max():g}; give structures that the model was not "
            "fitted to, with their energies."
        )
    sigmas = np.sqrt(constant * variances)
    mae = float(np.abs(errors).mean())
    return Calibration(constant, int(kind == "pp"), len(errors), mae, float(crps(errors, sigmas).mean()))


@dataclass(frozen=True)
class ForceCalibration:
    """Calibration of forces on held-out structures.

    Attributes
    ----------
    prior_variance : float
        Squared force of a subset-of-regressors variance of 1.
    largest_residual : float or None
        Forces that depend on an environment of a larger residual were ignored. None for linear models: all were used.
    n_structures, n_atoms : int
        Numbers of structures and atoms whose forces were used.
    share_left_out : float
        Share of the labelled atoms whose forces were ignored.
    root_mean_square_error, crps : float
        Root mean square error and mean continuous ranked probability score of the components of the used forces, in
        the unit of energies per Å.
    """

    prior_variance: float
    largest_residual: float | None
    n_structures: int
    n_atoms: int
    share_left_out: float
    root_mean_square_error: float
    crps: float

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> ForceCalibration:
        """Return the calibration from the section ``force_calibration`` of a model file."""
        return cls(**{each.name: facts[each.name] for each in fields(cls)})

    def facts(self) -> dict[str, Any]:
        """Return the section ``force_calibration`` of a model file."""
        return asdict(self)


def forces_calibrated(
    errors: Array, variances: Array, n_structures: int, n_labelled: int, largest_residual: float | None
) -> ForceCalibration:
    """Return the prior variance for components of forces, (n_atoms, 3), of `n_labelled` atoms with labels.

    Raises
    ------
    InvalidInputError
        If there are no forces, and if all errors are zero.
    """
    if not len(errors):
        raise InvalidInputError(
            f"all {n_labelled} labelled forces depend on environments whose residual is above {largest_residual}; give "
            "structures more like the training set, or another bound (largest_residual, --largest-residual)."
            if n_labelled
            else "no structure has forces to calibrate with; give structures with forces, or the name of these "
            "(force_key, --force-key)."
        )
    positive = variances > 0.0
    constant = float(np.mean(errors[positive] ** 2 / variances[positive])) if positive.any() else 0.0
    if not 0.0 < constant < math.inf:
        raise InvalidInputError(
            f"the errors of the forces are at most {np.abs(errors).max():g}, and their variances at most "
            f"{variances.max():g}; give structures that the model was not fitted to, with their forces."
        )
    scores = crps(errors.ravel(), np.sqrt(constant * variances).ravel())
    return ForceCalibration(
        constant,
        largest_residual,
        n_structures,
        len(errors),
        1.0 - len(errors) / n_labelled,
        float(np.sqrt(np.mean(errors**2))),
        float(scores.mean()),
    )


def crps(errors: Array, sigmas: Array) -> Array:
    """Return the continuous ranked probability score of normal predictions (Gneiting and Raftery, JASA 2007).

    For a standard deviation of zero it is the absolute error.
    """
    z = _in_sigmas(errors, sigmas)
    density = np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
    scores: Array = errors * _erf(z / math.sqrt(2.0)) + sigmas * (2.0 * density - 1.0 / math.sqrt(math.pi))
    return scores


def observed_fractions(errors: Array, sigmas: Array, expected: Array) -> Array:
    """Return the share of errors in the central interval of each expected share, for a reliability diagram."""
    within = _erf(np.abs(_in_sigmas(errors, sigmas)) / math.sqrt(2.0))
    shares: Array = (within[:, None] <= expected).mean(axis=0)
    return shares


def _in_sigmas(errors: Array, sigmas: Array) -> Array:
    """Return errors over standard deviations; zero or infinite for a standard deviation of zero."""
    limits = np.where(errors == 0.0, 0.0, np.copysign(np.inf, errors))
    found: Array = np.divide(errors, sigmas, out=limits, where=sigmas > 0.0)
    return found


def _erf(values: Array) -> Array:
    return np.array([math.erf(value) for value in values.tolist()])
