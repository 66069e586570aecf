"""Toy descriptors that processes can import, and structures that carry features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from lpr_fast import SparseKernelModel

CUTOFF = 4.0
CENTERS = np.linspace(1.5, CUTOFF, 7)


def shells(frames: Sequence[Atoms]) -> list[NDArray[Any]]:
    """How many neighbours of which kind are at which distance, smoothly: 14 features."""
    return [_shells_of(frame) for frame in frames]


def _shells_of(frame: Atoms) -> NDArray[Any]:
    i, j, distance = neighbor_list("ijd", frame, CUTOFF)
    smooth = 0.5 * (1.0 + np.cos(np.pi * distance / CUTOFF))
    values = np.exp(-4.0 * (distance[:, None] - CENTERS) ** 2) * smooth[:, None]
    features = np.zeros((len(frame), 2 * len(CENTERS)))
    np.add.at(features[:, : len(CENTERS)], i, values)
    np.add.at(features[:, len(CENTERS) :], i, values * (frame.numbers[j] / 30.0)[:, None])
    return features


class Shells:
    """The same as an object."""

    cutoff = CUTOFF
    species: tuple[int, ...] | None = None
    n_features = 2 * len(CENTERS)

    def __init__(self, name: str = "shells") -> None:
        self._name = name

    @property
    def identity(self) -> Mapping[str, Any]:
        return {"name": self._name, "n_centers": len(CENTERS)}

    def features(self, frames: Sequence[Atoms]) -> NDArray[Any]:
        return np.concatenate(shells(frames))


SHELLS = Shells()

# A file with the function, and an object that other processes cannot unpickle by the name of its class.
FILE = """
from dataclasses import dataclass
from tests.describing import SHELLS, shells

@dataclass(frozen=True)
class Here:
    cutoff: float = SHELLS.cutoff
    species: tuple = None
    n_features: int = SHELLS.n_features

    @property
    def identity(self):
        return {"name": "here"}

    def features(self, frames):
        return shells(frames)

here = Here()
"""


def carrying(frames: Sequence[Atoms], model: SparseKernelModel | None = None, key: str = "features") -> list[Atoms]:
    """Copies of structures that carry the features of a model, or the toy descriptor's."""
    found = []
    for frame in frames:
        copy = frame.copy()
        copy.info["energy"] = frame.get_potential_energy() if frame.calc else frame.info["energy"]
        copy.arrays[key] = _shells_of(frame) if model is None else model.features([frame])
        found.append(copy)
    return found
