"""``lpr-fast predict``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from .._errors import InvalidInputError
from .._files import refuse_output, replacing
from .._words import counted
from ..atoms._frames import BATCH_ATOMS, DEFAULT_ENERGY_KEY, batches
from ..atoms._load import load_model
from ..atoms._model import StructureModel
from ..atoms.predictions._prediction_errors import LabelKeys, PredictionErrors
from ..atoms.predictions._predictions import Prediction
from ..reading._options import ReadOptions
from ..reading._sources import readable, source_of
from ..reading._specification import path_of
from ..writing._extxyz import write_frame
from ._prediction_table import lines_of
from ._terminal import tell, watching

if TYPE_CHECKING:
    from ase import Atoms

_EXTENSIONS = (".xyz", ".extxyz")

# New names of labels that the file has under the names of ASE's results.
_RENAMED = {name: f"label_{name}" for name in ("energy", "free_energy", "forces", "stress", "energies")}


@dataclass(frozen=True)
class Options:
    """Options of the command."""

    output: Path | None
    energy_key: str | None
    force_key: str | None
    virial_key: str | None
    group_key: str
    no_forces: bool
    descriptor: str | None
    reading: dict[str, Any]
    quiet: bool


def predict(model_path: Path, trajectory: tuple[str, ...], options: Options) -> None:
    """Read, predict, write, and report the errors."""
    if options.no_forces and (options.force_key or options.virial_key):
        raise InvalidInputError(
            "--no-forces was given with --force-key or --virial-key, but without forces there is nothing to compare; "
            "leave one of them out."
        )
    if options.output is not None:
        refuse_output(options.output, [model_path, *map(path_of, trajectory)])
        if options.output.suffix not in _EXTENSIONS:
            raise InvalidInputError(f"{options.output} is not extended XYZ; give a name that ends in .xyz or .extxyz.")
    model = load_model(model_path, options.descriptor)
    facts = model.provenance
    keys = LabelKeys(
        options.energy_key or facts.get("energy_key") or DEFAULT_ENERGY_KEY,
        options.force_key or facts.get("force_key"),
        options.virial_key or facts.get("virial_key"),
        options.group_key,
    )
    source = source_of(list(trajectory), ReadOptions.of(**options.reading))
    errors, n_frames, n_atoms = PredictionErrors(keys), 0, 0
    with ExitStack() as stack:
        watch = stack.enter_context(watching(hidden=options.quiet))
        file = None if options.output is None else stack.enter_context(replacing(options.output))
        for frame, found in _predicted(model, readable(source), forces=not options.no_forces):
            errors.add(frame, n_frames, found)
            if file is not None:
                _write(file, frame, found)
            n_frames, n_atoms = n_frames + 1, n_atoms + len(frame)
            watch.report("predicting", n_atoms, source.n_atoms())
        _refuse_unused_keys(errors, options)
    tell(f"predicted {counted(n_frames, 'frame')}, {counted(n_atoms, 'atom')}", quiet=options.quiet)
    for line in lines_of(errors):
        tell(line, quiet=options.quiet)
    if options.output is not None:
        tell(f"written   {options.output}", quiet=options.quiet)


def _refuse_unused_keys(errors: PredictionErrors, options: Options) -> None:
    """Refuse names of labels that no frame has."""
    asked = {"energy": options.energy_key, "forces": options.force_key, "stress": options.virial_key}
    for (kind, key), option in zip(asked.items(), ("energy", "force", "virial"), strict=True):
        if key is not None and not errors.of_all[kind].count:
            raise InvalidInputError(f"no frame has {kind} named {key!r}; correct --{option}-key, or leave it out.")


def _predicted(model: StructureModel, frames: Iterator[Atoms], *, forces: bool) -> Iterator[tuple[Atoms, Prediction]]:
    """Frames and their predictions; by the members too, if there are any."""
    for _, batch in batches(frames, BATCH_ATOMS):
        found = model.predict(batch, forces=forces, members=model.n_members > 0)
        yield from ((frame, found.of(number)) for number, frame in enumerate(batch))


def _write(file: BinaryIO, frame: Atoms, found: Prediction) -> None:
    """Append a frame with predictions under ASE's names; labels with these names are renamed."""
    from ase.calculators.singlepoint import SinglePointCalculator

    labels = dict(getattr(frame.calc, "results", {}))
    written = frame.copy()  # type: ignore[no-untyped-call]
    for name, renamed in _RENAMED.items():
        for place in (written.info, written.arrays):
            labels |= {name: place.pop(name)} if name in place else {}
        if labels.get(name) is not None:
            place = written.arrays if name in ("forces", "energies") else written.info
            place[renamed] = np.asarray(labels[name])
    results: dict[str, Any] = {"energy": found.energy[0], "energies": found.energies, "forces": found.forces}
    results["stress"] = None if found.stress is None or np.isnan(found.stress).any() else found.stress[0]
    written.calc = SinglePointCalculator(written, **{n: v for n, v in results.items() if v is not None})  # type: ignore[no-untyped-call]
    if found.members is not None:
        written.info["energy_spread"] = float(found.members.energy.std(axis=-1, ddof=1)[0])
        if found.members.forces is not None:
            written.arrays["forces_spread"] = found.members.forces.std(axis=-1, ddof=1)
    write_frame(file, written, {})
