"""``lpr-fast calibrate``."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._errors import LprWarning
from .._files import refuse_output, sha256_of
from ..atoms._load import load_model
from ..atoms._model import StructureModel
from ..atoms.about._calibration_lines import calibration_lines
from ..reading._options import ReadOptions
from ..reading._sources import readable, source_of
from ..reading._specification import path_of
from ._terminal import tell

if TYPE_CHECKING:
    from ase import Atoms


def calibrate(
    model_path: Path,
    structures: tuple[str, ...],
    output: Path,
    *,
    descriptor: str | None,
    reading: dict[str, Any],
    **asked: Any,
) -> None:
    """Calibrate, save and report; `asked` are arguments of `StructureModel.calibrate`."""
    refuse_output(output, [model_path, *map(path_of, structures)])
    model = loaded(model_path, descriptor)
    warn_of_training(model, structures)
    calibrated = model.calibrate(frames_of(structures, reading), **asked)
    calibrated.save(output)
    for line in calibration_lines(calibrated):
        tell(line)
    tell(f"written   {output}")


def frames_of(structures: tuple[str, ...], reading: dict[str, Any]) -> Iterator[Atoms]:
    """Frames of files."""
    return readable(source_of(list(structures), ReadOptions.of(**reading)))


def warn_of_training(model: StructureModel, structures: tuple[str, ...]) -> None:
    """Warn if held-out structures are those of the fit, by the contents of their files."""
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
                f"{specification} holds structures that the model was fitted to; their errors are too small, so give "
                "held-out structures.",
                LprWarning,
                stacklevel=2,
            )


def loaded(path: Path, descriptor: str | None) -> StructureModel:
    """The model of a file, with the function that computes its features, if the user names one."""
    return load_model(path, descriptor)
