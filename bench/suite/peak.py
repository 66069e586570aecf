"""What the processor can do at most: multiply-adds in registers, compiled for it on the spot."""

from __future__ import annotations

import ctypes
import math
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("peak.cpp")
FLAGS = ("-std=c++17", "-O2", "-march=native", "-ffp-contract=fast", "-shared", "-fPIC", "-pthread")


class Peak:
    """Multiply-adds per second; NaN where there is no compiler."""

    def __init__(self, *, toy: bool) -> None:
        self._rounds = 300 if toy else 150_000
        self._library = self._compiled()
        self.vector_bits = self._library.peak_vector_bits() if self._library else 0

    @staticmethod
    def _compiled() -> ctypes.CDLL | None:
        compiler = shutil.which(os.environ.get("CXX", "c++"))
        if compiler is None:
            print("no C++ compiler: shares of the peak are not measured")
            return None
        with tempfile.TemporaryDirectory() as folder:
            target = str(Path(folder) / "peak.so")
            subprocess.run([compiler, *FLAGS, str(SOURCE), "-o", target], check=True)
            library = ctypes.CDLL(target)
        library.peak_gigaflops.argtypes = [ctypes.c_int, ctypes.c_long]
        library.peak_gigaflops.restype = ctypes.c_double
        return library

    def gigaflops(self, n_threads: int) -> float:
        """1e9 operations per second of this many threads together, now."""
        return self._library.peak_gigaflops(n_threads, self._rounds) if self._library else math.nan
