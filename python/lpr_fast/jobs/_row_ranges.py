"""Which rows of the training set come from which structures, and ranges of them for workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._arrays import Array

# Structures that a worker takes together, at most: what is lost when it dies.
_LARGEST = 256


@dataclass(frozen=True)
class RowRange:
    """Rows that follow one another, and the structures that they come from.

    Attributes
    ----------
    rows, structures : range
        Their numbers.
    left_out : int
        Rows of the first structure that come before these.
    """

    rows: range
    structures: range
    left_out: int

    def trimmed(self, blocks: Iterable[Array]) -> Iterator[Array]:
        """These rows alone, of all rows of the structures, which come in blocks."""
        start = -self.left_out
        for block in blocks:
            chosen = block[max(0, -start) : max(0, len(self.rows) - start)]
            start += len(block)
            if len(chosen):
                yield chosen


class RowNumbers:
    """Numbers of the rows of each structure, which are counted from one structure to the next.

    Parameters
    ----------
    counts : numpy.ndarray of int, shape (n_structures,)
        How many rows each structure has.
    """

    def __init__(self, counts: NDArray[np.int64]) -> None:
        self._first = np.concatenate([[0], np.cumsum(counts)])

    @property
    def n_rows(self) -> int:
        """All rows."""
        return int(self._first[-1])

    def n_whole(self, n_rows: int) -> int:
        """Structures all of whose rows are among the first so many."""
        return int(np.searchsorted(self._first, n_rows, side="right")) - 1

    def range_of(self, start: int, stop: int) -> RowRange:
        """Rows from `start` to before `stop`."""
        first, last = self.n_whole(start), int(np.searchsorted(self._first, stop, side="left"))
        return RowRange(range(start, stop), range(first, last), start - int(self._first[first]))

    def ranges(self, start: int, leaf_rows: int, largest: int = _LARGEST) -> Iterator[RowRange]:
        """All rows from `start` on, cut at the leaves of the tree, and after so many structures.

        What accumulators of these ranges hold, merged in order into one of the rows before `start`, has the bits of one
        that takes row by row: rows wait as they are until a leaf is full. Of a structure whose rows are cut, both
        workers make all rows.
        """
        while start < self.n_rows:
            end_of_leaf = (start // leaf_rows + 1) * leaf_rows
            most = self._first[min(self.n_whole(start) + largest, len(self._first) - 1)]
            stop = min(end_of_leaf, int(most))
            yield self.range_of(start, stop)
            start = stop
