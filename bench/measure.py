"""What all benchmarks use: times interleaved, repeated and told with their spread, memory, and the machine."""

from __future__ import annotations

import argparse
import os
import platform
import resource
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter

import numpy as np
import scipy

import lpr_fast

Job = Callable[[], object]


def parser(description: str | None) -> argparse.ArgumentParser:
    """What every benchmark takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--toy", action="store_true", help="sizes that take no time, to see that it still runs")
    parser.add_argument("--repeats", type=int, default=7, help="measurements of each job, after one warm-up")
    parser.add_argument("--threads", type=int, default=0, help="of lpr_fast; 0 for OMP_NUM_THREADS or all cores")
    return parser


def arguments(description: str | None) -> argparse.Namespace:
    """The same, parsed."""
    return parser(description).parse_args()


def processor() -> str:
    """Name of the processor, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def peak_memory() -> int:
    """Largest resident size so far, in bytes; `getrusage` begins with that of the process which started this one."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
    except (OSError, StopIteration):
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def print_machine(n_threads: int) -> None:
    """Everything without which a ratio cannot be judged."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    blas = os.environ.get("OPENBLAS_NUM_THREADS", "not set")
    print(
        f"processor: {processor()}, {cores} cores; instruction set of lpr_fast: {lpr_fast.cpu_info().instruction_set}"
    )
    print(f"threads of lpr_fast: {n_threads or 'all'}; OPENBLAS_NUM_THREADS: {blas}")
    print(f"lpr_fast {lpr_fast.__version__}, NumPy {np.__version__}, SciPy {scipy.__version__}, Python ", end="")
    print(platform.python_version())


def compare(title: str, jobs: Mapping[str, Job], repeats: int) -> None:
    """Run the jobs in turn and print seconds and, run by run, the ratio of each to the first."""
    for job in jobs.values():
        job()
    seconds = {name: np.empty(repeats) for name in jobs}
    for i in range(repeats):
        for name, job in jobs.items():
            start = perf_counter()
            job()
            seconds[name][i] = perf_counter() - start
    first = next(iter(seconds.values()))
    columns = "".join(f"{name:>10s}" for name in ("min", "median", "max"))
    print(f"\n{title:<34s} {'seconds':>30s} {'ratio to the first':>30s}\n{'':<34s} {columns} {columns}")
    for name, taken in seconds.items():
        ratio = taken / first
        numbers = [f"{f(x):10.4g}" for x in (taken, ratio) for f in (np.min, np.median, np.max)]
        print(f"{name:<34s} {''.join(numbers[:3])} {''.join(numbers[3:])}")


def finish() -> None:
    """Repeat the command, so that it stands next to its numbers."""
    print(f"\ncommand: python {' '.join(sys.argv)}")
