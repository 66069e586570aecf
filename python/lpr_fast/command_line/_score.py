"""``lpr-fast score``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..descriptors._descriptor import imported
from ..descriptors._elements import symbol
from ..jobs._executors import executor_of
from ..jobs._job import Run
from ..jobs._run import score_trajectory
from ..jobs._shards import merge_shards
from ..models._scores import LOSS_NAMES
from ..writing._summary import Extreme, RunSummary
from ._terminal import say, shares, tell, watching

_QUANTILES = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Options:
    """Options of the command."""

    output: tuple[Path, ...]
    unknown_species: Any
    least_rigid: int
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
            unknown_species=options.unknown_species,
            on_error=options.on_error,
            **options.reading,
            descriptor=None if options.descriptor is None else imported(options.descriptor),
            shard=options.shard,
            executor=executor,
            memory=options.memory,
            progress=watch.report_run,
        )
    if (run.resumed_at or run.resumed_at_atom) and not options.quiet:
        say(_went_on(run, with_workers=bool(options.workers or options.scheduler)))
    if options.as_json:
        print(json.dumps(_facts(run), indent=2))
        return run.summary.n_skipped
    lines = _lines(run, LOSS_NAMES[run.loss], ", ".join(trajectory))
    for line in [*lines, _end(run, options.shard)]:
        tell(line, quiet=options.quiet)
    return run.summary.n_skipped


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


def _facts(run: Run) -> dict[str, Any]:
    summary = run.summary
    return {
        "frames": summary.n_frames,
        "atoms": summary.n_atoms,
        "skipped": [{"frame": number, "reason": reason} for number, reason in summary.skipped],
        "skipped_frames": summary.n_skipped,
        "unknown": summary.n_unknown,
        "lpr_lowest": summary.lpr_lowest and asdict(summary.lpr_lowest),
        "residual_largest": summary.residual_largest and asdict(summary.residual_largest),
        "lpr_quantiles": {str(share): summary.quantile(share) for share in _QUANTILES} if summary.lpr_lowest else None,
        "energy_rmse_per_atom": summary.energy_rmse,
        "resumed_at_frame": run.resumed_at,
        "resumed_at_atom": run.resumed_at_atom,
        "seconds": run.seconds,
        "written": [str(path) for path in run.written],
    }


def _end(run: Run, shard: str | None) -> str:
    if shard is None:
        return _written(run)
    return f"shard     {shard} is done; when all are: lpr-fast merge {run.written[0]}"


def _written(run: Run) -> str:
    return f"written   {', '.join(map(str, run.written))}"


def _lines(run: Run, loss: str, source: str) -> list[str]:
    summary = run.summary
    plural = "s" * (summary.n_frames != 1)
    lines = [f"scored    {summary.n_frames} frame{plural}, {summary.n_atoms} atoms, from {source}"]
    if summary.n_skipped:
        plural = "s" * (summary.n_skipped != 1)
        lines.append(f"skipped   {summary.n_skipped} frame{plural}, the first because {summary.skipped[0][1]}")
    if summary.n_unknown:
        lines.append(f"unknown   {summary.n_unknown} atoms are, or are near, species that the model does not know: NaN")
    lines += _about_rigidity(summary, loss)
    if summary.energy_rmse is not None:
        lines.append(
            f"energies  root mean square error {summary.energy_rmse:.4g} per atom, of {summary.n_energies} frames that "
            "have energies"
        )
    lines.append(f"seconds   {shares(run.seconds)}")
    return lines


def _about_rigidity(summary: RunSummary, loss: str) -> list[str]:
    if summary.lpr_lowest is None:
        return []
    low, middle, high = (summary.quantile(share) for share in _QUANTILES)
    lines = [
        f"LPR       lowest {_where(summary.lpr_lowest)}",
        f"          5 %, 50 %, 95 % of atoms: {low:.3g}, {middle:.3g}, {high:.3g} (loss on {loss})",
    ]
    if summary.residual_largest is not None:
        lines.append(f"residual  largest {_where(summary.residual_largest)}; 1 is unlike anything in the active set")
    return lines


def _where(extreme: Extreme) -> str:
    element = symbol(extreme.species)
    return f"{extreme.value:.4g} at frame {extreme.frame}, atom {extreme.atom} ({element}), counted from 0"
