"""Identities that hold for every model, over generated ones."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lpr_fast import HessianAccumulator, Rigidity

from .oracle.exact import exact_weights
from .oracle.problems import Array, Problem

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 30)
row_counts = st.integers(1, 60)
regularizers = st.floats(-8, 1).map(lambda exponent: 10.0**exponent)
common = settings(max_examples=60, deadline=None)


def linear_model(seed: int, n: int, m: int) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, m)), rng.uniform(0.1, 2.0, size=n), rng.normal(size=(5, m))


def kernel_model(seed: int, n: int, m: int) -> tuple[Array, Array, Array]:
    """K_NM, K_MM and phi of a Laplacian kernel on a line: positive definite and well away from singular."""
    rng = np.random.default_rng(seed)

    def kernel(a: Array, b: Array) -> Array:
        return np.exp(-np.abs(a[:, None] - b))

    active = np.sort(rng.random(m)) + np.arange(m)
    return kernel(m * rng.random(n), active), kernel(active, active), kernel(m * rng.random(5), active)


@common
@given(seeds, row_counts, sizes, regularizers, st.floats(-3, 3).filter(lambda c: abs(c) > 1e-3))
def test_scaling_phi_scales_the_lpr_by_the_inverse_square(seed: int, n: int, m: int, mu: float, c: float) -> None:
    X, _, phi = linear_model(seed, n, m)
    rigidity = Rigidity.from_features(X, regularizer=mu)
    np.testing.assert_allclose(rigidity.lpr(c * phi), rigidity.lpr(phi) / c**2, rtol=1e-9)


@common
@given(seeds, row_counts, sizes, regularizers)
def test_adding_a_structure_never_lowers_any_lpr(seed: int, n: int, m: int, mu: float) -> None:
    X, w, phi = linear_model(seed, n + 1, m)
    before = Rigidity.from_features(X[:n], weights=w[:n], regularizer=mu)
    after = Rigidity.from_features(X, weights=w, regularizer=mu)
    assert np.all(after.lpr(phi) >= before.lpr(phi) * (1 - 1e-9))
    np.testing.assert_allclose(before.updated(X[n:], w[n:]).lpr(phi), after.lpr(phi), rtol=1e-8)


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(2, 40), st.integers(1, 20), st.floats(-4, 1).map(lambda exponent: 10.0**exponent))
def test_an_update_with_targets_has_the_weights_of_exact_arithmetic(seed: int, n: int, m: int, mu: float) -> None:
    X, w, phi = linear_model(seed, n, m)
    targets, few = X @ phi[0] + np.random.default_rng(seed).normal(size=n), n // 2
    before = Rigidity.from_features(X[:few], targets=targets[:few], weights=w[:few], regularizer=mu)
    updated = before.updated(X[few:], w[few:], targets=targets[few:])
    exact = np.array(list(map(float, exact_weights(Problem("", phi, mu, X, w), targets))))
    np.testing.assert_allclose(updated.weights, exact, rtol=1e-10, atol=1e-10 * np.abs(exact).max())
    refitted = Rigidity.from_features(X, targets=targets, weights=w, regularizer=mu)
    np.testing.assert_allclose(updated.weights, refitted.weights, rtol=1e-10, atol=1e-10 * np.abs(exact).max())
    assert before.updated(X[few:]).weights is None


@common
@given(seeds, row_counts, sizes, regularizers)
def test_an_update_changes_the_form_by_the_rank_one_formula(seed: int, n: int, m: int, mu: float) -> None:
    X, _, phi = linear_model(seed, n + 1, m)
    x = X[n:]
    before = Rigidity.from_features(X[:n], regularizer=mu)
    change = before.covariance(phi, x, scale=1.0)[:, 0] ** 2 / (1 + before.variance(x, scale=1.0))
    forms = before.variance(phi, scale=1.0)
    np.testing.assert_allclose(
        before.updated(x).variance(phi, scale=1.0), forms - change, rtol=1e-7, atol=1e-9 * forms.max()
    )


@common
@given(seeds, row_counts, sizes, regularizers)
def test_permuting_active_points_changes_nothing(seed: int, n: int, m: int, mu: float) -> None:
    K_NM, K_MM, phi = kernel_model(seed, n, m)
    order = np.random.default_rng(seed).permutation(m)
    given_order = Rigidity.from_kernels(K_NM, K_MM, regularizer=mu).lpr(phi)
    permuted = Rigidity.from_kernels(K_NM[:, order], K_MM[np.ix_(order, order)], regularizer=mu).lpr(phi[:, order])
    np.testing.assert_allclose(permuted, given_order, rtol=1e-8)


@common
@given(seeds, row_counts, sizes, regularizers)
def test_no_training_row_of_weight_one_has_a_leverage_above_one(seed: int, n: int, m: int, mu: float) -> None:
    X, _, _ = linear_model(seed, n, m)
    assert np.all(Rigidity.from_features(X, regularizer=mu).variance(X, scale=1.0) <= 1 + 1e-12)


@common
@given(seeds, row_counts, sizes, regularizers)
def test_the_sum_of_leverages_is_the_trace(seed: int, n: int, m: int, mu: float) -> None:
    """tr(H^-1 X^T W X) + mu tr(H^-1) = M."""
    X, w, _ = linear_model(seed, n, m)
    rigidity = Rigidity.from_features(X, weights=w, regularizer=mu)
    leverages = w @ rigidity.variance(X, scale=1.0)
    np.testing.assert_allclose(leverages + np.sum(rigidity.variance(np.eye(m))), m, rtol=1e-9)


@common
@given(seeds, sizes, regularizers.filter(lambda mu: mu > 1e-5))
def test_with_every_environment_active_the_dtc_variance_is_that_of_the_gaussian_process(
    seed: int, m: int, mu: float
) -> None:
    _, K, phi = kernel_model(seed, 1, m)
    variance = Rigidity.from_kernels(K, K, regularizer=mu).variance(phi)
    residual = 1.0 - np.einsum("ij,ji->i", phi, np.linalg.solve(K, phi.T))
    process = 1.0 - np.einsum("ij,ji->i", phi, np.linalg.solve(K + mu * np.eye(m), phi.T))
    np.testing.assert_allclose(variance + residual, process, rtol=1e-7, atol=1e-10)


@common
@given(seeds, st.integers(1, 10), st.integers(11, 30))
def test_without_data_the_lpr_vanishes_with_the_regularizer(seed: int, n: int, m: int) -> None:
    """Outside the span of the rows LPR = mu / |phi_perpendicular|^2 as mu -> 0."""
    X, _, phi = linear_model(seed, n, m)
    perpendicular = phi - phi @ np.linalg.pinv(X) @ X
    mu = 1e-13
    lpr = Rigidity.from_features(X, regularizer=mu).lpr(phi)
    np.testing.assert_allclose(lpr, mu / np.sum(perpendicular**2, axis=1), rtol=1e-4)


@common
@given(seeds, row_counts, sizes, regularizers, st.floats(-6, 6).map(lambda exponent: 10.0**exponent))
def test_the_variance_does_not_change_with_the_unit_of_the_loss(seed: int, n: int, m: int, mu: float, c: float) -> None:
    K_NM, K_MM, phi = kernel_model(seed, n, m)
    one = Rigidity.from_kernels(K_NM, K_MM, regularizer=mu)
    other = Rigidity.from_kernels(K_NM, K_MM, weights=np.full(n, c), regularizer=c * mu)
    np.testing.assert_allclose(other.variance(phi), one.variance(phi), rtol=1e-8)
    np.testing.assert_allclose(other.lpr(phi), c * one.lpr(phi), rtol=1e-8)


@common
@given(seeds, row_counts, sizes, regularizers, st.data())
def test_restriction_is_exact(seed: int, n: int, m: int, mu: float, data: st.DataObject) -> None:
    X, _, phi = linear_model(seed, n, m)
    columns = data.draw(st.lists(st.integers(0, m - 1), min_size=1, unique=True))
    supported = np.zeros_like(phi)
    supported[:, columns] = phi[:, columns]
    rigidity = Rigidity.from_features(X, regularizer=mu)
    restricted = rigidity.restrict(columns)
    assert restricted.size == len(columns)
    np.testing.assert_allclose(restricted.lpr(phi[:, columns]), rigidity.lpr(supported), rtol=1e-8)


@common
@given(seeds, row_counts, sizes, regularizers)
def test_the_variance_is_the_diagonal_of_the_covariance(seed: int, n: int, m: int, mu: float) -> None:
    X, _, phi = linear_model(seed, n, m)
    rigidity = Rigidity.from_features(X, regularizer=mu)
    covariance = rigidity.covariance(phi)
    np.testing.assert_array_equal(covariance, covariance.T)
    np.testing.assert_allclose(np.diag(covariance), rigidity.variance(phi), rtol=1e-12)
    total = phi.sum(axis=0, keepdims=True)
    np.testing.assert_allclose(rigidity.variance(total)[0], covariance.sum(), rtol=1e-7, atol=1e-9 * covariance.max())


@common
@given(seeds, st.integers(1, 700), sizes, st.sampled_from(["qr", "gram"]), st.data())
def test_the_state_does_not_depend_on_how_rows_are_cut(
    seed: int, n: int, m: int, method: str, data: st.DataObject
) -> None:
    X, w, _ = linear_model(seed, n, m)
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=5)))
    whole = HessianAccumulator(m, method)
    whole.add(X, w, n_threads=1)
    pieces = HessianAccumulator(m, method)
    for first, last in zip([0, *cuts], [*cuts, n], strict=True):
        pieces.add(X[first:last], w[first:last], n_threads=2)
    assert pieces.to_bytes() == whole.to_bytes()
