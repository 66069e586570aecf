"""Errors of a fitted model on its training set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..atoms._model import StructureModel
from ..atoms.predictions._prediction_errors import LabelKeys, PredictionErrors
from ..models._settings import FitSettings
from ..reading._options import ReadOptions
from ..reading._sources import readable, source_of
from ._prediction_table import lines_of


def training_error_lines(
    model: StructureModel,
    train: Sequence[str],
    settings: FitSettings,
    reading: dict[str, Any],
    report: Callable[[str, int, int | None], None],
) -> Iterator[str]:
    """Errors of energies, forces and stresses of the training set; no lines for labels without noise."""
    if model.noise is None or not model.has_energies or settings.energy_key is None:
        return
    source = source_of(list(train), ReadOptions.of(**reading))
    errors = PredictionErrors(
        LabelKeys(settings.energy_key, settings.force_key, settings.virial_key, settings.group_key)
    )
    n_atoms, in_all = 0, source.n_atoms()
    for number, frame in enumerate(readable(source)):
        errors.add(frame, number, model.predict([frame]))
        n_atoms += len(frame)
        report("training set: errors", n_atoms, in_all)
    yield "fitted    errors on the training set (for other structures: lpr-fast predict MODEL FILE)"
    yield from lines_of(errors)
