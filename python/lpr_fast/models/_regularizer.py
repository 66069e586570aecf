"""Choice of the regularizer by leave-one-out error."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._accumulator import HessianAccumulator
from .._arrays import Array
from .._errors import LprWarning
from ._basis import Basis, SparseKernelBasis, active_order
from ._delta import WITHOUT_LABELS, chosen_delta, warn_of_edge
from ._fit import ModelFacts
from ._leave_one_out import Blocks, LeaveOneOut, left_out, spectrum_of
from ._settings import AUTO, FitSettings

Indices = NDArray[np.int64]

#: The regularizer if the labels do not determine it.
WITHOUT_ENERGIES = 1e-3

# Values of mu: so many per decade, between these multiples of the largest eigenvalue of the data.
_PER_DECADE = 5
_LOWEST, _HIGHEST = 1e-13, 10.0

# Relative difference of losses that is not significant for a finite number of structures. Among equal losses the larger
# regularizer is chosen: its model has smaller rigidities and fits its labels less closely.
_SAME = 0.01

# Targets smaller than this, relative to the baseline, are rounding.
_ROUNDING = 1e-12

# Smaller models have one eighth, one quarter and one half of the active set, at least so many environments.
_SHARES = (8, 4, 2)
_FEWEST = 8

# The error still falls with M if the last doubling reduced it by more than this share.
_STILL_FALLS = 0.05


@dataclass(frozen=True)
class RegularizerChoice:
    """The regularizer chosen by leave-one-out error: the largest of those within 1 % of the least loss.

    Attributes
    ----------
    regularizer : float
        mu.
    left_out : LeaveOneOut
        Errors and evidence for all tried regularizers.
    evidence : float
        The mu of maximum evidence.
    sizes : tuple of int
        M of models with the first environments of the active set, in the order of farthest points, and of all.
    error_of_size : tuple of float
        Root mean square leave-one-out error per atom of each of these models, with its own best regularizer.
    """

    regularizer: float
    left_out: LeaveOneOut
    evidence: float
    sizes: tuple[int, ...] = ()
    error_of_size: tuple[float, ...] = ()

    @property
    def index(self) -> int:
        """Index of `regularizer` among the tried values."""
        return int(np.flatnonzero(self.left_out.regularizers == self.regularizer)[0])

    @property
    def rmse(self) -> float:
        """Root mean square leave-one-out error per atom."""
        return float(self.left_out.rmse[self.index])

    @property
    def training_rmse(self) -> float:
        """Root mean square error per atom of the structures that the model was fitted to."""
        return float(self.left_out.training_rmse[self.index])

    @property
    def n_determined(self) -> int:
        """Number of structures that cannot be left out; see `LeaveOneOut`."""
        return int(self.left_out.n_determined[self.index])

    @property
    def edge(self) -> str | None:
        """The end of the tried range, "lower" or "upper", if the choice is there; otherwise None."""
        at_ends = {0: "lower", len(self.left_out.regularizers) - 1: "upper"}
        return at_ends.get(self.index)

    @property
    def still_falls(self) -> bool:
        """Whether a larger active set is likely to help: the last doubling reduced the error by more than 5 %."""
        if len(self.sizes) < 2:
            return False
        before, last = self.error_of_size[-2:]
        return last < (1.0 - _STILL_FALLS) * before

    def facts(self) -> dict[str, Any]:
        """Return facts for the provenance of a model."""
        grid = self.left_out.regularizers
        facts: dict[str, Any] = {
            "by": "leave-one-out error",
            "regularizer": self.regularizer,
            "grid": [float(grid[0]), float(grid[-1])],
            "edge": self.edge,
            "leave_one_out_rmse_per_atom": _finite(self.rmse),
            "training_rmse_per_atom": _finite(self.training_rmse),
            "spread_per_atom": _finite(self.left_out.spread),
            "n_determined": self.n_determined,
            "evidence": self.evidence,
        }
        if self.sizes:
            facts |= {
                "sizes": list(self.sizes),
                "error_of_size": [_finite(error) for error in self.error_of_size],
                "still_falls": self.still_falls,
            }
        return facts


def needs_rows(settings: FitSettings, facts: ModelFacts) -> bool:
    """Return whether the choice of the regularizer needs the rows again; a choice by evidence does not."""
    return settings.regularizer == AUTO and settings.noise is None and facts.baseline is not None


def with_chosen_regularizer(
    basis: Basis,
    accumulator: HessianAccumulator,
    settings: FitSettings,
    facts: ModelFacts,
    blocks: Blocks,
    *,
    stacklevel: int,
) -> tuple[FitSettings, ModelFacts]:
    """Return the settings with the chosen regularizer, and the facts with the choice.

    Warnings point `stacklevel` calls up.
    """
    if settings.regularizer != AUTO:
        return settings, facts
    if settings.noise is not None:
        return _with_chosen_delta(basis, accumulator, settings, facts, stacklevel=stacklevel + 1)
    choice = chosen(basis, accumulator, facts, blocks, settings)
    if isinstance(choice, str):
        warnings.warn(
            f"the regularizer cannot be chosen, because {choice}: it is set to {WITHOUT_ENERGIES:g}; give a "
            "regularizer if the size of the rigidities matters.",
            LprWarning,
            stacklevel=stacklevel + 1,
        )
        said: dict[str, Any] = {"by": f"default, because {choice}", "regularizer": WITHOUT_ENERGIES}
        return replace(settings, regularizer=WITHOUT_ENERGIES), facts.with_provenance({"regularizer_choice": said})
    if choice.edge is not None:
        warnings.warn(_about_edge(choice), LprWarning, stacklevel=stacklevel + 1)
    further = {"regularizer_choice": choice.facts()}
    return replace(settings, regularizer=choice.regularizer), facts.with_provenance(further)


def _with_chosen_delta(
    basis: Basis, accumulator: HessianAccumulator, settings: FitSettings, facts: ModelFacts, *, stacklevel: int
) -> tuple[FitSettings, ModelFacts]:
    """Return the same for labels of known noise, by evidence."""
    choice = chosen_delta(basis, accumulator, settings.n_threads)
    if isinstance(choice, str):
        warnings.warn(
            f"delta cannot be chosen, because {choice}: it is set to {WITHOUT_LABELS:g} eV; give delta if the size of "
            "the rigidities matters.",
            LprWarning,
            stacklevel=stacklevel + 1,
        )
        delta, said = WITHOUT_LABELS, {"by": f"default, because {choice}", "delta": WITHOUT_LABELS}
    else:
        warn_of_edge(choice, stacklevel=stacklevel + 1)
        delta, said = choice.delta, choice.facts()
    return replace(settings, regularizer=1.0 / delta**2), facts.with_provenance({"delta_choice": said})


def _about_edge(choice: RegularizerChoice) -> str:
    if choice.edge == "lower":
        meaning = "the energies are fitted best without a regularizer; they may be free of noise, or too few"
    else:
        meaning = "the energies are predicted best by the baseline alone; check labels and units"
    return (
        f"the regularizer {choice.regularizer:.3g} is at the {choice.edge} end of the tried range: {meaning}, or give "
        "a regularizer."
    )


def chosen(
    basis: Basis, accumulator: HessianAccumulator, facts: ModelFacts, blocks: Blocks, settings: FitSettings
) -> RegularizerChoice | str:
    """Return the regularizer chosen by leave-one-out error, or the reason why there is none."""
    if facts.baseline is None:
        return "there are no energies"
    baseline, n_threads = np.array(list(facts.baseline.values())), settings.n_threads
    nested = nested_columns(basis, n_threads)
    spectra = [spectrum_of(basis, accumulator, columns, n_threads) for columns in [*nested, None]]
    grids = [grid_of(spectrum) for spectrum in spectra]
    if not all(map(len, grids)):
        return "no training row has any features"
    found = left_out(spectra, grids, blocks, baseline, settings.noise_scale, n_threads)
    whole, best = found[-1], [best_of(scan) for scan in found]
    if whole.loss[-1] <= _ROUNDING * np.abs(baseline).max():
        return "the baseline alone gives all energies"
    errors = tuple(float(scan.rmse[index]) for scan, index in zip(found, best, strict=True))
    sizes = (*map(len, nested), basis.size) if nested else ()
    evidence = np.where(np.isnan(whole.minus_twice_log_evidence), np.inf, whole.minus_twice_log_evidence)
    return RegularizerChoice(
        float(whole.regularizers[best[-1]]),
        whole,
        float(whole.regularizers[int(np.argmin(evidence))]),
        tuple(map(int, sizes)),
        errors if nested else (),
    )


def grid_of(spectrum: _core.Spectrum) -> Array:
    """Return the values of mu to try, ascending powers of ten with round exponents; none if all rows are zero."""
    eigenvalues = spectrum.eigenvalues
    largest = float(eigenvalues.max(initial=0.0))
    if not 0.0 < largest < math.inf:
        return np.zeros(0)
    lowest = math.floor(_PER_DECADE * math.log10(largest * _LOWEST))
    highest = math.ceil(_PER_DECADE * math.log10(largest * _HIGHEST))
    return np.array([10.0 ** (k / _PER_DECADE) for k in range(lowest, highest + 1)])


def best_of(scan: LeaveOneOut) -> int:
    """Return the index of the largest mu of least loss; only mu with the least `n_determined` are compared."""
    eligible = (scan.n_determined == scan.n_determined.min()) & np.isfinite(scan.loss)
    if not eligible.any():
        return len(scan.loss) - 1
    loss = np.where(eligible, scan.loss, np.inf)
    return int(np.flatnonzero(loss <= loss.min() * (1.0 + _SAME))[-1])


def nested_columns(basis: Basis, n_threads: int) -> list[Indices]:
    """Return the columns of models with the first shares of the active set, smallest first; none for linear models."""
    if not isinstance(basis, SparseKernelBasis):
        return []
    order = active_order(basis, n_threads)
    found: list[Indices] = []
    for share in _SHARES:
        parts = [of_species[: -(-len(of_species) // share)] for of_species in order.values()]
        columns = np.concatenate(parts)
        if len(columns) >= _FEWEST and (not found or len(columns) > len(found[-1])):
            found.append(columns)
    return [columns for columns in found if len(columns) < basis.size]


def _finite(value: float) -> float | None:
    """Return the number, or None, for JSON, if it is not finite."""
    return value if math.isfinite(value) else None
