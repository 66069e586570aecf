"""C++ that is compiled on the spot."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path


def library_of(source: Path, flags: Sequence[str], libraries: Sequence[str] = ()) -> ctypes.CDLL | None:
    """The functions of a file; None, with a remark, where there is no compiler."""
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if compiler is None:
        print(f"no C++ compiler: what {source.name} measures is left out")
        return None
    with tempfile.TemporaryDirectory() as folder:
        target = str(Path(folder) / "compiled.so")
        command = [compiler, "-std=c++17", "-O2", "-shared", "-fPIC", *flags, str(source), *libraries, "-o", target]
        subprocess.run(command, check=True)
        return ctypes.CDLL(target)
