"""Frames, descriptors and differences that tests of gradients share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ase.build
import numpy as np
from ase import Atoms

from lpr_fast import _core
from lpr_fast.descriptors._hypers import checked_hypers

from .sampled import radial_table

Array = np.ndarray

RADIUS = 4.0
COSINE = {"type": "ShiftedCosine", "width": 0.5}
EXPLICIT = {
    "type": "Explicit",
    "by_angular": {n: {"type": "Gto", "max_radial": k} for n, k in ((0, 4), (2, 1), (5, 8))},
}

# Steps of differences: the best one is where rounding and the next derivatives are both small.
STEPS = 10.0 ** np.arange(-5.0, -1.5, 0.5)


def hypers(radius: float = RADIUS, smoothing: dict[str, Any] = COSINE, **options: Any) -> dict[str, Any]:
    return {
        "cutoff": {"radius": radius, "smoothing": smoothing},
        "density": {"type": "Gaussian", "width": 0.4, **options.pop("density", {})},
        "basis": {"type": "TensorProduct", "max_angular": 6, "radial": {"type": "Gto", "max_radial": 7}},
        **options,
    }


def soap(species: list[int], chosen: dict[str, Any]) -> _core.Soap:
    table = radial_table(checked_hypers(chosen))
    n_radial, coefficients = list(table.n_radial), table.coefficients.ravel()
    return _core.Soap(list(table.angular), n_radial, table.edges, coefficients, table.center, species)


def species_of(frame: Atoms) -> list[int]:
    return sorted({int(number) for number in frame.numbers})


def structure(frame: Atoms, of: _core.Soap, species: list[int], n_centers: int | None = None) -> _core.Structure:
    numbers = frame.numbers.astype(np.int32)
    return _core.Structure(
        frame.positions, numbers, frame.cell.array, frame.pbc, species, of.cutoff, "frame", n_centers
    )


def strained(frame: Atoms, strain: Array) -> Atoms:
    other = frame.copy()
    other.set_cell(frame.cell.array @ (np.eye(3) + strain))
    other.positions = frame.positions @ (np.eye(3) + strain)
    return other


def best_difference(f: Callable[[float], float], expected: float) -> float:
    """Relative error of the best of the differences of f around 0, from four values each."""
    found = [(8 * (f(h) - f(-h)) - f(2 * h) + f(-2 * h)) / (12 * h) for h in STEPS]
    return float(np.min(np.abs(np.array(found) - expected))) / abs(expected)


def slab() -> Atoms:
    frame = ase.build.fcc111("Al", (1, 2, 3), vacuum=None)
    frame.pbc = (True, True, False)
    return frame


def wire() -> Atoms:
    frame = Atoms("CSiC", [[0.1, 0, 0], [1.9, 1.2, 0.3], [-1.0, 0.3, 1.9]], pbc=(False, True, False))
    frame.cell[1] = [0.7, 4.2, 0.4]
    return frame


FRAMES = {
    "bulk silicon": ase.build.bulk("Si", cubic=True),
    "a cell far smaller than the cutoff": Atoms(
        "Cu", [[0.1, 0.2, 0.3]], cell=[[2.4, 0, 0], [1.1, 2.3, 0], [2, 1.5, 2.2]], pbc=True
    ),
    "a slab": slab(),
    "a wire": wire(),
    "a molecule": ase.build.molecule("CH3CONH2"),
    "two species": ase.build.bulk("GaAs", "zincblende", a=5.65),
}
BASES = {"8 x 7": hypers()["basis"], "explicit": EXPLICIT}
