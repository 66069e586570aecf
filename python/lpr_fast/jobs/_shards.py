"""One run in many independent jobs (shards), and their results joined."""

from __future__ import annotations

import re
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._errors import InvalidInputError
from ..reading._sources import Files, Source
from ..writing._spool import beside
from ._job import ASSEMBLED, COMPLETE, Job, Run
from ._journal import SUFFIX, Journal, in_words, stored
from ._lock import locked
from ._stream import Clock

if TYPE_CHECKING:
    from ..writing._summary import RunSummary

# Value of the setting "shard" of a merge.
_MERGED = "merged"

# Settings in which the shards of one run may differ.
_OWN: dict[str, Any] = {"shard": _MERGED, "frames": None, "on_error": None, "unknown_species": None}


@dataclass(frozen=True)
class Shard:
    """One of `count` equal ranges of frames, first <= frame < stop; `index` counts from one."""

    index: int
    count: int
    first: int
    stop: int

    @classmethod
    def of(cls, text: str, source: Source) -> Shard:
        """The shard of a text such as "3/100".

        Raises
        ------
        InvalidInputError
            For other texts, and for sources that cannot be read twice.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", str(text))
        index, count = (int(match.group(1)), int(match.group(2))) if match else (0, 0)
        if not 1 <= index <= count:
            raise InvalidInputError(f"shard is {text!r}; give for example 3/100, the third of a hundred.")
        if not isinstance(source, Files):
            raise InvalidInputError(f"{source.name} cannot be read by several jobs; give files.")
        return cls.ranges(count, source.n_frames())[index - 1]

    @classmethod
    def ranges(cls, count: int, n_frames: int) -> list[Shard]:
        """All shards of `n_frames` frames."""
        ends = [index * n_frames // count for index in range(count + 1)]
        return [cls(index, count, *ends[index - 1 : index + 1]) for index in range(1, count + 1)]

    @property
    def name(self) -> str:
        """The name, for example "3/100"."""
        return f"{self.index}/{self.count}"

    @property
    def tag(self) -> str:
        """Part of the names of its files."""
        return f".shard-{self.index}-of-{self.count}"


def merge_shards(output: str | PathLike[str]) -> Run:
    """Join the shards of a run into its outputs, with the same bytes as a run without shards.

    Parameters
    ----------
    output : path
        The first output of the run.

    Returns
    -------
    Run

    Raises
    ------
    InvalidInputError
        If shards are missing, incomplete, or of different runs.
    """
    first = Path(output)
    with locked([first], stacklevel=3):
        plan = _plan(first)
        with locked([path for path in plan.outputs if path.resolve() != first.resolve()], stacklevel=3):
            return merged(first, Clock())


def merged(first: Path, clock: Clock) -> Run:
    """See `merge_shards`; the locks are held, and `clock` has the seconds of the shards."""
    from ..writing import _outputs
    from ..writing._sinks import About

    plan = _plan(first)
    facts = plan.settings["about"]
    about = About(
        **{
            **facts,
            "species": tuple(facts["species"]),
            "columns": tuple(facts["columns"]),
            "totals": tuple(facts["totals"]),
        }
    )
    sinks = _outputs.sinks_of(
        plan.outputs, about, least_rigid=plan.settings["least_rigid"], groups=plan.settings["groups"]
    )
    job = Job(sinks, Journal(first, plan.settings), about, clock, skipped={})
    return job.merge(plan.parts, lambda: _remove([sink.output for sink in sinks]))


@dataclass(frozen=True)
class _Plan:
    """What to merge: settings of the run, tags and summaries of the shards."""

    settings: dict[str, Any]
    parts: list[tuple[str, RunSummary]]

    @property
    def outputs(self) -> list[Path]:
        return [Path(path) for path in self.settings["outputs"]]


def _plan(output: Path) -> _Plan:
    return _interrupted_plan(output) or _new_plan(output)


def _interrupted_plan(output: Path) -> _Plan | None:
    """Plan of a merge that was killed while it removed the shards; some may be gone already."""
    journal = beside(output, SUFFIX)
    if not journal.exists():
        return None
    settings, progress = stored(journal)
    return _Plan(settings, []) if progress.get("state") == ASSEMBLED and settings.get("shard") == _MERGED else None


def _new_plan(output: Path) -> _Plan:
    """Plan of a merge of complete shards."""
    from ..writing._summary import RunSummary

    journals = _journals(output)
    found = [stored(path) for path in journals]
    settings = _common(found, journals)
    tags = [path.name.removeprefix(output.resolve().name).removesuffix(SUFFIX) for path in journals]
    summaries = [RunSummary.from_json(progress["summary"]) for _, progress in found]
    return _Plan(settings, list(zip(tags, summaries, strict=True)))


def _remove(outputs: list[Path]) -> None:
    """Remove the files of shards."""
    for output in outputs:
        for path in _files_of_shards(output):
            path.unlink()


def _journals(output: Path) -> list[Path]:
    """Journals of all shards, in order."""
    count = count_begun(output)
    if count is None:
        raise InvalidInputError(f"there are no shards of {output}; give the first output of a run with --shard.")
    missing = sorted(set(range(1, count + 1)) - {int(match.group(1)) for match in _found(output)})
    if missing:
        raise InvalidInputError(f"shard {missing[0]}/{count} of {output} is missing; run it first.")
    return [beside(output, f".shard-{index}-of-{count}{SUFFIX}") for index in range(1, count + 1)]


def _found(output: Path) -> list[re.Match[str]]:
    """Names of the existing journals, with index and count."""
    name = output.resolve().name
    pattern = re.compile(re.escape(name) + r"\.shard-(\d+)-of-(\d+)" + re.escape(SUFFIX))
    return [match for path in output.resolve().parent.iterdir() if (match := pattern.fullmatch(path.name))]


def has_shards(output: Path) -> bool:
    """Whether there are files of shards beside an output."""
    return bool(_files_of_shards(output))


def _files_of_shards(output: Path) -> list[Path]:
    name = output.resolve().name + ".shard-"
    return [path for path in output.resolve().parent.iterdir() if path.name.startswith(name)]


def frames_done(output: Path) -> int:
    """Number of frames that the shards have done."""
    return sum(stored(output.resolve().with_name(match.string))[1]["summary"]["n_read"] for match in _found(output))


def refuse_shards(output: Path) -> None:
    """Refuse a run without shards where one with shards is unfinished: it would leave their files."""
    if has_shards(output):
        raise InvalidInputError(
            f"an unfinished run of {output} has shards or workers; resume it with them, or delete {output}.shard-* to "
            "start anew."
        )


def refuse_whole_run(output: Path) -> None:
    """Refuse shards where a run without them is unfinished: its files would be in the way of the merge."""
    journal = beside(output, SUFFIX)
    if journal.exists() and stored(journal)[0].get("shard") != _MERGED:
        raise InvalidInputError(
            f"the unfinished run of {journal} has no workers; resume it without them, or delete that file to start "
            "anew."
        )


def count_begun(output: Path) -> int | None:
    """Number of shards of an unfinished run; None without one.

    Raises
    ------
    InvalidInputError
        If there are several such runs.
    """
    counts = {int(match.group(2)) for match in _found(output)}
    if len(counts) > 1:
        numbers = ", ".join(map(str, sorted(counts)))
        raise InvalidInputError(
            f"{output} has shards of several runs, of {numbers} shards; delete those of all runs but one."
        )
    return min(counts, default=None)


def _common(found: list[tuple[dict[str, Any], dict[str, Any]]], journals: list[Path]) -> dict[str, Any]:
    """Settings that all shards have in common."""
    common = {**found[0][0], **_OWN}
    for (settings, progress), path in zip(found, journals, strict=True):
        if progress["state"] != COMPLETE:
            raise InvalidInputError(f"the shard of {path} is incomplete; give its command again.")
        for name, value in {**settings, **_OWN}.items():
            if common.get(name) != value:
                raise InvalidInputError(f"the shard of {path} is of a run with another {in_words(name)}; run it again.")
    return common
