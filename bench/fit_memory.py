"""Fits from files: peak memory with N and 10 N structures, beside that of a square matrix of size M."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from measure import finish, parser, peak_memory, print_machine
from suite.structure_cases import hypers

from lpr_fast import fit_files


def write_structures(path: Path, n_structures: int) -> None:
    """Cells of eight atoms of silicon, each moved at random, with energies that are as good as any."""
    rng = np.random.default_rng(0)
    grid = np.array([[x, y, z] for x in (0, 2.7) for y in (0, 2.7) for z in (0, 2.7)])
    with path.open("w") as file:
        for _ in range(n_structures):
            positions = grid + rng.normal(scale=0.25, size=grid.shape)
            frame = Atoms("Si8", positions, cell=[5.4] * 3, pbc=True, info={"energy": float(rng.normal())})
            ase.io.write(file, frame, format="extxyz")


def print_memory(n_structures: int, n_active: int, *, toy: bool) -> None:
    """Peak memory of processes that fit to so many structures, and to ten times as many."""
    print(f"\nM = {n_active}, M^2 float64: {8 * n_active**2 / 1e6:.1f} MB")
    print(f"{'structures':>10} {'atoms':>8} {'peak memory, MB':>16}")
    with tempfile.TemporaryDirectory() as folder:
        for count in (n_structures, 10 * n_structures):
            path = Path(folder) / f"{count}.xyz"
            write_structures(path, count)
            command = [sys.executable, __file__, "--peak", str(path), str(n_active), str(int(toy))]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            print(f"{count:10} {8 * count:8} {printed.strip():>16}")


def print_peak(path: Path, n_active: int, *, toy: bool) -> None:
    """Fit, and say how much memory that took in all."""
    fit_files(path, path.with_suffix(".lpr"), hypers=hypers(toy), n_active=n_active, regularizer=1e-3)
    print(f"{peak_memory() / 1e6:.0f}")


def main() -> None:
    """Print the table, or a process's own part of it."""
    if sys.argv[1:2] == ["--peak"]:
        print_peak(Path(sys.argv[2]), int(sys.argv[3]), toy=bool(int(sys.argv[4])))
        return
    options = parser(__doc__)
    options.add_argument("--structures", type=int, default=4000, help="N")
    options.add_argument("--active", type=int, default=500, help="M")
    given = options.parse_args()
    print_machine(given.threads)
    if given.toy:
        print_memory(10, 8, toy=True)
    else:
        print_memory(given.structures, given.active, toy=False)
    finish()


if __name__ == "__main__":
    main()
