"""Scoring, phi in: this package beside what scripts do with SciPy and NumPy on the same factor."""

from __future__ import annotations

import numpy as np
from measure import arguments, compare, finish, print_machine
from scipy.linalg import solve_triangular

from lpr_fast import Rigidity

BLOCK = 512


def main() -> None:
    """Print seconds and ratios for several model sizes."""
    options = arguments(__doc__)
    sizes, n_rows = ((20,), 100) if options.toy else ((500, 1000, 2000), 4000)
    print_machine(options.threads)
    for size in sizes:
        rng = np.random.default_rng(0)
        features, phi = rng.normal(size=(2 * size, size)), rng.normal(size=(n_rows, size))
        model = Rigidity.from_features(features, regularizer=1e-3)
        triangle = np.linalg.cholesky(model.hessian()).T
        inverse = np.linalg.inv(model.hessian())

        def solve(phi: np.ndarray = phi, triangle: np.ndarray = triangle) -> np.ndarray:
            blocks = np.split(phi, range(BLOCK, len(phi), BLOCK))
            solved = [solve_triangular(triangle, block.T, trans="T", check_finite=False) for block in blocks]
            return np.concatenate([np.einsum("ij,ij->j", y, y) for y in solved])

        jobs = {
            "lpr_fast": lambda m=model, p=phi: m.variance(p, n_threads=options.threads),
            "lpr_fast, one thread": lambda m=model, p=phi: m.variance(p, n_threads=1),
            "SciPy solve_triangular, blocked": solve,
            "inv(H), einsum": lambda p=phi, i=inverse: np.einsum("ij,ij->i", p @ i, p),
        }
        compare(f"M = {size}, {n_rows} environments", jobs, options.repeats)
    finish()


if __name__ == "__main__":
    main()
