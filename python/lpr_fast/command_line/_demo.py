"""``lpr-fast demo``: silicon and an alloy that melt, scored by models that do not know the liquid."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from .._arrays import Array
from .._files import replacing
from ..atoms._pipeline import Scores
from ..atoms._sparse_kernel_model import SparseKernelModel
from ..descriptors._soap_hypers import soap_hypers
from ..models._columns import prefixed_columns_of
from ..reading._sources import Files, readable
from ..writing import _extxyz
from . import _demo_picture
from ._demo_alloy import alloy

# Largest distance of neighbours in Å: the first minimum of the pair correlation of amorphous silicon.
_BOND_LENGTH = 2.85

_N_ACTIVE = 300
_REGULARIZER = 1e-3


def demo(folder: Path) -> None:
    """Fit, score, print a table, save scored trajectories and a picture."""
    _silicon(_read("train.xyz"), _read("trajectory.xyz"), folder)
    print("\n")
    alloy(_read("alloy_train.xyz"), _read("alloy_trajectory.xyz"), folder)


def _read(name: str) -> list[Atoms]:
    """Structures that come with the package."""
    return list(readable(Files([str(resources.files("lpr_fast") / "demo_data" / name)])))


def _silicon(training: list[Atoms], trajectory: list[Atoms], folder: Path) -> None:
    """A model that knows crystal, defects and amorphous silicon, and a crystal that melts."""
    model = SparseKernelModel.fit(
        training, hypers=soap_hypers(), n_active=_N_ACTIVE, regularizer=_REGULARIZER, zeta=4, loss="total"
    )
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "silicon.lpr")
    scores = model.score(trajectory)
    coordination = np.concatenate([coordination_of(frame) for frame in trajectory])

    n_atoms = sum(map(len, training))
    print(f"Trained on {len(training)} structures, {n_atoms} atoms: crystal, defects, strained and amorphous silicon.")
    print(f"Scored {len(trajectory)} frames, {len(scores)} atoms: a crystal heated until it melts.\n")
    _print_table(coordination, scores)
    columns = {**prefixed_columns_of(scores), "coordination": coordination}
    with replacing(folder / "scored.extxyz") as file:
        _extxyz.write_frames(file, trajectory, columns)
    _demo_picture.draw(folder / "silicon.png", trajectory, coordination, scores)
    print(f"\nmodel       {folder / 'silicon.lpr'}")
    print(f"trajectory  {folder / 'scored.extxyz'} (columns {', '.join(columns)})")
    print(f"picture     {folder / 'silicon.png'}")


def coordination_of(frame: Atoms) -> NDArray[np.int64]:
    """Neighbours of each atom within a bond length."""
    centres = neighbor_list("i", frame, _BOND_LENGTH)  # type: ignore[no-untyped-call]
    return np.bincount(centres, minlength=len(frame)).astype(np.int64)


def _print_table(coordination: NDArray[np.int64], scores: Scores) -> None:
    assert scores.residual is not None
    print(f"{'neighbours':>10} {'atoms':>6} {'median LPR':>11} {'lowest LPR':>11} {'median residual':>16}")
    for count in np.unique(coordination):
        chosen = coordination == count
        lpr, residual = scores.lpr[chosen], scores.residual[chosen]
        print(
            f"{count:10} {chosen.sum():6} {_middle(lpr):11.3g} {lpr.min():11.3g} {_middle(residual):16.2g}",
        )
    print("\nLow LPR: the training energies do not determine the energies of these atoms; do not interpret them.")


def _middle(values: Array) -> float:
    return float(np.median(values))
