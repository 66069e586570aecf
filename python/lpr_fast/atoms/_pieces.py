"""What is described and scored in one go: some whole frames, or some cells of a large one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from . import _frames

if TYPE_CHECKING:
    from ase import Atoms

    from ..descriptors._cells import Cluster

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Piece:
    """Systems to be described, and what they are of the frames.

    Attributes
    ----------
    first : int
        Number of the first frame.
    frames : list of ase.Atoms
        The frames; one, if it is large.
    systems : list of ase.Atoms
        The frames themselves, or clusters cut out of the only one.
    chosen : list of numpy.ndarray of int, or None
        Atoms of each system that are wanted; None for all.
    rows : numpy.ndarray of int, or None
        For clusters, which atoms of the frame these are.
    is_first, is_last : bool
        Whether no other piece of these frames comes before, and after.
    """

    first: int
    frames: list[Atoms]
    systems: list[Atoms]
    chosen: list[Indices] | None = None
    rows: Indices | None = None
    is_first: bool = True
    is_last: bool = True

    @property
    def numbers(self) -> Indices:
        """Atomic numbers of the wanted atoms."""
        if self.rows is not None:
            return np.asarray(self.frames[0].numbers[self.rows], dtype=np.int64)
        return np.concatenate([frame.numbers for frame in self.frames]).astype(np.int64)

    @property
    def structure(self) -> Indices:
        """Number of the frame of each wanted atom."""
        if self.rows is not None:
            return np.full(len(self.rows), self.first)
        return np.repeat(np.arange(self.first, self.first + len(self.frames)), [len(frame) for frame in self.frames])

    @property
    def atom(self) -> Indices:
        """Number of each wanted atom within its frame."""
        return np.concatenate([np.arange(len(frame)) for frame in self.frames]) if self.rows is None else self.rows

    def of_wanted(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The wanted atoms' part of a mask for all atoms of all systems."""
        if self.chosen is None:
            return mask
        parts = np.split(mask, np.cumsum([len(system) for system in self.systems])[:-1])
        return np.concatenate([part[atoms] for part, atoms in zip(parts, self.chosen, strict=True)])


def pieces(
    frames: Iterable[Atoms | None],
    cutoff: float,
    n_features: int,
    *,
    limit: int | None = None,
    start: int = 0,
    first_cell: int = 0,
) -> Iterator[Piece]:
    """Frames together until they have `limit` atoms; those that are large cell by cell, as many cells at a time.

    Frames are numbered from `start`; the first one, if it is large, begins with its cell number `first_cell`.
    """
    from ..descriptors._cells import LARGEST_UNCUT, clusters

    limit = limit or _frames.batch_limit(n_features)
    for first, batch in _frames.batches(frames, min(limit, LARGEST_UNCUT), start):
        if len(batch[0]) > LARGEST_UNCUT:
            cut = clusters(batch[0], cutoff, first_cell if first == start else 0)
            yield from _of_cells(first, batch, cut, limit)
        else:
            yield Piece(first, batch, batch)


def _of_cells(first: int, batch: list[Atoms], cut: Iterator[Cluster], limit: int) -> Iterator[Piece]:
    waiting: list[Cluster] = []
    is_first = True
    for cluster in cut:
        if waiting and sum(len(c.atoms) for c in waiting) + len(cluster.atoms) > limit:
            yield _of_clusters(first, batch, waiting, is_first=is_first, is_last=False)
            waiting, is_first = [], False
        waiting.append(cluster)
    yield _of_clusters(first, batch, waiting, is_first=is_first, is_last=True)


def _of_clusters(first: int, batch: list[Atoms], cut: list[Cluster], *, is_first: bool, is_last: bool) -> Piece:
    return Piece(
        first,
        batch,
        systems=[cluster.system for cluster in cut],
        chosen=[np.arange(len(cluster.atoms)) for cluster in cut],
        rows=np.concatenate([cluster.atoms for cluster in cut]),
        is_first=is_first,
        is_last=is_last,
    )
