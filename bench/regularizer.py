"""The choice of a regularizer, beside the sum of the rows that any fit makes: seconds, and their ratio."""

from __future__ import annotations

import numpy as np
from measure import compare, finish, parser, print_machine

from lpr_fast import HessianAccumulator, _core


def main() -> None:
    """Print seconds of the sum, of the decomposition, and of all errors of left-out rows."""
    options = parser(__doc__)
    options.add_argument("--structures", type=int, default=5000, help="N")
    options.add_argument("--active", type=int, default=500, help="M")
    given = options.parse_args()
    count, size = (60, 8) if given.toy else (given.structures, given.active)
    print_machine(given.threads)
    rng = np.random.default_rng(0)
    points = rng.normal(size=(size, 20))
    points /= np.linalg.norm(points, axis=1)[:, None]
    prior = (points @ points.T) ** 2 + 1e-6 * np.eye(size)
    rows, targets, weights = rng.normal(size=(count, size)), rng.normal(size=count), np.ones(count)
    grid = 10.0 ** np.arange(-13.0, 1.0, 0.2)
    structures = list(range(count))

    def added() -> HessianAccumulator:
        accumulator = HessianAccumulator(size, labelled=True)
        accumulator.add(rows, weights, targets=targets, n_threads=given.threads)
        return accumulator

    accumulator = added()
    spectrum = _core.Spectrum(accumulator._core, prior, [], given.threads)
    compare(
        f"{count} rows, M = {size}, {len(grid)} regularizers",
        {
            "sum of the rows": added,
            "decomposition": lambda: _core.Spectrum(accumulator._core, prior, [], given.threads),
            "left-out errors": lambda: spectrum.leave_one_out(rows, targets, weights, structures, grid, given.threads),
        },
        given.repeats,
    )
    finish()


if __name__ == "__main__":
    main()
