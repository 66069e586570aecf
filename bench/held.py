"""LPR at fixed species means beside plain LPR: from rows of phi, and from features in a model of two species."""

from __future__ import annotations

import json

import numpy as np
from measure import arguments, compare, finish, print_machine

from lpr_fast import Rigidity, SparseKernelModel, _core


def without_held_rows(model: _core.Model) -> _core.Model:
    """The same model, which holds nothing and compares with no training set."""
    text, arrays = model.parts()
    facts = json.loads(text)
    facts.pop("reference")
    ends = (".directions", ".left", ".held")
    return _core.Model.from_parts(json.dumps(facts), {n: a for n, a in arrays.items() if not n.endswith(ends)})


def from_phi(size: int, n_rows: int, n_held: int, n_threads: int, repeats: int) -> None:
    """All columns: M^2 / 2 for each row, and twice M for each held row."""
    rng = np.random.default_rng(0)
    rigidity = Rigidity.from_features(rng.normal(size=(2 * size, size)), regularizer=1e-3)
    holding, phi = rigidity.holding(rng.normal(size=(n_held, size))), rng.normal(size=(n_rows, size))
    compare(
        f"{n_rows} rows of phi, M = {size}, q = {n_held}",
        {
            "plain, from phi": lambda: rigidity.lpr(phi, n_threads=n_threads),
            "held, from phi": lambda: holding.lpr_held(phi, n_threads=n_threads),
        },
        repeats,
    )


def from_features(size: int, n_features: int, n_rows: int, n_threads: int, repeats: int) -> None:
    """Two species, restricted to the columns of each: LPR and LPR at fixed species means in one pass."""
    rng = np.random.default_rng(1)
    X, species = rng.random((8 * size, n_features)) ** 4, np.arange(8 * size) % 2
    fitted = SparseKernelModel.from_arrays(
        X, species, np.arange(8 * size) // 8, n_active=size, regularizer=1e-3, n_threads=n_threads
    )
    plain = without_held_rows(fitted._model)
    text, arrays = fitted._model.parts()
    facts = {name: entry for name, entry in json.loads(text).items() if name != "reference"}
    holding = _core.Model.from_parts(json.dumps(facts), arrays)
    rows, numbers = rng.random((n_rows, n_features)) ** 4, (np.arange(n_rows) % 2).astype(np.int32)
    compare(
        f"{n_rows} x {n_features} features, M = {size}",
        {
            "plain, from features": lambda: plain.score(rows, numbers, n_threads),
            "plain and held, from features": lambda: holding.score(rows, numbers, n_threads),
        },
        repeats,
    )


def main() -> None:
    """Print seconds and ratios."""
    given = arguments(__doc__)
    print_machine(given.threads)
    for size, n_rows in ((20, 100),) if given.toy else ((250, 100_000), (500, 50_000), (1000, 20_000)):
        from_phi(size, n_rows, 2, given.threads, given.repeats)
    for size, n_features, n_rows in ((16, 30, 100),) if given.toy else ((500, 500, 20_000), (1000, 2000, 10_000)):
        from_features(size, n_features, n_rows, given.threads, given.repeats)
    finish()


if __name__ == "__main__":
    main()
