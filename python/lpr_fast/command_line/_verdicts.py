"""Summary of the verdicts of a run, as text and as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from .._species import symbol
from ..jobs._job import Run
from ..models._reference import UNPINNED_SHARE
from ..models._scores import VERDICTS
from ..writing._outputs import LEAST_RIGID

_PINNED, _LOOSE, _UNLIKE = (VERDICTS.index(name) for name in ("pinned", "loose", "unlike"))

_NO_REFERENCE = (
    "there are no verdicts, because the model file does not hold the scores of the training set; fit the model again, "
    "or "
    "add them in Python: model.with_reference(frames).save(file)."
)


def verdict_facts(run: Run, command: Sequence[str]) -> dict[str, Any]:
    """Entries of ``--json``; `command` is that of the run, without its outputs."""
    return {
        "verdict_limits": run.verdict_limits,
        "verdicts_along": [
            {"first_frame": first, "last_frame": last, **by_name(counts)} for first, last, counts in _ranges(run)
        ],
        "frames_beyond": run.summary.verdicts_along.n_beyond,
        "first_frame_beyond": run.summary.verdicts_along.first_beyond,
        "meaning": _meaning(run),
        "next": _next(run, command),
    }


def by_name(counts: list[int]) -> dict[str, int]:
    """Counts by name of verdict."""
    return dict(zip(VERDICTS, counts, strict=True))


def verdict_lines(run: Run, command: Sequence[str]) -> list[str]:
    """Lines to print; `command` is that of the run, without its outputs."""
    summary = run.summary
    lines = []
    if summary.verdicts is not None and any(summary.verdicts):
        rows = [("all", summary.verdicts)]
        if len(summary.species) > 1:
            rows += [(symbol(number), summary.species[number].verdicts or []) for number in sorted(summary.species)]
        of_ranges = [(f"frames {a}-{b}" if a < b else f"frame {a}", counts) for a, b, counts in _ranges(run)]
        rows += of_ranges if len(of_ranges) > 1 else []
        width = max(len("verdicts"), *(len(name) for name, _ in rows))
        lines.append("  ".join(["verdicts".ljust(width), *(name.rjust(8) for name in VERDICTS)]))
        lines += ["  ".join([name.ljust(width), *_percents(counts)]) for name, counts in rows if sum(counts)]
    lines.append(f"meaning   {_meaning(run)}")
    following = _next(run, command)
    return [*lines, f"next      {following}"] if following else lines


def _percents(counts: list[int]) -> list[str]:
    return [f"{_percent(counts, k)} %".rjust(8) for k in range(len(counts))]


def _percent(counts: list[int], verdict: int) -> str:
    """Percentage of atoms with a verdict, with enough digits that only none is 0."""
    share = 100.0 * counts[verdict] / sum(counts)
    return f"{share:.1f}" if share >= 0.1 or not share else f"{share:.1g}"


def _ranges(run: Run) -> Iterator[tuple[int, int, list[int]]]:
    """First frame, last frame and counts of each range of frames."""
    along = run.summary.verdicts_along
    for number, counts in sorted(along.of_range.items()):
        first = number * along.frames_together
        yield first, min(first + along.frames_together, max(run.summary.n_read, first + 1)) - 1, counts


def _meaning(run: Run) -> str:
    """What the verdicts mean, for readers who do not know them."""
    counts, limits = run.summary.verdicts, run.verdict_limits
    if limits is None:
        return _NO_REFERENCE
    if counts is None or not any(counts):
        return "no atom was scored, so there is no verdict."
    along, many = run.summary.verdicts_along, f"{100.0 * UNPINNED_SHARE:g} % of"
    if along.first_beyond is None:
        return (
            f"no frame has more than {many} its atoms (and at least two) loose or unlike the training set: the "
            "training "
            "data determine the local energies of these frames as firmly as those of the training set."
        )
    where = f"in {along.n_beyond} of {run.summary.n_frames} frames (the first is frame {along.first_beyond})"
    if run.summary.n_frames == 1:
        where = "in this frame"
    start = f"{where}, more than {many} the atoms are loose or unlike the training set. Most of these atoms are "
    if counts[_UNLIKE] >= counts[_LOOSE]:
        return (
            f"{start}unlike: neither their energies nor their LPR mean anything. Choose the active set from such "
            "frames too (lpr-fast fit ... --active-from FILE), then add them with their energies."
        )
    return f"{start}loose: do not interpret their local energies. Add structures with such atoms to the training set."


def _next(run: Run, command: Sequence[str]) -> str | None:
    """The command to run next; None if there are no verdicts or no file to plot."""
    counts, limits = run.summary.verdicts, run.verdict_limits
    if limits is None or counts is None or not any(counts):
        return None
    if counts[_LOOSE] + counts[_UNLIKE] > 0 and not any(path.name.endswith(LEAST_RIGID) for path in run.written):
        return shlex.join([*command, "--least-rigid", "20"])
    files = [path for path in run.written if path.suffix in (".h5", ".hdf5")]
    return shlex.join(["lpr-fast", "plot", str(files[0])]) if files else None
