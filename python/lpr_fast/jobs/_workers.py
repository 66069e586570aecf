"""One run on the workers of an executor, in ranges of frames; its files are those of one process."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .._errors import InvalidInputError
from ..reading._sources import Files
from ._job import Run
from ._lock import locked
from ._restart import RunInterruptedError
from ._scoring import Progress, RunProgress, ScoreSettings, score_shard
from ._shards import Shard, count_begun, frames_done, has_shards, merged, refuse_whole_run
from ._stream import Clock
from ._tasks import Tasks

# Atoms in a range, so that the cost of its files and messages is negligible, and the largest number of ranges. They do
# not depend on the number of workers, so a run can resume with any number.
_ATOMS_OF_RANGE = 10_000
_MOST_RANGES = 1000

# Seconds to wait for a worker of a killed run, which may still finish its range.
_PATIENCE = 3600.0


@dataclass(frozen=True)
class _Work:
    """What all ranges have in common."""

    settings: ScoreSettings
    files: Files
    identity: Any
    folder: Path


@dataclass(frozen=True)
class _Done:
    """Summary of a finished range."""

    n_frames: int
    n_atoms: int
    seconds: dict[str, float]


def score_on_workers(executor: Executor, settings: ScoreSettings, clock: Clock, progress: Progress | None) -> Run:
    """Do a whole run; the caller holds the locks of its outputs, a worker those of its range."""
    files, output = settings.source, settings.outputs[0]
    if not isinstance(files, Files):
        raise InvalidInputError(f"{files.name} cannot be read by workers; give files.")
    tasks = Tasks(executor, output)
    with clock.stage("reading"):
        identity = files.identity()
        files = files.read_through(on_error=settings.on_error)
    refuse_whole_run(output)
    ranges = Shard.ranges(count_begun(output) or _n_ranges(files), files.n_frames())
    resumed_at = frames_done(output)
    outputs = {path.resolve(): path for path in settings.outputs}
    work = _Work(replace(settings, source=files, outputs=list(outputs)), files, identity, Path.cwd())
    try:
        _score(tasks, ranges, work, clock, progress)
    except KeyboardInterrupt:
        if not has_shards(output):
            raise
        raise RunInterruptedError(
            "interrupted; the finished work of the workers is kept: give the same command again to resume, or delete "
            f"{output}.shard-* to start anew."
        ) from None
    run = merged(output, clock)
    written = [outputs.get(path, output.with_name(path.name)) for path in run.written]
    return replace(run, written=written, resumed_at=resumed_at)


def _n_ranges(files: Files) -> int:
    return min(files.n_frames(), _MOST_RANGES, -(-(files.n_atoms() or 1) // _ATOMS_OF_RANGE))


def _score(tasks: Tasks, ranges: list[Shard], work: _Work, clock: Clock, progress: Progress | None) -> None:
    """Score all ranges."""
    n_frames, n_atoms = 0, 0
    with tasks.sharing(work) as common:
        for done in tasks.results(_score_range, ranges, common, most=len(ranges), stacklevel=4):
            n_frames, n_atoms = n_frames + done.n_frames, n_atoms + done.n_atoms
            clock.add(done.seconds)
            if progress is not None:
                progress(RunProgress(n_frames, n_atoms, work.files.n_atoms(), dict(clock.seconds)))


def _score_range(work: _Work, shard: Shard) -> _Done:
    """Score a range of frames, on a worker."""
    settings = replace(work.settings, source=work.files.seen_from(work.folder, work.identity))
    with locked(settings.outputs[:1], tag=shard.tag, patience=_PATIENCE):
        run = score_shard(settings, shard, Clock())
    return _Done(run.summary.n_frames, run.summary.n_atoms, run.seconds)
