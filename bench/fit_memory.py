"""Fits from files: peak memory with N and 10 N structures, of any number of species, under a cap, or with forces."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from measure import finish, parser, peak_memory, print_machine
from suite.structure_cases import hypers

from lpr_fast import fit_files

FORCES_TOO = "energies and forces"
ELEMENTS = ("Si", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn")


def write_structures(path: Path, n_structures: int, n_species: int) -> None:
    """Cells of eight atoms of so many elements, each moved at random, with energies that are as good as any."""
    rng = np.random.default_rng(0)
    grid = np.array([[x, y, z] for x in (0, 2.7) for y in (0, 2.7) for z in (0, 2.7)])
    with path.open("w") as file:
        for _ in range(n_structures):
            positions = grid + rng.normal(scale=0.25, size=grid.shape)
            symbols = rng.choice(ELEMENTS[:n_species], len(grid))
            frame = Atoms(symbols, positions, cell=[5.4] * 3, pbc=True, info={"energy": float(rng.normal())})
            frame.arrays["forces"] = rng.normal(size=positions.shape)
            ase.io.write(file, frame, format="extxyz")


def print_memory(n_structures: int, n_active: int, n_species: int, cap: str, labels: str, *, toy: bool) -> None:
    """Peak memory of processes that fit to so many structures, and to ten times as many."""
    matrix = f"M = {n_active}, M^2 float64: {8 * n_active**2 / 1e6:.1f} MB"
    print(f"\n{matrix}; {n_species} species; cap: {cap or 'none'}; labels: {labels}")
    print(f"{'structures':>10} {'atoms':>8} {'peak memory, MB':>16}")
    with tempfile.TemporaryDirectory() as folder:
        for count in (n_structures, 10 * n_structures):
            path = Path(folder) / f"{count}.xyz"
            write_structures(path, count, n_species)
            command = [sys.executable, __file__, "--peak", str(path), str(n_active), cap, labels, str(int(toy))]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            print(f"{count:10} {8 * count:8} {printed.strip():>16}")


def print_peak(path: Path, n_active: int, cap: str, labels: str, *, toy: bool) -> None:
    """Fit, and say how much memory that took in all."""
    output = path.with_suffix(".lpr")
    weighting: dict[str, Any] = {"regularizer": 1e-3}
    if labels == FORCES_TOO:
        weighting = {"sigma": {"energy": 1.0, "force": 1.0}, "delta": 1.0}
    fit_files(path, output, hypers=hypers(toy), n_active=n_active, memory=cap or None, **weighting)
    print(f"{peak_memory() / 1e6:.0f}")


def main() -> None:
    """Print the table, or a process's own part of it."""
    if sys.argv[1:2] == ["--peak"]:
        path, n_active, cap, labels, toy = sys.argv[2:]
        print_peak(Path(path), int(n_active), cap, labels, toy=bool(int(toy)))
        return
    options = parser(__doc__)
    options.add_argument("--structures", type=int, default=4000, help="N")
    options.add_argument("--active", type=int, default=500, help="M")
    options.add_argument("--species", type=int, default=1, help=f"number of elements, at most {len(ELEMENTS)}")
    options.add_argument("--memory", default="", help="cap, such as 1GB")
    options.add_argument("--forces", action="store_true", help="fit to forces too")
    given = options.parse_args()
    labels = FORCES_TOO if given.forces else "energies"
    print_machine(given.threads)
    if given.toy:
        print_memory(10, 8, 2, "1GB", labels, toy=True)
    else:
        print_memory(given.structures, given.active, given.species, given.memory, labels, toy=False)
    finish()


if __name__ == "__main__":
    main()
