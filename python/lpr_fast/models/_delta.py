"""Choice of delta, the prior standard deviation, for labels of known noise."""

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

#: Delta in eV if the labels do not determine it.
WITHOUT_LABELS = 1.0

# Values of delta: so many per decade, with three digits each. The range is relative to the delta at which prior and
# labels determine the best determined direction equally well.
_PER_DECADE = 40
_LOWEST, _HIGHEST = 0.1**0.5, 1e13**0.5

# -2 log evidence is this much above its minimum for a delta one standard deviation off.
_ONE_DEVIATION = 1.0


@dataclass(frozen=True)
class DeltaChoice:
    """The delta of maximum evidence, for labels of given noise.

    Attributes
    ----------
    delta : float
        Prior standard deviation of local predictions, in the unit of the energies: mu = 1 / delta^2.
    deltas : numpy.ndarray, shape (G,)
        Tried values, ascending.
    minus_twice_log_evidence : numpy.ndarray, shape (G,)
        -2 log of the probability of the labels for each value.
    sigma_factor : float or None
        Common factor of all sigmas that maximises the evidence. Far above one, the errors of the model are larger than
        sigma; far below one, smaller. None if the labels do not distinguish noise from signal, for instance if there
        are fewer labels than weights.
    """

    delta: float
    deltas: Array
    minus_twice_log_evidence: Array
    sigma_factor: float | None

    @property
    def interval(self) -> tuple[float, float]:
        """Smallest and largest delta within one standard deviation: -2 log evidence is within 1 of its minimum."""
        likely = self.deltas[self.minus_twice_log_evidence <= self.minus_twice_log_evidence.min() + _ONE_DEVIATION]
        return float(likely[0]), float(likely[-1])

    @property
    def edge(self) -> str | None:
        """The end of the tried range, "lower" or "upper", if the choice is there; otherwise None."""
        at_ends = {float(self.deltas[0]): "lower", float(self.deltas[-1]): "upper"}
        return at_ends.get(self.delta)

    def facts(self) -> dict[str, Any]:
        """Return facts for the provenance of a model."""
        return {
            "by": "evidence",
            "delta": self.delta,
            "interval": list(self.interval),
            "edge": self.edge,
            "sigma_factor": self.sigma_factor,
        }


def chosen_delta(basis: Basis, accumulator: HessianAccumulator, n_threads: int) -> DeltaChoice | str:
    """Return the delta of maximum evidence, or the reason why there is none.

    Parameters
    ----------
    basis : Basis
        The basis of the model.
    accumulator : HessianAccumulator
        Training rows with weights 1 / sigma^2, and labels minus the baseline, which is treated as known.
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
    """Return the common factor of all sigmas of maximum evidence; None if its best delta is at an end of the range."""
    evidence = [spectrum.minus_twice_log_evidence(delta**-2) for delta in deltas.tolist()]
    best = int(np.argmin(evidence))
    if best in (0, len(deltas) - 1):
        return None
    return math.sqrt(spectrum.misfit(float(deltas[best]) ** -2) / n_free)


def warn_of_edge(choice: DeltaChoice, *, stacklevel: int) -> None:
    """Warn if the best delta may lie outside the tried range."""
    if choice.edge is None:
        return
    if choice.edge == "lower":
        meaning = "the labels are most probable as noise alone; check their units, the baseline and sigma"
    else:
        meaning = "the labels are most probable without a prior; there may be too few of them, or sigma is too small"
    warnings.warn(
        f"delta {choice.delta:.3g} is at the {choice.edge} end of the tried range: {meaning}, or give delta.",
        LprWarning,
        stacklevel=stacklevel + 1,
    )


def grid_of(spectrum: _core.Spectrum) -> Array:
    """Return the values of delta to try, ascending; none if all rows are zero."""
    largest = float(spectrum.eigenvalues.max(initial=0.0))
    if not 0.0 < largest < math.inf:
        return np.zeros(0)
    unit = largest**-0.5  # at this delta prior and labels determine the best determined direction equally well
    lowest = math.floor(_PER_DECADE * math.log10(unit * _LOWEST))
    highest = math.ceil(_PER_DECADE * math.log10(unit * _HIGHEST))
    return np.array([float(f"{10.0 ** (k / _PER_DECADE):.3g}") for k in range(lowest, highest + 1)])
