"""``lpr-fast score``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..descriptors._imported import imported
from ..jobs._executors import executor_of
from ..jobs._job import Run
from ..jobs._run import score_trajectory
from ..jobs._scoring import RunProgress
from ..jobs._shards import merge_shards
from ._groups import group_facts, group_lines, groups_of
from ._summary import as_facts, as_lines
from ._terminal import Watch, say, tell, watching
from ._verdicts import verdict_lines


@dataclass(frozen=True)
class Options:
    """Options of the command."""

    output: tuple[Path, ...]
    unknown_species: Any
    least_rigid: int
    groups: str | None
    force_sigma: bool
    on_error: Any
    reading: dict[str, Any]
    descriptor: str | None
    shard: str | None
    workers: int
    scheduler: str | None
    memory: str | None
    quiet: bool
    as_json: bool


def score(model_path: Path, trajectory: tuple[str, ...], options: Options) -> int:
    """Read, score, write, and say what came of it; return the number of frames that were skipped."""
    with (
        executor_of(workers=options.workers, scheduler=options.scheduler) as executor,
        watching(hidden=options.quiet) as watch,
    ):
        run = score_trajectory(
            model_path,
            list(trajectory),
            options.output or None,
            least_rigid=options.least_rigid,
            groups=options.groups,
            forces=options.force_sigma,
            unknown_species=options.unknown_species,
            on_error=options.on_error,
            **options.reading,
            descriptor=None if options.descriptor is None else imported(options.descriptor),
            shard=options.shard,
            executor=executor,
            memory=options.memory,
            progress=partial(_report, watch, quiet=options.quiet),
        )
    if (run.resumed_at or run.resumed_at_atom) and not options.quiet:
        say(_went_on(run, with_workers=bool(options.workers or options.scheduler)))
    groups = None if options.groups is None or options.shard else groups_of(run, options.groups)
    if options.as_json:
        facts = as_facts(run, model_path, trajectory)
        print(json.dumps(facts if groups is None else {**facts, "groups": group_facts(groups)}, indent=2))
        return run.summary.n_skipped
    verdicts = [] if options.shard else verdict_lines(run, model_path, trajectory)
    about_groups = [] if groups is None else group_lines(groups)
    for line in [*as_lines(run, ", ".join(trajectory)), *about_groups, _end(run, options.shard), *verdicts]:
        tell(line, quiet=options.quiet)
    return run.summary.n_skipped


def _report(watch: Watch, run: RunProgress, *, quiet: bool) -> None:
    """Show how far a run is, and before it begins, what its forces will take."""
    if run.force_seconds is not None and not quiet:
        per_atom, n_atoms = run.force_seconds, run.atoms_in_all
        in_all = "" if n_atoms is None else f", {per_atom * n_atoms / 60:,.1f} min for {n_atoms:,} atoms"
        say(f"forces will take about {1e3 * per_atom:,.1f} ms an atom in each process{in_all}.")
    watch.report_run(run)


def _went_on(run: Run, *, with_workers: bool) -> str:
    if with_workers:
        return f"went on: {run.resumed_at} frames had been done before."
    within = f" after {run.resumed_at_atom} of its atoms" if run.resumed_at_atom else ""
    return f"went on from frame {run.resumed_at}{within}, where an earlier run had stopped."


def merge(output: Path) -> None:
    """Make one run of its shards."""
    run = merge_shards(output)
    tell(f"merged    {run.summary.n_frames} frames, {run.summary.n_atoms} atoms")
    tell(_written(run))


def _end(run: Run, shard: str | None) -> str:
    if shard is None:
        return _written(run)
    return f"shard     {shard} is done; when all are: lpr-fast merge {run.written[0]}"


def _written(run: Run) -> str:
    return f"written   {', '.join(map(str, run.written))}"
