"""QRs of few columns, which synchronise threads often, with one thread and two: alone, and beside busy processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from measure import arguments, compare, finish, print_machine

from lpr_fast import Rigidity


@contextmanager
def busy(n_processes: int) -> Iterator[None]:
    """So many processes compute meanwhile, each on one core."""
    command = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(command) for _ in range(n_processes)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def of_one_and_two(name: str, n_rows: int, size: int, repeats: int) -> None:
    """Seconds of both, and their ratio."""
    X = np.random.default_rng(0).normal(size=(n_rows, size))
    compare(
        f"{name}: N = {n_rows}, M = {size}",
        {
            f"{n} thread{'s'[: n - 1]}": lambda n=n: Rigidity.from_features(X, regularizer=1.0, n_threads=n)  # type: ignore[misc]
            for n in (1, 2)
        },
        repeats,
    )


def main() -> None:
    """Print seconds and ratios."""
    given = arguments(__doc__)
    print_machine(2)
    cores = len(os.sched_getaffinity(0))
    for size in (8,) if given.toy else (100, 250, 500, 1000):
        of_one_and_two("alone", size, size, given.repeats)
        with busy(cores):
            of_one_and_two(f"beside {cores} busy processes", size, size, given.repeats)
    finish()


if __name__ == "__main__":
    main()
