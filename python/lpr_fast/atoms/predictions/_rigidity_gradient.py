"""Gradients of rigidities, variances and residuals with respect to positions and strain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from ... import _core
from ..._arrays import Array, as_count, as_number, as_vector
from ..._errors import InvalidInputError
from ...models._posterior import Posterior

Quantity = Literal["lpr", "lpr_held", "variance", "residual"]
_QUANTITIES = get_args(Quantity)


@dataclass(frozen=True)
class RigidityGradient:
    """A scalar function of the scores of a structure and its derivatives, with the signs of forces and virials.

    Attributes
    ----------
    value : float
        The value of the function.
    values : numpy.ndarray, shape (n_atoms,), or None
        The scores of the atoms; None for totals.
    forces : numpy.ndarray, shape (n_atoms, 3)
        Minus the derivatives of `value` with respect to positions, in the unit of `value` per Å.
    virial : numpy.ndarray, shape (3, 3)
        Minus the derivatives of `value` with respect to strain, in the unit of `value`.
    """

    value: float
    values: Array | None
    forces: Array
    virial: Array


@dataclass(frozen=True)
class GradientRequest:
    """The function to differentiate: a weighted sum or smooth extreme of scores of atoms, or the score of a sum."""

    quantity: str
    coefficients: Array | None
    power: float | None
    is_total: bool


def gradient_request(
    quantity: Any, n_atoms: int, facts: dict[str, Any], *, is_held: bool, **options: Any
) -> GradientRequest:
    """Check the options of `rigidity_gradient` for a structure of `n_atoms` atoms.

    Raises
    ------
    InvalidInputError
        For quantities that the model does not have, atoms out of range, and none or several of the options.
    """
    if not isinstance(quantity, str) or quantity not in _QUANTITIES:
        raise InvalidInputError(f"quantity is {quantity!r}; it must be one of {', '.join(_QUANTITIES)}.")
    if quantity == "lpr_held" and not is_held:
        raise InvalidInputError("quantity is 'lpr_held', but this model has no held rows; give 'lpr', or use holding.")
    if quantity == "residual" and (facts["kind"] != "sparse_kernel" or options["total"]):
        whose = "totals" if options["total"] else "linear models"
        raise InvalidInputError(f"the residual of {whose} has no gradient; give variance, lpr or lpr_held.")
    given = [name for name in ("atom", "coefficients", "power") if options[name] is not None]
    if options["total"]:
        _refuse_beside_totals(given)
        return GradientRequest(quantity, _coefficients(options["coefficients"], n_atoms), None, is_total=True)
    if len(given) != 1:
        raise InvalidInputError(
            f"got {' and '.join(given) or 'none of the options'}; select the atoms by exactly one of atom, "
            "coefficients, power and total=True."
        )
    return GradientRequest(quantity, _chosen(options, n_atoms), _power(options["power"]), is_total=False)


def _refuse_beside_totals(given: Sequence[str]) -> None:
    others = [name for name in given if name != "coefficients"]
    if others:
        raise InvalidInputError(f"{others[0]} was given with total=True; give coefficients for a part of the atoms.")


def _chosen(options: dict[str, Any], n_atoms: int) -> Array | None:
    if options["atom"] is None:
        return None if options["coefficients"] is None else _coefficients(options["coefficients"], n_atoms)
    atom = as_count("atom", options["atom"])
    if not 0 <= atom < n_atoms:
        raise InvalidInputError(f"atom is {atom}, but the structure has atoms 0 to {n_atoms - 1}; give one of these.")
    chosen = np.zeros(n_atoms)
    chosen[atom] = 1.0
    return chosen


def _coefficients(given: ArrayLike | None, n_atoms: int) -> Array:
    """Return one coefficient for each atom; 1 by default."""
    if given is None:
        return np.ones(n_atoms)
    found = as_vector("coefficients", given)
    if len(found) != n_atoms or not np.isfinite(found).all():
        raise InvalidInputError(
            f"coefficients are {len(found)} numbers, of which {np.count_nonzero(~np.isfinite(found))} are not finite; "
            f"give a finite one for each of the {n_atoms} atoms."
        )
    return found


def _power(given: float | None) -> float | None:
    if given is None:
        return None
    power = as_number("power", given)
    if not 0.0 < power <= 1000.0:
        raise InvalidInputError(f"power is {power:g}; it must be above 0 and at most 1000.")
    return power


def of_atoms(
    scorer: _core.SoapScorer, structure: _core.Structure, of: GradientRequest, n_threads: int
) -> RigidityGradient:
    """Return the gradient of a function of scores of atoms."""
    found = scorer.score_gradient(structure, of.quantity, of.coefficients, of.power, n_threads)
    return RigidityGradient(found["value"], found["values"], found["forces"], found["virial"])


def of_total(
    scorer: _core.SoapScorer,
    structure: _core.Structure,
    of: GradientRequest,
    phi: Array,
    posterior: Posterior,
    mu: float,
    n_threads: int,
) -> RigidityGradient:
    """Return the gradient of the score of a weighted sum of atoms, from their rows of phi, (n_atoms, M).

    The derivative of X^T H^-1 X is that of the prediction for the sum by the weights 2 H^-1 X.
    """
    assert of.coefficients is not None
    X = (of.coefficients[:, None] * phi).sum(axis=0)
    form, weights = posterior.form(X, is_held=of.quantity == "lpr_held")
    if form == 0.0:
        raise InvalidInputError(
            f"the {of.quantity} of this total has no gradient, because its variance is 0; choose other coefficients."
        )
    value, slope = (mu * form, mu) if of.quantity == "variance" else (1.0 / form, -1.0 / form**2)
    forces, virial = np.zeros((len(structure), 3)), np.zeros((3, 3))
    for factor in np.unique(of.coefficients[of.coefficients != 0.0]).tolist():
        atoms = np.flatnonzero(of.coefficients == factor)
        found = scorer.predict(structure, (slope * factor * weights)[None], n_threads, chosen=atoms)
        forces += found["forces"][0]
        virial += found["virials"][0]
    return RigidityGradient(value, None, forces, virial)
