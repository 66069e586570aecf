"""PACE's active set (MaxVol) and extrapolation grade gamma, from given features in place of its own basis functions."""

from importlib.metadata import version
from time import perf_counter

import numpy as np
from pyace.activelearning import compute_A_active_inverse, compute_active_set, compute_extrapolation_grade

SPECIES = 0


def main() -> None:
    """Read input.npz and write output.npz."""
    given = np.load("input.npz")
    start = perf_counter()
    inverse = compute_A_active_inverse(compute_active_set({SPECIES: given["train"]}))
    seconds = perf_counter() - start
    start = perf_counter()
    of_train, of_test = (
        compute_extrapolation_grade({SPECIES: given[name]}, inverse)[SPECIES] for name in ("train", "test")
    )
    np.savez(
        "output.npz",
        version=f"python-ace {version('python-ace')}",
        of_train=of_train,
        of_test=of_test,
        seconds_active_set=seconds,
        seconds=perf_counter() - start,
    )


if __name__ == "__main__":
    main()
