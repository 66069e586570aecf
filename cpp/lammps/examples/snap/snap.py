"""Fit a model to bispectrum components of SNAP from LAMMPS, and score atoms with it in LAMMPS and in Python."""

import subprocess

import ase.io
import numpy as np

from lpr_fast import LinearModel

N_TRAINING = 20


def features_of(seed: int, *more: str) -> np.ndarray:
    """Return the features of tungsten with displaced atoms, one row for each atom."""
    options = ["-log", "none", "-screen", "none", "-var", "seed", str(seed), *more]
    subprocess.run(["lmp", "-in", "in.snap", *options], check=True)
    dumped = ase.io.read("features.dump", format="lammps-dump-text").arrays
    n_features = sum(name.startswith("c_snap[") for name in dumped)
    return np.column_stack([dumped[f"c_snap[{k + 1}]"] for k in range(n_features)])


training = [features_of(seed) for seed in range(1, N_TRAINING + 1)]
rows, n_atoms = np.concatenate(training), len(training[0])
structure = np.repeat(np.arange(N_TRAINING), n_atoms)
model = LinearModel.from_arrays(rows, np.full(len(rows), 74), structure, regularizer=1e-2)
model.save("tungsten.lpr")

new = features_of(N_TRAINING + 1, "-var", "score", "yes")
by_lammps = ase.io.read("scores.dump", format="lammps-dump-text").arrays["c_lpr"]
by_python = model.score_features(new, np.full(n_atoms, 74)).lpr
print(f"lowest LPR of {n_atoms} atoms: {by_lammps.min():.4g} by LAMMPS, {by_python.min():.4g} by Python")
