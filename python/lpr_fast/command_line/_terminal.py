"""What is written to the terminal: results to standard output, everything else to standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


def say(message: str) -> None:
    """Print a remark to standard error."""
    print(f"lpr-fast: {message}", file=sys.stderr)


class _Rate(ProgressColumn):
    """Atoms in a second."""

    def render(self, task: Task) -> Text:
        """Draw the column."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} atoms/s", style="progress.data.speed")


class Watch:
    """A progress bar in atoms, and the seconds that each kind of work took."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._last = time.perf_counter()
        self.seconds: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """Count the time since the last lap as that of `name`."""
        now = time.perf_counter()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._last
        self._last = now

    def report(self, what: str, done: int, total: int | None) -> None:
        """Show how many atoms of how many are done with; no total, no time left."""
        known = {task.description: task.id for task in self._progress.tasks}
        task = known[what] if what in known else self._progress.add_task(what, total=total)
        self._progress.update(task, completed=done, total=total)

    def summary(self) -> str:
        """Seconds of each kind of work, and their share of the whole."""
        return shares(self.seconds)


def shares(seconds: dict[str, float]) -> str:
    """Seconds of each kind of work, and their share of all work."""
    whole = sum(seconds.values()) or 1.0
    return ", ".join(f"{name} {spent:.2f} ({spent / whole:.0%})" for name, spent in seconds.items())


@contextmanager
def watching(*, hidden: bool = False) -> Iterator[Watch]:
    """A watch whose bars are drawn only on a terminal, and gone afterwards."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=hidden or not console.is_terminal) as progress:
        yield Watch(progress)
