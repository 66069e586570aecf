"""A peer's script, run by the Python that has the peer."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
_HAS = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)"


def has(python: str, module: str) -> bool:
    """Whether that Python finds the module."""
    return subprocess.run([python, "-c", _HAS, module], check=False).returncode == 0


def run(script: str, python: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Give the arrays to a script, in a folder of its own, and take those that it saves."""
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "input.npz", **arrays)
        program = Path(python).absolute()  # not resolved: the link belongs to the environment
        path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "JAX_ENABLE_X64": "1"}
        command = [str(program), str(HERE / script)]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{script} failed:\n{done.stdout}\n{done.stderr}")
        with np.load(Path(folder) / "output.npz") as saved:
            return dict(saved)
