"""Make the demo data: training structures of silicon, and a trajectory that leaves what they cover.

    python tools/demo_data.py [OUTPUT_FOLDER]    (pip install matscipy; about five minutes on one core)

writes two files in the extended XYZ format, by default to `python/lpr_fast/demo_data`:

    train.xyz         crystal at 300 to 1000 K, strained cells, a vacancy, an interstitial, and amorphous silicon
    trajectory.xyz    a crystal that is heated at fixed volume until it melts; train.xyz has no liquid

Energies, and the forces of the molecular dynamics, are those of the classical potential of T. Kumagai, S. Izumi,
S. Hara and S. Sakai, Comput. Mater. Sci. 2007, 39, 457, as implemented in matscipy. They are data to demonstrate with,
not reference data for silicon. Units: eV, Angstrom, K, ps.

All random numbers follow from `SEED`: with the same versions of NumPy, ASE and matscipy on the same kind of machine,
the files come out the same to the byte. Elsewhere the last digit of a force may differ, and molecular dynamics
amplifies that.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

try:
    from ase import Atoms, units
    from ase.build import bulk
    from ase.calculators.calculator import Calculator
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.constraints import FixCom
    from ase.io import write
    from ase.md.langevin import Langevin
    from ase.neighborlist import neighbor_list
    from matscipy.calculators.manybody import Manybody
    from matscipy.calculators.manybody.explicit_forms import Kumagai
    from matscipy.calculators.manybody.explicit_forms.kumagai import Kumagai_Comp_Mat_Sci_39_Si
except ImportError as error:
    print(f"tools/demo_data.py needs matscipy (pip install matscipy): {error}.", file=sys.stderr)
    raise SystemExit(2) from error

SEED = 20230
OUTPUT_FOLDER = Path(__file__).resolve().parent.parent / "python" / "lpr_fast" / "demo_data"
DECIMALS = 4  # of positions and cells, rounded before the energy is computed
CUTOFF = 2.85  # between the first and the second shell of neighbours

LATTICE_CONSTANT = 5.43  # of the crystal, at which the potential has its minimum
AMORPHOUS_LATTICE_CONSTANT = 5.48  # 3 % more volume, for fewer atoms with five neighbours
REPEATS = 2  # 2 x 2 x 2 cubic cells: 64 atoms
TIME_STEP = 2.0  # fs
FRICTION = 0.01  # 1 / fs
EQUILIBRATION = 400  # steps before the first snapshot at a temperature
SPACING = 200  # steps between snapshots

CRYSTAL_TEMPERATURES = (300.0, 600.0, 1000.0)
CRYSTAL_SNAPSHOTS = 6  # at each temperature
DEFECT_TEMPERATURES = (300.0, 800.0)
DEFECT_SNAPSHOTS = 3  # at each temperature, of each defect
LARGEST_STRAIN = 0.04
DISPLACEMENT = 0.06  # standard deviation along each axis, in small strained cells
N_STRAINED_SMALL = 10
N_STRAINED_LARGE = 4
N_QUENCHES = 2
MELT = (4000.0, 600)  # temperature and steps that take the crystal apart
QUENCH = (2000.0, 600.0, 40, 200)  # from, to, number of temperatures, steps at each
AMORPHOUS_TEMPERATURES = (600.0, 300.0)
AMORPHOUS_SNAPSHOTS = 4  # at each temperature, after each quench
HEATING = (300.0, 3600.0, 30, 250)  # from, to, number of frames, steps between frames


class Dynamics:
    """Langevin dynamics of a structure: starts at `temperature`, goes on at any other."""

    def __init__(
        self, atoms: Atoms, calculator: Calculator, temperature: float, generator: np.random.Generator
    ) -> None:
        self.atoms = atoms.copy()
        self.atoms.calc = calculator
        self.atoms.set_constraint(FixCom())
        width = np.sqrt(self.atoms.get_masses() * units.kB * temperature)[:, None]
        self.atoms.set_momenta(width * generator.standard_normal((len(atoms), 3)))
        self._langevin = Langevin(
            self.atoms,
            TIME_STEP * units.fs,
            temperature_K=temperature,
            friction=FRICTION / units.fs,
            fixcm=False,
            rng=generator,
        )

    def run(self, temperature: float, steps: int) -> Atoms:
        """Go on for some steps; the structure as it is then."""
        self._langevin.set_temperature(temperature_K=temperature)
        self._langevin.run(steps)
        return self.atoms

    def snapshots(self, temperature: float, count: int, name: str) -> list[Atoms]:
        """Equilibrate at a temperature and take labelled snapshots."""
        self.run(temperature, EQUILIBRATION)
        return [
            labelled(self.run(temperature, SPACING), self.atoms.calc, f"{name} {temperature:.0f} K")
            for _ in range(count)
        ]


def labelled(atoms: Atoms, calculator: Calculator, config_type: str, **info: float) -> Atoms:
    """A copy with wrapped and rounded positions, the energy these have, and the entries of the header line."""
    copy = Atoms(atoms.get_chemical_symbols(), cell=np.round(atoms.cell.array, DECIMALS), pbc=True)
    for positions in (atoms.positions, copy.positions):  # twice, as rounding may lead back to the far side of the cell
        copy.positions = np.round(positions, DECIMALS)
        copy.wrap(eps=0)
    copy.positions = np.round(copy.positions, DECIMALS) + 0.0  # no negative zeros
    copy.info = {"config_type": config_type, **info}
    evaluated = copy.copy()
    evaluated.calc = calculator
    copy.calc = SinglePointCalculator(copy, energy=float(evaluated.get_potential_energy()))
    return copy


def crystal(repeats: int = REPEATS, lattice_constant: float = LATTICE_CONSTANT) -> Atoms:
    """Repeated cubic cells of the diamond structure."""
    return bulk("Si", a=lattice_constant, cubic=True) * repeats


def strained(atoms: Atoms, generator: np.random.Generator) -> Atoms:
    """A copy under a random symmetric strain."""
    strain = generator.uniform(-LARGEST_STRAIN, LARGEST_STRAIN, (3, 3))
    copy = atoms.copy()
    copy.set_cell(copy.cell.array @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
    copy.set_cell(np.round(copy.cell.array, DECIMALS), scale_atoms=True)
    return copy


def crystal_structures(calculator: Manybody, generator: np.random.Generator) -> list[Atoms]:
    """The crystal at several temperatures."""
    dynamics = Dynamics(crystal(), calculator, CRYSTAL_TEMPERATURES[0], generator)
    return [frame for t in CRYSTAL_TEMPERATURES for frame in dynamics.snapshots(t, CRYSTAL_SNAPSHOTS, "crystal")]


def strained_structures(calculator: Manybody, generator: np.random.Generator) -> list[Atoms]:
    """Small cells with random displacements, and large ones at the lowest temperature, all strained."""
    structures = []
    for _ in range(N_STRAINED_SMALL):
        atoms = strained(crystal(repeats=1), generator)
        atoms.positions += generator.normal(scale=DISPLACEMENT, size=atoms.positions.shape)
        structures.append(labelled(atoms, calculator, "strained"))
    for _ in range(N_STRAINED_LARGE):
        dynamics = Dynamics(strained(crystal(), generator), calculator, CRYSTAL_TEMPERATURES[0], generator)
        structures += dynamics.snapshots(CRYSTAL_TEMPERATURES[0], 1, "strained")
    return structures


def defect_structures(calculator: Manybody, generator: np.random.Generator) -> list[Atoms]:
    """A vacancy, and an interstitial that starts at a tetrahedral site."""
    vacancy = crystal()
    del vacancy[int(generator.integers(len(vacancy)))]
    interstitial = crystal()
    site = interstitial.positions[generator.integers(len(interstitial))] + LATTICE_CONSTANT / 2
    interstitial += Atoms("Si", positions=[site])
    structures = []
    for name, atoms in (("vacancy", vacancy), ("interstitial", interstitial)):
        dynamics = Dynamics(atoms, calculator, DEFECT_TEMPERATURES[0], generator)
        for temperature in DEFECT_TEMPERATURES:
            structures += dynamics.snapshots(temperature, DEFECT_SNAPSHOTS, name)
    return structures


def amorphous_structures(calculator: Manybody, generator: np.random.Generator) -> list[Atoms]:
    """Quenched melts; snapshots are taken only when they are solid."""
    first, last, n_temperatures, steps = QUENCH
    structures = []
    for _ in range(N_QUENCHES):
        dynamics = Dynamics(crystal(lattice_constant=AMORPHOUS_LATTICE_CONSTANT), calculator, MELT[0], generator)
        dynamics.run(*MELT)
        for temperature in np.linspace(first, last, n_temperatures):
            dynamics.run(temperature, steps)
        for temperature in AMORPHOUS_TEMPERATURES:
            structures += dynamics.snapshots(temperature, AMORPHOUS_SNAPSHOTS, "amorphous")
    return structures


def training_structures(calculator: Manybody, generator: np.random.Generator) -> list[Atoms]:
    """All structures of train.xyz."""
    return [
        *crystal_structures(calculator, generator),
        *strained_structures(calculator, generator),
        *defect_structures(calculator, generator),
        *amorphous_structures(calculator, generator),
    ]


def heating_trajectory(calculator: Manybody, generator: np.random.Generator) -> list[Atoms]:
    """The frames of trajectory.xyz, each with its time and the temperature of the thermostat before it."""
    first, last, n_frames, steps = HEATING
    dynamics = Dynamics(crystal(), calculator, first, generator)
    dynamics.run(first, EQUILIBRATION)
    frames = []
    for index, temperature in enumerate(np.linspace(first, last, n_frames)):
        atoms = dynamics.run(temperature, steps if index else 0)
        info = {"time": round(index * steps * TIME_STEP / 1000, 6), "temperature": round(float(temperature), 1)}
        frames.append(labelled(atoms, calculator, "heating", **info))
    return frames


def coordination(structures: Iterable[Atoms]) -> np.ndarray:
    """How many atoms have 0, 1, 2 ... neighbours within `CUTOFF`."""
    counts = [np.bincount(neighbor_list("i", atoms, CUTOFF), minlength=len(atoms)) for atoms in structures]
    return np.bincount(np.concatenate(counts))


def shortest_distance(structures: Iterable[Atoms]) -> float:
    """The distance of the closest two atoms."""
    return float(min(neighbor_list("d", atoms, CUTOFF).min() for atoms in structures))


def print_histogram(name: str, structures: list[Atoms]) -> None:
    """Print the coordination as one line."""
    histogram = " ".join(f"{n}: {count}" for n, count in enumerate(coordination(structures)) if count)
    print(f"    {name + ',':28} atoms by neighbours within {CUTOFF} A:  {histogram}")


def print_summary(path: Path, structures: list[Atoms]) -> None:
    """Print what a file holds."""
    n_atoms = sum(len(atoms) for atoms in structures)
    print(
        f"{path}: {len(structures)} structures, {n_atoms} atoms, {path.stat().st_size / 1000:.1f} kB, "
        f"shortest distance {shortest_distance(structures):.2f} A"
    )
    print_histogram("all", structures)


def main() -> None:
    """Make both files and print what they hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path, nargs="?", default=OUTPUT_FOLDER, help="folder (default: %(default)s)")
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)

    start = time.perf_counter()
    calculator = Manybody(**Kumagai(Kumagai_Comp_Mat_Sci_39_Si))
    training_generator, heating_generator = np.random.default_rng(SEED).spawn(2)

    path = output / "train.xyz"
    structures = training_structures(calculator, training_generator)
    write(path, structures, format="extxyz")
    print_summary(path, structures)
    for config_type in dict.fromkeys(atoms.info["config_type"] for atoms in structures):
        same = [atoms for atoms in structures if atoms.info["config_type"] == config_type]
        print_histogram(f"{len(same)} x {config_type}", same)

    path = output / "trajectory.xyz"
    frames = heating_trajectory(calculator, heating_generator)
    write(path, frames, format="extxyz")
    print_summary(path, frames)
    third = len(frames) // 3
    for name, part in (("first", frames[:third]), ("second", frames[third:-third]), ("last", frames[-third:])):
        print_histogram(f"{name} {len(part)} frames", part)
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
