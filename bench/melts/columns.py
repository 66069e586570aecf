"""A model of a system, and what it says of every atom."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from lpr_fast import SparseKernelModel, TrainingRows

from .potentials import Array
from .systems import PARTS, System

MU = 1e-3
ZETA = 4


@dataclass(frozen=True)
class Columns:
    """Of every atom of some frames.

    Attributes
    ----------
    frame, species : numpy.ndarray of int
        Number of its frame, atomic number.
    lpr, held, residual, verdict : numpy.ndarray
        Scores; `held` is the LPR at fixed means of the species, the LPR itself where there is one species.
    known, predicted : numpy.ndarray
        Energy by the potential, and by the model.
    committee : numpy.ndarray, shape (n_members, n_atoms)
        What models of draws of the training structures predict, without their baselines.
    """

    frame: NDArray[np.int64]
    species: NDArray[np.int64]
    lpr: Array
    held: Array
    residual: Array
    verdict: Array
    known: Array
    predicted: Array
    committee: Array

    @property
    def projected(self) -> Array:
        """Projected-process variance at fixed means of the species."""
        return MU / self.held + self.residual


def scored(
    system: System, n_active: int, seed: int, n_members: int, hypers: dict[str, Any], n_threads: int
) -> dict[str, Columns]:
    """Fit and score, for each part of a system; fit again to draws of the structures with replacement."""
    model, rows = kept(system, n_active, seed, hypers, n_threads)
    draws = np.random.default_rng(seed).integers(len(rows), size=(n_members, len(rows)))
    members = [
        rows.fit(weights=np.bincount(draw, minlength=len(rows)).astype(float), n_threads=n_threads) for draw in draws
    ]
    weights = np.array([member.rigidity.weights for member in members])
    return {
        name: columns_of(model, weights, getattr(system, name), system.energies[name], n_threads)
        for name in ("training", *PARTS)
    }


def kept(
    system: System, n_active: int, seed: int, hypers: dict[str, Any], n_threads: int
) -> tuple[SparseKernelModel, TrainingRows]:
    """The model, and its training rows; their file is gone, but mapped."""
    frames = [with_energy(*pair) for pair in zip(system.training, system.energies["training"], strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.rows"
        model = SparseKernelModel.fit(
            frames,
            hypers=hypers,
            n_active=n_active,
            regularizer=MU,
            zeta=ZETA,
            loss="total",
            seed=seed,
            keep_rows=path,
            n_threads=n_threads,
        )
        return model, TrainingRows(path)


def with_energy(frame: Atoms, energies: Array) -> Atoms:
    """A copy with its total energy."""
    copy = frame.copy()
    copy.info = {"energy": float(energies.sum())}
    return copy


def columns_of(
    model: SparseKernelModel, weights: Array, frames: Sequence[Atoms], energies: Sequence[Array], n_threads: int
) -> Columns:
    """Score frames."""
    scores = model.score(frames, n_threads=n_threads)
    assert scores.residual is not None
    assert scores.verdict is not None
    assert scores.local_energy is not None
    return Columns(
        frame=np.repeat(np.arange(len(frames)), [len(frame) for frame in frames]),
        species=np.concatenate([frame.numbers for frame in frames]),
        lpr=scores.lpr,
        held=scores.lpr if scores.lpr_held is None else scores.lpr_held,
        residual=scores.residual,
        verdict=scores.verdict,
        known=np.concatenate(energies),
        predicted=scores.local_energy,
        committee=weights @ model.phi(frames, n_threads=n_threads).T,
    )
