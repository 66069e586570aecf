"""One run: its sinks, journal and summary."""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from .. import _core
from .._files import remove_whole, write_whole
from .._words import counted
from ..atoms._pipeline import Scores
from ..writing._spool import FACTS
from ._journal import Journal
from ._partial import Partial
from ._restart import Restartable
from ._stream import Clock, Stream
from ._tasks import common_path

if TYPE_CHECKING:
    from ..atoms._describer import Ready
    from ..atoms._pieces import Piece
    from ..atoms.sums._totals import Totals
    from ..writing._sinks import About, Sink
    from ..writing._summary import RunSummary

# Scored pieces from a frame and an atom of it on, made in the threads of a stream.
Scored: TypeAlias = "Callable[[Stream, int, int], Iterator[tuple[Piece, Scores]]]"

# Called with the numbers of frames and atoms done.
Tell: TypeAlias = "Callable[[int, int], None]"

# Seconds between checkpoints.
_BETWEEN_CHECKPOINTS = 2.0

# States of a run: running; a shard that waits for the merge; outputs that need to be renamed.
_RUNNING, COMPLETE, ASSEMBLED = "running", "complete", "assembled"


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes
    ----------
    summary : RunSummary
        Summary of the scores.
    loss : str
        Loss of the model, which sets the scale of the LPR.
    verdict_limits : dict of str to float, or None
        Limits of the model: see `StructureModel.verdict_limits`.
    written : list of pathlib.Path
        The output files.
    resumed_at : int
        Number of frames that an earlier, interrupted run had done.
    resumed_at_atom : int
        Number of atoms of the next frame that it had done, if that frame is large.
    facts : pathlib.Path
        JSON file with what differs from run to run: command, host, time.
    seconds : dict of str to float
        Seconds of each kind of work; they run in parallel.
    """

    summary: RunSummary
    loss: str
    verdict_limits: dict[str, float] | None
    written: list[Path]
    resumed_at: int
    resumed_at_atom: int
    facts: Path
    seconds: dict[str, float]


class Job(Restartable):
    """Sinks, journal and summary of one run.

    Parameters
    ----------
    sinks : list of Sink
        Outputs, which take the scored frames.
    journal : Journal or None
        Journal of the run; None if it cannot resume.
    about : About
        Facts about the model, for the files.
    clock : Clock
        Clock of the run.
    tag : str
        Part of the names of the files of a shard.
    first : int
        Number of the first frame; not zero for shards.
    skipped : dict of int to str
        Numbers of skipped frames and reasons; filled while frames are scored.
    totals : callable, optional
        Computes totals of whole frames.
    read : callable, optional
        Describes the input up to a frame, for the journal.
    """

    def __init__(
        self,
        sinks: list[Sink],
        journal: Journal | None,
        about: About,
        clock: Clock,
        *,
        tag: str = "",
        first: int = 0,
        skipped: dict[int, str],
        totals: Callable[[list[Ready]], Totals] | None = None,
        read: Callable[[int], Any] = lambda _: None,
    ) -> None:
        from ..writing._summary import RunSummary

        super().__init__(journal)
        self._sinks = sinks
        self._read = read
        self._totals = totals
        self._about = about
        self._clock = clock
        self._first = first
        self._skipped = skipped
        self._summary = RunSummary()
        self._started = time.time()
        self._resumed_at, self._resumed_at_atom = 0, 0
        self._facts_path = sinks[0].output.with_name(sinks[0].output.name + FACTS)
        self._partial = Partial(sinks[0].output, tag)
        if self._before:
            self._summary = RunSummary.from_json(self._before["summary"])
            self._resumed_at = self._summary.n_read
            self._resumed_at_atom = self._before["partial"]["atoms"]

    def run(self, scored: Scored, tell: Tell) -> Run:
        """Start or resume, and make the outputs."""
        with self.consistent():
            if not self._is(ASSEMBLED):
                self._open()
                self._take(scored, tell)
                self._assemble()
            self._publish()
        return self._result()

    def run_shard(self, scored: Scored, tell: Tell) -> Run:
        """Start or resume a shard, and leave its files for `merge`."""
        with self.consistent():
            if self._is(COMPLETE):
                self._journal_again()
            else:
                self._open()
                self._take(scored, tell)
                self._checkpoint(COMPLETE)
                self._partial.remove()
                for sink in self._sinks:
                    sink.close()
        return self._result()

    def merge(self, shards: list[tuple[str, RunSummary]], tidy: Callable[[], None]) -> Run:
        """Make the outputs from the files of shards, given by tags in order; `tidy` removes these files."""
        from ..writing._summary import RunSummary

        with self.consistent():
            if not self._is(ASSEMBLED):
                self._before, self._summary = None, RunSummary()
                self._open()
                with self._clock.stage("writing"):
                    for tag, summary in shards:
                        for sink in self._sinks:
                            sink.absorb(tag)
                        self._summary.merge(summary)
                self._assemble()
            self._publish(tidy)
        return self._result()

    def _journal_again(self) -> None:
        """Write the present settings: they may differ from the earlier ones, and a merge compares them."""
        if self._journal and self._before:
            self._journal.write(self._before)

    def _safe(self, kept: dict[str, Any]) -> str:
        n_atoms = kept["partial"]["atoms"]
        frames = counted(kept["summary"]["n_read"], "frame")
        return frames + (f" and {counted(n_atoms, 'atom')} of the next" if n_atoms else "")

    def _result(self) -> Run:
        written = [sink.output for sink in self._sinks]
        resumed_at = (self._resumed_at, self._resumed_at_atom)
        about = (self._about.loss, self._about.verdict_limits)
        return Run(self._summary, *about, written, *resumed_at, self._facts_path, dict(self._clock.seconds))

    def _open(self) -> None:
        lengths = self._before["lengths"] if self._before else [None] * len(self._sinks)
        for sink, length in zip(self._sinks, lengths, strict=True):
            sink.open(length)
        self._partial.open(self._before["partial"] if self._before else None)

    def _take(self, scored: Scored, tell: Tell) -> None:
        last = time.monotonic()
        with Stream() as stream:
            for piece, scores in scored(stream, self._first + self._resumed_at, self._resumed_at_atom):
                with self._clock.stage("writing"):
                    self._count_skipped(piece.first)
                    of_frames = self._partial.add(piece, scores)
                    if of_frames is not None:
                        self._write(piece, of_frames)
                    is_whole_and_large = of_frames is not None and piece.rows is not None
                    if is_whole_and_large or time.monotonic() - last > _BETWEEN_CHECKPOINTS:
                        self._checkpoint()
                        last = time.monotonic()
                tell(self._summary.n_frames, self._summary.n_atoms + self._partial.n_atoms)
        self._count_skipped(self._first + self._summary.n_read + len(self._skipped))
        with self._clock.stage("writing"):
            for sink in self._sinks:
                sink.complete()

    def _write(self, piece: Piece, scores: Scores) -> None:
        totals = None if self._totals is None else self._totals(piece.batch)
        for sink in self._sinks:
            sink.add(piece.first, piece.frames, scores, totals)
        self._summary.add(piece.frames, scores, self._about.energy_key)

    def _count_skipped(self, up_to: int) -> None:
        for number in range(self._first + self._summary.n_read, up_to):
            self._summary.skip(number, self._skipped.pop(number))

    def _checkpoint(self, state: str = _RUNNING) -> None:
        lengths = [] if state == ASSEMBLED else [sink.checkpoint() for sink in self._sinks]
        if self._journal:
            partial = self._partial.checkpoint()
            n_read = self._first + self._summary.n_read + (partial["atoms"] > 0)
            self._journal.write(
                {
                    "state": state,
                    "lengths": lengths,
                    "summary": self._summary.to_json(),
                    "partial": partial,
                    "read": self._read(n_read),
                }
            )

    def _assemble(self) -> None:
        with self._clock.stage("writing"):
            self._checkpoint()
            for sink in self._sinks:
                sink.assemble()
            self._checkpoint(ASSEMBLED)

    def _publish(self, tidy: Callable[[], None] = lambda: None) -> None:
        for sink in self._sinks:
            sink.publish()
        write_whole(self._facts_path.resolve(), json.dumps(self._facts(), indent=2).encode() + b"\n")
        for sink in self._sinks:
            sink.remove()
        self._partial.remove()
        remove_whole(common_path(self._sinks[0].output))
        tidy()
        if self._journal:
            self._journal.remove()

    def _give_up(self, *, remove: bool) -> None:
        files: list[Sink | Partial] = [self._partial, *self._sinks]
        for file in files:
            if remove:
                file.remove()
            else:
                file.close()

    def _facts(self) -> dict[str, Any]:
        """What differs from run to run, and is therefore in no other file."""
        return {
            "command": sys.argv,
            "host": platform.node(),
            "started": datetime.fromtimestamp(self._started, timezone.utc).isoformat(timespec="seconds"),
            "seconds": time.time() - self._started,
            "seconds_of_stages": self._clock.seconds,
            "resumed_at_frame": self._resumed_at,
            "resumed_at_atom": self._resumed_at_atom,
            "frames": self._summary.n_frames,
            "atoms": self._summary.n_atoms,
            "skipped": self._summary.skipped,
            "model_sha256": self._about.model_sha256,
            "versions": self._about.versions,
            "instruction_set": _core.cpu_info()[0],
            "outputs": [str(sink.output) for sink in self._sinks],
        }
