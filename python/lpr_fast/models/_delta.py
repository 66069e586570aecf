"""The choice of delta, the prior standard deviation of a model whose labels have known noise."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _core
from .._accumulator import HessianAccumulator
from .._arrays import Array
from .._errors import LprWarning
from ._basis import Basis
from ._leave_one_out import spectrum_of

#: Delta where nothing can be learnt about it, in eV.
WITHOUT_LABELS = 1.0

# Values of delta: so many in a decade, of three digits each; from and to these roots of the variance that the labels
# give the best known direction, and of 10^13 times that.
_PER_DECADE = 40
_LOWEST, _HIGHEST = 0.1**0.5, 1e13**0.5

# -2 log evidence that is this much above the least has a delta that is as likely as not one standard deviation off.
_ONE_DEVIATION = 1.0


@dataclass(frozen=True)
class DeltaChoice:
    """The delta under which the labels are most probable, for noise of the standard deviations that were given.

    Attributes
    ----------
    delta : float
        Prior standard deviation of local predictions, in the labels' unit of energy: mu = 1 / delta^2.
    deltas : numpy.ndarray, shape (G,)
        Values that were tried, ascending.
    minus_twice_log_evidence : numpy.ndarray, shape (G,)
        -2 log of the probability of the labels, for each.
    sigma_factor : float or None
        By what the evidence would multiply all sigmas, if they were free but for their ratios. Far above one: the model
        leaves more of the labels than sigma says; far below: less. None where the labels do not tell noise from signal,
        as where there are fewer of them than weights.
    """

    delta: float
    deltas: Array
    minus_twice_log_evidence: Array
    sigma_factor: float | None

    @property
    def interval(self) -> tuple[float, float]:
        """Least and largest delta within one standard deviation: where -2 log evidence is within one of the least."""
        likely = self.deltas[self.minus_twice_log_evidence <= self.minus_twice_log_evidence.min() + _ONE_DEVIATION]
        return float(likely[0]), float(likely[-1])

    @property
    def edge(self) -> str | None:
        """Where the choice is at the end of what was tried, which one: "lower" or "upper"."""
        at_ends = {float(self.deltas[0]): "lower", float(self.deltas[-1]): "upper"}
        return at_ends.get(self.delta)

    def facts(self) -> dict[str, Any]:
        """What a model's provenance says."""
        return {
            "by": "evidence",
            "delta": self.delta,
            "interval": list(self.interval),
            "edge": self.edge,
            "sigma_factor": self.sigma_factor,
        }


def chosen_delta(basis: Basis, accumulator: HessianAccumulator, n_threads: int) -> DeltaChoice | str:
    """The delta of largest evidence, or why there is none.

    Parameters
    ----------
    basis : Basis
        What the weights multiply.
    accumulator : HessianAccumulator
        Training rows with weights 1 / sigma^2, and labels less the baseline, which is taken as known.
    n_threads : int
        See `Rigidity`.

    Returns
    -------
    DeltaChoice or str
    """
    if not accumulator.is_labelled or not accumulator.n_weighted:
        return "there are no labels"
    spectrum = spectrum_of(basis, accumulator, None, n_threads)
    deltas = grid_of(spectrum)
    if not len(deltas):
        return "no training row has any features"
    n_free = accumulator.n_weighted - spectrum.n_flat
    if n_free <= 0:
        return "there are not more labels than weights without a prior"
    evidence = np.array([spectrum.minus_twice_log_evidence(delta**-2, 1.0) for delta in deltas.tolist()])
    factor = _sigma_factor(spectrum, deltas, n_free)
    return DeltaChoice(float(deltas[int(np.argmin(evidence))]), deltas, evidence, factor)


def _sigma_factor(spectrum: _core.Spectrum, deltas: Array, n_free: int) -> float | None:
    """The scale of all sigmas of largest evidence, unless only their ratio to delta is known to be small or large."""
    evidence = [spectrum.minus_twice_log_evidence(delta**-2) for delta in deltas.tolist()]
    best = int(np.argmin(evidence))
    if best in (0, len(deltas) - 1):
        return None
    return math.sqrt(spectrum.misfit(float(deltas[best]) ** -2) / n_free)


def warn_of_edge(choice: DeltaChoice, *, stacklevel: int) -> None:
    """Warn where the best delta may lie beyond what was tried."""
    if choice.edge is None:
        return
    if choice.edge == "lower":
        meaning = "the labels are most probable as noise alone; look at their units, at the baseline and at sigma"
    else:
        meaning = "the labels ask for no prior at all; there may be too few of them, or sigma is too small"
    warnings.warn(
        f"delta {choice.delta:.3g} is at the {choice.edge} end of what was tried: {meaning}, or give delta.",
        LprWarning,
        stacklevel=stacklevel + 1,
    )


def grid_of(spectrum: _core.Spectrum) -> Array:
    """Values of delta that are worth trying, ascending; none if all rows are zero."""
    largest = float(spectrum.eigenvalues.max(initial=0.0))
    if not 0.0 < largest < math.inf:
        return np.zeros(0)
    unit = largest**-0.5  # delta whose prior knows the best known direction as well as the labels do
    lowest = math.floor(_PER_DECADE * math.log10(unit * _LOWEST))
    highest = math.ceil(_PER_DECADE * math.log10(unit * _HIGHEST))
    return np.array([float(f"{10.0 ** (k / _PER_DECADE):.3g}") for k in range(lowest, highest + 1)])
