"""Calibration: prior variances and conformal intervals from held-out structures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._arrays import Array
from .._errors import InvalidInputError
from ..models._calibration import Calibration, ForceCalibration, VarianceKind, calibrated, forces_calibrated
from ..models._conformal import EVERYTHING, Conformal, Interval, as_coverage, intervals
from ._frames import as_list, known_energy
from ._pipeline import Pipeline
from .forces._force_errors import ForceErrors, force_errors, largest_residual_of
from .sums._totals import LARGEST_PAIRED, Totals, TotalScoring, all_totals

if TYPE_CHECKING:
    from ase import Atoms

    from ._model import StructureModel

# Sections of a model that a calibration writes.
_SECTIONS = ("calibration", "force_calibration", "conformal")


@dataclass(frozen=True)
class CalibrationRequest:
    """Options of a calibration.

    Attributes
    ----------
    variance : {"sr", "pp"} or None
        The variance of energies to scale; None for the default of the kind of model.
    energy_key, force_key : str or None
        Names of the labels.
    forces : bool
        Whether to calibrate forces too.
    largest_residual : float or None
        Forces that depend on environments of a larger residual are ignored.
    coverage : float or None
        Coverage of the conformal intervals; None for no intervals.
    group_key : str or None
        Name of the groups of structures.
    """

    variance: VarianceKind | None
    energy_key: str | None
    forces: bool
    force_key: str | None
    largest_residual: float | None
    coverage: float | None
    group_key: str | None


def calibrated_model(
    model: StructureModel, given: Iterable[Atoms], asked: CalibrationRequest, n_threads: int
) -> _core.Model:
    """Return the model with prior variances, and intervals, from its errors for labelled frames."""
    _refuse_what_has_no_effect(asked)
    coverage = None if asked.coverage is None else as_coverage(asked.coverage)
    frames = as_list(given) if asked.forces or coverage is not None else given
    groups = [] if coverage is None else groups_of(frames, asked.group_key)
    energies, ratios = _energies(model, frames, asked, n_threads)
    sections: dict[str, Any] = {"calibration": energies.facts()}
    of_energy = intervals("energy", ratios, np.arange(len(ratios)), groups, coverage) if coverage else {}
    of_force: dict[str, Interval] = {}
    if asked.forces:
        forces, errors = _forces(model, frames, asked, n_threads)
        sections["force_calibration"] = forces.facts()
        if coverage:
            of_force = intervals("force", errors.ratios(forces.prior_variance), errors.frame, groups, coverage)
    if coverage:
        sections["conformal"] = Conformal(coverage, asked.group_key, of_energy, of_force).facts()
    return _with_sections(model._model, sections)


def _refuse_what_has_no_effect(asked: CalibrationRequest) -> None:
    if not asked.forces and (asked.force_key is not None or asked.largest_residual is not None):
        raise InvalidInputError(
            "force_key or largest_residual was given, but forces are not calibrated; ask for them (forces=True, "
            "--forces)."
        )
    if asked.coverage is None and asked.group_key is not None:
        raise InvalidInputError(
            "group_key was given, but groups are for intervals alone; ask for these (coverage=0.9, --coverage 0.9)."
        )


def _energies(
    model: StructureModel, frames: Iterable[Atoms], asked: CalibrationRequest, n_threads: int
) -> tuple[Calibration, Array]:
    """Return the calibration of energies, and the errors of totals over their standard deviations."""
    kind = _kind(asked.variance, is_kernel=model.pipeline.are_normalised)
    totals, energies = model.labelled_totals(frames, asked.energy_key, n_threads=n_threads)
    assert totals.energy is not None
    errors, variances = totals.energy - energies, _variances(totals, kind)
    found = calibrated(errors, variances, kind)
    return found, np.abs(errors) / np.sqrt(found.prior_variance * variances)


def _forces(
    model: StructureModel, frames: Iterable[Atoms], asked: CalibrationRequest, n_threads: int
) -> tuple[ForceCalibration, ForceErrors]:
    """Return the calibration of forces, and the errors that it follows from."""
    bound = largest_residual_of(model, asked.largest_residual)
    labelled = force_errors(model, as_list(frames), asked.force_key, n_threads)
    found = labelled.within(bound)
    counts = len(np.unique(found.frame)), len(labelled.errors)
    return forces_calibrated(found.errors, found.variances, *counts, bound), found


def _with_sections(core: _core.Model, sections: Mapping[str, Any]) -> _core.Model:
    """Return the model with these sections in place of those of an earlier calibration."""
    text, arrays = core.parts()
    kept = {name: facts for name, facts in json.loads(text).items() if name not in _SECTIONS}
    return _core.Model.from_parts(json.dumps({**kept, **sections}, allow_nan=False), arrays)


def _variances(totals: Totals, kind: VarianceKind) -> Array:
    """Return the variances of totals, of the given kind."""
    if kind == "sr":
        return totals.variance
    assert totals.residual is not None
    large = np.flatnonzero(np.isnan(totals.residual))
    if large.size:
        raise InvalidInputError(
            f"frame {large[0]} has more than {LARGEST_PAIRED} atoms, too many for the residual of its total; "
            "calibrate with smaller frames, or give variance='sr'."
        )
    found: Array = totals.variance + totals.residual
    return found


def groups_of(frames: Iterable[Atoms], key: str | None) -> list[str]:
    """Return the group of each frame.

    Raises
    ------
    InvalidInputError
        For frames without a group.
    """
    if key is None:
        return [EVERYTHING for _ in frames]
    groups = []
    for number, frame in enumerate(frames):
        if key not in frame.info:
            raise InvalidInputError(
                f"frame {number} has no group named {key!r}; leave it out, or give the name that all frames have "
                "(group_key, --group-key)."
            )
        groups.append(" ".join(str(frame.info[key]).split()))
    return groups


def labelled_totals(
    pipeline: Pipeline, scoring: TotalScoring, frames: Iterable[Atoms], key: str, n_threads: int
) -> tuple[Totals, Array]:
    """Return totals of frames, and the energies that label them."""
    found, energies = [scoring.of([], n_threads)], [np.zeros(0)]
    for piece in pipeline.pieces(frames, "error"):
        if piece.is_last:
            found.append(scoring.of(piece.batch, n_threads))
            energies.append(np.array([_energy(frame, n, key) for n, frame in enumerate(piece.frames, piece.first)]))
    return all_totals(found), np.concatenate(energies)


def _energy(frame: Atoms, number: int, key: str) -> float:
    energy = known_energy(frame, key)
    if energy is None:
        raise InvalidInputError(
            f"frame {number} has no energy named {key!r}; leave it out, or give the name (energy_key, --energy-key)."
        )
    return energy


def _kind(variance: VarianceKind | None, *, is_kernel: bool) -> VarianceKind:
    if variance is None:
        return "pp" if is_kernel else "sr"
    if not isinstance(variance, str) or variance not in ("sr", "pp"):
        raise InvalidInputError(f"variance is {variance!r}; it must be 'sr' or 'pp'.")
    if variance == "pp" and not is_kernel:
        raise InvalidInputError("variance is 'pp', but linear models have no residual; give variance='sr'.")
    return variance
