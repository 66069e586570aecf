"""Evidence and leave-one-out errors from one decomposition, against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from flint import arb, arb_mat, ctx

from lpr_fast import HessianAccumulator, _core

from .oracle.problems import Array

ctx.prec = 400

GRID = np.array([1e-4, 3e-2, 1.0, 50.0])


def _problem(*, n_rows: int = 40, size: int = 12, seed: int = 3) -> tuple[Array, Array, Array, Array]:
    """Rows, targets, weights and a prior that is no identity."""
    rng = np.random.default_rng(seed)
    rows, root = rng.normal(size=(n_rows, size)), rng.normal(size=(size, size))
    return rows, rng.normal(size=n_rows), rng.uniform(0.2, 3.0, size=n_rows), root.T @ root


def _accumulated(rows: Array, targets: Array, weights: Array, method: str = "qr") -> HessianAccumulator:
    accumulator = HessianAccumulator(rows.shape[1], method, labelled=True)  # type: ignore[arg-type]
    accumulator.add(rows, weights, targets=targets)
    return accumulator


def _spectrum(accumulator: HessianAccumulator, prior: Array | None, columns: tuple[int, ...] = ()) -> _core.Spectrum:
    return _core.Spectrum(accumulator._core, prior, list(columns), 1)


def _refit_without(rows: Array, targets: Array, weights: Array, root: Array, mu: float, left: Array) -> Array:
    """Errors of some rows, by the model of all others: one least-squares problem for each, never a Hessian."""
    kept = ~left
    w = np.sqrt(weights[kept])
    stacked = np.vstack([w[:, None] * rows[kept], np.sqrt(mu) * root])
    wanted = np.concatenate([w * targets[kept], np.zeros(len(root))])
    return targets[left] - rows[left] @ np.linalg.lstsq(stacked, wanted, rcond=None)[0]


def _minus_twice_log_likelihood(rows: Array, targets: Array, weights: Array, prior: Array, mu: float) -> float:
    """-2 log of a dense Gaussian, at the variance of the noise that makes it least."""
    n = len(targets)
    covariance = np.diag(1.0 / weights) + rows @ np.linalg.solve(mu * prior, rows.T)
    variance = targets @ np.linalg.solve(covariance, targets) / n
    _, logdet = np.linalg.slogdet(2.0 * np.pi * variance * covariance)
    return float(logdet + n)


@pytest.mark.parametrize("method", ["qr", "gram"])
@pytest.mark.parametrize("n_rows", [5, 12, 40, 900])
def test_the_evidence_is_the_probability_of_a_gaussian(n_rows: int, method: str) -> None:
    rows, targets, weights, prior = _problem(n_rows=n_rows)
    spectrum = _spectrum(_accumulated(rows, targets, weights, method), prior)
    for mu in GRID:
        expected = _minus_twice_log_likelihood(rows, targets, weights, prior, mu)
        np.testing.assert_allclose(spectrum.minus_twice_log_evidence(mu), expected, rtol=1e-8, atol=1e-8)


def test_without_a_prior_it_is_the_identity() -> None:
    rows, targets, weights, _ = _problem()
    spectrum = _spectrum(_accumulated(rows, targets, weights), None)
    expected = _minus_twice_log_likelihood(rows, targets, weights, np.eye(12), 0.1)
    np.testing.assert_allclose(spectrum.minus_twice_log_evidence(0.1), expected, rtol=1e-11)
    eigenvalues = np.linalg.eigvalsh(rows.T @ (weights[:, None] * rows))[::-1]
    np.testing.assert_allclose(spectrum.eigenvalues, eigenvalues, rtol=1e-11)


def test_rows_of_weight_zero_are_no_data() -> None:
    rows, targets, weights, prior = _problem()
    weights[7:19] = 0.0
    used = weights > 0.0
    accumulator = _accumulated(rows, targets, weights)
    assert (accumulator.n_rows, accumulator.n_weighted) == (40, 28)
    np.testing.assert_allclose(accumulator.sum_log_weights, np.log(weights[used]).sum(), rtol=1e-13)
    expected = _minus_twice_log_likelihood(rows[used], targets[used], weights[used], prior, 0.3)
    np.testing.assert_allclose(_spectrum(accumulator, prior).minus_twice_log_evidence(0.3), expected, rtol=1e-11)


@pytest.mark.parametrize("n_rows", [1, 5, 40, 300])
def test_left_out_errors_are_those_of_refits(n_rows: int) -> None:
    rows, targets, weights, prior = _problem(n_rows=n_rows)
    weights[:: 7 if n_rows > 7 else n_rows + 1] = 0.0  # a row that counts for nothing is predicted like any other
    weights[0] = 1.0
    root = np.linalg.cholesky(prior).T
    spectrum = _spectrum(_accumulated(rows, targets, weights), prior)
    residuals, errors = spectrum.leave_one_out(rows, targets, weights, list(range(n_rows)), GRID, 2)
    for g, mu in enumerate(GRID):
        expected = [_refit_without(rows, targets, weights, root, mu, np.arange(n_rows) == a)[0] for a in range(n_rows)]
        # e / (1 - h): what rounding leaves of 1 - h is lost.
        lost = 8 * np.finfo(float).eps * errors[:, g] / residuals[:, g]
        assert (np.abs(errors[:, g] - expected) <= (1e-8 + lost) * np.abs(expected) + 1e-10).all()
        everything = np.vstack([np.sqrt(weights)[:, None] * rows, np.sqrt(mu) * root])
        wanted = np.concatenate([np.sqrt(weights) * targets, np.zeros(12)])
        solution = np.linalg.lstsq(everything, wanted, rcond=None)[0]
        np.testing.assert_allclose(residuals[:, g], targets - rows @ solution, rtol=1e-8, atol=1e-10)


def test_structures_of_several_rows_are_left_out_as_a_whole() -> None:
    rows, targets, weights, prior = _problem(n_rows=60)
    weights[[4, 22, 23]] = 0.0
    structures = np.repeat(np.arange(9), [1, 3, 14, 1, 1, 20, 5, 7, 8])
    root = np.linalg.cholesky(prior).T
    spectrum = _spectrum(_accumulated(rows, targets, weights), prior)
    _, errors = spectrum.leave_one_out(rows, targets, weights, structures.tolist(), GRID, 1)
    for g, mu in enumerate(GRID):
        for a in range(9):
            expected = _refit_without(rows, targets, weights, root, mu, structures == a)
            np.testing.assert_allclose(errors[structures == a, g], expected, rtol=1e-8, atol=1e-10)


def _with_an_intercept() -> tuple[Array, Array, Array, Array, Array]:
    """A column that the prior does not know, and its square root."""
    rows, targets, weights, prior = _problem()
    prior[:, 4] = prior[4, :] = 0.0
    keep = np.delete(np.arange(12), 4)
    root = np.zeros((11, 12))
    root[:, keep] = np.linalg.cholesky(prior[np.ix_(keep, keep)]).T
    return rows, targets, weights, prior, root


def test_directions_without_a_penalty_are_weights_like_others() -> None:
    rows, targets, weights, prior, root = _with_an_intercept()
    spectrum = _spectrum(_accumulated(rows, targets, weights), prior)
    assert spectrum.n_flat == 1
    _, errors = spectrum.leave_one_out(rows, targets, weights, list(range(40)), GRID, 1)
    for g, mu in enumerate(GRID):
        expected = [_refit_without(rows, targets, weights, root, mu, np.arange(40) == a)[0] for a in range(40)]
        np.testing.assert_allclose(errors[:, g], expected, rtol=1e-8)


def test_the_evidence_of_a_flat_direction_is_the_limit_of_a_weak_prior() -> None:
    rows, targets, weights, prior, _ = _with_an_intercept()
    spectrum = _spectrum(_accumulated(rows, targets, weights), prior)
    found = np.diff([spectrum.minus_twice_log_evidence(mu) for mu in GRID])
    # Restricted likelihood: the dense Gaussian of what is orthogonal to the flat column.
    w = np.sqrt(weights)
    basis = np.linalg.svd((w * rows[:, 4])[:, None])[0][:, 1:]
    others = np.delete(np.arange(12), 4)
    projected = basis.T @ (w[:, None] * rows[:, others])
    left = basis.T @ (w * targets)
    small = prior[np.ix_(others, others)]
    expected = [_minus_twice_log_likelihood(projected, left, np.ones(39), small, mu) for mu in GRID]
    np.testing.assert_allclose(found, np.diff(expected), rtol=1e-9)


def test_what_one_structure_alone_determines_is_said_and_not_divided_by() -> None:
    rows, targets, weights, prior, _ = _with_an_intercept()
    rows[:, 4] = 0.0
    rows[17, 4] = 2.0
    spectrum = _spectrum(_accumulated(rows, targets, weights), prior)
    residuals, errors = spectrum.leave_one_out(rows, targets, weights, list(range(40)), GRID, 1)
    assert np.isnan(errors[17]).all()
    assert np.isfinite(np.delete(errors, 17, axis=0)).all()
    assert np.abs(residuals[17]).max() < 1e-12


def test_columns_of_a_smaller_model_are_a_problem_of_their_own() -> None:
    rows, targets, weights, prior = _problem()
    columns = [7, 2, 3, 11]
    small = _spectrum(_accumulated(rows, targets, weights), prior, tuple(columns))
    alone_rows, alone_prior = np.ascontiguousarray(rows[:, columns]), prior[np.ix_(columns, columns)]
    alone = _spectrum(_accumulated(alone_rows, targets, weights), alone_prior)
    np.testing.assert_allclose(small.eigenvalues, alone.eigenvalues, rtol=1e-12)
    np.testing.assert_allclose(small.minus_twice_log_evidence(0.2), alone.minus_twice_log_evidence(0.2), rtol=1e-12)
    numbers = list(range(40))
    found = small.leave_one_out(rows, targets, weights, numbers, GRID, 1)[1]
    np.testing.assert_allclose(found, alone.leave_one_out(alone_rows, targets, weights, numbers, GRID, 1)[1], rtol=1e-9)


def test_the_bits_do_not_depend_on_threads() -> None:
    rows, targets, weights, prior = _problem(n_rows=700, size=90)
    accumulator = _accumulated(rows, targets, weights)
    numbers = np.repeat(np.arange(350), 2).tolist()
    one, two = (_core.Spectrum(accumulator._core, prior, [], n_threads) for n_threads in (1, 2))
    np.testing.assert_array_equal(one.eigenvalues, two.eigenvalues)
    for a, b in zip(
        one.leave_one_out(rows, targets, weights, numbers, GRID, 1),
        two.leave_one_out(rows, targets, weights, numbers, GRID, 2),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


def test_what_cannot_be_decomposed_is_refused() -> None:
    rows, targets, weights, prior = _problem()
    plain = HessianAccumulator(12)
    plain.add(rows)
    with pytest.raises(ValueError, match="no targets"):
        _spectrum(plain, prior)
    with pytest.raises(ValueError, match="no training rows of positive weight"):
        _spectrum(_accumulated(rows, targets, np.zeros(40)), prior)
    spectrum = _spectrum(_accumulated(rows, targets, weights), prior)
    with pytest.raises(ValueError, match="regularizer is 0"):
        spectrum.minus_twice_log_evidence(0.0)
    with pytest.raises(ValueError, match="one for each row"):
        spectrum.leave_one_out(rows, targets, weights, [0, 1], GRID, 1)


def _smooth_kernels() -> tuple[Array, Array, Array, Array]:
    """Kernels of a smooth function: K_MM of condition 1e13, as in practice."""
    rng = np.random.default_rng(8)
    points, active = rng.uniform(-1.0, 1.0, size=(25, 1)), np.linspace(-1.0, 1.0, 9)[:, None]
    rows = np.exp(-0.5 * (points - active.T) ** 2)
    prior = np.exp(-0.5 * (active - active.T) ** 2)
    return rows, np.sin(3.0 * points[:, 0]), rng.uniform(0.5, 2.0, size=25), prior


@pytest.mark.parametrize("mu", [1e-10, 1e-6, 1e-2])
def test_the_evidence_of_smooth_kernels_is_that_of_400_bits(mu: float) -> None:
    rows, targets, weights, prior = _smooth_kernels()
    X, K, y = (arb_mat(a.shape[0], a.shape[1], a.ravel().tolist()) for a in (rows, prior, targets[:, None]))
    noise = arb_mat([[1 / arb(w) if i == j else arb(0) for j in range(25)] for i, w in enumerate(weights.tolist())])
    covariance = noise + X * (K * arb(mu)).solve(X.transpose(), algorithm="precond")
    square = (y.transpose() * covariance.solve(y, algorithm="precond"))[0, 0]
    expected = 25 * (1 + (2 * arb.pi() * square / 25).log()) + covariance.det().log()
    found = _spectrum(_accumulated(rows, targets, weights), prior).minus_twice_log_evidence(mu)
    np.testing.assert_allclose(found, float(expected), rtol=1e-7)
