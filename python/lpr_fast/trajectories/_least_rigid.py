"""The least rigid environments of a whole run, in bounded memory."""

from __future__ import annotations

import heapq
import io
import json
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from .._arrays import Array
from ..atoms._model import Scores
from ..descriptors._cells import LARGEST_UNCUT, surroundings
from . import _extxyz
from ._sinks import Spooled, columns_of
from ._spool import beside, remove_whole, write_whole

# Lowest first: LPR, number of the frame, atom.
Place = tuple[float, int, int]


class LeastRigid(Spooled):
    """The `count` environments of lowest LPR, written as the frames that hold them.

    Of a large frame only what is around each of the atoms is kept, as a cluster. The arrays ``rank`` (1 for the lowest
    of all, 0 for atoms that are not meant) and ``frame`` in the header say what is what.
    """

    def __init__(self, output: Path, *, count: int, cutoff: float, tag: str = "") -> None:
        super().__init__(output, tag)  # until the end nothing is written to the spool: it keeps other processes away
        self._count = count
        self._radius = 2.0 * cutoff
        self._state = beside(output, tag + ".state")
        self._places: list[Place] = []
        self._texts: dict[str, str] = {}
        self._changed = True

    def open(self, length: int | None) -> None:
        """Begin, or go on with what the last checkpoint left; a later one than the journal's does no harm."""
        self._spool.open(0)
        if length is not None:
            self._places, self._texts = _read(self._state)

    def add(self, first: int, frames: list[Atoms], scores: Scores) -> None:
        """Keep those that are lower than what is kept so far."""
        start = 0
        for number, frame in enumerate(frames, start=first):
            of_frame = scores.taken(slice(start, start + len(frame)))
            start += len(frame)
            lowest = _lowest(of_frame.lpr, self._count)
            found = [(float(of_frame.lpr[atom]), number, int(atom)) for atom in lowest]
            kept = heapq.nsmallest(self._count, {*self._places, *found})
            new = [atom for _, of, atom in set(kept) - set(self._places) if of == number]
            if new:
                self._places = kept
                self._keep(number, frame, of_frame, new)

    def _keep(self, number: int, frame: Atoms, scores: Scores, atoms: list[int]) -> None:
        if len(frame) <= LARGEST_UNCUT:
            self._texts[_name(number)] = _text(frame, number, scores)
        else:
            for atom, (cluster, of_frame) in zip(atoms, surroundings(frame, atoms, self._radius), strict=True):
                self._texts[_name(number, atom)] = _text(cluster, number, scores.taken(of_frame), atom)
        self._forget()

    def _forget(self) -> None:
        """Drop frames in which nothing that is kept is left."""
        needed = {name for _, of, atom in self._places for name in (_name(of), _name(of, atom))}
        self._texts = {name: text for name, text in self._texts.items() if name in needed}
        self._changed = True

    def absorb(self, tag: str) -> None:
        """Take the next shard's."""
        places, texts = _read(beside(self.output, tag + ".state"))
        self._places = heapq.nsmallest(self._count, {*self._places, *places})
        self._texts |= texts
        self._forget()

    def checkpoint(self) -> int:
        """Write what is kept, if it has changed."""
        if self._changed:
            state = {"places": self._places, "texts": self._texts}
            write_whole(self._state, json.dumps(state).encode())
            self._changed = False
        return 0

    def assemble(self) -> None:
        """Frames in order, each with the ranks of its atoms."""
        ranks = {(frame, atom): rank for rank, (_, frame, atom) in enumerate(self._places, start=1)}
        written = set()
        for frame, atom in sorted(ranks):
            whole, cut = _name(frame), _name(frame, atom)
            name = whole if whole in self._texts else cut
            if name in written:
                continue
            written.add(name)
            atoms = ase.io.read(io.StringIO(self._texts[name]), format="extxyz")
            assert isinstance(atoms, Atoms)
            rank = np.zeros(len(atoms), dtype=np.int64)
            if name == cut:
                rank[0] = ranks[frame, atom]
            else:
                for (of, i), value in ranks.items():
                    if of == frame:
                        rank[i] = value
            _extxyz.write_frame(self._spool, atoms, {"rank": rank})
        self._spool.checkpoint()
        self._spool.close()

    def remove(self) -> None:
        """See `Sink`."""
        super().remove()
        remove_whole(self._state)


def _lowest(lpr: Array, count: int) -> NDArray[np.int64]:
    """The atoms of lowest LPR, ties in their order; NaN is none."""
    candidates = np.flatnonzero(~np.isnan(lpr))
    if len(candidates) > count:
        limit = np.partition(lpr[candidates], count - 1)[count - 1]
        candidates = candidates[lpr[candidates] <= limit]
    return candidates[np.argsort(lpr[candidates], kind="stable")][:count]


def _read(state: Path) -> tuple[list[Place], dict[str, str]]:
    content = json.loads(state.read_text())
    return [(float(lpr), int(frame), int(atom)) for lpr, frame, atom in content["places"]], content["texts"]


def _name(frame: int, atom: int | None = None) -> str:
    return str(frame) if atom is None else f"{frame}:{atom}"


def _text(frame: Atoms, number: int, scores: Scores, atom: int | None = None) -> str:
    """The frame with its scores, and where it is from, as extended XYZ."""
    labelled = frame.copy()  # type: ignore[no-untyped-call]
    labelled.calc = frame.calc
    labelled.info["frame"] = number
    if atom is not None:
        labelled.info["atom"] = atom
    file = io.BytesIO()
    _extxyz.write_frame(file, labelled, columns_of(scores))
    return file.getvalue().decode()
