"""A model of a system, and the columns of numbers that are compared."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from scipy.linalg import solve_triangular
from suite.structure_cases import hypers

from lpr_fast import SparseKernelModel, TrainingRows

from .potentials import Array
from .systems import System

MU = 1e-3
PARTS = ("training", "held_out", "alike", "hot", "melt")


@dataclass(frozen=True)
class Columns:
    """Of every atom of some frames.

    Attributes
    ----------
    frame, species : numpy.ndarray of int
        Number of its frame, atomic number.
    lpr, held, residual : numpy.ndarray
        What the model says.
    phi : numpy.ndarray, shape (n_atoms, M)
    known, predicted : numpy.ndarray
        Energy by the potential, and by the model.
    """

    frame: Array
    species: Array
    lpr: Array
    held: Array
    residual: Array
    phi: Array
    known: Array
    predicted: Array


@dataclass(frozen=True)
class Fitted:
    """A model, its training rows, and the columns of its frames."""

    model: SparseKernelModel
    columns: dict[str, Columns]
    committee: list[SparseKernelModel]


def fitted(system: System, n_active: int, seed: int, n_committee: int, *, toy: bool) -> Fitted:
    """Fit, score, and fit again to draws of structures with replacement."""
    labelled = [with_energy(*pair) for pair in zip(system.training, system.energies["training"], strict=True)]
    generator = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "train.rows"
        model = SparseKernelModel.fit(
            labelled, hypers=hypers(toy), n_active=n_active, regularizer=MU, zeta=4, seed=seed, keep_rows=kept
        )
        rows = TrainingRows(kept)
        draws = (np.bincount(generator.integers(len(rows), size=len(rows)), minlength=len(rows)) for _ in range(n_committee))
        committee = [rows.fit(weights=draw.astype(float)) for draw in draws]
    means = species_means(model, system.training)
    columns = {
        name: columns_of(model, means, getattr(system, name), system.energies[name])
        for name in PARTS
    }
    return Fitted(model, columns, committee)


def with_energy(frame: Atoms, energies: Array) -> Atoms:
    """A copy with its total energy."""
    copy = frame.copy()
    copy.info = {"energy": float(energies.sum())}
    return copy


def columns_of(model: SparseKernelModel, means: Array, frames: Sequence[Atoms], energies: Sequence[Array]) -> Columns:
    """Score frames."""
    scores, phi = model.score(frames), model.phi(frames)
    return Columns(
        frame=np.repeat(np.arange(len(frames)), [len(frame) for frame in frames]),
        species=np.concatenate([frame.numbers for frame in frames]),
        lpr=scores.lpr,
        held=held_lpr(model, phi, means),
        residual=scores.residual,
        phi=phi,
        known=np.concatenate(energies),
        predicted=scores.local_energy,
    )


def species_means(model: SparseKernelModel, frames: Sequence[Atoms]) -> Array:
    """Mean phi of each species over the training atoms, shape (n_species, M)."""
    phi, species = model.phi(frames), np.concatenate([frame.numbers for frame in frames])
    return np.array([phi[species == s].mean(axis=0) for s in model.species])


def held_lpr(model: SparseKernelModel, phi: Array, means: Array) -> Array:
    """LPR where the mean prediction of each species is held: R^-T phi without its part along R^-T of the means."""
    factor = model.rigidity._factor
    triangle, columns = factor.triangle(), factor.columns
    solved, fixed = (solve_triangular(triangle, rows[:, columns].T, trans="T") for rows in (phi, means))
    basis = np.linalg.qr(fixed)[0]
    left = solved - basis @ (basis.T @ solved)
    return 1.0 / np.einsum("ij,ij->j", left, left)
