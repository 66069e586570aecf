"""Small structures, and a model of them, that several tests share."""

from __future__ import annotations

from typing import Any

import ase.build
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from lpr_fast import SparseKernelModel
from lpr_fast.models._archive import with_members

HYPERS: dict[str, Any] = {
    "cutoff": {"radius": 3.5, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
    "density": {"type": "Gaussian", "width": 0.5},
    "basis": {"type": "TensorProduct", "max_angular": 3, "radial": {"type": "Gto", "max_radial": 2}},
}


def labelled(frame: Atoms, energy: float | None = None) -> Atoms:
    """The frame with an energy: by default a smooth function of its positions, and of its species."""
    if energy is None:
        distances = frame.get_all_distances(mic=bool(frame.pbc.any()))
        energy = float(-3.0 * len(frame) + frame.numbers.sum() / 7 + np.exp(-distances).sum())
    frame.calc = SinglePointCalculator(frame, energy=energy)
    return frame


def rattled(frame: Atoms, seed: int, by: float = 0.1) -> Atoms:
    """A copy with every atom moved at random, and an energy."""
    moved = frame.copy()
    moved.positions += np.random.default_rng(seed).normal(scale=by, size=moved.positions.shape)
    return labelled(moved)


def silicon(n_structures: int = 6, seed: int = 0) -> list[Atoms]:
    """Rattled diamond cells of eight atoms."""
    cell = ase.build.bulk("Si", cubic=True)
    return [rattled(cell, seed + n) for n in range(n_structures)]


def gallium_arsenide(n_structures: int = 6, seed: int = 0) -> list[Atoms]:
    """Rattled zincblende cells: two species, always one to one."""
    cell = ase.build.bulk("GaAs", "zincblende", a=5.65, cubic=True)
    return [rattled(cell, seed + n) for n in range(n_structures)]


def molecules() -> list[Atoms]:
    """Rattled molecules without cells: four species, not all in each of them."""
    names = ("CH4", "CH3OH", "HCN", "NH3", "CO2", "C2H6", "H2O", "CH3CHO")
    return [rattled(ase.build.molecule(name), n, by=0.05) for n, name in enumerate(names)]


def fitted(frames: list[Atoms] | None = None, **options: Any) -> SparseKernelModel:
    """A model that fits within milliseconds."""
    chosen = {"hypers": HYPERS, "n_active": 12, "regularizer": 1e-3, "zeta": 2, **options}
    return SparseKernelModel.fit(silicon() if frames is None else frames, **chosen)


def with_committee(model: SparseKernelModel, n_members: int = 3) -> SparseKernelModel:
    """The model with members, whose weights are its own and some noise."""
    own = model._model.weights
    assert own is not None
    weights = own * (1.0 + 0.1 * np.random.default_rng(8).normal(size=(n_members, len(own))))
    return model._of(with_members(model._model, weights), model._outside)
