"""One run in ranges of frames that workers score, and its files as of one process."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .._errors import InvalidInputError, LprWarning
from ..reading._sources import Files
from ..writing._spool import InUseError
from ._cluster import Cluster, check, check_wanted, connected
from ._job import Run, RunInterruptedError
from ._run import RunProgress, Work, score_part
from ._shards import frames_done, has_shards, merged, refuse_other_runs
from ._stream import Clock

# So much work that the files of a range and its messages do not matter, and so many that a folder can hold their files.
# The workers have no say in it: a run goes on with any number of them.
_ATOMS_OF_RANGE = 10_000
_MOST_RANGES = 1000

# Seconds to wait for files of a worker that is dying, or does a range whose client is gone, and may well finish it.
_PATIENCE = 3600.0


@dataclass(frozen=True)
class _Sent:
    """What every range has in common, and what the worker should see of the files."""

    work: Work
    source: Files
    identity: Any
    folder: Path


@dataclass(frozen=True)
class _Done:
    """What a range came to."""

    n_frames: int
    n_atoms: int
    seconds: dict[str, float]
    remarks: list[str]


def score_on_workers(
    scheduler: Any, workers: int, work: Work, clock: Clock, progress: Callable[[RunProgress], None] | None
) -> Run:
    """See `score_trajectory`."""
    source = work.source
    check_wanted(scheduler, workers)
    if not isinstance(source, Files):
        raise InvalidInputError(f"{source.name} cannot be read by workers; give files.")
    with clock.stage("reading"):
        identity = source.identity()
        source = source.read_through(on_error=work.on_error)
    n_ranges = min(source.n_frames(), _MOST_RANGES, -(-(source.n_atoms() or 1) // _ATOMS_OF_RANGE))
    refuse_other_runs(work.outputs[0], n_ranges)
    resumed_at = frames_done(work.outputs[0])
    outputs = {output.resolve(): output for output in work.outputs}
    sent = _Sent(replace(work, source=source, outputs=list(outputs)), source, identity, Path.cwd())
    try:
        with connected(scheduler, workers) as cluster:
            _score(cluster, n_ranges, sent, clock, progress)
    except KeyboardInterrupt:
        if not has_shards(work.outputs[0]):
            raise
        raise RunInterruptedError(
            "interrupted, what the workers have written is safe; give the same command again to go on, or delete "
            f"{work.outputs[0]}.shard-* to start afresh."
        ) from None
    run = merged(work.outputs[0], clock)
    written = [outputs.get(path, work.outputs[0].with_name(path.name)) for path in run.written]
    return replace(run, written=written, resumed_at=resumed_at)


def _score(
    cluster: Cluster, n_ranges: int, sent: _Sent, clock: Clock, progress: Callable[[RunProgress], None] | None
) -> None:
    """Have all ranges scored."""
    n_frames, n_atoms = 0, 0
    remarks: set[str] = set()
    shards = [f"{index}/{n_ranges}" for index in range(1, n_ranges + 1)]
    for _, done in cluster.run(_score_range, shards, cluster.send(sent)):
        n_frames, n_atoms = n_frames + done.n_frames, n_atoms + done.n_atoms
        clock.add(done.seconds)
        for remark in set(done.remarks) - remarks:
            warnings.warn(remark, LprWarning, stacklevel=5)
        remarks |= set(done.remarks)
        if progress is not None:
            progress(RunProgress(n_frames, n_atoms, sent.source.n_atoms(), dict(clock.seconds)))


def _score_range(shard: str, sent: _Sent) -> _Done:
    """Score a range of frames, on a worker."""
    source = sent.source.seen_from(sent.folder, sent.identity)
    work, deadline = replace(sent.work, source=source), time.monotonic() + _PATIENCE
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", LprWarning)
        while True:
            try:
                run = score_part(work, shard, Clock(), lambda *_: check())
                break
            except InUseError:
                if time.monotonic() > deadline:
                    raise
                check()
                time.sleep(0.2)
    remarks = [str(item.message) for item in caught if issubclass(item.category, LprWarning)]
    return _Done(run.summary.n_frames, run.summary.n_atoms, run.seconds, remarks)
