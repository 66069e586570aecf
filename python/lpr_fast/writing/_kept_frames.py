"""Frames of which something was chosen, kept in memory until the run is over."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

import ase.io
import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from ..atoms._pipeline import Scores
from ..descriptors._structures import structure_of
from ..models._columns import prefixed_columns_of
from . import _extxyz
from ._sample import Place

Indices = NDArray[np.int64]


class KeptFrames:
    """The frames that hold chosen atoms, with their scores; of larger ones only what is around each of the atoms.

    Which it is, frame or cluster, depends on the frame and the atom alone: it is the same however a run is cut into
    parts.

    Parameters
    ----------
    largest_whole : int
        Frames of no more atoms are kept as a whole, and larger ones where the cluster would have no fewer.
    radius : float or None
        How far clusters reach that are cut out of others; without it all frames are kept as a whole.
    texts : dict of str to str
        Frames and clusters as extended XYZ, with all digits.
    """

    def __init__(self, *, largest_whole: int, radius: float | None) -> None:
        self._largest_whole = largest_whole
        self._radius = radius
        self.texts: dict[str, str] = {}

    def keep(self, number: int, frame: Atoms, scores: Scores, atoms: list[int]) -> None:
        """Keep what holds some atoms of a frame."""
        in_whole = set(atoms)
        if self._radius is not None and len(frame) > self._largest_whole:
            for atom, (cluster, of_frame) in zip(atoms, _surroundings(frame, atoms, self._radius), strict=True):
                if len(cluster) < len(frame):
                    self.texts[_name(number, atom)] = _text(cluster, number, scores.select(of_frame), atom)
                    in_whole.remove(atom)
        if in_whole:
            self.texts[_name(number)] = _text(frame, number, scores)

    def forget_all_but(self, places: Iterable[Place]) -> None:
        """Drop frames in which no atom is that is still wanted."""
        needed = {self._holder(place) for place in places}
        self.texts = {name: text for name, text in self.texts.items() if name in needed}

    def structures(self, places: Iterable[Place]) -> Iterator[tuple[Atoms, dict[Place, int]]]:
        """Frames and clusters in order, and which atom of each of them has which place in the run."""
        members: dict[str, dict[Place, int]] = {}
        for frame, atom in sorted(places):
            name = self._holder((frame, atom))
            members.setdefault(name, {})[frame, atom] = atom if name == _name(frame) else 0
        for name, found in members.items():
            atoms = ase.io.read(io.StringIO(self.texts[name]), format="extxyz")
            assert isinstance(atoms, Atoms)
            yield atoms, found

    def _holder(self, place: Place) -> str:
        """The name of what an atom is kept in."""
        own = _name(*place)
        return own if own in self.texts else _name(place[0])


def _surroundings(frame: Atoms, atoms: list[int], radius: float) -> Iterator[tuple[Atoms, Indices]]:
    """For each of some atoms, itself and everything within a radius, the nearest first, as a structure without a cell.

    With it comes which atoms of the frame its atoms are.
    """
    structure = structure_of(frame, radius)
    for atom in atoms:
        found, vectors = structure.neighbours(atom)
        order = np.argsort((vectors * vectors).sum(axis=1), kind="stable")
        members = np.concatenate([[atom], found[order]])
        places = frame.positions[atom] + np.concatenate([np.zeros((1, 3)), vectors[order]])
        cluster = Atoms(numbers=frame.numbers[members], positions=places)
        for name in [name for name in frame.arrays if name not in cluster.arrays]:  # features may be among them
            cluster.set_array(name, frame.arrays[name][members])  # type: ignore[no-untyped-call]
        yield cluster, members


def _name(frame: int, atom: int | None = None) -> str:
    return str(frame) if atom is None else f"{frame}:{atom}"


def _text(frame: Atoms, number: int, scores: Scores, atom: int | None = None) -> str:
    """The frame with its scores, and where it is from, as extended XYZ."""
    labelled = frame.copy()  # type: ignore[no-untyped-call]
    labelled.calc = frame.calc
    labelled.info["lpr_frame"] = number
    if atom is not None:
        labelled.info["lpr_atom"] = atom
    file = io.BytesIO()
    _extxyz.write_frame(file, labelled, prefixed_columns_of(scores))
    return file.getvalue().decode()
