"""The benchmarks at toy size, so that they cannot rot; what they measure decides nothing here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench"
SCRIPTS = sorted(path.name for path in BENCH.glob("*.py") if path.name != "measure.py")


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_benchmark_runs_and_repeats_its_command(script: str) -> None:
    command = [sys.executable, "-W", "error", script, "--toy", "--repeats", "2"]
    result = subprocess.run(command, cwd=BENCH, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith(f"command: python {script} --toy --repeats 2\n")
