"""Time of compute lpr/atom per atom and step, beside that of Python's scores of the same atoms.

python bench.py [cells] [active]: silicon of 8 * cells^3 atoms on one core, a model of `active` active environments.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import ase.build
import ase.io
import numpy as np
from ase import Atoms

from lpr_fast import SparseKernelModel

HYPERS = {
    "cutoff": {"radius": 5.0, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
    "density": {"type": "Gaussian", "width": 0.5},
    "basis": {"type": "TensorProduct", "max_angular": 6, "radial": {"type": "Gto", "max_radial": 7}},
}
STEPS = 5
REPEATS = 3
INPUT = """
units metal
read_data start.data
mass 1 28.0855
pair_style sw
pair_coeff * * {potential} Si
comm_modify cutoff 7.0
fix move all nve
thermo 1
{asked}
run {steps}
"""
SCORED = "compute lpr all lpr/atom model.lpr Si\ncompute low all reduce min c_lpr\nthermo_style custom step c_low"


def fastest(call: Callable[[], object]) -> float:
    """Return the shortest time of a call, in seconds."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def seconds_of_lammps(folder: Path, asked: str) -> float:
    """Return the shortest time of the loop over steps, in seconds."""
    program = Path(sys.executable).parent / "lmp"
    potential = next(Path(sys.prefix).glob("lib/python*/site-packages/lammps/share/lammps/potentials/Si.sw"))
    (folder / "in").write_text(INPUT.format(potential=potential, asked=asked, steps=STEPS))
    seconds = []
    for _ in range(REPEATS):
        command = [str(program), "-in", "in", "-log", "none"]
        output = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
        found = re.search(r"Loop time of (\S+)", output)
        assert found is not None, output
        seconds.append(float(found[1]))
    return min(seconds)


def displaced(frame: Atoms, seed: int) -> Atoms:
    """Return a copy with all atoms displaced at random."""
    moved = frame.copy()
    moved.positions += np.random.default_rng(seed).normal(scale=0.1, size=moved.positions.shape)
    return moved


def main(cells: int, n_active: int) -> None:
    """Fit, run, print."""
    bulk = ase.build.bulk("Si", cubic=True)
    training = [displaced(bulk * (2, 2, 2), seed) for seed in range(n_active // 50 + 1)]
    model = SparseKernelModel.fit(training, hypers=HYPERS, n_active=n_active, regularizer=1e-3, energy_key=None)
    frame = displaced(bulk * (cells, cells, cells), 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model.save(folder / "model.lpr")
        ase.io.write(folder / "start.data", frame, format="lammps-data", atom_style="atomic")
        bare = seconds_of_lammps(folder, "")
        scored = seconds_of_lammps(folder, SCORED)
    in_python = fastest(lambda: model.score(frame, n_threads=1))
    us = 1e6 / len(frame)
    plugin = (scored - bare) / STEPS
    print(f"{len(frame)} atoms, M = {n_active}, D = {model.n_features}; microseconds per atom and step")
    print(f"Stillinger-Weber alone     {bare / STEPS * us:8.1f}")
    print(f"compute lpr/atom           {plugin * us:8.1f}")
    print(f"model.score in Python      {in_python * us:8.1f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:] or ("5", "500")))
