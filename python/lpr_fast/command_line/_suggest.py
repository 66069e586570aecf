"""``lpr-fast suggest``."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import InvalidInputError
from .._files import refuse_output, replacing, write_whole
from ..atoms._load import load_model
from ..atoms._model import StructureModel
from ..atoms._sparse_kernel_model import SparseKernelModel
from ..atoms.labels._noise import Noise
from ..design._label_rows import noise_like
from ..design._report import report
from ..design._suggest import suggest as suggestion_of
from ..design._suggestion import Suggestion
from ..models._rows import KINDS
from ..models._settings import FitSettings
from ..reading._sources import refuse_second_reading
from ..reading._specification import path_of
from ._calibrate import frames_of
from ._noise_options import noise_of
from ._terminal import say, tell, write_each

if TYPE_CHECKING:
    from ase import Atoms

_DEFAULT_N = 20

_PLURAL = {"energy": "energies", "force": "forces", "virial": "virials"}

# Strained cells of each prototype, as in `lpr-fast prototypes`.
_CELLS = 10


@dataclass(frozen=True)
class Options:
    """Options of the command."""

    targets: tuple[str, ...]
    candidates: tuple[str, ...]
    prototypes: tuple[str, ...]
    output: Path
    n: int | None
    budget_cost: float | None
    cost: str
    max_per_source: int | None
    source_key: str | None
    objective: Any
    column: Any
    prediction: Any
    sigma_energy: str | None
    sigma_force: str | None
    sigma_virial: str | None
    loosest: int | None
    target_weights: Any
    largest_residual: float | None
    n_draws: int
    seed: int
    descriptor: str | None
    reading: dict[str, Any]

    @property
    def sigma(self) -> Noise | None:
        """Noise of the labels of candidates; None for that of the model."""
        given = {kind: getattr(self, f"sigma_{kind}") for kind in KINDS}
        return noise_of(given, (), None, self.source_key or FitSettings.group_key)


def suggest(model_path: Path, options: Options) -> None:
    """Read, choose, write and report."""
    if options.output.suffix not in (".xyz", ".extxyz"):
        raise InvalidInputError(f"{options.output} is not extended XYZ; give a name that ends in .xyz or .extxyz.")
    refuse_second_reading([*options.targets, *options.candidates])
    table = options.output.with_suffix(".csv")
    inputs = [model_path, *map(path_of, options.targets), *map(path_of, options.candidates)]
    for path in (options.output, table):
        refuse_output(path, inputs)
    model = load_model(model_path, options.descriptor)
    candidates = [*_candidates(options), *_crystals(model, options)]
    found = suggestion_of(
        model,
        frames_of(options.targets, options.reading),
        candidates,
        _DEFAULT_N if options.n is None and options.budget_cost is None else options.n,
        cost_budget=options.budget_cost,
        costs=len if options.cost == "atoms" else None,
        sources=options.source_key or [str(frame.info["suggest_file"]) for frame in candidates],
        max_per_source=options.max_per_source,
        objective=options.objective,
        column=options.column,
        prediction=options.prediction,
        sigma=options.sigma,
        loosest=options.loosest,
        target_weights=options.target_weights,
        largest_residual=options.largest_residual,
        n_draws=options.n_draws,
        seed=options.seed,
        announce=say,
    )
    if not len(found.chosen):
        raise InvalidInputError(
            "no candidate was chosen: none is within the budget, or none makes the targets more rigid; give a larger "
            "--budget-cost, or other candidates."
        )
    for line in report(found):
        tell(line)
    write_each(
        [options.output, table],
        lambda path: _write(found, path) if path == options.output else write_whole(path, _table(found, candidates)),
    )
    noise = options.sigma or noise_like(model)
    has_command = options.sigma is None and not (noise is not None and (noise.tables or noise.convention == "gap"))
    then = f", then run: {_next_fit(model, model_path, options.output)}" if has_command else ""
    tell(f"next      compute the {_labels_of(noise)} of {options.output}{then}")


def _candidates(options: Options) -> Iterator[Atoms]:
    """Candidates of all files, with their file and frame."""
    for specification in options.candidates:
        for number, frame in enumerate(frames_of((specification,), options.reading)):
            frame.info |= {"suggest_file": specification, "suggest_frame": number}
            yield frame


def _crystals(model: StructureModel, options: Options) -> Iterator[Atoms]:
    """Strained cells of the prototypes; each prototype is a source."""
    if not options.prototypes:
        return
    from ..design._single_environment import single_environment

    for name in options.prototypes:
        for number, frame in enumerate(single_environment(name, _CELLS, model=model, seed=options.seed)):
            frame.info |= {"suggest_file": name, "suggest_frame": number}
            yield frame


def _write(found: Suggestion, output: Path) -> None:
    from ..writing._extxyz import write_frame

    with replacing(output) as file:
        for frame in found.frames():
            write_frame(file, frame, {})


def _table(found: Suggestion, candidates: list[Atoms]) -> bytes:
    """The table of all candidates, those with the largest gain alone first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["candidate", "file", "frame", "source", "atoms", f"cost ({found.cost_unit})", "gain_alone", "rank", "gain"]
    )
    ranks = {number: rank for rank, number in enumerate(found.chosen.tolist(), start=1)}
    for number in np.argsort(-found.alone, kind="stable").tolist():
        frame, rank = candidates[number], ranks.get(number)
        writer.writerow(
            [
                number,
                frame.info["suggest_file"],
                frame.info["suggest_frame"],
                found.sources[number],
                len(frame),
                repr(float(found.costs[number])),
                repr(float(found.alone[number])),
                "" if rank is None else rank,
                "" if rank is None else repr(float(found.gain[rank - 1])),
            ]
        )
    return text.getvalue().encode()


def _labels_of(noise: Noise | None) -> str:
    """Labels that a fit needs."""
    given = ["energies"] if noise is None else [_PLURAL[kind] for kind in KINDS if getattr(noise, kind) is not None]
    return " and ".join([", ".join(given[:-1]), given[-1]] if len(given) > 1 else given)


def _next_fit(model: StructureModel, path: Path, output: Path) -> str:
    """Command of a fit with the same descriptor, active set and regularizer; parameters of SOAP are not part of it."""
    before = model.provenance.get("training_selection", "TRAIN").split(", ")
    kept = [*_of_descriptor(model), *_of_loss(model)]
    if isinstance(model, SparseKernelModel):
        kept = ["--active-set", str(path), *kept]
        kept += ["--zeta", repr(model.zeta)] if model.zeta != FitSettings.zeta else []
    else:
        kept = ["--model", "linear", *kept]
    return shlex.join(["lpr-fast", "fit", *before, str(output), "-o", "new.lpr", *kept])


def _of_descriptor(model: StructureModel) -> list[str]:
    """Options for a descriptor that is not SOAP."""
    facts = model.descriptor
    option = {"array": "--features", "external": "--descriptor"}.get(facts["kind"]) if facts else None
    return [option, facts["name"]] if facts and option else []


def _of_loss(model: StructureModel) -> list[str]:
    """Options for the loss and the weights of labels."""
    if (noise := model.noise) is None:
        loss = ["--loss", model.loss] if model.loss != FitSettings.loss else []
        return ["--regularizer", repr(model.regularizer), *loss]
    given = [text for kind in KINDS if (sigma := noise[kind]) for text in (f"--sigma-{kind}", repr(sigma))]
    return [*given, "--delta", repr(model.regularizer**-0.5)]
