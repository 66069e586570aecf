"""Frames in, files out: any number of frames, in memory that does not grow with it, and again after a crash."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from .. import _core
from .._arrays import as_count
from .._files import replacing
from ..atoms._model import Scores, StructureModel, UnknownSpecies, load_model, whole_frames
from . import _sources
from ._journal import Journal
from ._memory import atoms_together
from ._stream import Clock, Stream

if TYPE_CHECKING:
    from ase import Atoms

    from ._sinks import About, Sink
    from ._summary import RunSummary

T = TypeVar("T")

# Scored frames from a number on, made in the threads of a stream.
Scored: TypeAlias = "Callable[[Stream, int], Iterator[tuple[list[Atoms], Scores]]]"

#: Called with the number of atoms that are done, and of all if that is known.
Progress = Callable[[int, int | None], None]

# Seconds between checkpoints: what a crash costs, at most, beside what was under way.
_BETWEEN_CHECKPOINTS = 2.0


class RunInterruptedError(KeyboardInterrupt):
    """Ctrl-C, with a sentence that says how to go on."""


@dataclass(frozen=True)
class Run:
    """A run that is over.

    Attributes
    ----------
    summary : RunSummary
        What it came to.
    written : list of pathlib.Path
        The files.
    resumed_at : int
        Frames that an earlier, interrupted run had done.
    facts : pathlib.Path
        JSON with what is different in every run: command, host, time.
    seconds : dict of str to float
        What each kind of work took; they go on side by side.
    """

    summary: RunSummary
    written: list[Path]
    resumed_at: int
    facts: Path
    seconds: dict[str, float]


def score_trajectory(
    model: StructureModel | str | PathLike[str],
    source: Any,
    sinks: Sequence[str | PathLike[str]] | None = None,
    *,
    least_rigid: int = 0,
    unknown_species: UnknownSpecies = "error",
    memory: str | int | None = None,
    n_threads: int = 0,
    progress: Progress | None = None,
) -> Run:
    """Score every atom of frames that need not fit in memory, into files.

    Reading, descriptors, scoring and writing go on side by side. Results do not depend on `memory` or threads, and have
    the bits of `StructureModel.score`.

    A run from files that was ended by whatever it be goes on where it stopped when it is called again with the same
    arguments; until then there are files ``*.unfinished`` and ``*.journal`` beside the outputs. The outputs appear when
    everything is done, and are the same bytes then.

    Parameters
    ----------
    model : StructureModel or path
        A model, or its file.
    source : str, path, list of these, or iterable of ase.Atoms
        Files that ASE reads, compressed or not, with its selections (``"md.xyz@::10"``), one after the other; ``"-"``
        for extended XYZ from standard input; or frames, taken as they come.
    sinks : sequence of paths, optional
        Files to write; the suffix says what: ``.h5`` or ``.hdf5`` (all scores, compressed), ``.csv`` (a line for each
        frame), ``.xyz`` or ``.extxyz`` (frames with scores), ``.npz`` (arrays). By default, for ``traj.xyz``,
        ``traj.lpr.h5`` and ``traj.lpr.csv`` beside it.
    least_rigid : int
        So many environments of lowest LPR are written too, with the frames around them, to
        ``<first output>.least-rigid.extxyz``.
    unknown_species, n_threads
        As for `StructureModel.score`.
    memory : str or int, optional
        Cap on memory, such as ``"2GB"``.
    progress : callable, optional
        Called as ``progress(atoms_done, atoms_in_all)``; the second is None if nobody knows.

    Returns
    -------
    Run

    Raises
    ------
    InvalidInputError
        For frames that cannot be read or scored, outputs that cannot be written, and an unfinished run with other
        arguments.
    """
    from . import _outputs

    clock = Clock()
    with clock.stage("reading"):
        loaded, digest = _loaded(model)
        limit = atoms_together(memory, loaded.n_features)
        frames = _sources.source_of(source)
        outputs = _outputs.checked(sinks, frames, [] if isinstance(model, StructureModel) else [Path(model)])
        identity, n_atoms = frames.identity(), frames.n_atoms()
    about = _outputs.about(loaded, digest)
    files = _outputs.sinks_of(outputs, about, loaded, as_count("least_rigid", least_rigid))
    settings = {
        "model": digest,
        "input": identity,
        "list of outputs": [str(sink.output.resolve()) for sink in files],
        "least rigid": least_rigid,
        "unknown species": unknown_species,
        **{f"version of {name}": version for name, version in about.versions.items()},
        "instruction set": _core.cpu_info()[0],
    }

    def scored(stream: Stream, start: int) -> Iterator[tuple[list[Atoms], Scores]]:
        cut = loaded._pieces(frames.frames(start), unknown_species, limit, start)
        read = stream.ahead(clock.timed("reading", cut), may_wait=True)
        described = stream.ahead((p, _during("descriptors", loaded._features, p, unknown_species)) for p in read)
        return whole_frames(
            stream.ahead((p, _during("scoring", loaded._scores, p, x, n_threads)) for p, x in described)
        )

    def _during(stage: str, work: Callable[..., T], *arguments: Any) -> T:
        with clock.stage(stage):
            return work(*arguments)

    job = _Job(files, None if identity is None else Journal(files[0].output, settings), about, clock)
    return job.run(scored, lambda done: None if progress is None else progress(done, n_atoms))


def _loaded(model: StructureModel | str | PathLike[str]) -> tuple[StructureModel, str]:
    """The model, and the hash of its file."""
    loaded = model if isinstance(model, StructureModel) else load_model(model)
    return loaded, hashlib.sha256(loaded._to_bytes()).hexdigest()


class _Job:
    """Sinks, journal and summary of one run."""

    def __init__(self, sinks: list[Sink], journal: Journal | None, about: About, clock: Clock) -> None:
        from ._summary import RunSummary

        self._sinks = sinks
        self._journal = journal
        self._about = about
        self._clock = clock
        self._summary = RunSummary()
        self._started = time.time()
        self._resumed_at = 0
        self._facts_path = sinks[0].output.with_name(sinks[0].output.name + ".json")
        self._kept: int | None = None  # frames of the checkpoint from which to go on
        self._opened: list[Sink] = []

    def run(self, scored: Scored, progress: Callable[[int], None]) -> Run:
        """Go on, or begin; leave nothing half done."""
        from ._summary import RunSummary

        before = self._journal.read() if self._journal else None
        if before is not None:
            self._summary = RunSummary.from_json(before["summary"])
            self._resumed_at = self._kept = self._summary.n_frames
        try:
            if before is None or not before["assembled"]:
                self._open(None if before is None else before["lengths"])
                self._take(scored, progress)
                with self._clock.stage("writing"):
                    self._assemble()
            with self._clock.stage("writing"):
                self._publish()
        except BaseException as error:
            self._give_up()
            if isinstance(error, KeyboardInterrupt) and self._kept is not None:
                raise RunInterruptedError(self._how_to_go_on()) from None
            raise
        written = [sink.output for sink in self._sinks]
        return Run(self._summary, written, self._resumed_at, self._facts_path, dict(self._clock.seconds))

    def _open(self, lengths: list[int] | None) -> None:
        for number, sink in enumerate(self._sinks):
            sink.open(None if lengths is None else lengths[number])
            self._opened.append(sink)

    def _take(self, scored: Scored, progress: Callable[[int], None]) -> None:
        last = time.monotonic()
        with Stream() as stream:
            for frames, scores in scored(stream, self._resumed_at):
                with self._clock.stage("writing"):
                    for sink in self._sinks:
                        sink.add(self._summary.n_frames, frames, scores)
                    self._summary.add(frames, scores, self._about.energy_key)
                    if time.monotonic() - last > _BETWEEN_CHECKPOINTS:
                        self._checkpoint()
                        last = time.monotonic()
                progress(self._summary.n_atoms)

    def _checkpoint(self, *, assembled: bool = False) -> None:
        lengths = [] if assembled else [sink.checkpoint() for sink in self._sinks]
        if self._journal:
            self._journal.write({"assembled": assembled, "lengths": lengths, "summary": self._summary.to_json()})
            self._kept = self._summary.n_frames

    def _assemble(self) -> None:
        self._checkpoint()
        for sink in self._sinks:
            sink.assemble()
        self._checkpoint(assembled=True)

    def _publish(self) -> None:
        for sink in self._sinks:
            sink.publish()
        with replacing(self._facts_path) as file:
            file.write(json.dumps(self._facts(), indent=2).encode() + b"\n")
        for sink in self._sinks:
            sink.remove()
        if self._journal:
            self._journal.remove()

    def _give_up(self) -> None:
        for sink in self._opened:  # the others may be another process's
            if self._kept is None:
                sink.remove()
            else:
                sink.close()

    def _how_to_go_on(self) -> str:
        assert self._journal
        return (
            f"interrupted, {self._kept} frames are safe; give the same command again to go on, or delete "
            f"{self._journal.path} to start afresh."
        )

    def _facts(self) -> dict[str, Any]:
        """What is different in every run, and therefore stands in no other file."""
        return {
            "command": sys.argv,
            "host": platform.node(),
            "started": datetime.fromtimestamp(self._started, timezone.utc).isoformat(timespec="seconds"),
            "seconds": time.time() - self._started,
            "seconds_of_stages": self._clock.seconds,
            "resumed_at_frame": self._resumed_at,
            "frames": self._summary.n_frames,
            "atoms": self._summary.n_atoms,
            "model_sha256": self._about.model_sha256,
            "versions": self._about.versions,
            "instruction_set": _core.cpu_info()[0],
            "outputs": [str(sink.output) for sink in self._sinks],
        }
