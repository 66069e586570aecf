"""A model with the weights of ten members beside the same without.

And the second moments of R^-T phi beside the variances: a row takes M^2 multiplications and additions, twice as many.
"""

from __future__ import annotations

import numpy as np
from measure import arguments, compare, finish, print_machine

from lpr_fast import Rigidity, SparseKernelModel, _core
from lpr_fast.models._archive import with_members


def fitted(size: int, n_features: int) -> SparseKernelModel:
    """A model of arrays with energies."""
    rng = np.random.default_rng(1)
    X, structures = rng.random((4 * size, n_features)) ** 4, np.arange(4 * size) // 4
    return SparseKernelModel.from_arrays(
        X, np.full(len(X), 14), structures, n_active=size, regularizer=1e-3, energies=rng.normal(size=size)
    )


def from_features(size: int, n_features: int, n_rows: int, n_members: int, n_threads: int, repeats: int) -> None:
    """All scores of both; the members' are their energies too."""
    rng = np.random.default_rng(0)
    plain = fitted(size, n_features)._model
    committee = with_members(plain, rng.normal(size=(n_members, plain.size)))
    rows, species = rng.random((n_rows, n_features)) ** 4, np.full(n_rows, 14, dtype=np.int32)
    compare(
        f"{n_rows} x {n_features} features, M = {size}",
        {
            "one model": lambda: plain.score(rows, species, n_threads),
            f"with the spread of {n_members} members": lambda: committee.score(rows, species, n_threads),
            f"and their {n_members} energies": lambda: committee.score(rows, species, n_threads, members=True),
        },
        repeats,
    )


def moments(size: int, n_rows: int, n_threads: int, repeats: int) -> None:
    """G = sum of z z^T beside |z|^2, of the same rows."""
    rng = np.random.default_rng(0)
    rigidity = Rigidity.from_features(rng.normal(size=(2 * size, size)), regularizer=1e-3)
    factor, phi = rigidity._factor, rng.normal(size=(n_rows, size))
    assert isinstance(factor, _core.HessianFactor)

    def summed() -> object:
        sums = _core.SecondMoments(factor, held=False)
        sums.add(phi, None, n_threads)
        return sums.sum(n_threads)

    compare(
        f"{n_rows} rows of phi, M = {size}",
        {
            "variances": lambda: rigidity.variance(phi, n_threads=n_threads),
            "whitened rows": lambda: factor.whitened(phi, n_threads),
            "second moments": summed,
        },
        repeats,
    )


def main() -> None:
    """Print seconds and ratios."""
    given = arguments(__doc__)
    print_machine(given.threads)
    for size, n_features, n_rows in ((16, 30, 100),) if given.toy else ((250, 252, 100_000), (1000, 252, 100_000)):
        from_features(size, n_features, n_rows, 10, given.threads, given.repeats)
    for size, n_rows in ((20, 100),) if given.toy else ((500, 20_000), (1000, 10_000)):
        moments(size, n_rows, given.threads, given.repeats)
    finish()


if __name__ == "__main__":
    main()
