"""Pieces of work that are scored at once: several whole frames, or a part of a large one."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._errors import LprWarning
from . import _frames
from ._describer import Ready

if TYPE_CHECKING:
    from ase import Atoms

Indices = NDArray[np.int64]

# Larger frames are scored in parts, so that progress is visible and finished parts survive a crash.
LARGEST_WHOLE = 4096


@dataclass(frozen=True)
class Piece:
    """Structures to score, and the atoms to score.

    Attributes
    ----------
    first : int
        Number of the first frame.
    batch : list of Ready
        The checked frames; a single one if it is large.
    range : tuple of int, or None
        For a part of a large frame: first and last + 1 of its atoms, in the order of the bins.
    rows : numpy.ndarray of int, or None
        For a part of a large frame: numbers of these atoms.
    """

    first: int
    batch: list[Ready]
    range: tuple[int, int] | None = None
    rows: Indices | None = None

    @cached_property
    def frames(self) -> list[Atoms]:
        """The frames."""
        return [ready.frame for ready in self.batch]

    @cached_property
    def structures(self) -> list[_core.Structure]:
        """Their atoms in bins, for a descriptor of the core."""
        return [ready.structure for ready in self.batch if ready.structure is not None]

    @property
    def is_first(self) -> bool:
        """Whether this is the first piece of its frames."""
        return self.range is None or self.range[0] == 0

    @property
    def is_last(self) -> bool:
        """Whether this is the last piece of its frames."""
        return self.range is None or self.range[1] == len(self.frames[0])

    @property
    def chosen(self) -> list[tuple[int, int] | None]:
        """Atoms to score in each structure, as the core takes them."""
        return [self.range] * len(self.batch)

    @property
    def numbers(self) -> Indices:
        """Atomic numbers of the atoms to score."""
        if self.rows is not None:
            return np.asarray(self.frames[0].numbers[self.rows], dtype=np.int64)
        return np.concatenate([frame.numbers for frame in self.frames]).astype(np.int64)

    @property
    def frame(self) -> Indices:
        """Number of the frame of each atom to score."""
        if self.rows is not None:
            return np.full(len(self.rows), self.first)
        return np.repeat(np.arange(self.first, self.first + len(self.frames)), [len(frame) for frame in self.frames])

    @property
    def atom(self) -> Indices:
        """Number of each atom to score within its frame."""
        return np.concatenate([np.arange(len(frame)) for frame in self.frames]) if self.rows is None else self.rows


def pieces(
    frames: Iterable[Ready | None], limit: int, *, start: int = 0, first_atom: int = 0, is_local: bool = True
) -> Iterator[Piece]:
    """Yield pieces of up to `limit` atoms: several frames, or, if the descriptor `is_local`, a part of a large one.

    Frames are numbered from `start`. If the first one is large, its first `first_atom` atoms are left out.
    """
    for first, batch in _frames.batches(frames, min(limit, LARGEST_WHOLE), start):
        if is_local and len(batch[0]) > LARGEST_WHOLE:
            yield from _parts(first, batch[0], limit, first_atom if first == start else 0)
        else:
            yield Piece(first, batch)


def _parts(number: int, ready: Ready, limit: int, first_atom: int) -> Iterator[Piece]:
    assert ready.structure is not None
    order = ready.structure.order()
    for first in range(first_atom, len(order), limit):
        last = min(first + limit, len(order))
        yield Piece(number, [ready], (first, last), order[first:last])


def warn_of_open_frames(pieces: Iterable[Piece], facts: Mapping[str, Any], *, is_shard: bool) -> Iterator[Piece]:
    """Yield the pieces, and warn at the first frame that is open where all training structures were periodic.

    There is no warning if the provenance of the model does not contain the periodicity. The warning of a shard does not
    name the frame, so that it is the same for all shards.
    """
    expected = np.array(facts.get("periodic") or [False] * 3, dtype=bool)
    for piece in pieces:
        first = _first_open(piece, expected) if expected.any() else None
        if first is not None:
            which = "a frame" if is_shard else f"frame {first}"
            warnings.warn(
                f"{which} is not periodic along all cell vectors along which the training structures are: its atoms "
                "are scored as at a surface; give the cell (cell, --cell) if it is missing in the file.",
                LprWarning,
                stacklevel=2,
            )
            expected[:] = False
        yield piece


def _first_open(piece: Piece, expected: NDArray[np.bool_]) -> int | None:
    return next((n for n, frame in enumerate(piece.frames, piece.first) if (expected & ~frame.pbc).any()), None)
