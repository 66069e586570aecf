"""The examples of structures run, and show what the documentation says of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import ase.io

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"


def test_far_away_atoms_have_high_rigidities_and_residuals_near_one() -> None:
    command = [sys.executable, "-W", "error", EXAMPLES / "far_away.py"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    sharp = {line[:16].strip(): [float(x) for x in line[16:].split()] for line in printed.splitlines()[10:15]}
    assert sharp["pair, 1.0 Å"][0] > 1e3 * sharp["crystal, 300 K"][0]
    assert sharp["pair, 1.0 Å"][2] > 0.999
    assert sharp["melt, 3600 K"][0] < 0.1 * sharp["crystal, 300 K"][0]


def test_a_run_in_ase_saves_a_frame_and_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", EXAMPLES / "ase_md.py", tmp_path]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed.endswith("wrote saved.xyz\n")
    threshold = float(printed.splitlines()[-1].split()[4].rstrip(":"))
    (frame,) = ase.io.read(tmp_path / "saved.xyz", ":")
    assert frame.arrays["lpr"].min() == frame.info["lpr_lowest"] < threshold


def test_the_program_in_the_reference_page_is_the_one_that_is_built_and_run() -> None:
    assert (ROOT / "cpp/examples/model.cpp").read_text() in (ROOT / "docs/cpp.md").read_text()
