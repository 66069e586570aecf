"""Few rows with many columns: within their span (from_features), and by the QR of all columns; seconds and memory."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from measure import compare, finish, parser, peak_memory, print_machine

from lpr_fast import HessianAccumulator, Rigidity


def rows(n_rows: int, size: int) -> np.ndarray:
    """Rows as good as any."""
    return np.random.default_rng(0).normal(size=(n_rows, size))


def within_span(X: np.ndarray, n_threads: int) -> Rigidity:
    """As from_features takes few rows."""
    return Rigidity.from_features(X, regularizer=1e-2, n_threads=n_threads)


def by_all_columns(X: np.ndarray, n_threads: int) -> Rigidity:
    """As rows that came one by one."""
    accumulator = HessianAccumulator(X.shape[1])
    accumulator.add(X, n_threads=n_threads)
    return Rigidity.from_accumulator(accumulator, regularizer=1e-2, n_threads=n_threads)


WAYS = {"within the span": within_span, "by all columns": by_all_columns}


def main() -> None:
    """Print seconds of fits and scores, and the memory of processes that do one fit."""
    if sys.argv[1:2] == ["--peak"]:
        X = rows(int(sys.argv[3]), int(sys.argv[4]))
        before = peak_memory()
        WAYS[sys.argv[2]](X, 1)
        print(f"{(peak_memory() - before) / 1e6:.0f}")
        return
    options = parser(__doc__)
    options.add_argument("--rows", type=int, default=200, help="N")
    options.add_argument("--columns", type=int, default=5489, help="M")
    given = options.parse_args()
    n_rows, size = (5, 30) if given.toy else (given.rows, given.columns)
    print_machine(given.threads)
    X, phi = rows(n_rows, size), rows(1000, size)
    title = f"{n_rows} rows, M = {size}"
    fits = {f"fit {name}": lambda way=way: way(X, given.threads) for name, way in WAYS.items()}
    compare(title, fits, given.repeats)
    models = {name: way(X, given.threads) for name, way in WAYS.items()}
    scores = {
        f"1000 LPR {name}": lambda model=model: model.lpr(phi, n_threads=given.threads)
        for name, model in models.items()
    }
    compare(title, scores, given.repeats)
    print("\nmemory of a fit beside the rows, MB")
    for name in WAYS:
        command = [sys.executable, __file__, "--peak", name, str(n_rows), str(size)]
        print(f"{name:<34s} {subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip():>10}")
    finish()


if __name__ == "__main__":
    main()
