"""``lpr-fast score``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from ase import Atoms

from .._arrays import Array
from .._errors import InvalidInputError
from .._files import refuse_output, replacing
from ..atoms._frames import known_energy
from ..atoms._model import Scores, StructureModel, joined, load_model, whole_frames
from ..atoms._pieces import Piece
from ..descriptors._elements import symbol
from ..trajectories import _extxyz
from . import _frames
from ._info import LOSS_NAMES
from ._terminal import Watch, watching

# Names of the columns in files: plain "energy" would be taken for the total by those who read extended XYZ.
_COLUMNS = {"lpr": "lpr", "variance": "variance", "residual": "residual", "energy": "local_energy"}


class Sink(Protocol):
    """Takes scored frames as they come."""

    def add(self, batch: list[Atoms], scores: Scores) -> None:
        """Take a batch."""
        ...

    def finish(self, species: Array, scores: Scores) -> None:
        """All frames have come."""
        ...


class _ExtendedXYZ:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def add(self, batch: list[Atoms], scores: Scores) -> None:
        _extxyz.write_frames(self._file, batch, columns_of(scores))

    def finish(self, species: Array, scores: Scores) -> None:
        pass


class _NumPyArrays:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def add(self, batch: list[Atoms], scores: Scores) -> None:
        pass

    def finish(self, species: Array, scores: Scores) -> None:
        arrays: dict[str, Any] = columns_of(scores)
        np.savez(self._file, structure=scores.structure, atom=scores.atom, species=species, **arrays)


_SINKS: dict[str, Callable[[BinaryIO], Sink]] = {".xyz": _ExtendedXYZ, ".extxyz": _ExtendedXYZ, ".npz": _NumPyArrays}


def columns_of(scores: Scores) -> dict[str, Array]:
    """The scores that there are, by the names that they have in files."""
    columns = {column: getattr(scores, name) for name, column in _COLUMNS.items()}
    return {column: values for column, values in columns.items() if values is not None}


def score(model_path: Path, trajectory: str, output: Path, unknown_species: Any) -> None:
    """Read, score, write, and say what came of it."""
    if output.suffix not in _SINKS:
        raise InvalidInputError(f"{output} must end in .extxyz, .xyz or .npz; that decides what is written.")
    refuse_output(output, [model_path, _frames.path_of(trajectory)])
    model = load_model(model_path)
    with watching() as watch, replacing(output) as file:
        with watch.stage("reading"):
            n_atoms, frames = _frames.read(trajectory)
        sink = _SINKS[output.suffix](file)
        summary = run(model, frames, n_atoms, sink, watch, trajectory, unknown_species)
    for line in summary:
        print(line)
    print(f"seconds   {watch.summary()}")
    print(f"written   {output}")


def run(
    model: StructureModel,
    frames: Iterable[Atoms],
    n_atoms: int | None,
    sink: Sink,
    watch: Watch,
    source: str,
    unknown_species: Any,
) -> list[str]:
    """Score frames, of so many atoms if that is known, into a sink; return the lines of a summary."""
    n_frames = 0
    parts: list[Scores] = []
    species: list[Array] = []
    errors: list[float] = []
    timed = _timed(iter(frames), watch)
    for batch, scores in whole_frames(_scored(model, timed, watch, unknown_species)):
        with watch.stage("writing"):
            sink.add(batch, scores)
        parts.append(scores)
        species.append(np.concatenate([frame.numbers for frame in batch]))
        errors += _errors_per_atom(model, batch, scores)
        n_frames += len(batch)
        watch.report("atoms", sum(map(len, parts)), n_atoms)
    scores = joined(parts)
    numbers = np.concatenate(species)
    with watch.stage("writing"):
        sink.finish(numbers, scores)
    return _summary(model, source, n_frames, numbers, scores, errors)


def _scored(
    model: StructureModel, frames: Iterator[Atoms], watch: Watch, unknown_species: Any
) -> Iterator[tuple[Piece, Scores]]:
    for piece in model._pieces(frames, unknown_species):
        with watch.stage("descriptors"):
            features = model._features(piece, unknown_species)
        with watch.stage("scoring"):
            scores = model._scores(piece, features, 0)
        yield piece, scores


def _timed(frames: Iterator[Atoms], watch: Watch) -> Iterator[Atoms]:
    while True:
        with watch.stage("reading"):
            frame = next(frames, None)
        if frame is None:
            return
        yield frame


def _errors_per_atom(model: StructureModel, batch: list[Atoms], scores: Scores) -> list[float]:
    """Errors of predicted energies, where frames say what they should be."""
    if scores.energy is None:
        return []
    key, start, errors = model.provenance.get("energy_key") or "", 0, []
    for frame in batch:
        predicted = float(scores.energy[start : start + len(frame)].sum())
        start += len(frame)
        known = known_energy(frame, key)
        if known is not None and np.isfinite(predicted):
            errors.append((predicted - known) / len(frame))
    return errors


def _summary(
    model: StructureModel, source: str, n_frames: int, numbers: Array, scores: Scores, errors: list[float]
) -> list[str]:
    lines = [f"scored    {n_frames} frame{'s' * (n_frames != 1)}, {len(scores)} atoms, from {source}"]
    scored = ~np.isnan(scores.lpr)
    if not scored.all():
        lines.append(
            f"unknown   {np.count_nonzero(~scored)} atoms are, or are near, species that the model does not know: NaN"
        )
    if scored.any():
        low, middle, high = np.quantile(scores.lpr[scored], (0.05, 0.5, 0.95), method="nearest")
        loss = LOSS_NAMES[model.loss]
        lines.append(f"LPR       lowest {_where(scores.lpr, np.nanargmin(scores.lpr), numbers, scores)}")
        lines.append(f"          5 %, 50 %, 95 % of atoms: {low:.4g}, {middle:.4g}, {high:.4g} (loss on {loss})")
        if scores.residual is not None:
            largest = _where(scores.residual, np.nanargmax(scores.residual), numbers, scores)
            lines.append(f"residual  largest {largest}; 1 is unlike anything in the active set")
    if errors:
        rmse = np.sqrt(np.mean(np.square(errors)))
        lines.append(
            f"energies  root mean square error {rmse:.4g} per atom, of {len(errors)} frames that have energies"
        )
    return lines


def _where(values: Array, index: Any, numbers: Array, scores: Scores) -> str:
    element = symbol(int(numbers[index]))
    return (
        f"{values[index]:.4g} at frame {scores.structure[index]}, atom {scores.atom[index]} ({element}), counted from 0"
    )
