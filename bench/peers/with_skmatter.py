"""scikit-matter's LPR for some regularizers, in its own convention."""

from importlib.metadata import version
from time import perf_counter

import numpy as np
from skmatter.metrics import local_prediction_rigidity


def main() -> None:
    """Read input.npz and write output.npz."""
    given = np.load("input.npz")
    ends = np.cumsum(np.bincount(given["structure"]))[:-1]
    train, test = np.split(given["train"], ends), [given["test"]]
    rigidities, rank_differences, seconds = [], [], []
    for alpha in given["alphas"]:
        for _ in range(int(given["repeats"])):
            start = perf_counter()
            found, rank_difference = local_prediction_rigidity(train, test, float(alpha))
            seconds.append(perf_counter() - start)
        rigidities.append(found[0])
        rank_differences.append(rank_difference)
    np.savez(
        "output.npz",
        version=f"skmatter {version('skmatter')}",
        lpr=rigidities,
        rank_differences=rank_differences,
        seconds=np.reshape(seconds, (len(rigidities), -1)),
    )


if __name__ == "__main__":
    main()
