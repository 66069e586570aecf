"""The measurement behind docs/guides/carbon_potential.md: its labels, and that it runs at toy size."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

ROOT = Path(__file__).parents[1]
BENCH = ROOT / "bench"
DATA = Path(os.environ.get("LPR_FAST_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(autouse=True)
def _bench(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCH)
    from melts.potentials import lammps_program, potentials

    if lammps_program() is None or potentials() is None:
        pytest.skip("LAMMPS and its potentials are not installed")


def test_tersoff_labels_are_sums_and_derivatives_of_one_energy() -> None:
    """In a triclinic cell: forces by four points, the virial by strains that keep the cell's angles."""
    from carbon_potential.tersoff import with_tersoff

    frame = bulk("C", "diamond", 3.6).repeat((2, 2, 2))
    frame.positions += np.random.default_rng(1).normal(scale=0.1, size=(16, 3))
    (labelled,) = with_tersoff([frame])
    assert labelled.arrays["local_energy"].sum() == pytest.approx(labelled.get_potential_energy(), rel=1e-9)
    h, moved, strained = 1e-3, [], []
    for step in (-2, -1, 1, 2):
        moved.append(frame.copy())
        moved[-1].positions[5, 1] += step * h
        strained.append(frame.copy())
        strained[-1].set_cell(frame.cell.array * (1.0 + step * h), scale_atoms=True)
    for frames, expected in (
        (moved, labelled.get_forces()[5, 1]),
        (strained, np.trace(labelled.info["virial"].reshape(3, 3))),
    ):
        energies = [found.get_potential_energy() for found in with_tersoff(frames)]
        assert -np.dot([1, -8, 8, -1], energies) / (12 * h) == pytest.approx(expected, rel=1e-5)


def test_the_measurement_runs_at_toy_size(tmp_path: Path) -> None:
    if not (DATA / "carbon_gap17test_dft.xyz").is_file():
        pytest.skip(f"carbon_gap17test_dft.xyz absent from {DATA}: not distributed; set LPR_FAST_DATA to the folder")
    command = [sys.executable, "-m", "carbon_potential.measure", "--toy", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=BENCH, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n# labels of ") == 3
    assert done.stdout.count("totals per atom") == 3
    assert done.stdout.count("\nlocal energies ") == 1
    assert done.stdout.count("\nMD, ") == 2
