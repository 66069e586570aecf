"""The observer on whatever has steps: relaxations, filters, bands, saddle points, basin hopping."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.filters import FrechetCellFilter, UnitCellFilter
from ase.md.langevin import Langevin
from ase.mep import NEB, DimerControl, MinModeAtoms, MinModeTranslate
from ase.mep.neb import NEBOptimizer
from ase.optimize import BFGS, FIRE, LBFGS, MDMin
from ase.optimize.basin import BasinHopping
from ase.optimize.sciopt import SciPyFminCG

from lpr_fast import InvalidInputError, LprObserver, SparseKernelModel, Trigger

from .structures import HYPERS, fitted, rattled


@pytest.fixture(scope="module")
def model() -> SparseKernelModel:
    hypers = {**HYPERS, "cutoff": {"radius": 5.0, "smoothing": {"type": "ShiftedCosine", "width": 0.5}}}
    return fitted([rattled(bulk("Ar", cubic=True), seed) for seed in range(6)], hypers=hypers)


def argon(seed: int = 3) -> Atoms:
    atoms = rattled(bulk("Ar", cubic=True), seed)
    atoms.calc = LennardJones(sigma=3.4, epsilon=0.0104, rc=6.0)
    return atoms


def band() -> NEB:
    images = [argon(1) for _ in range(5)]
    images[-1].positions[0] += [0.6, 0.2, 0.0]
    neb = NEB(images, method="improvedtangent")
    neb.interpolate()
    return neb


def dimer(atoms: Atoms) -> MinModeTranslate:
    control = DimerControl(logfile=io.StringIO(), eigenmode_logfile=io.StringIO())
    moved = MinModeAtoms(atoms, control, mask=[True] * len(atoms), random_seed=1)
    moved.displace(method="vector", displacement_vector=np.full((len(atoms), 3), 0.01))
    return MinModeTranslate(moved, logfile=None)


def langevin(atoms: Atoms) -> Langevin:
    return Langevin(atoms, 2 * units.fs, temperature_K=40, friction=0.01, fixcm=False, rng=np.random.default_rng(1))


RUNS: dict[str, Callable[[Atoms], Any]] = {
    "langevin": langevin,
    "bfgs": lambda atoms: BFGS(atoms, logfile=None),
    "lbfgs": lambda atoms: LBFGS(atoms, logfile=None),
    "fire": lambda atoms: FIRE(atoms, logfile=None),
    "mdmin": lambda atoms: MDMin(atoms, logfile=None),
    "changing the cell": lambda atoms: BFGS(FrechetCellFilter(atoms), logfile=None),
    "changing the cell as a unit": lambda atoms: FIRE(UnitCellFilter(atoms), logfile=None),
    "saddle point": dimer,
}


def run(dynamics: Any, steps: int) -> None:
    dynamics.run(steps=steps) if isinstance(dynamics, Langevin | BasinHopping) else dynamics.run(fmax=0.0, steps=steps)


@pytest.mark.parametrize("kind", RUNS)
def test_every_step_of_a_run_is_scored(model: SparseKernelModel, kind: str) -> None:
    atoms = argon()
    dynamics = RUNS[kind](atoms)
    dynamics.attach(LprObserver(dynamics, model, Trigger(1e-300)))
    seen: list[int] = []

    def check() -> None:
        seen.append(dynamics.nsteps)
        np.testing.assert_array_equal(atoms.arrays["lpr"], model.score(atoms).lpr)

    dynamics.attach(check)
    run(dynamics, 3)
    assert seen == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", RUNS)
def test_a_run_is_ended_by_its_trigger(model: SparseKernelModel, kind: str, tmp_path: Path) -> None:
    atoms = argon()
    dynamics = RUNS[kind](atoms)
    trigger = Trigger(1e300, n_steps=3)
    dynamics.attach(LprObserver(dynamics, model, trigger, path=tmp_path / "saved.xyz", stop=True))
    run(dynamics, 10)
    assert dynamics.nsteps == 2
    assert trigger.is_exhausted
    (frame,) = ase.io.read(tmp_path / "saved.xyz", ":")
    assert frame.info["step"] == 2
    assert "image" not in frame.info
    np.testing.assert_array_equal(frame.positions, atoms.positions)
    np.testing.assert_allclose(frame.cell, atoms.cell, rtol=1e-14)


def test_all_images_of_a_band_are_scored_and_the_least_rigid_one_is_saved(
    model: SparseKernelModel, tmp_path: Path
) -> None:
    neb = band()
    dynamics = BFGS(neb, logfile=None)
    dynamics.attach(LprObserver(dynamics, model, Trigger(1e300, n_steps=2), path=tmp_path / "saved.xyz", stop=True))
    run(dynamics, 10)
    assert dynamics.nsteps == 1
    lowest = [model.score(image).lpr.min() for image in neb.images]
    assert [image.arrays["lpr"].min() for image in neb.images] == lowest
    (frame,) = ase.io.read(tmp_path / "saved.xyz", ":")
    assert frame.info["image"] == np.argmin(lowest)
    assert frame.info["lpr_lowest"] == min(lowest)
    np.testing.assert_array_equal(frame.positions, neb.images[np.argmin(lowest)].positions)


def test_minima_that_are_hopped_to_count_as_steps(model: SparseKernelModel) -> None:
    hopping = BasinHopping(
        argon(),
        temperature=100 * units.kB,
        dr=0.3,
        fmax=0.2,
        logfile=None,
        optimizer_logfile=None,
        local_minima_trajectory=None,
        trajectory=None,
    )
    trigger = Trigger(1e300, n_steps=2)
    observer = LprObserver(hopping, model, trigger)
    observer()
    assert trigger.n_fired == 0
    observer()
    assert trigger.n_fired == 1


@pytest.mark.parametrize(
    "make",
    [lambda: NEBOptimizer(band(), logfile=None), lambda: SciPyFminCG(argon(), logfile=None)],
    ids=["of a band", "by scipy"],
)
def test_runs_that_cannot_be_ended_are_observed_but_not_stopped(
    model: SparseKernelModel, make: Callable[[], Any]
) -> None:
    dynamics = make()
    with pytest.raises(InvalidInputError, match="cannot be ended before its steps are done; leave stop out"):
        LprObserver(dynamics, model, Trigger(1.0), stop=True)
    trigger = Trigger(1e300)
    dynamics.attach(LprObserver(dynamics, model, trigger))
    dynamics.run(fmax=1e-3, steps=2)
    assert trigger.n_fired == 1


def test_what_has_no_steps_is_no_run(model: SparseKernelModel) -> None:
    for given in (argon(), FrechetCellFilter(argon()), band(), "md"):
        with pytest.raises(InvalidInputError, match="give a run of ASE that moves atoms step by step"):
            LprObserver(given, model, Trigger(1.0))
