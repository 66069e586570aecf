"""``lpr-fast score``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from .._words import counted
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
    """Read, score, write and report; return the number of skipped frames."""
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
            descriptor=options.descriptor,
            shard=options.shard,
            executor=executor,
            memory=options.memory,
            progress=partial(_report, watch, quiet=options.quiet),
        )
    if (run.resumed_at or run.resumed_at_atom) and not options.quiet:
        say(_resumed(run, with_workers=bool(options.workers or options.scheduler)))
    command = _command(model_path, trajectory, options)
    groups = None if options.groups is None or options.shard else groups_of(run, options.groups)
    if options.as_json:
        facts = as_facts(run, command)
        print(json.dumps(facts if groups is None else {**facts, "groups": group_facts(groups)}, indent=2))
        return run.summary.n_skipped
    verdicts = [] if options.shard else verdict_lines(run, command)
    about_groups = [] if groups is None else group_lines(groups)
    for line in [*as_lines(run, ", ".join(trajectory)), *about_groups, _end(run, options.shard), *verdicts]:
        tell(line, quiet=options.quiet)
    return run.summary.n_skipped


def _command(model: Path, trajectory: tuple[str, ...], options: Options) -> list[str]:
    """The command of a run, without its outputs and with the options that any run on these files needs."""
    needed = {**options.reading, "descriptor": options.descriptor}
    if options.unknown_species != "error":
        needed["unknown-species"] = options.unknown_species
    if options.on_error != "stop":
        needed["on-error"] = options.on_error
    given = [word for name, value in needed.items() if value is not None for word in (f"--{name}", str(value))]
    return ["lpr-fast", "score", str(model), *trajectory, *given]


def _report(watch: Watch, run: RunProgress, *, quiet: bool) -> None:
    """Show the progress of a run, and before it begins the time that forces will take."""
    if run.force_seconds is not None and not quiet:
        per_atom, n_atoms = run.force_seconds, run.atoms_in_all
        in_all = "" if n_atoms is None else f", {per_atom * n_atoms / 60:,.1f} min for {n_atoms:,} atoms"
        say(f"forces will take about {1e3 * per_atom:,.1f} ms per atom in each process{in_all}.")
    watch.report_run(run)


def _resumed(run: Run, *, with_workers: bool) -> str:
    if with_workers:
        return f"resumed: {counted(run.resumed_at, 'frame')} had been scored before."
    within = f" after {run.resumed_at_atom} of its atoms" if run.resumed_at_atom else ""
    return f"resumed at frame {run.resumed_at}{within}, where an earlier run stopped."


def merge(output: Path) -> None:
    """Join the shards of a run."""
    run = merge_shards(output)
    tell(f"merged    {counted(run.summary.n_frames, 'frame')}, {counted(run.summary.n_atoms, 'atom')}")
    tell(_written(run))


def _end(run: Run, shard: str | None) -> str:
    if shard is None:
        return _written(run)
    return f"shard     {shard} is done; when all are done, run: lpr-fast merge {run.written[0]}"


def _written(run: Run) -> str:
    return f"written   {', '.join(map(str, run.written))}"
