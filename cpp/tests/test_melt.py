"""The molecular dynamics example gives the scores of Python, and the trigger stops it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import ase.io
import numpy as np
import pytest
from tests.structures import fitted

from lpr_fast import SparseKernelModel


@pytest.fixture(scope="module")
def model() -> SparseKernelModel:
    return fitted()


def run(model: SparseKernelModel, folder: Path, threshold: str) -> subprocess.CompletedProcess[str]:
    model.save(folder / "model.lpr")
    arguments = [os.environ["LPR_FAST_MELT"], "model.lpr", threshold, "saved.xyz", "150", "500"]
    return subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=folder)


def test_the_saved_frame_holds_the_rigidities_of_python(model: SparseKernelModel, tmp_path: Path) -> None:
    finished = run(model, tmp_path, "1e300")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.endswith("an LPR is below 1e+300: wrote saved.xyz\n")
    (frame,) = ase.io.read(tmp_path / "saved.xyz", ":")
    assert len(frame) == 216
    assert frame.info["step"] == 0
    np.testing.assert_allclose(frame.arrays["lpr"], model.score(frame).lpr, rtol=1e-8)


def test_a_run_that_stays_above_the_threshold_saves_nothing(model: SparseKernelModel, tmp_path: Path) -> None:
    finished = run(model, tmp_path, "1e-300")
    assert finished.returncode == 0, finished.stderr
    energy = float(finished.stdout.splitlines()[1].split()[2])
    assert energy == pytest.approx(-4.3366, abs=2e-4)  # of the crystal, as Stillinger and Weber's potential has it
    assert not (tmp_path / "saved.xyz").exists()


def test_a_wrong_threshold_gets_one_sentence(model: SparseKernelModel, tmp_path: Path) -> None:
    finished = run(model, tmp_path, "-1")
    assert finished.returncode == 1
    message = "melt: the threshold is -1; it must be positive and finite, or zero for no limit of the LPR.\n"
    assert finished.stderr == message
