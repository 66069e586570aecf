"""What the innermost loops run on."""

from __future__ import annotations

import os
from typing import NamedTuple

from . import _core


class CpuInfo(NamedTuple):
    """Instruction sets: the one in use, and all that this processor and this build have, the best last."""

    instruction_set: str
    available: list[str]


def cpu_info() -> CpuInfo:
    """What the innermost loops run on.

    The best instruction set that the processor has is chosen when the first of them runs: "x86-64" (SSE2), "x86-64-v3"
    (AVX2, FMA) or "x86-64-v4" (AVX-512), "baseline" on other processors. The environment variable
    ``LPR_FAST_INSTRUCTION_SET`` forces another. Results have the same bits within one instruction set.

    Returns
    -------
    CpuInfo

    Raises
    ------
    InvalidInputError
        If the variable names something that is not available.
    """
    return CpuInfo(*_core.cpu_info())


def n_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def n_threads_of(given: int) -> int:
    """Threads that a call uses: the number itself, or for 0 ``OMP_NUM_THREADS`` or all cores; at least one."""
    if given == 0:
        first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
        given = int(first) if first.isdecimal() else 0
    return max(1, given or n_cores())
