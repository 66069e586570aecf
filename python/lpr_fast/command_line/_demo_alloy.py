"""The alloy of ``lpr-fast demo``: copper and gold, one to one, heated until they melt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from numpy.typing import NDArray

from .._files import replacing
from ..atoms._pipeline import Scores
from ..atoms._sparse_kernel_model import SparseKernelModel
from ..descriptors._soap_hypers import soap_hypers
from ..models._columns import prefixed_columns_of
from ..writing import _extxyz

_N_ACTIVE = 250
_REGULARIZER = 1e-3


def alloy(training: list[Atoms], trajectory: list[Atoms], folder: Path) -> None:
    """Fit, score, print a table, save model and scored trajectory."""
    model = SparseKernelModel.fit(
        training, hypers=soap_hypers(), n_active=_N_ACTIVE, regularizer=_REGULARIZER, zeta=4, loss="total"
    )
    model.save(folder / "alloy.lpr")
    scores = model.score(trajectory)
    n_atoms = sum(map(len, training))
    print(f"Trained on {len(training)} structures, {n_atoms} atoms: ordered copper-gold, one to one.")
    print(f"Scored {len(trajectory)} frames, {len(scores)} atoms: the crystal heated until it melts.\n")
    _print_table(trajectory, scores)
    with replacing(folder / "alloy.extxyz") as file:
        _extxyz.write_frames(file, trajectory, prefixed_columns_of(scores))
    print(f"\nmodel       {folder / 'alloy.lpr'}")
    print(f"trajectory  {folder / 'alloy.extxyz'}")


def _print_table(trajectory: list[Atoms], scores: Scores) -> None:
    """Print medians for each phase, in order of the trajectory, and species."""
    phases = np.concatenate([[frame.info["config_type"]] * len(frame) for frame in trajectory])
    numbers: NDArray[np.int64] = np.concatenate([frame.numbers for frame in trajectory])
    print(f"{'phase':<12} {'species':>7} {'atoms':>6} {'LPR':>8} {'held LPR':>9} {'residual':>9} {'verdict > 0':>12}")
    for phase in dict.fromkeys(phases.tolist()):
        for number in np.unique(numbers):
            chosen = np.flatnonzero((phases == phase) & (numbers == number))
            if chosen.size:
                print(f"{phase:<12} {chemical_symbols[number]:>7} {_of_atoms(scores, chosen)}")
    print(
        "\nThe training structures have about equal numbers of copper and gold atoms. Their energies do not determine\n"
        "how the energy is split between the species. This lowers all LPRs to one level; the held LPR ignores it."
    )


def _of_atoms(scores: Scores, chosen: NDArray[np.intp]) -> str:
    """Number of atoms, medians, and the share that is loose or unlike."""
    assert scores.lpr_held is not None
    assert scores.residual is not None
    assert scores.verdict is not None
    lpr, held, residual = (float(np.median(v[chosen])) for v in (scores.lpr, scores.lpr_held, scores.residual))
    warned = 100 * float(np.mean(scores.verdict[chosen] > 0))
    return f"{chosen.size:6} {lpr:8.2g} {held:9.2g} {residual:9.2g} {warned:10.0f} %"
