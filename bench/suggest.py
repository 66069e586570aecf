"""Suggestions for the mean variance of many targets beside the multiply-adds that G = sum z z^T takes."""

from __future__ import annotations

import numpy as np
from measure import arguments, compare, finish, print_machine

from lpr_fast import Rigidity, _core, suggest


def bare(square: np.ndarray, targets: np.ndarray, n_threads: int) -> np.ndarray:
    """M^2 multiply-adds for each target, and nothing else: as many as R^-T phi and z z^T take, as a matrix product."""
    return _core.kernel_rows(targets, square, 1.0, n_threads)


def of_size(size: int, n_targets: int, n_candidates: int, n_threads: int, repeats: int) -> None:
    """Twenty of the candidates, with all that the report says."""
    rng = np.random.default_rng(0)
    rigidity = Rigidity.from_features(rng.normal(size=(2 * size, size)), regularizer=1e-3)
    targets, candidates = rng.normal(size=(n_targets, size)), rng.normal(size=(n_candidates, size))
    square = rng.normal(size=(size, size))
    compare(
        f"{n_candidates} x {n_targets}, M = {size}",
        {
            "multiply-adds": lambda: bare(square, targets, n_threads),
            "suggest": lambda: suggest(rigidity, targets, candidates, 20, n_threads=n_threads),
        },
        repeats,
    )


def main() -> None:
    """Print seconds and ratios."""
    given = arguments(__doc__)
    print_machine(given.threads)
    for size, n_targets, n_candidates in (
        ((20, 200, 30),) if given.toy else ((250, 400_000, 2000), (500, 200_000, 2000))
    ):
        of_size(size, n_targets, n_candidates, given.threads, given.repeats)
    finish()


if __name__ == "__main__":
    main()
