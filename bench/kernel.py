"""The scoring kernel beside every script that we know, and beside the peak of the processor: all numbers at once."""

from __future__ import annotations

import os
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
from measure import finish, parser, print_machine
from suite import fitting_cases, process_cases, report, scoring_cases, structure_cases
from suite.context import Context
from suite.peak import Peak
from suite.timing import Array, Clock, Job

CASES: dict[int, Callable[[Context], None]] = {
    1: scoring_cases.from_features_case,
    2: scoring_cases.from_phi_case,
    3: scoring_cases.species_case,
    4: fitting_cases.factorization_case,
    5: process_cases.latency_case,
    6: structure_cases.positions_case,
    7: structure_cases.quip_case,
    8: scoring_cases.growth_case,
    9: process_cases.instruction_set_case,
    10: process_cases.memory_case,
}


def options() -> Namespace:
    """What every benchmark takes, and which cases, where to, and on which kernels of OpenBLAS."""
    arguments = parser(__doc__)
    arguments.add_argument("--cases", default=",".join(map(str, CASES)), help="numbers, separated by commas")
    arguments.add_argument("--results", type=Path, help="folder; with --toy a temporary one unless given")
    arguments.add_argument(
        "--blas-core", default="", help="OPENBLAS_CORETYPE of the scripts; its own choice by default, whatever is set"
    )
    return arguments.parse_args()


def start_anew_with(blas_core: str) -> None:
    """OpenBLAS reads its settings when it is loaded: without them it does its best on this processor."""
    environment = {
        key: value for key, value in os.environ.items() if key not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
    }
    if blas_core:
        environment["OPENBLAS_CORETYPE"] = blas_core
    if environment != dict(os.environ):
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


class Ceiling:
    """Peak of multiply-adds and NumPy's matrix product, measured before, between and after the cases."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.size = 100 if context.toy else 2000
        self._square = np.random.default_rng(0).standard_normal((self.size, self.size))
        self.values: dict[str, list[float]] = {}

    def measure(self) -> None:
        """Once more."""
        for threads in self._context.thread_counts:
            product = Job("product", self._product, threads)
            for _ in range(3):
                peak = self._context.clock.peak.gigaflops(threads)
                seconds = self._context.clock.once(product)[0]
                self.values.setdefault(f"multiply-adds, {threads} threads", []).append(peak)
                self.values.setdefault(f"matrix product, {threads} threads", []).append(2e-9 * self.size**3 / seconds)

    def _product(self) -> Array:
        return self._square @ self._square


def run(context: Context, cases: list[int], folder: Path) -> None:
    """All cases, then what they add up to."""
    facts = report.machine(context)
    report.print_libraries(facts)
    ceiling = Ceiling(context)
    ceiling.measure()
    for case in cases:
        start = perf_counter()
        CASES[case](context)
        ceiling.measure()
        print(f"\n(case {case}: {perf_counter() - start:.0f} s)", flush=True)
        report.save_numbers(context, facts, folder)
    report.print_peaks(context, ceiling.values, ceiling.size)
    report.print_table(context)
    report.save(context, facts, folder)


def main() -> None:
    """Print everything; save numbers and figure."""
    chosen = options()
    start_anew_with(chosen.blas_core)
    print_machine(chosen.threads)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    clock = Clock(Peak(toy=chosen.toy), chosen.repeats, toy=chosen.toy)
    context = Context(clock, chosen.threads or int(os.environ.get("OMP_NUM_THREADS", cores)), chosen.toy)
    go = partial(run, context, [int(case) for case in chosen.cases.split(",")])
    if chosen.results or not chosen.toy:
        go(chosen.results or Path(__file__).with_name("results"))
    else:
        with tempfile.TemporaryDirectory() as folder:
            go(Path(folder))
    finish()


if __name__ == "__main__":
    main()
