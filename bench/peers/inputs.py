"""What all peers are given: features of the bundled silicon, structure by structure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from numpy.typing import NDArray

import lpr_fast
from lpr_fast.descriptors._soap import Soap
from lpr_fast.descriptors._soap_hypers import soap_hypers

Array = NDArray[np.float64]
FOLDER = Path(lpr_fast.__file__).parent / "demo_data"


@dataclass(frozen=True)
class Inputs:
    """Features of training and test environments, (n, D), the structure of each training environment, and energies."""

    train: Array
    structure: NDArray[np.int64]
    energies: Array
    test: Array

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Atoms of each training structure."""
        return np.bincount(self.structure)

    @property
    def square_norm(self) -> float:
        """Mean squared norm of the training environments."""
        return float(np.mean(np.sum(self.train**2, axis=1)))

    @property
    def sums(self) -> Array:
        """Structure rows: features summed over the atoms of each training structure."""
        return sums_of(self.train, self.structure)

    def arrays(self) -> dict[str, Any]:
        """The same, by name."""
        return {name: getattr(self, name) for name in ("train", "structure", "energies", "test")}


def sums_of(rows: Array, structure: NDArray[np.int64]) -> Array:
    """Rows of atoms, summed structure by structure."""
    return np.add.reduceat(rows, np.flatnonzero(np.diff(structure, prepend=-1)))


def silicon(*, toy: bool) -> Inputs:
    """60 structures and 10 frames of a run that heats silicon; a smaller descriptor for the toy."""
    training, test = list(ase.io.iread(FOLDER / "train.xyz")), list(ase.io.iread(FOLDER / "trajectory.xyz", "::3"))
    hypers = soap_hypers(max_radial=3, max_angular=3) if toy else soap_hypers()
    soap = Soap.from_hypers(hypers, [14])
    sizes = [len(frame) for frame in training]
    energies = np.array([frame.get_potential_energy() for frame in training])
    structure = np.repeat(np.arange(len(training)), sizes)
    return Inputs(soap.features(training), structure, energies, soap.features(test))
