"""Reports on the progress of calls."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from ._arrays import Array

#: Called as ``progress(stage, done, total)`` whenever a part of the work is done.
Progress: TypeAlias = Callable[[str, int, int], None]

# Rows between two reports.
_ROWS = 16384

# Least time between two changes of the line, in seconds.
_INTERVAL = 0.1


def silent(stage: str, done: int, total: int | None) -> None:
    """Report nothing."""


class ProgressLine:
    """A line on standard error that shows the progress of a call: pass one as `progress`.

    It works in terminals and notebooks.

    Parameters
    ----------
    after : float
        The line appears if the call takes longer than this, in seconds.

    Examples
    --------
    >>> import numpy as np
    >>> from lpr_fast import ProgressLine, Rigidity
    >>> X = np.random.default_rng(seed=0).normal(size=(50, 4))
    >>> rigidity = Rigidity.from_features(X, regularizer=1e-3, progress=ProgressLine())
    """

    def __init__(self, after: float = 2.0) -> None:
        self._shown_from = time.monotonic() + after
        self._last = 0.0
        self._length = 0

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Show that `done` of `total` is done in a stage."""
        now = time.monotonic()
        is_done = done == total
        if now < self._shown_from or (now - self._last < _INTERVAL and not is_done):
            return
        self._last = now
        line = f"{stage}: {done:,}" + (f" of {total:,}" if total is not None else "")
        print(f"\r{line:{self._length}s}", end="\n" if is_done else "", file=sys.stderr, flush=True)
        self._length = 0 if is_done else len(line)


def reported_slices(stage: str, total: int, step: int, progress: Progress) -> Iterator[slice]:
    """Yield slices of `total` items and report each when it is done; a single slice if `progress` is `silent`."""
    step = total if progress is silent else step
    for first in range(0, total, max(step, 1)):
        yield slice(first, min(first + step, total))
        progress(stage, min(first + step, total), total)


def call_in_parts(call: Callable[[Array], Array], rows: Array, progress: Progress) -> Array:
    """Return ``call(rows)``, one number for each row, computed in parts with reports in between."""
    if progress is silent:
        return call(rows)
    return np.concatenate(
        [np.zeros(0), *(call(rows[part]) for part in reported_slices("rows", len(rows), _ROWS, progress))]
    )
