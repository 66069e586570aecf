"""Write the types of the compiled module to python/lpr_fast/_core.pyi, or with --check compare them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

STUB = Path(__file__).parents[1] / "python" / "lpr_fast" / "_core.pyi"


def generate() -> str:
    """What pybind11-stubgen reads off the installed module."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pybind11_stubgen", "lpr_fast._core", "--output-dir", folder]
        subprocess.run(command, check=True, cwd=folder)
        return (Path(folder) / "lpr_fast" / "_core.pyi").read_text()


def main() -> int:
    """Exit code 1 when --check finds a difference."""
    stub = generate()
    if "--check" not in sys.argv[1:]:
        STUB.write_text(stub)
        print(f"wrote {STUB}")
    elif stub != STUB.read_text():
        print(f"{STUB} is out of date; run `make stubs`.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
