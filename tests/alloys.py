"""Structures of copper and gold with energies, forces and stresses of effective medium theory, as ASE has it."""

from __future__ import annotations

from typing import Any

import ase.build
import numpy as np
from ase import Atoms
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

Array = np.ndarray

SIGMA = {"energy": 0.02, "force": 0.05, "virial": 0.2}


def alloys(n_structures: int = 6, seed: int = 0) -> list[Atoms]:
    """Rattled and strained cells of four to eight atoms, of many compositions."""
    return [alloy(seed + n) for n in range(n_structures)]


def alloy(seed: int) -> Atoms:
    """One of them, with its labels."""
    rng = np.random.default_rng(seed)
    frame = ase.build.bulk("Cu", "fcc", a=3.85, cubic=True).repeat((1 + seed % 2, 1, 1))
    frame.numbers[rng.permutation(len(frame))[: 1 + seed % 3]] = 79
    frame.set_cell(frame.cell.array @ (np.eye(3) + rng.normal(scale=0.02, size=(3, 3))), scale_atoms=True)
    frame.positions += rng.normal(scale=0.1, size=frame.positions.shape)
    frame.info["config_type"] = ("small", "large")[seed % 2]
    return labelled(frame)


def labelled(frame: Atoms) -> Atoms:
    """The frame with results of the potential."""
    frame.calc = EMT()  # type: ignore[no-untyped-call]
    results: dict[str, Any] = {
        "energy": frame.get_potential_energy(),
        "forces": frame.get_forces(),
        "stress": frame.get_stress(),
    }
    return with_labels(frame, **results)


def with_labels(frame: Atoms, **results: Any) -> Atoms:
    """The frame with these results, and no others."""
    frame.calc = SinglePointCalculator(frame, **results)  # type: ignore[no-untyped-call]
    return frame


def without(frame: Atoms, *names: str) -> Atoms:
    """A copy without some of its labels."""
    assert frame.calc is not None
    copy = frame.copy()
    return with_labels(copy, **{name: value for name, value in frame.calc.results.items() if name not in names})


def virial_of(frame: Atoms) -> Array:
    """Components xx yy zz yz xz xy in eV, of the stress."""
    assert frame.calc is not None
    virial: Array = -frame.cell.volume * frame.calc.results["stress"]
    return virial
