"""Every block of docs/guides/lammps.md runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from lammps_runs import PROGRAMS, Lammps, silicon
from tests.structures import fitted
from tests.test_pages import ROOT, blocks_of

from lpr_fast import LinearModel

BLOCKS = list(blocks_of(ROOT / "docs" / "guides" / "lammps.md"))
MELT = ROOT / "cpp" / "lammps" / "examples" / "melt"
TUNGSTEN = """
units metal
lattice bcc 3.18
region box block 0 2 0 2 0 2
create_box 1 box
create_atoms 1 box
mass 1 183.84
pair_style zero 4.7
pair_coeff * *
"""

# Every run of LAMMPS stops at the first LPR, long before the silicon melts.
COMMANDS = """
set -euo pipefail
pip() { [[ "$*" = "install ./cpp/lammps" ]]; }
lmp() { command lmp -var threshold 1e9 -log none -screen none "$@"; }
"""


def blocks(language: str) -> list[str]:
    return [text for _, found, text in BLOCKS if found == language]


def test_every_block_says_what_it_is() -> None:
    assert {language for _, language, _ in BLOCKS} <= {"sh", "lammps", ""}


def test_the_line_of_input_runs(lammps: Lammps) -> None:
    fitted().save(lammps.folder / "silicon.lpr")
    lammps.succeed(silicon() + blocks("lammps")[0] + "run 0\n")


def test_the_lines_that_matter_are_those_of_the_input() -> None:
    lines = (MELT / "in.melt").read_text().splitlines()
    assert [line for line in blocks("lammps")[1].splitlines() if line and line not in lines] == []


def test_the_limits_of_a_trigger_run(lammps: Lammps) -> None:
    fitted().save(lammps.folder / "silicon.lpr")
    lammps.succeed(silicon() + blocks("lammps")[2] + "run 0\n")


def test_the_lines_of_another_compute_run(lammps: Lammps) -> None:
    rng = np.random.default_rng(4)
    model = LinearModel.from_arrays(rng.random((4, 55)), [74] * 4, [0, 0, 1, 1], regularizer=1.0)
    model.save(lammps.folder / "tungsten.lpr")
    lammps.succeed(TUNGSTEN + blocks("lammps")[3] + "run 0\n")


@pytest.mark.parametrize("text", blocks("sh"), ids=lambda text: text.splitlines()[0])
def test_commands_run(text: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "cpp" / "lammps" / "examples", tmp_path / "cpp" / "lammps" / "examples")
    path = os.pathsep.join([str(PROGRAMS), os.environ["PATH"]])
    variables = os.environ | {"PATH": path, "MPLBACKEND": "agg"}
    command = ["bash", "-c", COMMANDS + text]
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    if "snap.py" in text:
        words = done.stdout.split()
        by_lammps, by_python = float(words[5]), float(words[8])
        assert by_lammps == pytest.approx(by_python, rel=1e-3)  # of the digits that are printed
