"""How far a call is, for those who want to know."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from ._arrays import Array

#: Called when a piece of work is done, with the name of its kind, and how much of how much is done.
Progress: TypeAlias = Callable[[str, int, int], None]

# Rows that are scored between two reports.
_ROWS = 16384

# Seconds between two changes of a line.
_BETWEEN = 0.1


def silent(stage: str, done: int, total: int | None) -> None:
    """Say nothing."""


class ProgressLine:
    """A line on the standard error that says how far a call is: give one as `progress`.

    It appears when the call takes longer than `after` seconds, in terminals and notebooks alike.

    Parameters
    ----------
    after : float
        Seconds.
    """

    def __init__(self, after: float = 2.0) -> None:
        self._shown_from = time.monotonic() + after
        self._last = 0.0
        self._length = 0

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Show that of a stage so much of so much is done."""
        now = time.monotonic()
        is_done = done == total
        if now < self._shown_from or (now - self._last < _BETWEEN and not is_done):
            return
        self._last = now
        line = f"{stage}: {done:,}" + (f" of {total:,}" if total is not None else "")
        print(f"\r{line:{self._length}s}", end="\n" if is_done else "", file=sys.stderr, flush=True)
        self._length = 0 if is_done else len(line)


def slices(stage: str, total: int, step: int, progress: Progress) -> Iterator[slice]:
    """Parts of so many items, each of which is told of when it is done; all at once if nobody wants to know."""
    step = total if progress is silent else step
    for first in range(0, total, max(step, 1)):
        yield slice(first, min(first + step, total))
        progress(stage, min(first + step, total), total)


def scored(call: Callable[[Array], Array], rows: Array, progress: Progress) -> Array:
    """What a call makes of rows, of which each gives a number."""
    if progress is silent:
        return call(rows)
    return np.concatenate([np.zeros(0), *(call(rows[part]) for part in slices("rows", len(rows), _ROWS, progress))])
