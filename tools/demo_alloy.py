"""Make the demo's alloy: training structures of copper and gold, one to one, and a crystal that melts.

    python -m tools.demo_alloy [OUTPUT_FOLDER]    (about two minutes on one core)

writes two files in the extended XYZ format, by default to `python/lpr_fast/demo_data`:

    alloy_train.xyz         ordered crystal (L1_0) at 300 and 600 K, strained cells, atoms exchanged, a vacancy
    alloy_trajectory.xyz    crystal heated at fixed volume; `config_type` says whether a frame is crystal, hot crystal
                            (above the temperatures of training), melting or melt, by how far atoms are from their sites

Energies, and the forces of the molecular dynamics, are those of effective medium theory as implemented in ASE. They are
data to demonstrate with. All random numbers follow from `SEED`, as in `tools/demo_data.py`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import write

from .demo_data import DISPLACEMENT, OUTPUT_FOLDER, TIME_STEP, Dynamics, labelled, strained

SEED = 20231
LATTICE_CONSTANT = 3.85
REPEATS = 2  # 32 atoms to train on
HEATED_REPEATS = 3  # 108 atoms to heat

TEMPERATURES = (300.0, 600.0)
SNAPSHOTS = 6  # of each kind of crystal at each temperature
N_STRAINED = 24
HEATING = (300.0, 4800.0, 26, 150)  # from, to, number of frames, steps between frames

# Root mean square distance from the sites over that of neighbours: solid below the first, molten above the second.
SOLID, MELTED = 0.22, 0.5


def crystal(repeats: int) -> Atoms:
    """Repeated cells of four atoms, copper and gold in layers."""
    atoms = bulk("Cu", "fcc", a=LATTICE_CONSTANT, cubic=True)
    atoms.symbols[[1, 2]] = "Au"
    return atoms * (repeats, repeats, repeats)


def exchanged(atoms: Atoms, generator: np.random.Generator) -> Atoms:
    """A copy with two pairs of unlike atoms exchanged."""
    copy = atoms.copy()
    pairs = [generator.choice(np.flatnonzero(copy.symbols == symbol), 2, replace=False) for symbol in ("Cu", "Au")]
    copy.symbols[pairs[0]], copy.symbols[pairs[1]] = "Au", "Cu"
    return copy


def training_structures(calculator: EMT, generator: np.random.Generator) -> list[Atoms]:
    """All structures of alloy_train.xyz."""
    vacancy = crystal(REPEATS)
    del vacancy[int(generator.integers(len(vacancy)))]
    structures = []
    for name, start in (
        ("crystal", crystal(REPEATS)),
        ("exchanged", exchanged(crystal(REPEATS), generator)),
        ("vacancy", vacancy),
    ):
        for temperature in TEMPERATURES:
            structures += Dynamics(start, calculator, temperature, generator).snapshots(temperature, SNAPSHOTS, name)
    for _ in range(N_STRAINED):
        atoms = strained(crystal(REPEATS), generator)
        atoms.positions += generator.normal(scale=DISPLACEMENT, size=atoms.positions.shape)
        structures.append(labelled(atoms, calculator, "strained"))
    return structures


def heating_trajectory(calculator: EMT, generator: np.random.Generator) -> list[Atoms]:
    """The frames of alloy_trajectory.xyz."""
    first, last, n_frames, steps = HEATING
    sites = crystal(HEATED_REPEATS)
    dynamics = Dynamics(sites, calculator, first, generator)
    frames, far = [], []
    for index, temperature in enumerate(np.linspace(first, last, n_frames)):
        atoms = dynamics.run(float(temperature), steps)
        info = {"time": round((index + 1) * steps * TIME_STEP / 1000, 6), "temperature": round(float(temperature), 1)}
        frames.append(labelled(atoms, calculator, "", **info))
        far.append(distance(atoms, sites))
    for frame, phase in zip(frames, phases(np.array(far), np.linspace(first, last, n_frames)), strict=True):
        frame.info["config_type"] = phase
    return frames


def distance(atoms: Atoms, sites: Atoms) -> float:
    """Root mean square distance from the sites over that of neighbours."""
    moved = atoms.positions - sites.positions
    moved -= moved.mean(axis=0)
    return float(np.sqrt((moved**2).sum(axis=1).mean()) / (LATTICE_CONSTANT / np.sqrt(2)))


def phases(far: np.ndarray, temperatures: np.ndarray) -> list[str]:
    """What each frame is: once molten, always so."""
    solid = np.maximum.accumulate(far) < SOLID
    molten = np.minimum.accumulate(far[::-1])[::-1] > MELTED
    names = np.where(molten, "melt", np.where(~solid, "melting", "hot crystal"))
    return np.where(solid & (temperatures <= max(TEMPERATURES)), "crystal", names).tolist()


def main() -> None:
    """Make both files and print what they hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path, nargs="?", default=OUTPUT_FOLDER, help="folder (default: %(default)s)")
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    calculator = EMT()
    training_generator, heating_generator = np.random.default_rng(SEED).spawn(2)
    for name, structures in (
        ("alloy_train.xyz", training_structures(calculator, training_generator)),
        ("alloy_trajectory.xyz", heating_trajectory(calculator, heating_generator)),
    ):
        path = output / name
        write(path, structures, format="extxyz")
        n_atoms = sum(map(len, structures))
        print(f"{path}: {len(structures)} structures, {n_atoms} atoms, {path.stat().st_size / 1000:.1f} kB")
        kinds = [atoms.info["config_type"] for atoms in structures]
        print("    " + ", ".join(f"{kinds.count(kind)} x {kind}" for kind in dict.fromkeys(kinds)))


if __name__ == "__main__":
    main()
