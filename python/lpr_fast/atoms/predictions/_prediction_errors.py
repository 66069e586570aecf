"""Errors of predicted energies, forces and stress for labelled frames, one frame at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..._arrays import Array
from .._frames import known_energy
from ..labels._derivative_labels import derivative_labels
from ._predictions import Prediction, voigt_of

if TYPE_CHECKING:
    from ase import Atoms

#: Units of the errors.
UNITS = {"energy": "eV/atom", "forces": "eV/Å", "stress": "GPa"}
_GPA = 160.21766208  # in eV/Å^3


@dataclass
class Errors:
    """Sums over errors.

    Attributes
    ----------
    count : int
        Number of errors.
    """

    count: int = 0
    _squares: float = 0.0
    _absolute: float = 0.0

    def add(self, errors: Array) -> None:
        """Add errors of any shape."""
        self.count += errors.size
        self._squares += float((errors**2).sum())
        self._absolute += float(np.abs(errors).sum())

    @property
    def rmse(self) -> float:
        """Root mean square error; NaN without errors."""
        return math.sqrt(self._squares / self.count) if self.count else math.nan

    @property
    def mae(self) -> float:
        """Mean absolute error; NaN without errors."""
        return self._absolute / self.count if self.count else math.nan


@dataclass(frozen=True)
class LabelKeys:
    """Names of labels in frames; None for the default names of forces and virials."""

    energy: str
    forces: str | None
    virial: str | None
    group: str


class PredictionErrors:
    """Errors of energies per atom, of components of forces, and of components of the stress.

    Attributes
    ----------
    of_all : dict of str to Errors
        Errors of each kind of label.
    of_groups : dict of str to dict
        The same for each group.
    of_species : dict of int to Errors
        Errors of the forces on atoms of each species.
    """

    def __init__(self, keys: LabelKeys) -> None:
        self._keys = keys
        self.of_all = {kind: Errors() for kind in UNITS}
        self.of_groups: dict[str, dict[str, Errors]] = {}
        self.of_species: dict[int, Errors] = {}
        self._stress_products = 0.0

    def add(self, frame: Atoms, number: int, found: Prediction) -> None:
        """Compare the labels of a frame with its predictions.

        Raises
        ------
        InvalidInputError
            For labels that cannot be used.
        """
        group = str(frame.info.get(self._keys.group, ""))
        errors = self._errors_of(frame, number, found)
        for kind, values in errors.items():
            for table in (self.of_all, self.of_groups.setdefault(group, {kind: Errors() for kind in UNITS})):
                table[kind].add(values[~np.isnan(values)])
        if "forces" in errors:
            for s in sorted(set(frame.numbers.tolist())):
                of_species = errors["forces"][frame.numbers == s]
                self.of_species.setdefault(s, Errors()).add(of_species[~np.isnan(of_species)])

    @property
    def stress_is_reversed(self) -> bool:
        """Whether labels of stress and predictions have opposite signs on average."""
        return self._stress_products < 0.0

    def _errors_of(self, frame: Atoms, number: int, found: Prediction) -> dict[str, Array]:
        errors = {}
        energy = known_energy(frame, self._keys.energy)
        if energy is not None:
            errors["energy"] = (found.energy - energy) / len(frame)
        labels = derivative_labels(frame, self._keys.forces, self._keys.virial, f"frame {number}")
        if labels.forces is not None and found.forces is not None:
            errors["forces"] = found.forces - labels.forces
        if labels.virial is not None and found.virial is not None and frame.cell.rank == 3:
            predicted = voigt_of(found.virial[0])
            errors["stress"] = _GPA * (labels.virial - predicted) / frame.cell.volume
            self._stress_products += float((labels.virial * predicted).sum()) / frame.cell.volume**2
        return errors
