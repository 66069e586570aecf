"""Output of the commands: results to standard output, remarks and progress to standard error."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from .._files import printable
from .._words import counted
from ..jobs._scoring import RunProgress
from ._log import note

# Seconds between two lines about progress in a log.
_BETWEEN_LINES = 10.0


def say(message: str) -> None:
    """Print a remark to standard error."""
    print(f"lpr-fast: {printable(message)}", file=sys.stderr)
    note(message, logging.WARNING)


def tell(line: str, *, quiet: bool = False) -> None:
    """Print a line of results; a quiet command writes it to the log only."""
    if not quiet:
        print(printable(line))
    note(line)


class _Rate(ProgressColumn):
    """Atoms in a second."""

    def render(self, task: Task) -> Text:
        """Draw the column."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} atoms/s", style="progress.data.speed")


class _Bars(Progress):
    """Progress bars, and a line below them."""

    remark = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        """Draw them."""
        yield self.make_tasks_table(self.tasks)
        if self.remark:
            yield Text(self.remark, no_wrap=True, overflow="ellipsis")


class Watch:
    """A progress bar in atoms, its lines in the log, and the seconds of each kind of work."""

    def __init__(self, progress: _Bars) -> None:
        self._progress = progress
        self._last = self._last_line = time.perf_counter()
        self.seconds: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """Add the time since the last lap to that of `name`."""
        now = time.perf_counter()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._last
        self._last = now

    def report(self, what: str, done: int, total: int | None, remark: str = "") -> None:
        """Show how many atoms are done; without a total, no remaining time is shown."""
        known = {task.description: task.id for task in self._progress.tasks}
        task = known[what] if what in known else self._progress.add_task(what, total=total)
        self._progress.remark = remark
        self._progress.update(task, completed=done, total=total)
        if time.perf_counter() - self._last_line > _BETWEEN_LINES:
            self._last_line = time.perf_counter()
            note(_line(self._progress.tasks[task], remark))

    def report_run(self, run: RunProgress) -> None:
        """Show how far a run is, and how its time is spent."""
        remark = f"{counted(run.frames, 'frame')}; {percentages(run.seconds)}"
        self.report("scoring", run.atoms, run.atoms_in_all, remark)

    def summary(self) -> str:
        """Seconds of each kind of work."""
        return shares(self.seconds)


def _line(task: Task, remark: str) -> str:
    """The bar as text."""
    of_all = "" if task.total is None else f" of {task.total:,.0f}"
    rate = f", {task.speed:,.0f} atoms/s" if task.speed else ""
    left = "" if task.time_remaining is None else f", {task.time_remaining / 60:,.1f} min left"
    return f"{task.description}: {task.completed:,.0f}{of_all} atoms{rate}{left}" + (f"; {remark}" if remark else "")


def shares(seconds: Mapping[str, float]) -> str:
    """Seconds in total, and the seconds and the share of each kind of work."""
    whole = sum(seconds.values())
    parts = ", ".join(f"{name} {spent:.2f} ({spent / (whole or 1.0):.0%})" for name, spent in seconds.items())
    return f"{whole:.2f} in total: {parts}"


def percentages(seconds: Mapping[str, float]) -> str:
    """The share of each kind of work."""
    whole = sum(seconds.values()) or 1.0
    return ", ".join(f"{name} {spent / whole:.0%}" for name, spent in seconds.items())


@contextmanager
def watching(*, hidden: bool = False) -> Iterator[Watch]:
    """A watch; its bars are drawn on a terminal only, and erased at the end."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with _Bars(*columns, console=console, transient=True, disable=hidden or not console.is_terminal) as progress:
        yield Watch(progress)


def write_each(outputs: Sequence[Path], write: Callable[[Path], object]) -> None:
    """Write files one by one and name them; an interrupt names those that are complete."""
    for number, output in enumerate(outputs):
        try:
            write(output)
        except KeyboardInterrupt as error:
            before = ", ".join(map(str, outputs[:number])) or "no file"
            raise KeyboardInterrupt(f"interrupted; written before: {before}.") from error
    tell(f"written   {', '.join(map(str, outputs))}")


def aligned(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table; columns without any entry are left out."""
    columns = [column for column in zip(heads, *rows, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    lines = zip(*columns, strict=True)
    return ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines]
