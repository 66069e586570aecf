"""Instruction sets, cores, threads and memory of this machine."""

from __future__ import annotations

import os
from typing import NamedTuple

from . import _core


class CpuInfo(NamedTuple):
    """Instruction sets: the one in use, and all that both the processor and the build support, the best last."""

    instruction_set: str
    available: list[str]


def cpu_info() -> CpuInfo:
    """Return the instruction set in use and those available.

    The best available one is chosen when the first innermost loop runs: "x86-64" (SSE2), "x86-64-v3" (AVX2, FMA) or
    "x86-64-v4" (AVX-512), "baseline" on other processors. The environment variable ``LPR_FAST_INSTRUCTION_SET`` forces
    another. Results have the same bits within one instruction set.

    Returns
    -------
    CpuInfo

    Raises
    ------
    InvalidInputError
        If ``LPR_FAST_INSTRUCTION_SET`` names a set that is not available.
    """
    return CpuInfo(*_core.cpu_info())


def n_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_of_machine() -> int:
    """Return the memory of this machine, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def resolve_n_threads(given: int) -> int:
    """Return the number of threads that a call uses: `given`, or for 0 ``OMP_NUM_THREADS`` or all cores."""
    if given == 0:
        first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
        given = int(first) if first.isdecimal() else 0
    return max(1, given or n_cores())
