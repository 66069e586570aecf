"""Lines about the calibration of a model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ..._words import counted
from ...models._calibration import Calibration, ForceCalibration
from ...models._conformal import Conformal, Interval

if TYPE_CHECKING:
    from .._stored_model import StoredModel

_NAMES = {"pp": "projected process", "sr": "subset of regressors"}


def calibration_lines(model: StoredModel) -> Iterator[str]:
    """Lines about the calibration of energies and forces, and about intervals."""
    yield (
        "sigma     none: the model is not calibrated; see calibrate"
        if model.calibration is None
        else _energies(model.calibration)
    )
    if model.force_calibration is not None:
        yield _forces(model.force_calibration)
    if model.conformal is not None:
        yield from _intervals(model.conformal)


def use_of(error: float, crps: float, what: str = "error") -> str:
    """A warning if sigma is of no use: a prediction without sigma has a CRPS equal to its mean absolute error."""
    return "" if crps < error else f"; CRPS is no smaller than the {what}: sigma misleads here"


def _energies(found: Calibration) -> str:
    uncertainty = 100.0 * math.sqrt(2.0 / found.n_totals)
    return (
        f"sigma     prior variance {found.prior_variance:.4g} (+-{uncertainty:.0f} %) of the {_NAMES[found.variance]}, "
        f"from {counted(found.n_totals, 'total energy', 'total energies')}: mean absolute error "
        f"{found.mean_absolute_error:.4g}, "
        f"CRPS {found.crps:.4g}, in the unit of the energies{use_of(found.mean_absolute_error, found.crps)}"
    )


def _forces(found: ForceCalibration) -> str:
    bound = ""
    if found.largest_residual is not None:
        share = f"{100.0 * found.share_left_out:.3g} % of the atoms"
        bound = f"; ignored: {share}, near environments with a residual above {found.largest_residual:.3g}"
    return (
        f"forces    prior variance {found.prior_variance:.4g} of the subset of regressors, from "
        f"{counted(found.n_atoms, 'atom')} of {counted(found.n_structures, 'structure')}: RMSE of a component "
        f"{found.root_mean_square_error:.4g}, CRPS {found.crps:.4g}, in the unit of energies per Å{bound}"
    )


def _intervals(found: Conformal) -> Iterator[str]:
    """A line for energies and one for forces."""
    share = f"{100.0 * found.coverage:.4g} %"
    yield f"intervals {share} of the energies of new structures are within {_widths(found.energy)} sigma"
    if found.force:
        yield (
            f"          {share} of their forces are within {_widths(found.force)} sigma (in the direction of largest "
            "sigma)"
        )


def _widths(intervals: Mapping[str, Interval]) -> str:
    parts = []
    for name, interval in intervals.items():
        group = f" ({name}: {counted(interval.n_structures, 'structure')})" if name else ""
        parts.append(f"{interval.quantile:.3g}{group}")
    return ", ".join(parts)
