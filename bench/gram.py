"""The two ways to sum training rows: a rigidity by method='qr' and by method='gram'."""

from __future__ import annotations

import numpy as np
from measure import arguments, compare, finish, print_machine

from lpr_fast import Rigidity


def main() -> None:
    """Print seconds of both, for some numbers of rows and columns."""
    given = arguments(__doc__)
    print_machine(given.threads)
    rng = np.random.default_rng(0)
    for n_rows, size in [(60, 8)] if given.toy else [(20_000, 200), (4_000, 1_000)]:
        X = rng.normal(size=(n_rows, size))
        compare(
            f"{n_rows} rows, M = {size}",
            {
                method: lambda X=X, method=method: Rigidity.from_features(  # type: ignore[misc]
                    X, regularizer=1e-2, method=method, n_threads=given.threads
                )
                for method in ("qr", "gram")
            },
            given.repeats,
        )
    finish()


if __name__ == "__main__":
    main()
