"""``lpr-fast calibrate`` and ``lpr-fast reliability``."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import InvalidInputError, LprWarning
from .._files import refuse_output, sha256_of
from ..atoms._load import load_model
from ..atoms._model import StructureModel
from ..descriptors._imported import imported
from ..models._calibration import VarianceKind, crps, observed_fractions
from ..reading._options import ReadOptions
from ..reading._sources import readable, source_of
from ..reading._specification import path_of
from ..writing._picture import check_picture
from ..writing._reliability import plot_reliability
from ._terminal import tell

if TYPE_CHECKING:
    from ase import Atoms

# Central intervals that the table has.
_SHARES = np.array([0.5, 0.68, 0.9, 0.95])

_NAMES = {"pp": "projected process", "sr": "subset of regressors"}


def calibrate(
    model_path: Path,
    structures: tuple[str, ...],
    output: Path,
    *,
    variance: VarianceKind | None,
    energy_key: str | None,
    descriptor: str | None,
    reading: dict[str, Any],
) -> None:
    """Calibrate, save, and say what came of it."""
    refuse_output(output, [model_path, *map(path_of, structures)])
    model = _loaded(model_path, descriptor)
    warn_of_training(model, structures)
    calibrated = model.calibrate(frames_of(structures, reading), variance=variance, energy_key=energy_key)
    calibrated.save(output)
    tell(calibration_line(calibrated))
    tell(f"written   {output}")


def reliability(
    model_path: Path,
    structures: tuple[str, ...],
    output: Path | None,
    *,
    energy_key: str | None,
    descriptor: str | None,
    reading: dict[str, Any],
) -> None:
    """Compare errors of totals with their standard deviations, in a table and a picture."""
    inputs = [path_of(specification) for specification in structures]
    target = model_path.with_suffix(".reliability.png") if output is None else output
    check_picture(target, [model_path, *inputs])
    model = _loaded(model_path, descriptor)
    warn_of_training(model, structures)
    if model.calibration is None:
        raise InvalidInputError(f"{model_path} was not calibrated; do so with lpr-fast calibrate.")
    totals, energies = model.labelled_totals(frames_of(structures, reading), energy_key)
    assert totals.energy is not None
    assert totals.sigma is not None
    known = ~np.isnan(totals.sigma)
    if not known.any():
        raise InvalidInputError("no total has a standard deviation; give structures of at most 4096 atoms.")
    errors, sigmas = (totals.energy - energies)[known], totals.sigma[known]
    mae, score = np.abs(errors).mean(), crps(errors, sigmas).mean()
    found = f"mean absolute error {mae:.4g}, CRPS {score:.4g}, in the unit of the energies"
    tell(f"totals    {len(errors)}; {found}{_use(mae, score)}")
    for expected, observed in zip(_SHARES, observed_fractions(errors, sigmas, _SHARES), strict=True):
        tell(f"within    {100 * expected:.0f} % intervals: {100 * observed:.1f} % of the errors")
    plot_reliability(errors, sigmas, f"{model_path.name}: {len(errors)} totals", target)
    tell(f"written   {target}")


def frames_of(structures: tuple[str, ...], reading: dict[str, Any]) -> Iterator[Atoms]:
    """Frames of files."""
    return readable(source_of(list(structures), ReadOptions.of(**reading)))


def warn_of_training(model: StructureModel, structures: tuple[str, ...]) -> None:
    """Warn where structures that are to tell the errors are those of the fit, by the contents of their files."""
    facts = model.provenance
    digests = facts.get("training_sha256", "").split(", ")
    chosen = dict(zip(digests, facts.get("training_selection", "").split(", "), strict=False))
    for specification in structures:
        before = chosen.get(sha256_of(path_of(specification)))
        if before is None:
            continue
        selections = [text.rpartition("@")[2] if "@" in text else ":" for text in (before, specification)]
        if ":" in selections or selections[0] == selections[1]:
            warnings.warn(
                f"{specification} holds structures that the model was fitted to, whose errors are smaller; "
                "give held-out ones.",
                LprWarning,
                stacklevel=2,
            )


def calibration_line(model: StructureModel) -> str:
    """What a model says of its calibration."""
    found = model.calibration
    if found is None:
        return "sigma     none: the model was not calibrated"
    uncertainty = 100.0 * np.sqrt(2.0 / found.n_totals)
    return (
        f"sigma     prior variance {found.prior_variance:.4g} (+-{uncertainty:.0f} %) of the {_NAMES[found.variance]}, "
        f"by {found.n_totals} totals: mean absolute error of a total {found.mean_absolute_error:.4g}, "
        f"CRPS {found.crps:.4g}, in the unit of the energies{_use(found.mean_absolute_error, found.crps)}"
    )


def _use(mean_absolute_error: float, score: float) -> str:
    """A prediction without any sigma has a CRPS as large as its mean absolute error."""
    return "" if score < mean_absolute_error else "; CRPS is no smaller than the error: sigma misleads here"


def _loaded(path: Path, descriptor: str | None) -> StructureModel:
    return load_model(path, None if descriptor is None else imported(descriptor))
