"""The tools run, at toy size where they take minutes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from tools import chemiscope_picture, demo_alloy, demo_data, gallery_silicon, stubs

ROOT = Path(__file__).parents[1]
DATA = demo_data.OUTPUT_FOLDER

# As few steps, and snapshots, as there can be.
TOY = {
    "EQUILIBRATION": 2,
    "SPACING": 1,
    "CRYSTAL_SNAPSHOTS": 1,
    "DEFECT_SNAPSHOTS": 1,
    "N_STRAINED_SMALL": 2,
    "N_STRAINED_LARGE": 1,
    "N_QUENCHES": 1,
    "MELT": (4000.0, 2),
    "QUENCH": (2000.0, 600.0, 2, 1),
    "AMORPHOUS_SNAPSHOTS": 1,
    "HEATING": (300.0, 3600.0, 4, 2),
}


def kinds(frames: list[Atoms]) -> set[str]:
    """What the structures are, without their temperatures."""
    return {str(frame.info["config_type"]).split()[0] for frame in frames}


def test_the_demo_data_can_be_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in TOY.items():
        monkeypatch.setattr(demo_data, name, value)
    monkeypatch.setattr(sys, "argv", ["demo_data.py", str(tmp_path)])
    demo_data.main()
    printed = capsys.readouterr().out
    for name, count in (("train.xyz", 12), ("trajectory.xyz", 4)):
        frames = ase.io.read(tmp_path / name, ":")
        assert len(frames) == count
        assert kinds(frames) == kinds(ase.io.read(DATA / name, ":"))
        assert all(frame.get_potential_energy() < 0 for frame in frames)
        assert f"{tmp_path / name}: {count} structures" in printed


def test_the_alloy_of_the_demo_can_be_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"EQUILIBRATION": 2, "SPACING": 1}.items():
        monkeypatch.setattr(demo_data, name, value)
    for name, toy in {"SNAPSHOTS": 1, "N_STRAINED": 2, "HEATED_REPEATS": 2, "HEATING": (300.0, 1000.0, 4, 2)}.items():
        monkeypatch.setattr(demo_alloy, name, toy)
    monkeypatch.setattr(sys, "argv", ["demo_alloy.py", str(tmp_path)])
    demo_alloy.main()
    for name, count in (("alloy_train.xyz", 8), ("alloy_trajectory.xyz", 4)):
        frames = ase.io.read(tmp_path / name, ":")
        assert len(frames) == count
        assert kinds(frames) <= kinds(ase.io.read(DATA / name, ":"))
        assert len({len(frame) for frame in frames}) == 1 + (name == "alloy_train.xyz")


def test_the_stub_is_that_of_the_compiled_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pybind11_stubgen")
    expected = stubs.STUB.read_text()
    monkeypatch.setattr(stubs, "STUB", tmp_path / "_core.pyi")
    monkeypatch.setattr(sys, "argv", ["stubs.py"])
    assert stubs.main() == 0
    assert (tmp_path / "_core.pyi").read_text() == expected
    monkeypatch.setattr(sys, "argv", ["stubs.py", "--check"])
    assert stubs.main() == 0
    (tmp_path / "_core.pyi").write_text(expected + "\n")
    assert stubs.main() == 1
    assert capsys.readouterr().out.endswith("_core.pyi is out of date; run `make stubs`.\n")


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed (apt-get install chromium)")
def test_the_picture_of_the_map_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chemiscope_picture, "_N_ACTIVE", 12)
    monkeypatch.setattr(sys, "argv", ["chemiscope_picture.py", str(tmp_path / "map.png")])
    assert chemiscope_picture.main() == 0
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")


def test_without_a_browser_the_tool_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(chemiscope_picture, "_N_ACTIVE", 12)
    monkeypatch.setattr(sys, "argv", ["chemiscope_picture.py", str(tmp_path / "map.png")])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert chemiscope_picture.main() == 2
    assert capsys.readouterr().err == "no chromium is installed (Debian: apt-get install chromium).\n"


def test_make_test_runs_every_part_and_names_those_that_failed(tmp_path: Path) -> None:
    (tmp_path / "parts.mk").write_text("good fine: ; @echo $@ ran\nbad: ; @false\n")
    variables = {**os.environ, "MAKEFILES": str(tmp_path / "parts.mk"), "MAKEFLAGS": ""}
    command = ["make", "--directory", str(ROOT), "--assume-old", ".venv/dev", "test"]
    for parts, code, summary in (
        ("good bad fine", 2, "passed: good fine; failed: bad"),
        ("good fine", 0, "passed: good fine; failed: none"),
    ):
        done = subprocess.run(
            [*command, "TREES=", f"PARTS={parts}"], env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == code
        lines = [line for line in done.stdout.splitlines() if not line.startswith("make")]
        assert lines == ["good ran", "fine ran", summary]


def test_networks_that_switch_bonds_keep_four_of_each_atom_and_forces_are_slopes_of_their_energy() -> None:
    chains = gallery_silicon.Chains(3, np.random.default_rng(0))
    for _ in range(30):
        chains.attempt(3.0)
    for bonds in chains.bonds:
        assert all(len(set(ends)) == 4 for ends in bonds)
        assert all(atom in bonds[end] for atom, ends in enumerate(bonds) for end in ends)
    assert np.all(chains.energy > 0)
    step = np.zeros_like(chains.positions)
    step[:, 5, 1] = 1e-5
    energy = chains.keating.energy_and_forces
    (up, _), (down, _) = (energy(chains.positions + sign * step, chains.bonds) for sign in (1, -1))
    forces = energy(chains.positions, chains.bonds)[1][:, 5, 1]
    np.testing.assert_allclose(forces, (down - up) / 2e-5, rtol=1e-5, atol=1e-6)


def test_the_silicon_of_the_gallery_is_what_it_says() -> None:
    frames = ase.io.read(gallery_silicon.OUTPUT_FILE, ":")
    kinds = [frame.info["config_type"] for frame in frames]
    assert kinds.count("network") >= 200
    assert kinds.count("melt") >= 100
    assert gallery_silicon.OUTPUT_FILE.stat().st_size < 2e6
    for frame, kind in zip(frames, kinds, strict=True):
        assert np.all(gallery_silicon.neighbours(frame) == 4) == (kind == "network")
        assert abs(frame.arrays["local_energy"].sum() - frame.get_potential_energy()) < 1e-3
