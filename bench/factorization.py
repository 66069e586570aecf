"""From structure rows to the factor: this package beside SciPy's QR and NumPy's Gram matrix, with peak memory."""

from __future__ import annotations

import resource

import numpy as np
from measure import arguments, compare, finish, print_machine
from scipy.linalg import cholesky, qr

from lpr_fast import HessianAccumulator, Rigidity

MU = 1e-3


def peak_megabytes() -> float:
    """Largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def print_memory(size: int, n_rows: int, threads: int) -> None:
    """Stream many rows through an accumulator; call before anything else has used memory."""
    block = np.random.default_rng(0).normal(size=(1000, size))
    before = peak_megabytes()
    accumulator = HessianAccumulator(size)
    for _ in range(n_rows // len(block)):
        accumulator.add(block, n_threads=threads)
    Rigidity.from_accumulator(accumulator, regularizer=MU, n_threads=threads)
    used, square = peak_megabytes() - before, size * size * 8 / 2**20
    print(f"\npeak memory for {n_rows} rows, M = {size}: {used:.0f} MB beyond input, {used / square:.1f} times M^2")


def main() -> None:
    """Print memory, then seconds and ratios."""
    options = arguments(__doc__)
    size, n_rows = (20, 2000) if options.toy else (1000, 10000)
    print_machine(options.threads)
    print_memory(size, 4 * n_rows, options.threads)
    rows = np.random.default_rng(1).normal(size=(n_rows, size))
    root = np.sqrt(MU) * np.eye(size)

    def ours(method: str) -> Rigidity:
        return Rigidity.from_features(rows, regularizer=MU, method=method, n_threads=options.threads)

    jobs = {
        "lpr_fast": lambda: ours("qr"),
        "lpr_fast, method='gram'": lambda: ours("gram"),
        "SciPy qr(mode='r') of all rows": lambda: qr(np.vstack([rows, root]), mode="r", check_finite=False),
        "NumPy X^T X, SciPy cholesky": lambda: cholesky(rows.T @ rows + MU * np.eye(size)),
    }
    compare(f"N = {n_rows} rows, M = {size}", jobs, options.repeats)
    finish()


if __name__ == "__main__":
    main()
