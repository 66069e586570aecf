"""The examples of structures run, and show what the documentation says of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import ase.io

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"


def test_a_run_in_ase_saves_a_frame_and_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", EXAMPLES / "ase_md.py", tmp_path]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed.endswith("wrote saved.xyz\n")
    threshold = float(printed.splitlines()[-1].split()[4].rstrip(":"))
    (frame,) = ase.io.read(tmp_path / "saved.xyz", ":")
    assert frame.arrays["lpr"].min() == frame.info["lpr_lowest"] < threshold


def test_the_program_in_the_reference_page_is_the_one_that_is_built_and_run() -> None:
    assert (ROOT / "cpp/examples/model.cpp").read_text() in (ROOT / "docs/guides/cpp.md").read_text()
