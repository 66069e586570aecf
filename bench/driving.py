"""Where a bias on the rigidity takes a run, and what its frames are worth as training structures.

A model of crystals, labelled by a classical potential, moves the atoms itself: without a bias, driven towards loose
environments, and kept off them by walls. Of each run: how loose its loosest atoms are, how unlike the training set, how
wrong the model's forces are (by the potential that labelled the crystals), and the errors of forces in frames of a run
of that potential at a high temperature, before and after ten frames of each run join the training set.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.calculators.tersoff import Tersoff, TersoffParameters
from ase.md.langevin import Langevin
from measure import compare, finish, parser, print_machine
from suite.structure_cases import hypers

from lpr_fast import BiasedCalculator, ModelCalculator, SparseKernelModel
from lpr_fast.atoms.predictions._bias import Bias

# Phys. Rev. B 39, 5566 (1989), silicon.
SILICON = TersoffParameters(
    *(3.0, 1.0, 0.0, 1.0039e5, 16.217, -0.59825, 0.78734, 1.1e-6, 1.73222, 471.18, 2.85, 0.15, 2.4799, 1830.8)
)


@dataclass(frozen=True)
class System:
    """A crystal and its labeller; temperatures in K: of the runs with the model, cool and hot, and of the melt."""

    crystal: Atoms
    labeller: Callable[[], Calculator]
    cool: float
    hot: float
    melt: float


@dataclass(frozen=True)
class Size:
    """Training structures, active environments, steps of a run, and a frame every so many."""

    n_training: int
    n_active: int
    n_steps: int
    spacing: int


def systems() -> dict[str, System]:
    """Silicon and copper-gold."""
    alloy = bulk("Cu", a=3.83, cubic=True)
    alloy.numbers[1::2] = 79
    return {
        "Si": System(
            bulk("Si", cubic=True).repeat((2, 2, 1)), lambda: Tersoff({("Si",) * 3: SILICON}), 900.0, 1800.0, 3000.0
        ),
        "CuAu": System(alloy.repeat((2, 2, 2)), EMT, 400.0, 900.0, 1800.0),
    }


# Bias energies in eV. The residual limit of the drive is that of the verdict `unlike`, unless it is given.
COOL: dict[str, dict[str, Any] | None] = {
    "no bias": None,
    "loose, 0.3": {"towards": "loose", "strength": 0.3},
    "loose, 1, limit 0.1": {"towards": "loose", "strength": 1.0, "residual_limit": 0.1},
    "loose, 3, limit 0.1": {"towards": "loose", "strength": 3.0, "residual_limit": 0.1},
}
HOT: dict[str, dict[str, Any] | None] = {
    "hot, no bias": None,
    "hot, known, 0.3": {"towards": "known", "strength": 0.3},
}


def labelled(frames: list[Atoms], labeller: Calculator) -> list[Atoms]:
    """Copies with energy, forces and stress."""
    found = []
    for frame in frames:
        copy = frame.copy()
        results = {name: labeller.get_property(name, copy) for name in ("energy", "forces", "stress")}
        copy.calc = SinglePointCalculator(copy, **results)
        found.append(copy)
    return found


def crystals(system: System, count: int, rng: np.random.Generator) -> list[Atoms]:
    """Rattled and strained cells."""
    frames = []
    for _ in range(count):
        frame = system.crystal.copy()
        strain = np.eye(3) + rng.normal(scale=0.015, size=(3, 3))
        frame.set_cell(frame.cell.array @ strain, scale_atoms=True)
        frame.positions += rng.normal(scale=rng.uniform(0.03, 0.12), size=frame.positions.shape)
        frames.append(frame)
    return labelled(frames, system.labeller())


def fitted(frames: list[Atoms], size: Size, *, toy: bool) -> SparseKernelModel:
    """A model of energies, forces and virials."""
    n_atoms = len(frames[0])
    return SparseKernelModel.fit(
        frames,
        hypers=hypers(toy),
        n_active=size.n_active,
        sigma={"energy": 0.001 * n_atoms, "force": 0.05, "virial": 0.01 * n_atoms},
        delta=1.0,
        baseline=dict.fromkeys(set(frames[0].get_chemical_symbols()), 0.0),
    )


def run(start: Atoms, calculator: Calculator, kelvin: float, size: Size, seed: int) -> list[Atoms]:
    """Frames of Langevin dynamics."""
    rng = np.random.default_rng(seed)
    atoms = start.copy()
    atoms.calc = calculator
    friction = 0.01 / units.fs
    dynamics = Langevin(atoms, 2 * units.fs, temperature_K=kelvin, friction=friction, fixcm=False, rng=rng)
    frames: list[Atoms] = []
    dynamics.attach(lambda: frames.append(atoms.copy()), interval=size.spacing)
    dynamics.run(size.n_steps)
    return frames[1:]


def force_error(model: SparseKernelModel, frames: list[Atoms]) -> float:
    """Root mean square error of force components, eV/Å."""
    expected = np.concatenate([frame.get_forces() for frame in frames])
    return float(np.sqrt(np.mean((model.predict(frames).forces - expected) ** 2)))


def measure(system: System, size: Size, seed: int, *, toy: bool) -> dict[str, list[float]]:
    """A row for each run."""
    rng = np.random.default_rng(seed)
    training = crystals(system, size.n_training, rng)
    model = fitted(training, size, toy=toy)
    held = "lpr_held" if len(model.species) > 1 else "lpr"
    median = max(model.training_quantile(held, 0.5, s) for s in model.species)
    melt = labelled(run(system.crystal, system.labeller(), system.melt, size, seed), system.labeller())
    rows = {}
    for name, options in (COOL | HOT).items():
        kelvin = system.hot if name in HOT else system.cool
        calculator = ModelCalculator(model)
        moved = calculator if options is None else BiasedCalculator(calculator, model, **options)
        frames = labelled(run(system.crystal, moved, kelvin, size, seed), system.labeller())
        scores = model.score(frames)
        assert scores.verdict is not None
        assert scores.residual is not None
        of_frame = getattr(scores, held).reshape(len(frames), -1).min(axis=1)
        chosen = frames[:: max(1, len(frames) // 10)][:10]
        after = fitted([*training, *chosen], size, toy=toy)
        rows[name] = [
            median / float(np.median(of_frame)),
            100 * float(np.mean(scores.verdict > 0)),
            float(scores.residual.max()),
            1000 * force_error(model, frames),
            1000 * force_error(model, melt),
            1000 * force_error(after, melt),
        ]
    return rows


HEADER = ("looseness", "not pinned", "largest", "error of", "error in melt,", "with ten frames")
UNITS = ("of the loosest", "% of atoms", "residual", "forces, meV/Å", "before", "of the run")


def times(system: System, size: Size, given: argparse.Namespace) -> None:
    """Seconds of scores, predictions and biases of one frame, all of which act."""
    training = crystals(system, size.n_training, np.random.default_rng(0))
    model, n_threads = fitted(training, size, toy=given.toy), given.threads
    (frame,) = crystals(system, 1, np.random.default_rng(1))
    options = {"strength": 1.0, "power": 8.0, "residual_limit": None, "n_threads": n_threads}
    compare(
        f"{len(frame)} atoms, M = {size.n_active}",
        {
            "scores": lambda: model.score(frame, n_threads=n_threads),
            "energies, forces and stress": lambda: model.predict(frame, n_threads=n_threads),
            "bias towards loose": lambda: Bias(model, "loose", **options).of(frame),
            "bias towards known": lambda: Bias(model, "known", **options).of(frame),
        },
        given.repeats,
    )


def main() -> None:
    """Print a table for each system: means over the seeds, and standard deviations."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--system", choices=sorted(systems()), help="one of them alone")
    given = options.parse_args()
    print_machine(given.threads)
    size = Size(6, 20, 20, 5) if given.toy else Size(40, 300, 1000, 20)
    seeds = range(1 if given.toy else given.seeds)
    for name, system in systems().items():
        if given.system not in (None, name):
            continue
        found = [measure(system, size, seed, toy=given.toy) for seed in seeds]
        print(f"\n{name}, {len(system.crystal)} atoms, {system.cool:g} and {system.hot:g} K, {len(seeds)} seeds")
        for words in (HEADER, UNITS):
            print(f"{'':24}" + "".join(f"{word:>18}" for word in words))
        for kind in COOL | HOT:
            values = np.array([of_seed[kind] for of_seed in found])
            spread = values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(len(HEADER))
            texts = [f"{f'{mean:.3g} ± {sd:.1g}':>18}" for mean, sd in zip(values.mean(axis=0), spread, strict=True)]
            print(f"{kind:24}" + "".join(texts))
        times(system, size, given)
    finish()


if __name__ == "__main__":
    main()
