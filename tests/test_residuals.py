"""Residuals, projected-process variances and predictions of a Rigidity, and rows that come alone."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from lpr_fast import (
    HessianAccumulator,
    InvalidInputError,
    LprWarning,
    NotPositiveDefiniteError,
    ProgressLine,
    Rigidity,
    SparseKernelModel,
)

from .oracle.problems import Array

RNG = np.random.default_rng(21)
POINTS = RNG.normal(size=(12, 3))
TRAINING = RNG.normal(size=(30, 3))
OTHERS = RNG.normal(size=(9, 3))
TARGETS = RNG.normal(size=30)
WEIGHTS = RNG.uniform(0.5, 2.0, 30)
MU = 0.3


def kernel(a: Array, b: Array) -> Array:
    return 2.0 * np.exp(-0.5 * np.square(a[:, None] - b).sum(axis=2))


K_MM, K_NM, K_TM = kernel(POINTS, POINTS), kernel(TRAINING, POINTS), kernel(OTHERS, POINTS)


def fitted(**options: object) -> Rigidity:
    return Rigidity.from_kernels(K_NM, K_MM, regularizer=MU, weights=WEIGHTS, **options)


def test_the_residual_is_what_its_formula_says() -> None:
    expected = 2.0 - np.einsum("ij,ji->i", K_TM, np.linalg.solve(K_MM, K_TM.T))
    np.testing.assert_allclose(fitted().residual(K_TM, 2.0), expected, atol=1e-12)
    np.testing.assert_allclose(fitted().residual(K_MM, np.full(12, 2.0)), 0.0, atol=1e-12)


def test_the_projected_process_variance_is_that_of_the_gaussian_process_it_approximates() -> None:
    """Its prior has the covariance Q = K_NM K_MM^-1 K_MN between all points, but k(i,i) at a test point."""
    Q = K_NM @ np.linalg.solve(K_MM, K_NM.T)
    across = K_TM @ np.linalg.solve(K_MM, K_NM.T)
    noise = np.diag(MU / WEIGHTS)
    expected = 2.0 - np.einsum("ij,ji->i", across, np.linalg.solve(Q + noise, across.T))
    np.testing.assert_allclose(fitted().projected_process_variance(K_TM, 2.0), expected, rtol=1e-10)
    scaled = fitted().projected_process_variance(K_TM, 2.0, scale=5.0 * MU)
    np.testing.assert_allclose(scaled, 5.0 * expected, rtol=1e-10)


def test_sums_of_environments_have_residuals_too() -> None:
    own = kernel(OTHERS, OTHERS).sum()
    total = K_TM.sum(axis=0)
    expected = own - total @ np.linalg.solve(K_MM, total)
    np.testing.assert_allclose(fitted().residual(total, own), [expected], rtol=1e-10)


def test_an_accumulator_with_a_prior_gives_the_same() -> None:
    accumulator = HessianAccumulator(12, labelled=True)
    accumulator.add(K_NM, WEIGHTS, targets=TARGETS)
    same, expected = Rigidity.from_accumulator(accumulator, regularizer=MU, prior=K_MM), fitted(targets=TARGETS)
    np.testing.assert_array_equal(same.residual(K_TM, 2.0), expected.residual(K_TM, 2.0))
    np.testing.assert_array_equal(same.predict(K_TM), expected.predict(K_TM))


def test_restricted_updated_and_copied_rigidities_keep_their_residuals() -> None:
    expected = fitted().residual(K_TM, 2.0)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted())).residual(K_TM, 2.0), expected)
    np.testing.assert_array_equal(fitted().updated(K_TM).residual(K_TM, 2.0), expected)
    blocks = np.kron(np.eye(2), K_MM)
    whole = Rigidity.from_kernels(np.hstack([K_NM, K_NM]), blocks, regularizer=MU, targets=TARGETS)
    part = whole.restrict(np.arange(12, 24))
    np.testing.assert_allclose(part.residual(K_TM, 2.0), expected, atol=1e-12)
    padded = np.hstack([np.zeros_like(K_TM), K_TM])
    np.testing.assert_allclose(part.predict(K_TM), whole.predict(padded), rtol=1e-12)


def test_models_of_structures_and_arrays_have_the_residuals_that_they_score() -> None:
    X, species = np.abs(RNG.normal(size=(40, 5))), np.repeat([1, 8], 20)
    model = SparseKernelModel.from_arrays(X, species, np.arange(40) % 8, regularizer=0.1, n_active=9)
    phi = np.zeros((40, 9))
    unit = X / np.linalg.norm(X, axis=1)[:, None]
    start = 0
    for s, active in model.active_features.items():
        columns = slice(start, start + len(active))
        phi[species == s, columns] = (unit[species == s] @ active.T) ** 4
        start += len(active)
    np.testing.assert_allclose(model.rigidity.residual(phi), model.score_features(X, species).residual, atol=1e-12)


@pytest.mark.parametrize("method", ["qr", "gram"])
def test_rows_with_targets_give_the_weights_of_ridge_regression(method: str) -> None:
    X, phi = RNG.normal(size=(30, 5)), RNG.normal(size=(4, 5))
    ridge = Ridge(alpha=MU, fit_intercept=False).fit(X, TARGETS, sample_weight=WEIGHTS)
    rigidity = Rigidity.from_features(X, targets=TARGETS, weights=WEIGHTS, regularizer=MU, method=method)
    np.testing.assert_allclose(rigidity.weights, ridge.coef_, rtol=1e-9)
    np.testing.assert_allclose(rigidity.predict(phi), ridge.predict(phi), rtol=1e-9, atol=1e-12)
    for i in range(4):
        np.testing.assert_array_equal(rigidity.predict(phi[i]), rigidity.predict(phi)[i : i + 1])
    unlabelled = Rigidity.from_features(X, weights=WEIGHTS, regularizer=MU, method=method)
    np.testing.assert_array_equal(unlabelled.lpr(phi), rigidity.lpr(phi))


def test_kernels_with_targets_give_the_mean_of_the_gaussian_process() -> None:
    c = np.linalg.solve(K_NM.T @ (WEIGHTS[:, None] * K_NM) + MU * K_MM, K_NM.T @ (WEIGHTS * TARGETS))
    np.testing.assert_allclose(fitted(targets=TARGETS).predict(K_TM), K_TM @ c, rtol=1e-8)


def test_a_row_alone_is_one_row() -> None:
    rigidity = fitted(targets=TARGETS)
    calls: list[Callable[[Array], Array]] = [
        rigidity.lpr,
        rigidity.variance,
        rigidity.covariance,
        rigidity.predict,
        lambda phi: rigidity.residual(phi, 2.0),
        lambda phi: rigidity.projected_process_variance(phi, 2.0),
        lambda phi: rigidity.covariance(K_TM, phi),
    ]
    for call in calls:
        np.testing.assert_array_equal(call(K_TM[3]), call(K_TM[3:4]))


CASES: dict[str, tuple[Callable[[], object], str]] = {
    "no K_MM": (
        lambda: Rigidity.from_features(K_NM, regularizer=MU).residual(K_TM),
        "the residual needs K_MM, but this rigidity has none; build it with from_kernels",
    ),
    "k_ii of another kernel": (lambda: fitted().residual(K_MM), "k_ii of row 0 is 1, but .* of that row is 2"),
    "negative k_ii": (lambda: fitted().residual(K_TM, -1.0), "k_ii of row 0 is -1; it must be finite and not negative"),
    "too few k_ii": (lambda: fitted().residual(K_TM, [1.0]), r"k_ii has shape \(1,\); it must be one number, or one"),
    "no weights": (lambda: fitted().predict(K_TM), "predictions need weights, but this rigidity has none"),
    "no weights after an update": (
        lambda: fitted(targets=TARGETS).updated(K_TM).predict(K_TM),
        "together with their targets",
    ),
    "other columns": (lambda: fitted(targets=TARGETS).predict(K_TM[:, :3]), "phi has 3 columns, expected 12"),
    "NaN": (lambda: fitted(targets=TARGETS).predict(K_TM * np.nan), "phi row 0 holds NaN"),
    "too few targets": (lambda: fitted(targets=TARGETS[:3]), "3 targets"),
    "NaN in targets": (lambda: fitted(targets=TARGETS * np.nan), "target of row 0 is nan"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_used_is_refused_by_name(case: str) -> None:
    call, message = CASES[case]
    with pytest.raises(InvalidInputError, match=message) as error:
        call()
    assert str(error.value).count(". ") == 0


def test_a_hessian_that_float32_made_asymmetric_is_averaged_and_doubted() -> None:
    J = RNG.normal(size=(200, 15))
    H = J.T @ J
    noisy = H * (1.0 + 1e-5 * RNG.uniform(-1.0, 1.0, H.shape))
    with pytest.warns(LprWarning, match="like derivatives in float32") as record:
        rigidity = Rigidity.from_hessian(noisy)
    assert record[0].filename == __file__
    claimed = float(str(record[0].message).split("errors of up to ")[1].split(":")[0])
    exact = Rigidity.from_features(J, regularizer=1e-300)
    error = np.abs(rigidity.lpr(J) / exact.lpr(J) - 1.0).max()
    assert error < claimed < 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Rigidity.from_hessian(H * (1.0 + 1e-15 * RNG.uniform(-1.0, 1.0, H.shape)))
    with pytest.raises(InvalidInputError, match="the Hessian is not symmetric: entry"):
        Rigidity.from_hessian(H * (1.0 + 0.1 * RNG.uniform(-1.0, 1.0, H.shape)))


def test_an_indefinite_hessian_names_gauss_newton_rows() -> None:
    with pytest.raises(NotPositiveDefiniteError, match=r"give the Jacobian rows .* as features \(Gauss-Newton, X"):
        Rigidity.from_hessian(np.diag([1.0, -1.0]))


def test_progress_is_told_and_changes_no_bit(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    X, y, w = rng.normal(size=(700, 4)), rng.normal(size=700), rng.uniform(size=700)
    told: list[tuple[str, int, int]] = []
    silent = Rigidity.from_features(X, targets=y, weights=w, regularizer=MU)
    loud = Rigidity.from_features(X, targets=y, weights=w, regularizer=MU, progress=lambda *state: told.append(state))
    assert told == [("rows", 256, 700), ("rows", 512, 700), ("rows", 700, 700)]
    np.testing.assert_array_equal(loud.hessian(), silent.hessian())
    np.testing.assert_array_equal(loud.weights, silent.weights)
    phi = rng.normal(size=(40_000, 4))
    for call in (loud.lpr, loud.variance):
        told.clear()
        np.testing.assert_array_equal(call(phi, progress=lambda *state: told.append(state)), call(phi))
        assert [done for _, done, _ in told] == [16384, 32768, 40_000]
    silent.lpr(phi, progress=ProgressLine())
    assert capsys.readouterr().err == ""
    silent.lpr(phi, progress=ProgressLine(after=0.0))
    assert capsys.readouterr().err.endswith("rows: 40,000 of 40,000\n")


def test_a_wrong_row_has_its_number_whatever_is_told() -> None:
    X = np.ones((700, 4))
    X[600, 1] = np.nan
    with pytest.raises(InvalidInputError, match="row 600 holds nan in column 1"):
        Rigidity.from_features(X, regularizer=MU, progress=lambda *_: None)
