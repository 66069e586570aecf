"""Virials that nobody fits to, but that contradict what the energies say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.build
import ase.io
import numpy as np
import pytest
from ase import Atoms

from lpr_fast import LinearModel, LprWarning, SparseKernelModel, fit_files

from .alloys import alloys, labelled, virial_of, without
from .structures import HYPERS

Fit = Callable[[list[Atoms]], Any]
KERNEL: dict[str, Any] = {"hypers": HYPERS, "n_active": 30, "zeta": 2}

FITS: dict[str, Fit] = {
    "energies": lambda frames: SparseKernelModel.fit(frames, regularizer=1e-4, **KERNEL),
    "linear": lambda frames: LinearModel.fit(frames, hypers=HYPERS, regularizer=1e-4),
    "energies with noise": lambda frames: SparseKernelModel.fit(frames, sigma={"energy": 0.01}, delta=1.0, **KERNEL),
    "forces": lambda frames: SparseKernelModel.fit(frames, sigma={"energy": 0.1, "force": 0.1}, delta=1.0, **KERNEL),
}

of_every_fit = pytest.mark.parametrize("fit", FITS.values(), ids=FITS)


def with_virials(sign: float) -> list[Atoms]:
    frames = []
    for frame in alloys(20):
        xx, yy, zz, yz, xz, xy = sign * virial_of(frame)
        frames.append(without(frame, "stress"))
        frames[-1].info["virial"] = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    return frames


@of_every_fit
def test_a_wrong_sign_is_told(fit: Fit) -> None:
    with pytest.warns(
        LprWarning, match=r"virials correlate negatively \(-0\.\d+ over 20 structures\) with those of the"
    ):
        fit(with_virials(-1.0))


@of_every_fit
def test_the_right_sign_is_nothing_to_tell(fit: Fit) -> None:
    fit(with_virials(1.0))
    fit(alloys(20))


def test_a_fit_of_files_tells_it_too(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "train.xyz", with_virials(-1.0))
    with pytest.warns(LprWarning, match="virials correlate negatively"):
        fit_files(tmp_path / "train.xyz", tmp_path / "m.lpr", regularizer=1e-4, **KERNEL)


def test_few_virials_and_those_that_cannot_be_used_say_nothing() -> None:
    frames = with_virials(-1.0)
    for frame in frames[4:]:
        frame.info["virial"] = np.zeros((2, 2))
    FITS["energies"](frames)


def test_where_volumes_do_not_vary_nobody_judges() -> None:
    cell = ase.build.bulk("Cu", cubic=True)
    frames = []
    for seed in range(24):
        frames.append(cell.copy())
        frames[-1].numbers[: seed % 3] = 79
        frames[-1].rattle(0.1, seed=seed)  # type: ignore[no-untyped-call]
        labelled(frames[-1])
        frames[-1].calc.results["stress"] *= -1.0  # type: ignore[union-attr]
    FITS["forces"](frames)


def test_virials_that_are_fitted_to_are_not_looked_at() -> None:
    sigma = {"energy": 0.1, "virial": 1.0}
    SparseKernelModel.fit(with_virials(-1.0), sigma=sigma, delta=1.0, **KERNEL)
