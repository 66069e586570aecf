"""The model as a calculator of ASE, and the bias on top of another calculator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ase.build
import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator, PropertyNotImplementedError
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.filters import FrechetCellFilter
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS

from lpr_fast import (
    BiasedCalculator,
    InvalidInputError,
    LinearModel,
    LprCalculator,
    ModelCalculator,
    SparseKernelModel,
)

from .gradients import best_difference, strained
from .structures import HYPERS, fitted, gallium_arsenide, molecules, rattled, silicon

Make = Callable[[], BaseCalculator]


def copper_gold(seed: int = 0, by: float = 0.1) -> Atoms:
    return rattled(ase.build.bulk("CuAu", "rocksalt", a=5.0, cubic=True), seed, by)


@pytest.fixture(scope="module")
def alloy() -> SparseKernelModel:
    return fitted([copper_gold(n) for n in range(6)])


def moving(atoms: Atoms, calculator: BaseCalculator, kelvin: float = 100.0) -> Atoms:
    moved = atoms.copy()
    moved.calc = calculator
    width = np.sqrt(moved.get_masses() * units.kB * kelvin)
    moved.set_momenta(width[:, None] * np.random.default_rng(1).normal(size=(len(moved), 3)))
    return moved


def drift(atoms: Atoms, make: Make, step: float, length: float = 20.0) -> float:
    """The largest change of the total energy in a run without a thermostat; step and length in fs."""
    moved = moving(atoms, make())
    energies: list[float] = []
    dynamics = VelocityVerlet(moved, timestep=step * units.fs)
    dynamics.attach(lambda: energies.append(moved.get_total_energy()))
    dynamics.run(round(length / step))
    return float(np.abs(np.array(energies) - energies[0]).max())


def assert_derivatives(atoms: Atoms) -> None:
    """Forces, and the stress where there is a cell, are four-point differences of the energy."""
    forces = atoms.get_forces()
    direction = forces / np.linalg.norm(forces) + np.random.default_rng(2).normal(size=forces.shape) / len(atoms)

    def moved(step: float) -> float:
        other = atoms.copy()
        other.calc = atoms.calc
        other.positions += step * direction
        return other.get_potential_energy()

    assert best_difference(moved, -float((forces * direction).sum())) < 1e-7
    if atoms.cell.rank < 3:
        return
    stress = atoms.get_stress(voigt=False)
    strain = stress / np.linalg.norm(stress) + 0.1 * np.eye(3)

    def under_strain(step: float) -> float:
        other = strained(atoms, step * strain)
        other.calc = atoms.calc
        return other.get_potential_energy()

    assert best_difference(under_strain, float((stress * strain).sum()) * atoms.get_volume()) < 1e-7


# The model


def test_the_calculator_gives_what_the_model_predicts() -> None:
    model, atoms = fitted(gallium_arsenide()), gallium_arsenide(1, seed=30)[0]
    found = model.predict(atoms)
    atoms.calc = ModelCalculator(model)
    assert found.stress is not None
    assert atoms.get_potential_energy() == atoms.get_potential_energy(force_consistent=True) == found.energy[0]
    np.testing.assert_array_equal(atoms.get_forces(), found.forces)
    np.testing.assert_array_equal(atoms.get_stress(), found.stress[0])
    np.testing.assert_array_equal(atoms.get_potential_energies(), found.energies)


@pytest.mark.parametrize("system", ["crystal", "slab", "molecule"])
def test_forces_and_stress_are_derivatives_of_the_energy(system: str) -> None:
    if system == "molecule":
        model, atoms = fitted(molecules(), n_active=24), rattled(ase.build.molecule("CH3OH"), 9, by=0.05)
    else:
        model, atoms = fitted(), silicon(1, seed=9)[0]
    if system == "slab":
        atoms.center(vacuum=4.0, axis=2)
        atoms.pbc = (True, True, False)
    atoms.calc = ModelCalculator(model)
    assert_derivatives(atoms)


@pytest.mark.parametrize("kind", ["kernel", "linear"])
def test_the_energy_drifts_with_the_square_of_the_time_step(kind: str) -> None:
    frames = gallium_arsenide()
    model = fitted(frames) if kind == "kernel" else LinearModel.fit(frames, hypers=HYPERS, regularizer=1e-3)
    coarse, fine = (drift(frames[0], lambda: ModelCalculator(model), step) for step in (1.0, 0.5))
    assert coarse / fine == pytest.approx(4.0, rel=0.15)


def test_rigidities_are_results_that_are_computed_when_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    model, atoms = fitted(gallium_arsenide()), gallium_arsenide(1, seed=30)[0]
    expected = model.score(atoms)
    atoms.calc = ModelCalculator(model)
    calls: list[int] = []
    score = SparseKernelModel.score
    monkeypatch.setattr(SparseKernelModel, "score", lambda *a, **o: calls.append(1) or score(*a, **o))
    atoms.get_forces()
    assert not calls
    assert "lpr" not in atoms.calc.results
    for name in ("lpr", "lpr_held", "lpr_residual", "lpr_percentile"):
        np.testing.assert_array_equal(
            atoms.calc.get_property(name, atoms), getattr(expected, name.removeprefix("lpr_"), expected.lpr_held)
        )
    assert len(calls) == 1
    assert "forces" in atoms.calc.results
    atoms.positions[0] += 0.1
    assert not np.array_equal(atoms.calc.get_property("lpr", atoms), expected.lpr)
    assert len(calls) == 2


def test_molecules_have_no_stress() -> None:
    atoms = ase.build.molecule("CH4")
    atoms.calc = ModelCalculator(fitted(molecules(), n_active=24))
    atoms.get_forces()
    with pytest.raises(PropertyNotImplementedError, match="stress"):
        atoms.get_stress()


def test_a_relaxation_of_atoms_and_cell_lowers_the_energy_until_nothing_pulls() -> None:
    atoms = silicon(1, seed=3)[0]
    atoms.calc = ModelCalculator(fitted())
    before = atoms.get_potential_energy()
    assert BFGS(FrechetCellFilter(atoms, mask=[0] * 6), logfile=None).run(fmax=0.02, steps=100)
    assert atoms.get_potential_energy() < before


def test_a_calculator_that_scores_takes_the_model_for_the_other_calculator() -> None:
    model, atoms = fitted(), silicon(1, seed=9)[0]
    expected = model.score(atoms)
    atoms.calc = LprCalculator(ModelCalculator(model), model)
    atoms.get_forces()
    np.testing.assert_array_equal(atoms.arrays["lpr"], expected.lpr)


# The bias


def test_bias_and_energy_add_up(alloy: SparseKernelModel) -> None:
    atoms, plain = copper_gold(20), copper_gold(20)
    plain.calc = EMT()
    atoms.calc = BiasedCalculator(EMT(), alloy, strength=0.5)
    bias = atoms.calc.get_property("bias_energy", atoms)
    assert bias < 0.0
    assert atoms.get_potential_energy() == plain.get_potential_energy() + bias
    assert not np.allclose(atoms.get_forces(), plain.get_forces())


@pytest.mark.parametrize(("towards", "by"), [("loose", 0.1), ("loose", 0.25), ("known", 0.25)])
def test_forces_and_stress_are_derivatives_of_the_biased_energy(
    alloy: SparseKernelModel, towards: Any, by: float
) -> None:
    atoms = copper_gold(20, by)
    atoms.calc = BiasedCalculator(EMT(), alloy, towards=towards, strength=2.0, residual_limit=0.05)
    assert atoms.calc.get_property("bias_energy", atoms) != 0.0
    assert_derivatives(atoms)


@pytest.mark.parametrize("towards", ["loose", "known"])
def test_a_biased_run_conserves_its_energy(alloy: SparseKernelModel, towards: Any) -> None:
    def make() -> BaseCalculator:
        return BiasedCalculator(EMT(), alloy, towards=towards, strength=0.3, residual_limit=0.1)

    coarse, fine = (drift(copper_gold(3, 0.05), make, step) for step in (1.0, 0.5))
    assert coarse / fine == pytest.approx(4.0, rel=0.15)


def test_a_drive_makes_the_loosest_atom_looser_and_a_wall_keeps_it_known(alloy: SparseKernelModel) -> None:
    lowest: dict[str, float] = {}
    for name, options in {
        "none": None,
        "loose": {"towards": "loose", "strength": 0.5, "residual_limit": 0.3},
        "known": {"towards": "known", "strength": 0.5},
    }.items():
        calculator = EMT() if options is None else BiasedCalculator(EMT(), alloy, **options)
        atoms = moving(copper_gold(3, 0.05), calculator, kelvin=600.0)
        seen: list[float] = []
        dynamics = VelocityVerlet(atoms, timestep=2 * units.fs)
        dynamics.attach(lambda atoms=atoms, seen=seen: seen.append(alloy.score(atoms).lpr_held.min()), interval=5)  # type: ignore[union-attr]
        dynamics.run(100)
        lowest[name] = float(np.median(seen))
    assert lowest["loose"] < 0.8 * lowest["none"]
    assert lowest["known"] > lowest["none"]


def test_the_drive_is_off_where_the_rigidity_says_nothing(alloy: SparseKernelModel) -> None:
    atoms, plain = copper_gold(20, 0.4), copper_gold(20, 0.4)
    residual = alloy.score(atoms).residual
    assert residual is not None
    atoms.calc = BiasedCalculator(EMT(), alloy, strength=5.0, residual_limit=residual.max())
    plain.calc = EMT()
    assert atoms.calc.get_property("bias_energy", atoms) == 0.0
    np.testing.assert_array_equal(atoms.get_forces(), plain.get_forces())


def test_a_wall_sends_back_what_is_beyond_the_limit_of_the_drive(alloy: SparseKernelModel) -> None:
    atoms, plain = copper_gold(20, 0.4), copper_gold(20, 0.4)
    residual = alloy.score(atoms).residual
    assert residual is not None
    atoms.calc = BiasedCalculator(EMT(), alloy, strength=2.0, residual_limit=0.2 * residual.max())
    above = np.maximum(np.log(residual / (0.2 * residual.max())), 0.0)
    assert atoms.calc.get_property("bias_energy", atoms) == pytest.approx((above**2).sum(), rel=1e-9)
    plain.calc = EMT()
    assert_derivatives(atoms)
    step = 1e-4 * (atoms.get_forces() - plain.get_forces())
    atoms.positions += step
    moved = alloy.score(atoms).residual
    assert moved is not None
    assert moved.max() < residual.max()


def test_the_wall_is_nothing_where_all_atoms_are_known() -> None:
    model = fitted(silicon(12), n_active=48)
    atoms = silicon(1)[0]
    assert (model.score(atoms).verdict == 0.0).all()
    atoms.calc = BiasedCalculator(LennardJones(rc=4.0), model, towards="known")
    assert atoms.calc.get_property("bias_energy", atoms) == 0.0


def test_a_linear_model_drives_without_a_residual() -> None:
    model = LinearModel.fit(silicon(), hypers=HYPERS, regularizer=1e-3)
    atoms = silicon(1, seed=20)[0]
    atoms.calc = BiasedCalculator(LennardJones(rc=4.0, sigma=2.0), model)
    assert atoms.calc.get_property("bias_energy", atoms) < 0.0
    assert_derivatives(atoms)


# What they refuse


def own_features() -> SparseKernelModel:
    frames = silicon()
    rng = np.random.default_rng(3)
    for frame in frames:
        frame.arrays["own"] = rng.random((8, 20))
    return fitted(frames, hypers=None, descriptor="own")


def biased(**options: Any) -> BiasedCalculator:
    return BiasedCalculator(EMT(), fitted(), **options)


def of_carbon(calculator: Any) -> None:
    atoms = ase.build.molecule("CH4")
    atoms.calc = calculator
    atoms.get_potential_energy()


def without_reference() -> SparseKernelModel:
    return fitted().holding(np.ones(12))


CASES: dict[str, tuple[Callable[[], Any], str]] = {
    "a path for a model": (lambda: ModelCalculator("m.lpr"), "model is 'm.lpr'; give a SparseKernelModel"),  # type: ignore[arg-type]
    "no energies": (lambda: ModelCalculator(fitted(energy_key=None)), "fitted without energies; it predicts none"),
    "other features": (lambda: ModelCalculator(own_features()), "is not SOAP; it predicts energies, but no forces"),
    "an unknown species": (lambda: of_carbon(ModelCalculator(fitted())), "atom 0 is C, but the model knows only Si"),
    "no calculator": (lambda: BiasedCalculator(None, fitted()), "calculator is None; give a calculator of ASE"),  # type: ignore[arg-type]
    "a bias to nowhere": (lambda: biased(towards="up"), "towards is 'up'; it must be 'loose' or 'known'"),
    "no strength": (lambda: biased(strength=0.0), "strength is 0; it must be positive"),
    "a power below zero": (lambda: biased(power=-2.0), "power is -2; it must be positive"),
    "a limit of zero": (lambda: biased(residual_limit=0.0), "residual_limit is 0; it must be positive"),
    "features without gradients": (
        lambda: BiasedCalculator(EMT(), own_features()),
        "is not SOAP, so its rigidities have no gradients",
    ),
    "no reference": (
        lambda: BiasedCalculator(EMT(), without_reference()),
        "has no scores of its training environments; use with_reference",
    ),
    "a limit for a linear model": (
        lambda: BiasedCalculator(EMT(), LinearModel.fit(silicon(), hypers=HYPERS, regularizer=1.0), residual_limit=0.1),
        "residual_limit was given, but linear models have no residual; leave it out",
    ),
    "an unknown species under a bias": (
        lambda: of_carbon(BiasedCalculator(EMT(), fitted())),
        "atom 0 is C, but the model knows only Si",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_used_is_refused_in_a_sentence(case: str) -> None:
    call, message = CASES[case]
    with pytest.raises(InvalidInputError, match=message):
        call()
