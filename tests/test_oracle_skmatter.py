"""Agreement with scikit-matter after translation of its conventions.

Its ``local_prediction_rigidity`` takes structure means and alpha * s^2 as regularizer, with s^2 the mean squared norm
of the training environments. It uses a pseudoinverse of H: where its ``rank_diff`` is not 0 its answer is another one.
"""

from __future__ import annotations

import numpy as np
import pytest

from lpr_fast import Rigidity

metrics = pytest.importorskip("skmatter.metrics", reason="scikit-matter 0.4.1 needs Python 3.11")


@pytest.mark.parametrize("alpha", [1.0, 1e-3, 1e-6])
@pytest.mark.parametrize(("n_structures", "n_features"), [(30, 12), (8, 20)])
def test_the_lpr_is_that_of_scikit_matter(alpha: float, n_structures: int, n_features: int) -> None:
    rng = np.random.default_rng(7)
    train = [rng.normal(size=(rng.integers(2, 9), n_features)) + 0.5 for _ in range(n_structures)]
    test = [rng.normal(size=(4, n_features)) for _ in range(3)]
    theirs, rank_difference = metrics.local_prediction_rigidity(train, test, alpha)
    assert rank_difference == 0

    sums = np.array([environments.sum(axis=0) for environments in train])
    weights = np.array([1.0 / len(environments) ** 2 for environments in train])
    s_squared = np.mean(np.sum(np.vstack(train) ** 2, axis=1))
    ours = Rigidity.from_features(sums, weights=weights, regularizer=alpha * s_squared)
    np.testing.assert_allclose(ours.lpr(np.vstack(test)), np.hstack(theirs), rtol=1e-8)


def test_rigidities_of_components_are_those_of_scikit_matter() -> None:
    rng = np.random.default_rng(8)
    train = [rng.normal(size=(rng.integers(2, 9), 12)) for _ in range(25)]
    test = [rng.normal(size=(n, 12)) for n in (4, 3)]
    alpha, sizes = 1e-2, np.array([5, 4, 3])
    cpr, lcpr, rank_difference = metrics.componentwise_prediction_rigidity(train, test, alpha, sizes)
    assert rank_difference == 0

    ours = Rigidity.from_features(
        np.array([environments.sum(axis=0) for environments in train]),
        weights=np.array([1.0 / len(environments) ** 2 for environments in train]),
        regularizer=alpha * np.mean(np.sum(np.vstack(train) ** 2, axis=1)),
    )
    means = np.array([environments.mean(axis=0) for environments in test])
    for c, columns in enumerate(np.split(np.arange(12), np.cumsum(sizes)[:-1])):
        part = ours.restrict(columns)
        np.testing.assert_allclose(part.lpr(np.vstack(test)[:, columns]), np.vstack(lcpr)[:, c], rtol=1e-8)
        np.testing.assert_allclose(part.lpr(means[:, columns]), cpr[:, c], rtol=1e-8)
