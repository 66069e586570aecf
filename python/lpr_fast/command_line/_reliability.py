"""``lpr-fast reliability``: errors beside the sigmas of a calibrated model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._arrays import Array
from .._errors import InvalidInputError
from .._words import counted
from ..atoms._model import StructureModel
from ..atoms.about._calibration_lines import use_of
from ..atoms.forces._force_errors import ForceErrors, force_errors, largest_residual_of
from ..models._calibration import crps, observed_fractions
from ..reading._specification import path_of
from ..writing._picture import check_picture
from ..writing._reliability import Compared, plot_reliability
from ._calibrate import frames_of, loaded, warn_of_training
from ._terminal import tell

if TYPE_CHECKING:
    from ase import Atoms

# Central intervals that are reported.
_SHARES = np.array([0.5, 0.68, 0.9, 0.95])


def reliability(
    model_path: Path,
    structures: tuple[str, ...],
    output: Path | None,
    *,
    energy_key: str | None,
    force_key: str | None,
    descriptor: str | None,
    reading: dict[str, Any],
) -> None:
    """Compare errors with standard deviations and intervals; print a table and draw a picture."""
    inputs = [path_of(specification) for specification in structures]
    target = model_path.with_suffix(".reliability.png") if output is None else output
    check_picture(target, [model_path, *inputs])
    model = loaded(model_path, descriptor)
    warn_of_training(model, structures)
    if model.total_scoring.scoring.prior_variance == 0.0:
        raise InvalidInputError(f"{model_path} is not calibrated; run lpr-fast calibrate first.")
    frames = list(frames_of(structures, reading))
    errors, compared = _of_totals(model, frames, energy_key)
    panels = [compared]
    forces = _errors_of_forces(model, frames, force_key)
    if forces is not None and len(forces.errors):
        panels.append(_of_forces(model, forces))
    if model.conformal is not None:
        for line in _coverages(model, frames, errors, forces):
            tell(line)
    plot_reliability(panels, model_path.name, target)
    tell(f"written   {target}")


def _of_totals(model: StructureModel, frames: list[Atoms], energy_key: str | None) -> tuple[Array, Compared]:
    """Errors of all total energies, and errors and sigmas of those that have a sigma."""
    totals, energies = model.labelled_totals(frames, energy_key)
    assert totals.energy is not None
    assert totals.sigma is not None
    known = ~np.isnan(totals.sigma)
    if not known.any():
        raise InvalidInputError("no total energy has a standard deviation; give structures of at most 4096 atoms.")
    every = totals.energy - energies
    errors, sigmas = every[known], totals.sigma[known]
    mae, score = np.abs(errors).mean(), crps(errors, sigmas).mean()
    found = f"mean absolute error {mae:.4g}, CRPS {score:.4g}, in the unit of the energies"
    tell(f"energies  {counted(len(errors), 'total energy', 'total energies')}: {found}{use_of(mae, score)}")
    _tell_shares("errors", errors, sigmas)
    return every, Compared(f"{len(errors)} totals", "total", errors, sigmas)


def _errors_of_forces(model: StructureModel, frames: list[Atoms], force_key: str | None) -> ForceErrors | None:
    """Errors of forces; None if the model has no uncertainty of forces."""
    has_sigma = model.force_calibration is not None or (model.noise is not None and model.noise["force"] is not None)
    return force_errors(model, frames, force_key, 0) if has_sigma else None


def _bound(model: StructureModel) -> float | None:
    calibration = model.force_calibration
    return largest_residual_of(model, None) if calibration is None else calibration.largest_residual


def _of_forces(model: StructureModel, every: ForceErrors) -> Compared:
    """Errors and sigmas of force components, without those of environments that are far from the active set."""
    bound = _bound(model)
    found = every.within(bound)
    if not len(found.errors):
        raise InvalidInputError(
            f"all forces depend on environments with a residual above {bound:.3g}; give other structures."
        )
    errors, sigmas = found.errors.ravel(), np.sqrt(model.force_scoring().prior_variance * found.variances).ravel()
    mae, score = np.abs(errors).mean(), crps(errors, sigmas).mean()
    left_out = 100.0 * (1.0 - len(found.errors) / len(every.errors))
    text = f"mean absolute error of a component {mae:.4g}, CRPS {score:.4g}, in the unit of energies per Å"
    blind = "" if bound is None else f"; ignored: {left_out:.3g} % (residual above {bound:.3g})"
    tell(f"forces    on {counted(len(found.errors), 'atom')}: {text}{blind}{use_of(mae, score)}")
    _tell_shares("components", errors, sigmas)
    return Compared(f"forces on {len(found.errors)} atoms", "component", errors, sigmas)


def _tell_shares(what: str, errors: Array, sigmas: Array) -> None:
    for expected, observed in zip(_SHARES, observed_fractions(errors, sigmas, _SHARES), strict=True):
        tell(f"          the {100 * expected:.0f} % interval of sigma holds {100 * observed:.1f} % of the {what}")


def _coverages(model: StructureModel, frames: list[Atoms], errors: Array, forces: ForceErrors | None) -> Iterator[str]:
    """Shares of energies and forces that conformal intervals hold, group by group."""
    conformal, calibration = model.conformal, model.force_calibration
    assert conformal is not None
    found = model.intervals(frames)
    inside: NDArray[np.bool_] = np.abs(errors) / [len(frame) for frame in frames] <= found.half_width
    known = ~np.isnan(found.half_width)
    held_energies = _held(inside[known], found.group[known], "energies")
    yield f"intervals those for {100 * conformal.coverage:.4g} % hold {held_energies}"
    if forces is None or calibration is None or not conformal.force:
        return
    seen = forces.within(calibration.largest_residual)
    of_forces = found.group[seen.frame]
    quantiles = conformal.quantiles("force", found.group.tolist())[seen.frame]
    held: NDArray[np.bool_] = np.asarray(seen.ratios(calibration.prior_variance) <= quantiles)
    yield f"          and {_held(held, of_forces, 'forces')}"


def _held(inside: NDArray[np.bool_], groups: NDArray[np.str_], noun: str) -> str:
    shares = []
    for group in np.unique(groups).tolist():
        of_group = inside[groups == group]
        name = f" in group {group}" if group else ""
        shares.append(f"{100 * of_group.mean():.1f} % of {len(of_group)} {noun}{name}")
    return ", ".join(shares)
