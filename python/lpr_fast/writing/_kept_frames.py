"""Frames with chosen atoms, kept in memory until the end of the run."""

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
    """Frames with chosen atoms, with their scores; of large frames only a cluster around each of these atoms.

    Frame or cluster depends on the frame and the atom only, not on how a run is cut into parts.

    Parameters
    ----------
    largest_whole : int
        Frames with at most this number of atoms are kept whole, and those that are no larger than the cluster.
    radius : float or None
        Radius of the clusters; None: all frames are kept whole.
    texts : dict of str to str
        Frames and clusters as extended XYZ, with all digits.
    """

    def __init__(self, *, largest_whole: int, radius: float | None) -> None:
        self._largest_whole = largest_whole
        self._radius = radius
        self.texts: dict[str, str] = {}

    def keep(self, number: int, frame: Atoms, scores: Scores, atoms: list[int]) -> None:
        """Keep some atoms of a frame, with the frame or their clusters."""
        in_whole = set(atoms)
        if self._radius is not None and len(frame) > self._largest_whole:
            for atom, (cluster, of_frame) in zip(atoms, _surroundings(frame, atoms, self._radius), strict=True):
                if len(cluster) < len(frame):
                    self.texts[_name(number, atom)] = _text(cluster, number, scores.select(of_frame), atom)
                    in_whole.remove(atom)
        if in_whole:
            self.texts[_name(number)] = _text(frame, number, scores)

    def forget_all_but(self, places: Iterable[Place]) -> None:
        """Drop frames and clusters without any of these atoms."""
        needed = {self._holder(place) for place in places}
        self.texts = {name: text for name, text in self.texts.items() if name in needed}

    def structures(self, places: Iterable[Place]) -> Iterator[tuple[Atoms, dict[Place, int]]]:
        """Frames and clusters in order, each with a mapping from places in the run to its atoms."""
        members: dict[str, dict[Place, int]] = {}
        for frame, atom in sorted(places):
            name = self._holder((frame, atom))
            members.setdefault(name, {})[frame, atom] = atom if name == _name(frame) else 0
        for name, found in members.items():
            atoms = ase.io.read(io.StringIO(self.texts[name]), format="extxyz")
            assert isinstance(atoms, Atoms)
            yield atoms, found

    def _holder(self, place: Place) -> str:
        """The name of the frame or cluster of an atom."""
        own = _name(*place)
        return own if own in self.texts else _name(place[0])


def _surroundings(frame: Atoms, atoms: list[int], radius: float) -> Iterator[tuple[Atoms, Indices]]:
    """For each atom, the cluster of atoms within a radius (nearest first, no cell), and their numbers in the frame."""
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
    """A frame with its scores and its number, as extended XYZ."""
    labelled = frame.copy()  # type: ignore[no-untyped-call]
    labelled.calc = frame.calc
    labelled.info["lpr_frame"] = number
    if atom is not None:
        labelled.info["lpr_atom"] = atom
    file = io.BytesIO()
    _extxyz.write_frame(file, labelled, prefixed_columns_of(scores))
    return file.getvalue().decode()
