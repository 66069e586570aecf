"""One constant that turns variances into squared energies, by the errors of held-out totals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np

from .._arrays import Array
from .._errors import InvalidInputError

#: What a calibration scales: the variance of the subset of regressors, or that of the projected process.
VarianceKind = Literal["sr", "pp"]


@dataclass(frozen=True)
class Calibration:
    """What the calibration of a model says of the totals that it was made from.

    Attributes
    ----------
    prior_variance : float
        The constant: squared energies for a variance of 1. Its relative standard deviation is (2 / n_totals)^0.5.
    projected_process : int
        1 if the residual counts, for the projected process (``"pp"``), else 0 (``"sr"``).
    n_totals : int
        Total energies that it was made from.
    mean_absolute_error : float
        Of these.
    crps : float
        Their mean continuous ranked probability score, in the unit of the energies: the mean absolute error of a
        prediction that knows how wrong it may be.
    """

    prior_variance: float
    projected_process: int
    n_totals: int
    mean_absolute_error: float
    crps: float

    @property
    def variance(self) -> VarianceKind:
        """``"sr"`` or ``"pp"``."""
        return "pp" if self.projected_process else "sr"

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Calibration:
        """What `facts` gave, as JSON had it."""
        return cls(**{each.name: facts[each.name] for each in fields(cls)})

    def facts(self) -> dict[str, float]:
        """The section ``calibration`` of a model file."""
        return asdict(self)


def calibrated(errors: Array, variances: Array, kind: VarianceKind) -> Calibration:
    """The constant of maximum likelihood for errors from normal distributions whose variances it scales.

    Raises
    ------
    InvalidInputError
        For no errors, errors that all vanish, and variances that are not positive.
    """
    if not len(errors):
        raise InvalidInputError(
            "there are no structures to calibrate with; give some that the model was not fitted to."
        )
    wrong = np.flatnonzero(~(np.isfinite(variances) & (variances > 0.0)))
    if wrong.size:
        raise InvalidInputError(
            f"frame {wrong[0]} has a total of variance {variances[wrong[0]]:g}, of which no error can come; leave it "
            "out, or calibrate variance='pp'."
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
    """What the calibration of a model says of the forces that it was made from.

    Attributes
    ----------
    prior_variance : float
        The constant: squared forces for a variance of 1 of a force, the subset of regressors'.
    largest_residual : float or None
        Forces count on which no environment with a larger residual acts. None for linear models: all count.
    n_structures, n_atoms : int
        What it was made from.
    share_left_out : float
        Share of the labelled atoms that did not count.
    root_mean_square_error, crps : float
        Of the components of the forces that count, in the unit of energies per Å.
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
        """What `facts` gave, as JSON had it."""
        return cls(**{each.name: facts[each.name] for each in fields(cls)})

    def facts(self) -> dict[str, Any]:
        """The section ``force_calibration`` of a model file."""
        return asdict(self)


def forces_calibrated(
    errors: Array, variances: Array, n_structures: int, n_labelled: int, largest_residual: float | None
) -> ForceCalibration:
    """The constant for components of forces, (n_atoms, 3) each, of so many atoms that had labels.

    Raises
    ------
    InvalidInputError
        For no forces, and errors that all vanish.
    """
    if not len(errors):
        raise InvalidInputError(
            f"all of the {n_labelled} labelled forces rest on environments whose residual is above "
            f"{largest_residual}; give structures more like the training set, or another bound (largest_residual, "
            "--largest-residual)."
            if n_labelled
            else "no structure has forces to calibrate with; give some that have, or their name (force_key, "
            "--force-key)."
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
    """Continuous ranked probability score of normal predictions (Gneiting and Raftery, JASA 2007).

    That of a prediction without any spread is its absolute error.
    """
    z = _in_sigmas(errors, sigmas)
    density = np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
    scores: Array = errors * _erf(z / math.sqrt(2.0)) + sigmas * (2.0 * density - 1.0 / math.sqrt(math.pi))
    return scores


def observed_fractions(errors: Array, sigmas: Array, expected: Array) -> Array:
    """Share of the errors within the central interval of each expected share: a reliability diagram."""
    within = _erf(np.abs(_in_sigmas(errors, sigmas)) / math.sqrt(2.0))
    shares: Array = (within[:, None] <= expected).mean(axis=0)
    return shares


def _in_sigmas(errors: Array, sigmas: Array) -> Array:
    """Errors over standard deviations; of one that is zero, as of the force on a lone atom, zero or infinite."""
    limits = np.where(errors == 0.0, 0.0, np.copysign(np.inf, errors))
    found: Array = np.divide(errors, sigmas, out=limits, where=sigmas > 0.0)
    return found


def _erf(values: Array) -> Array:
    return np.array([math.erf(value) for value in values.tolist()])
