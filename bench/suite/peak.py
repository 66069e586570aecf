"""What the processor can do at most: multiply-adds in registers, compiled for it on the spot."""

from __future__ import annotations

import ctypes
import math
from pathlib import Path

from .compiled import library_of

SOURCE = Path(__file__).with_name("peak.cpp")
FLAGS = ("-march=native", "-ffp-contract=fast", "-pthread")


class Peak:
    """Multiply-adds per second; NaN where there is no compiler."""

    def __init__(self, *, toy: bool) -> None:
        self._rounds = 300 if toy else 150_000
        self._library = library_of(SOURCE, FLAGS)
        if self._library:
            self._library.peak_gigaflops.argtypes = [ctypes.c_int, ctypes.c_long]
            self._library.peak_gigaflops.restype = ctypes.c_double
        self.vector_bits = self._library.peak_vector_bits() if self._library else 0

    def gigaflops(self, n_threads: int) -> float:
        """1e9 operations per second of this many threads together, now."""
        return self._library.peak_gigaflops(n_threads, self._rounds) if self._library else math.nan
