"""A model with standard deviations in the unit of the energies, from held-out structures."""

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
from ._frames import known_energy
from ._pipeline import Pipeline
from .forces._force_errors import ForceErrors, force_errors, largest_residual_of
from .sums._totals import LARGEST_PAIRED, Totals, TotalScoring, all_totals

if TYPE_CHECKING:
    from ase import Atoms

    from ._model import StructureModel

# Sections of a model that a calibration writes.
_SECTIONS = ("calibration", "force_calibration", "conformal")


@dataclass(frozen=True)
class Asked:
    """What a calibration is asked for, beside the constant of energies.

    Attributes
    ----------
    variance : {"sr", "pp"} or None
        What is scaled; None for the default of the kind of model.
    energy_key, force_key : str or None
        Names of labels.
    forces : bool
        Whether forces get a constant too.
    largest_residual : float or None
        Forces that rest on larger residuals do not count.
    coverage : float or None
        That of conformal intervals, if there are to be any.
    group_key : str or None
        What tells groups of structures apart.
    """

    variance: VarianceKind | None
    energy_key: str | None
    forces: bool
    force_key: str | None
    largest_residual: float | None
    coverage: float | None
    group_key: str | None


def calibrated_model(model: StructureModel, given: Iterable[Atoms], asked: Asked, n_threads: int) -> _core.Model:
    """The model with the constants that explain how far it missed the labels of frames, and intervals if asked for."""
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


def _refuse_what_has_no_effect(asked: Asked) -> None:
    if not asked.forces and (asked.force_key is not None or asked.largest_residual is not None):
        raise InvalidInputError(
            "a name of forces or a bound for them was given, but forces are not calibrated; ask for it (forces=True, "
            "--forces)."
        )
    if asked.coverage is None and asked.group_key is not None:
        raise InvalidInputError(
            "a name of groups was given, but there are no intervals for them; say what these should hold "
            "(coverage=0.9, --coverage 0.9)."
        )


def _energies(
    model: StructureModel, frames: Iterable[Atoms], asked: Asked, n_threads: int
) -> tuple[Calibration, Array]:
    """The constant of energies, and errors of totals over their standard deviations."""
    kind = _kind(asked.variance, is_kernel=model.pipeline.are_normalised)
    totals, energies = model.labelled_totals(frames, asked.energy_key, n_threads=n_threads)
    assert totals.energy is not None
    errors, variances = totals.energy - energies, _variances(totals, kind)
    found = calibrated(errors, variances, kind)
    return found, np.abs(errors) / np.sqrt(found.prior_variance * variances)


def _forces(
    model: StructureModel, frames: Iterable[Atoms], asked: Asked, n_threads: int
) -> tuple[ForceCalibration, ForceErrors]:
    """The constant of forces, and the errors that it is made from."""
    bound = largest_residual_of(model, asked.largest_residual)
    labelled = force_errors(model, as_list(frames), asked.force_key, n_threads)
    found = labelled.within(bound)
    counts = len(np.unique(found.frame)), len(labelled.errors)
    return forces_calibrated(found.errors, found.variances, *counts, bound), found


def _with_sections(core: _core.Model, sections: Mapping[str, Any]) -> _core.Model:
    """The model with these in place of all that an earlier calibration said."""
    text, arrays = core.parts()
    kept = {name: facts for name, facts in json.loads(text).items() if name not in _SECTIONS}
    return _core.Model.from_parts(json.dumps({**kept, **sections}, allow_nan=False), arrays)


def _variances(totals: Totals, kind: VarianceKind) -> Array:
    """Of totals, those that are scaled."""
    if kind == "sr":
        return totals.variance
    assert totals.residual is not None
    large = np.flatnonzero(np.isnan(totals.residual))
    if large.size:
        raise InvalidInputError(
            f"frame {large[0]} has more than {LARGEST_PAIRED} atoms, too many for the residual of its total; "
            "calibrate with smaller ones, or variance='sr'."
        )
    found: Array = totals.variance + totals.residual
    return found


def as_list(frames: Iterable[Atoms]) -> list[Atoms]:
    """Frames that are looked at more than once."""
    from ase import Atoms

    return [frames] if isinstance(frames, Atoms) else list(frames)


def groups_of(frames: Iterable[Atoms], key: str | None) -> list[str]:
    """The group that each frame says it is of.

    Raises
    ------
    InvalidInputError
        For frames that do not say.
    """
    if key is None:
        return [EVERYTHING for _ in frames]
    groups = []
    for number, frame in enumerate(frames):
        if key not in frame.info:
            raise InvalidInputError(
                f"frame {number} does not say its group, {key!r}; leave it out, or give the name under which all "
                "frames say theirs (group_key, --group-key)."
            )
        groups.append(" ".join(str(frame.info[key]).split()))
    return groups


def labelled_totals(
    pipeline: Pipeline, scoring: TotalScoring, frames: Iterable[Atoms], key: str, n_threads: int
) -> tuple[Totals, Array]:
    """Totals of frames, and the energies that they come with."""
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
        raise InvalidInputError("linear models have no residual, hence no projected process; calibrate variance='sr'.")
    return variance
