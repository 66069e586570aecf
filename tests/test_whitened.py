"""What data would do, from R^-T phi alone: against updates of the factor, which are another way to the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lpr_fast import InvalidInputError, Rigidity, _core

Array = NDArray[np.float64]


def _problem(n_held: int = 0) -> tuple[Rigidity, Array, Array]:
    """A rigidity of 30 weights, 50 targets and 8 candidates."""
    rng = np.random.default_rng(1)
    rigidity = Rigidity.from_features(rng.normal(size=(60, 30)), regularizer=0.1)
    if n_held:
        rigidity = rigidity.holding(rng.normal(size=(n_held, 30)))
    return rigidity, rng.normal(size=(50, 30)), 3.0 * rng.normal(size=(8, 30))


def test_gains_from_whitened_rows_are_those_of_updates() -> None:
    rigidity, targets, candidates = _problem()
    z_t, z_c = (rigidity._factor.whitened(rows, 1) for rows in (targets, candidates))
    for w in (1.0, 0.05):
        left = np.sum(z_t**2, axis=1)[:, None] - w * (z_t @ z_c.T) ** 2 / (1.0 + w * np.sum(z_c**2, axis=1))
        for j in range(len(candidates)):
            exact = rigidity.updated(candidates[j : j + 1], [w]).variance(targets, scale=1.0)
            np.testing.assert_allclose(left[:, j], exact, rtol=1e-10)


def test_with_held_rows_gains_are_those_of_updates_that_hold_them() -> None:
    rigidity, targets, candidates = _problem(n_held=2)
    z_t, z_c = (rigidity._factor.whitened_held(rows, 1) for rows in (targets, candidates))
    left = np.sum(z_t**2, axis=1)[:, None] - (z_t @ z_c.T) ** 2 / (1.0 + np.sum(z_c**2, axis=1))
    for j in range(len(candidates)):
        exact = 1.0 / rigidity.updated(candidates[j : j + 1]).lpr_held(targets)
        np.testing.assert_allclose(left[:, j], exact, rtol=1e-10)


@pytest.mark.parametrize("freedom", ["whole", "held"])
def test_second_moments_give_the_gain_of_the_summed_variance(freedom: str) -> None:
    held = freedom == "held"
    rigidity, targets, candidates = _problem(n_held=2)
    importance = np.linspace(0.5, 2.0, len(targets))
    moments = _core.SecondMoments(rigidity._factor, held=held)
    for batch in (slice(0, 20), slice(20, None)):
        moments.add(targets[batch], importance[batch], 1)
    whitened = rigidity._factor.whitened_held if held else rigidity._factor.whitened
    z = whitened(candidates, 1)
    gains = np.einsum("ij,jk,ik->i", z, moments.sum(1), z) / (1.0 + np.sum(z**2, axis=1))
    of = (lambda r: 1.0 / r.lpr_held(targets)) if held else (lambda r: r.variance(targets, scale=1.0))
    before = importance @ of(rigidity)
    exact = [before - importance @ of(rigidity.updated(row[None])) for row in candidates]
    np.testing.assert_allclose(gains, exact, rtol=1e-9)
    assert moments.n_rows == len(targets)


def test_nothing_held_is_said() -> None:
    rigidity, targets, _ = _problem()
    with pytest.raises(InvalidInputError, match="nothing is held"):
        rigidity._factor.whitened_held(targets, 1)
    with pytest.raises(InvalidInputError, match="nothing is held"):
        _core.SecondMoments(rigidity._factor, held=True)
