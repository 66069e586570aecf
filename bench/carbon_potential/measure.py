"""A potential of carbon from the command line, and what its variances say: docs/guides/carbon_potential.md.

cd bench; python -m carbon_potential.measure [--toy] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms, units
from ase.md.verlet import VelocityVerlet
from melts.potentials import Array
from numpy.typing import NDArray
from scipy.stats import norm, spearmanr

from lpr_fast import ModelCalculator, SparseKernelModel, load_model
from lpr_fast.atoms.forces._force_errors import force_errors

from .tersoff import with_tersoff

DATA = Path(os.environ.get("LPR_FAST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
FILES = ("carbon_gap20u_dft.xyz", "carbon_gap17test_dft.xyz")
_KELVIN = 600.0  # at the start of molecular dynamics
SIGMAS = ("--sigma-energy", "1", "--sigma-force", "1", "--sigma-virial", "4")


@dataclass(frozen=True)
class Size:
    """How much of all, and settings of the fit.

    Attributes
    ----------
    without_forces : str
        Selection of the file with energies and virials.
    n_train, n_calibrate, n_test : int
        Structures of the file with forces.
    """

    without_forces: str
    n_train: int
    n_calibrate: int
    n_test: int
    settings: tuple[str, ...]
    n_fs: int


FULL = Size("::8", 250, 100, 100, ("--cutoff", "3.7", "--width", "0.5", "--n-active", "1000"), 400)
_SMALL = ("--cutoff", "3", "--max-radial", "3", "--max-angular", "3", "--n-active", "40")
TOY = Size(":60:10", 20, 12, 16, _SMALL, 10)

# Labels, and whether the structures with forces are drawn at random or taken in the order of their file, kind by kind.
RUNS = (("DFT", True), ("Tersoff", True), ("DFT", False))


def main() -> None:
    """Potentials with labels of density functional theory, and of Tersoff."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--toy", action="store_true", help="a few structures")
    parser.add_argument("--out", type=Path, default=Path("carbon_out"), metavar="FOLDER")
    asked = parser.parse_args()
    size = TOY if asked.toy else FULL
    for labels, at_random in RUNS:
        folder = asked.out / f"{labels}{'' if at_random else '-in-order'}"
        folder.mkdir(parents=True, exist_ok=True)
        print(f"\n# labels of {labels}, {'drawn at random' if at_random else 'in the order of the file'}", flush=True)
        prepare(folder, size, labels, at_random=at_random)
        run_commands(folder, size)
        model, test = load_model(folder / "carbon.lpr"), read(folder / "test.xyz")
        assert isinstance(model, SparseKernelModel)
        for line in [*table(model, test), *(run_of(model, test, size.n_fs) if (labels, at_random) == RUNS[0] else [])]:
            print(line, flush=True)


def read(path: Path, selection: str = ":") -> list[Atoms]:
    """Structures of a file."""
    return list(ase.io.iread(path, selection))


def prepare(folder: Path, size: Size, labels: str, *, at_random: bool) -> None:
    """Files of each part, with these labels."""
    pool = read(DATA / FILES[1])
    order = np.random.default_rng(0).permutation(len(pool)) if at_random else np.arange(len(pool))
    with_forces = [pool[number] for number in order]
    last = size.n_train + size.n_calibrate
    parts = {
        "train": read(DATA / FILES[0], size.without_forces),
        "train_forces": with_forces[: size.n_train],
        "calibrate": with_forces[size.n_train : last],
        "test": with_forces[-size.n_test :],
    }
    for name, frames in parts.items():
        labelled = with_tersoff(frames) if labels == "Tersoff" else frames
        ase.io.write(folder / f"{name}.xyz", labelled, format="extxyz")


def run_commands(folder: Path, size: Size) -> None:
    """Fit, calibrate, predict, compare, score."""
    coverage = "0.9" if size.n_calibrate > 12 else "0.8"
    commands: list[tuple[str, ...]] = [
        ("fit", "train.xyz", "train_forces.xyz", "-o", "bare.lpr", *size.settings, *SIGMAS),
        ("calibrate", "bare.lpr", "calibrate.xyz", "-o", "carbon.lpr", "--forces", "--coverage", coverage),
        ("predict", "carbon.lpr", "test.xyz", "-o", "predicted.xyz"),
        ("reliability", "carbon.lpr", "test.xyz", "-o", "reliability.png"),
        ("score", "carbon.lpr", "test.xyz", "-o", "scores.h5", "-o", "scores.csv"),
    ]
    for command in commands:
        print(f"$ lpr-fast {' '.join(command)}", flush=True)
        program = [sys.executable, "-m", "lpr_fast", *command]
        print(subprocess.run(program, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout, flush=True)


def table(model: SparseKernelModel, test: Sequence[Atoms]) -> Iterator[str]:
    """Errors against standard deviations: of totals, forces, and local energies where these are known."""
    yield f"{'':34}  number     RMSE  rank corr.  rms(err/sigma)  in 68 %  in 95 %"
    (totals, energies), scores, calibration = model.labelled_totals(test), model.score(test), model.force_calibration
    assert calibration is not None
    assert calibration.largest_residual is not None
    bound = calibration.largest_residual
    sizes = np.array([len(frame) for frame in test])
    frame = np.repeat(np.arange(len(test)), sizes)
    residual, sigma = np.asarray(scores.residual), np.asarray(scores.sigma)
    seen = np.maximum.reduceat(residual, np.cumsum([0, *sizes[:-1]])) <= bound
    errors = np.asarray(totals.energy) - energies
    yield from _rows("totals per atom", errors / sizes, np.asarray(totals.sigma) / sizes, seen)
    forces = force_errors(model, test, None, 0)
    lengths = np.sqrt((forces.errors**2).mean(axis=1))
    sigmas = np.sqrt(calibration.prior_variance * forces.variances.mean(axis=1))
    yield from _rows("forces (RMS component)", lengths, sigmas, np.asarray(forces.residual) <= bound, is_length=True)
    if "local_energy" in test[0].arrays:
        errors = np.asarray(scores.local_energy) - np.concatenate([atoms.arrays["local_energy"] for atoms in test])
        yield from _rows("local energies", errors, sigma, residual <= bound)
        means = np.array([errors[frame == number].mean() for number in range(len(test))])
        yield from _rows("  less the mean of each structure", errors - means[frame], sigma, residual <= bound)


def _rows(
    name: str, errors: Array, sigmas: Array, seen: NDArray[np.bool_], *, is_length: bool = False
) -> Iterator[str]:
    for what, chosen in ((name, np.ones(len(errors), dtype=bool)), ("  residual below the bound", seen)):
        e, s = np.abs(errors[chosen]), sigmas[chosen]
        if not len(e):
            yield f"{what:34}  {0:6d}"
            continue
        ratios = e / s
        inside = ["" if is_length else f"{100 * np.mean(ratios <= norm.ppf(0.5 + p / 2)):.0f} %" for p in (0.68, 0.95)]
        yield (
            f"{what:34}  {len(e):6d}  {np.sqrt(np.mean(e**2)):7.3g}  {spearmanr(e, s)[0]:10.2f}  "
            f"{np.sqrt(np.mean(ratios**2)):14.2f}  {inside[0]:>7}  {inside[1]:>7}"
        )


def run_of(model: SparseKernelModel, test: Sequence[Atoms], n_fs: int) -> Iterator[str]:
    """Molecular dynamics without a thermostat, at two time steps for the same time."""
    start = min((frame for frame in test if len(frame) == 64), key=lambda frame: frame.get_potential_energy())
    for step in (1.0, 0.5):
        atoms = Atoms(start.numbers, start.positions, cell=start.cell, pbc=True)
        atoms.calc = ModelCalculator(model)
        normal = np.random.default_rng(0).normal(size=(len(atoms), 3))
        momenta = normal * np.sqrt(atoms.get_masses() * units.kB * _KELVIN)[:, None]
        atoms.set_momenta(momenta - momenta.mean(axis=0))
        dynamics = VelocityVerlet(atoms, step * units.fs)
        found = []
        for _ in range(round(n_fs / step)):
            dynamics.run(1)
            found.append((atoms.get_total_energy(), atoms.get_temperature()))
        energies, temperatures = np.array(found)[len(found) // 10 :].T
        lpr = model.score(atoms)
        yield (
            f"MD, {n_fs} fs in steps of {step} fs: total energy {energies.std() / len(atoms) * 1e3:.2g} meV/atom "
            f"about its mean, {temperatures.mean():.0f} K; at the end lowest LPR {lpr.lpr.min():.3g}, "
            f"largest residual {np.asarray(lpr.residual).max():.3g}"
        )


if __name__ == "__main__":
    main()
