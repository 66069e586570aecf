"""The same gap_fit command for gap_fit and for lpr-fast: time and peak memory of both, and errors on the same tests.

Silicon: energies, forces and, where there are any, virials of mlearn's and mogroup's structures. Carbon: energies and
virials of C-GAP-20U, and energies, forces and virials of GAP-17's test set, of which the last 100 are the test here.
Other structures, other points of the active set and another order of both for every seed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import ase.build
import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.stress import voigt_6_to_full_3x3_stress
from ase.units import GPa
from measure import finish, parser, print_machine
from numpy.typing import NDArray
from whole_way import HERE, Taken, run

from lpr_fast import load_model

Array = NDArray[np.float64]
DATA = Path(os.environ.get("LPR_FAST_DATA", Path(__file__).parents[2] / "shared" / "data"))

# Order of VASP's stresses: xx yy zz xy yz zx.
_VASP = [[0, 3, 5], [3, 1, 4], [5, 4, 2]]

# Structures that are never trained on.
_N_TEST = 100


@dataclass(frozen=True)
class System:
    """What is fitted: a command of gap_fit without its files, and training and test structures for a seed."""

    name: str
    soap: str
    sigma: str
    e0: float
    structures: Callable[[int], tuple[list[Atoms], list[Atoms]]]

    def command(self, size: int, seed: int) -> list[str]:
        """Options of gap_fit."""
        soap = f"soap {self.soap} n_sparse={size} covariance_type=dot_product sparse_method=cur_points"
        return [
            *("at_file=train.xyz", f"gap={{{soap}}}", f"default_sigma={{{self.sigma}}}", f"e0={self.e0}"),
            *(f"rnd_seed={seed + 1}", "gp_file=gap.xml", "do_copy_at_file=F", "sparse_separate_file=F"),
        ]


@dataclass(frozen=True)
class Fitted:
    """What a fit took, and root mean square errors of energies (meV per atom) and components of forces (eV/A)."""

    taken: Taken
    of_energies: float
    of_forces: float

    @property
    def numbers(self) -> tuple[float, ...]:
        """Seconds, seconds of all cores, MB, meV per atom, eV/A."""
        return (self.taken.wall, self.taken.processor, self.taken.peak, self.of_energies, self.of_forces)


def labelled(frame: Atoms, virial: Array | None, *, has_forces: bool) -> Atoms:
    """A frame with labels under the names that gap_fit looks for, and nothing else."""
    found = Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=frame.pbc)
    found.info["energy"] = frame.get_potential_energy()
    if virial is not None:
        found.info["virial"] = virial
    if has_forces:
        found.new_array("force", frame.get_forces())
    return found


def silicon(seed: int, n_training: int) -> tuple[list[Atoms], list[Atoms]]:
    """Structures of mlearn (with stresses) and mogroup, mixed."""
    frames = []
    for name in ("si_mlearn", "si_defects_mogroup"):
        for frame in ase.io.iread(DATA / f"{name}.xyz"):
            stress = frame.info.get("vasp_stress_kB")
            virial = None if stress is None else np.array(stress, dtype=float)[_VASP] * 0.1 * GPa * frame.get_volume()
            frames.append(labelled(frame, virial, has_forces=True))
    order = np.random.default_rng(0).permutation(len(frames))  # the same test for all seeds
    chosen = np.random.default_rng(seed).permutation(order[_N_TEST:])[:n_training]
    return [frames[i] for i in chosen], [frames[i] for i in order[:_N_TEST]]


def carbon(seed: int, n_training: int) -> tuple[list[Atoms], list[Atoms]]:
    """As many structures with forces as without; the hundred before the last hundred are kept for calibrations."""
    of = {
        name: [
            labelled(frame, np.array(frame.info["virial"], dtype=float).reshape(3, 3), has_forces=has_forces)
            for frame in ase.io.iread(DATA / f"carbon_{name}_dft.xyz")
        ]
        for name, has_forces in (("gap20u", False), ("gap17test", True))
    }
    rng = np.random.default_rng(seed)
    with_forces, test = of["gap17test"][: -2 * _N_TEST], of["gap17test"][-_N_TEST:]
    training = [with_forces[i] for i in rng.permutation(len(with_forces))[: n_training // 2]]
    training += [of["gap20u"][i] for i in rng.permutation(len(of["gap20u"]))[: n_training - n_training // 2]]
    return [training[i] for i in rng.permutation(len(training))], test


def toys(seed: int) -> tuple[list[Atoms], list[Atoms]]:
    """Small rattled cells of a Lennard-Jones crystal."""
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(6):
        frame = ase.build.bulk("Ar", a=5.3, cubic=True)
        frame.positions += rng.normal(scale=0.15, size=frame.positions.shape)
        frame.calc = LennardJones(sigma=3.4, epsilon=0.01, rc=5.0)
        virial = -voigt_6_to_full_3x3_stress(frame.get_stress()) * frame.get_volume()
        frames.append(labelled(frame, virial, has_forces=True))
    return frames[:4], frames[4:]


def systems(n_training: int | None) -> dict[str, System]:
    """What there is."""
    return {
        "silicon": System(
            "silicon",
            "n_max=8 l_max=6 atom_sigma=0.5 cutoff=5.0 cutoff_transition_width=0.5 zeta=4 delta=2.0",
            "0.002 0.1 0.05 0.0",
            -5.2,
            partial(silicon, n_training=n_training or 150),
        ),
        "carbon": System(
            "carbon",
            "n_max=8 l_max=8 atom_sigma=0.5 cutoff=3.7 cutoff_transition_width=0.5 zeta=4 delta=2.0",
            "0.02 0.3 0.3 0.0",
            -7.7,
            partial(carbon, n_training=n_training or 200),
        ),
        "toys": System(
            "toys", "n_max=3 l_max=2 atom_sigma=0.5 cutoff=4.5 zeta=2 delta=0.1", "0.001 0.01 0.01 0.0", 0.0, toys
        ),
    }


def errors(test: Sequence[Atoms], energies: Array, forces: Array) -> tuple[float, float]:
    """Root mean squares, of energies in meV per atom and of components of forces in eV/A."""
    sizes = np.array([len(frame) for frame in test])
    of_energies = (energies - [frame.info["energy"] for frame in test]) / sizes
    of_forces = forces - np.concatenate([frame.arrays["force"] for frame in test])
    return 1000 * float(np.sqrt(np.mean(of_energies**2))), float(np.sqrt(np.mean(of_forces**2)))


def with_lpr_fast(folder: Path, options: list[str], test: Sequence[Atoms]) -> Fitted:
    """The whole command line, from file to file."""
    command = [str(HERE), "fit", "--gap-fit", " ".join(options), "-o", "model.lpr"]
    taken = run(command, folder)
    found = load_model(folder / "model.lpr").predict(test)
    assert found.forces is not None
    return Fitted(taken, *errors(test, found.energy, found.forces))


def with_gap_fit(folder: Path, options: list[str], test: Sequence[Atoms], program: Path) -> Fitted:
    """The same with QUIP, whose Python then predicts."""
    taken = run([str(program), *options], folder)
    plain = [Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=frame.pbc) for frame in test]
    ase.io.write(folder / "plain.xyz", plain, format="extxyz")
    script = Path(__file__).parent / "suite" / "with_quippy.py"
    command = [str(program.with_name("python")), str(script), "gap.xml", "plain.xyz", "found.npz"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    with np.load(folder / "found.npz") as found:
        return Fitted(taken, *errors(test, found["energies"], found["forces"]))


def print_fit(name: str, seed: int, fitted: Fitted) -> None:
    """One row."""
    seconds, of_cores, peak, of_energies, of_forces = fitted.numbers
    print(
        f"{name:<20s}{seed:6d}{seconds:12.2f}{of_cores:12.2f}{peak:12.0f}{of_energies:12.3f}{of_forces:12.4f}",
        flush=True,
    )


def print_ratios(ours: Sequence[Fitted], theirs: Sequence[Fitted]) -> None:
    """Median, least and largest, seed by seed."""
    ratios = np.array([a.numbers for a in ours]) / np.array([b.numbers for b in theirs])
    rows = {"median": np.median(ratios, axis=0), "least": ratios.min(axis=0), "largest": ratios.max(axis=0)}
    for name, row in rows.items():
        print(f"{'lpr_fast / gap_fit, ' + name:<26s}" + "".join(f"{x:12.3f}" for x in row))


def main() -> None:
    """Print a table of fits, in turn with gap_fit where there is one."""
    takes = parser(__doc__)
    takes.set_defaults(repeats=3, threads=2)
    takes.add_argument("--gap-fit", type=Path, default=os.environ.get("LPR_FAST_GAP_FIT") or shutil.which("gap_fit"))
    takes.add_argument("--system", choices=list(systems(None)), default="silicon")
    takes.add_argument("--train", type=int, help="structures to fit to")
    takes.add_argument("--active", type=int, default=500)
    options = takes.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    print_machine(options.threads)
    program = None if options.gap_fit is None else Path(options.gap_fit).absolute()
    if program is None:
        print("no gap_fit: pip install quippy-ase in another environment, and give --gap-fit ITS/bin/gap_fit")
    system = systems(options.train)["toys" if options.toy else options.system]
    columns = ("seconds", "of cores", "peak, MB", "meV/atom", "eV/A")
    print(f"\n{system.name + ', seed':<26s}" + "".join(f"{column:>12s}" for column in columns))
    ours, theirs = [], []
    for seed in range(options.repeats):
        training, test = system.structures(seed)
        command = system.command(5 if options.toy else options.active, seed)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            ase.io.write(folder / "train.xyz", training, format="extxyz", write_results=False)
            ours.append(with_lpr_fast(folder, command, test))
            print_fit("lpr_fast", seed, ours[-1])
            if program is not None:
                theirs.append(with_gap_fit(folder, command, test, program))
                print_fit("gap_fit", seed, theirs[-1])
    if theirs:
        print_ratios(ours, theirs)
    finish()


if __name__ == "__main__":
    main()
