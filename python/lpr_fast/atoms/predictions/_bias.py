"""Bias energies that drive a structure towards environments of low rigidity, or keep it away from them.

They are functions of two numbers of each atom: looseness, log(reference / LPR), and unlikeness to the training set,
log(residual / limit), with the reference and the limit of its species.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from ..._arrays import Array, as_number
from ..._errors import InvalidInputError
from ...models._reference import LOOSE_PERCENT, SMALLEST_RESIDUAL, UNLIKE_PERCENT
from .._model import StructureModel
from ._rigidity_gradient import Quantity

if TYPE_CHECKING:
    from ase import Atoms

Towards: TypeAlias = Literal["loose", "known"]

#: Maps looseness and unlikeness of the atoms to an energy and its derivatives with respect to both.
Landscape: TypeAlias = Callable[[Array, Array], tuple[float, Array, Array]]

# The drive is switched off gradually from residuals of this share of the limit.
_SWITCH_FROM = 0.25


@dataclass(frozen=True)
class BiasEnergy:
    """The bias of a structure.

    Attributes
    ----------
    energy : float
        Bias energy in eV.
    forces : numpy.ndarray, shape (n_atoms, 3)
        Minus its derivatives with respect to positions, in eV/Å.
    virial : numpy.ndarray, shape (3, 3)
        Minus its derivatives with respect to strain, in eV.
    """

    energy: float
    forces: Array
    virial: Array


class Bias:
    """A bias energy from the rigidities and residuals of the atoms. See `BiasedCalculator`.

    Parameters
    ----------
    model : SparseKernelModel or LinearModel
        A model with a reference and SOAP features.
    towards : {"loose", "known"}
        The direction of the bias.
    strength : float
        Energy for a change of the looseness by 1, in eV.
    power : float
        Power of the smooth extremes.
    residual_limit : float or None
        Limit of the residual, in place of that of the reference.
    n_threads : int
        See `Rigidity`.
    """

    def __init__(
        self,
        model: StructureModel,
        towards: Towards,
        *,
        strength: float,
        power: float,
        residual_limit: float | None,
        n_threads: int,
    ) -> None:
        if not isinstance(towards, str) or towards not in get_args(Towards):
            raise InvalidInputError(f"towards is {towards!r}; it must be 'loose' or 'known'.")
        if model.hypers is None:
            raise InvalidInputError(
                "the descriptor of this model is not SOAP, so its rigidities have no gradients; use a model with SOAP "
                "features (hypers)."
            )
        columns = model.pipeline.empty_scores()
        self._quantity: Literal["lpr", "lpr_held"] = "lpr" if columns.lpr_held is None else "lpr_held"
        if columns.residual is None and residual_limit is not None:
            raise InvalidInputError("residual_limit was given, but linear models have no residual; leave it out.")
        self._model, self._n_threads = model, n_threads
        self._strength, exponent = _positive("strength", strength), _positive("power", power)
        self._landscape: Landscape = Drive(exponent).of if towards == "loose" else walls
        share = 0.5 if towards == "loose" else LOOSE_PERCENT / 100
        self._references = {s: model.training_quantile(self._quantity, share, s) for s in model.species}
        self._limits = None if columns.residual is None else _residual_limits(model, residual_limit)

    def of(self, frame: Atoms) -> BiasEnergy:
        """Return energy, forces and virial of the bias for a frame."""
        scores = self._model.score(frame, n_threads=self._n_threads)
        numbers = frame.numbers.tolist()
        rigidity = scores.lpr if self._quantity == "lpr" else scores.lpr_held
        assert rigidity is not None
        looseness = -_logarithm(_over(rigidity, [self._references[s] for s in numbers]))
        unlikeness, residual = np.full(len(numbers), -np.inf), scores.residual
        if self._limits is not None and residual is not None:
            unlikeness = _logarithm(_over(residual, [self._limits[s] for s in numbers]))
        energy, of_looseness, of_unlikeness = self._landscape(looseness, unlikeness)
        found = [self._gradient(frame, self._quantity, -of_looseness, rigidity)]
        if residual is not None:
            found.append(self._gradient(frame, "residual", of_unlikeness, residual))
        forces, virial = (self._strength * sum(parts) for parts in zip(*found, strict=True))
        return BiasEnergy(self._strength * energy, np.asarray(forces), np.asarray(virial))

    def _gradient(self, frame: Atoms, quantity: Quantity, slopes: Array, values: Array) -> tuple[Array, Array]:
        """Return forces and virial from the slopes of the energy with respect to the logarithms of a quantity."""
        if not slopes.any():
            return np.zeros((len(frame), 3)), np.zeros((3, 3))
        coefficients = np.divide(slopes, values, out=np.zeros(len(slopes)), where=slopes != 0.0)
        found = self._model.rigidity_gradient(frame, quantity, coefficients=coefficients, n_threads=self._n_threads)
        return found.forces, found.virial


@dataclass(frozen=True)
class Drive:
    """-S(u) log(1 + e^l), with l and u the smooth maxima of looseness and unlikeness, and a wall where u_i > 0.

    S goes from 1 to 0 while the largest residual goes from a quarter of its limit to the limit. Beyond the limit there
    is no drive, and the wall sends structures back that arrive with momentum.
    """

    power: float

    def of(self, looseness: Array, unlikeness: Array) -> tuple[float, Array, Array]:
        """See `Landscape`."""
        loosest, shares = _smooth_maximum(looseness, self.power)
        strangest, shares_of_residuals = _smooth_maximum(unlikeness, self.power)
        gain, slope = float(np.logaddexp(0.0, loosest)), float(np.exp(-np.logaddexp(0.0, -loosest)))
        switch, of_switch = _switch(strangest)
        height, of_height = _wall(unlikeness)
        of_unlikeness = of_height - gain * of_switch * shares_of_residuals
        return height - switch * gain, -switch * slope * shares, of_unlikeness


def walls(looseness: Array, unlikeness: Array) -> tuple[float, Array, Array]:
    """Walls against loose atoms and against atoms unlike the training set: a `Landscape`."""
    loose, of_looseness = _wall(looseness)
    unlike, of_unlikeness = _wall(unlikeness)
    return loose + unlike, of_looseness, of_unlikeness


def _wall(values: Array) -> tuple[float, Array]:
    """Return half the sum of squares of positive values, and its derivatives."""
    above = np.maximum(values, 0.0)
    return 0.5 * float((above**2).sum()), above


def _smooth_maximum(values: Array, power: float) -> tuple[float, Array]:
    """Return log(sum e^(p x)) / p, and its derivatives."""
    highest = float(values.max())
    if highest == -math.inf:
        return highest, np.zeros(len(values))
    terms = np.exp(power * (values - highest))
    whole = float(terms.sum())
    return highest + math.log(whole) / power, terms / whole


def _switch(unlikeness: float) -> tuple[float, float]:
    """Return a switch from 1 to 0 with two continuous derivatives, and its first derivative."""
    width = -math.log(_SWITCH_FROM)
    x = min(max(unlikeness / width + 1.0, 0.0), 1.0)
    return 1.0 - x**3 * (10.0 - 15.0 * x + 6.0 * x**2), -30.0 * (x * (1.0 - x)) ** 2 / width


def _residual_limits(model: StructureModel, given: float | None) -> dict[int, float]:
    """Return the limit of the residual for each species, by default that of the verdict ``unlike``."""
    if given is not None:
        return dict.fromkeys(model.species, _positive("residual_limit", given))
    share = UNLIKE_PERCENT / 100
    return {s: max(model.training_quantile("residual", share, s), SMALLEST_RESIDUAL) for s in model.species}


def _over(values: Array, references: list[float]) -> Array:
    """Return ratios, infinite where the reference is: an atom whose prediction is held is never loose."""
    below = np.array(references)
    found: Array = np.divide(values, below, out=np.full(len(values), np.inf), where=below < np.inf)
    return found


def _logarithm(values: Array) -> Array:
    with np.errstate(divide="ignore"):
        found: Array = np.log(values)
    return found


def _positive(name: str, given: float) -> float:
    found = as_number(name, given)
    if not 0.0 < found < math.inf:
        raise InvalidInputError(f"{name} is {found:g}; it must be positive.")
    return found
