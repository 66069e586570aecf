"""Few rows with many columns, looked at within their span: as right as the QR of all columns, with the same duties."""

from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pytest

from lpr_fast import InvalidInputError, Rigidity

from .oracle.exact import truth
from .oracle.held import held_rows, truth_held
from .oracle.problems import Array, Problem, linear
from .oracle.report import allowed
from .oracle.routes import rigidity_of

RNG = np.random.default_rng(3)
N, M = 12, 90
X = RNG.normal(size=(N, M)) * np.exp(-0.05 * np.arange(M))
WEIGHTS = RNG.random(N) + 0.1
PHI = np.vstack([RNG.normal(size=(6, M)), X[:2], X[0] + 1e-6 * RNG.normal(size=M)])
MU = 1e-3


def thin() -> Rigidity:
    return Rigidity.from_features(X, weights=WEIGHTS, targets=X[:, 0], regularizer=MU)


def hessian(rows: Array, weights: Array) -> Array:
    return (rows.T * weights) @ rows + MU * np.eye(rows.shape[1])


def forms(H: Array, phi: Array) -> Array:
    return np.einsum("ij,ji->i", phi, np.linalg.solve(H, phi.T))


FEW = [
    linear(f"linear few rows {n} decay={decay} mu={mu:g}", n=n, m=48, regularizer=mu, decay=decay, row_spread=spread)
    for n, decay, spread in ((1, 1.0, 0.0), (4, 0.8, 0.0), (12, 0.6, 0.0), (12, 0.9, 12.0))
    for mu in (1.0, 1e-8, 1e-20, 1e-60)
]


@pytest.mark.parametrize("problem", FEW, ids=lambda problem: problem.name)
def test_no_error_exceeds_what_the_inputs_allow(problem: Problem) -> None:
    model, exact = rigidity_of(problem), truth(problem)
    assert model.method == "thin"
    assert np.all(exact.lpr_errors(1.0 / model.lpr(problem.phi)) <= allowed(exact))


@pytest.mark.parametrize("problem", FEW[4:12], ids=lambda problem: problem.name)
def test_held_rows_are_held_as_exactly(problem: Problem) -> None:
    held = np.vstack([held_rows(problem)[:1], RNG.normal(size=(1, 48))])
    exact = truth_held(problem, held)
    found = rigidity_of(problem).holding(held).lpr_held(problem.phi)
    assert np.all(exact.lpr_errors(1.0 / found) <= allowed(exact))


def test_few_rows_are_taken_within_their_span_and_others_are_not() -> None:
    assert thin().method == "thin"
    assert Rigidity.from_features(np.vstack([X] * 2), regularizer=MU).method == "qr"  # 24 of 90
    assert Rigidity.from_features(X, regularizer=MU, method="gram").method == "gram"
    padded = np.hstack([X[:, :20], np.zeros((N, 200))])
    assert Rigidity.from_features(padded, regularizer=MU).method == "qr"  # columns of zeros do not count


def test_all_numbers_are_those_of_the_definition() -> None:
    model, H = thin(), hessian(X, WEIGHTS)
    np.testing.assert_allclose(model.lpr(PHI), 1 / forms(H, PHI), rtol=1e-9)
    np.testing.assert_allclose(model.variance(PHI), MU * forms(H, PHI), rtol=1e-9)
    expected = MU * PHI[:4] @ np.linalg.solve(H, PHI.T)
    np.testing.assert_allclose(model.covariance(PHI[:4], PHI), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.hessian(), H, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(model.weights, np.linalg.solve(H, X.T @ (WEIGHTS * X[:, 0])), rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(model.predict(PHI), PHI @ model.weights, rtol=1e-12, atol=1e-12)
    assert (model.size, model.n_dropped, model.kept_columns) == (M, 0, list(range(M)))
    np.testing.assert_allclose(model.condition_number, np.sqrt(np.linalg.cond(H)), rtol=0.5)
    assert model.error_estimate is None


def test_equal_rows_and_rows_of_zeros_add_no_direction() -> None:
    rows = np.vstack([X, X[:3], np.zeros((2, M))])
    weights = np.concatenate([WEIGHTS, [0.5, 0.0, 2.0, 1.0, 1.0]])
    model = Rigidity.from_features(rows, weights=weights, regularizer=MU)
    np.testing.assert_allclose(model.lpr(PHI), 1 / forms(hessian(rows, weights), PHI), rtol=1e-9)


def test_a_restriction_is_that_of_the_inverse() -> None:
    H = hessian(X, WEIGHTS)
    for columns in ([5, 3, 80], list(range(60))):
        part, phi = thin().restrict(columns), PHI[:, columns]
        inverse = np.linalg.inv(H)[np.ix_(columns, columns)]
        np.testing.assert_allclose(part.lpr(phi), 1 / np.einsum("ij,jk,ik->i", phi, inverse, phi), rtol=1e-8)
        np.testing.assert_allclose(part.covariance(phi), MU * phi @ inverse @ phi.T, rtol=1e-7, atol=1e-10)
        np.testing.assert_allclose(part.hessian(), np.linalg.inv(inverse), rtol=1e-7, atol=1e-8)
        again = part.restrict([1, 0])
        np.testing.assert_allclose(
            again.lpr(phi[:, [1, 0]]), part.lpr(phi * ([1, 1] + [0] * (len(columns) - 2))), rtol=1e-9
        )


def test_updates_are_fits_to_all_rows_and_chains_have_the_bits_of_one() -> None:
    more, weights = RNG.normal(size=(5, M)), RNG.random(5)
    one = thin().updated(more, weights)
    chain = thin().updated(more[:2], weights[:2]).updated(more[2:], weights[2:])
    H = hessian(np.vstack([X, more]), np.concatenate([WEIGHTS, weights]))
    np.testing.assert_allclose(one.lpr(PHI), 1 / forms(H, PHI), rtol=1e-9)
    np.testing.assert_array_equal(one.lpr(PHI), chain.lpr(PHI))
    rows = np.zeros((3, M))
    rows[:, :7] = RNG.normal(size=(3, 7))
    phi = np.zeros((4, M))
    phi[:, :7] = RNG.normal(size=(4, 7))
    restricted = thin().restrict(range(7)).updated(rows[:, :7])
    np.testing.assert_allclose(restricted.lpr(phi[:, :7]), thin().updated(rows).lpr(phi), rtol=1e-9)


def test_what_is_held_stays_held() -> None:
    held, more = RNG.normal(size=(2, M)), RNG.normal(size=(3, M))
    model = thin().holding(held)
    np.testing.assert_array_equal(model.lpr(PHI), thin().lpr(PHI))
    assert np.all(np.isinf(model.lpr_held(held)))
    updated = model.updated(more)
    np.testing.assert_allclose(updated.lpr_held(PHI), thin().updated(more).holding(held).lpr_held(PHI), rtol=1e-9)
    columns = list(range(50))
    phi = np.where(np.arange(M) < 50, PHI, 0.0)
    np.testing.assert_allclose(model.restrict(columns).lpr_held(phi[:, :50]), model.lpr_held(phi), rtol=1e-9)


def test_whitened_rows_have_the_products_of_the_definition() -> None:
    H, held = hessian(X, WEIGHTS), RNG.normal(size=(1, M))
    z = thin()._factor.whitened(PHI, 1)
    np.testing.assert_allclose(z @ z.T, PHI @ np.linalg.solve(H, PHI.T), rtol=1e-8, atol=1e-8)
    model = thin().holding(held)
    z = model._factor.whitened_held(PHI, 1)
    np.testing.assert_allclose((z**2).sum(axis=1), 1 / model.lpr_held(PHI), rtol=1e-9)


def test_bits_do_not_depend_on_threads_batches_or_pickling() -> None:
    models = [
        Rigidity.from_features(X, weights=WEIGHTS, regularizer=MU, n_threads=n_threads).holding(X[:1])
        for n_threads in (1, 2, 3)
    ]
    models.append(pickle.loads(pickle.dumps(models[0])))
    phi = np.vstack([PHI] * 9)
    for model in models:
        for name in ("lpr", "variance", "lpr_held"):
            expected = getattr(models[0], name)(phi)
            np.testing.assert_array_equal(getattr(model, name)(phi, n_threads=2), expected)
            parts = [getattr(model, name)(phi[i : i + 1]) for i in range(len(phi))]
            np.testing.assert_array_equal(np.concatenate(parts), expected)
        np.testing.assert_array_equal(model.covariance(phi[:1], phi)[0], models[0].covariance(phi)[0])


def test_phi_of_any_size_are_scored() -> None:
    model = thin()
    for exponent in (-400, -300, 300):
        np.testing.assert_array_equal(model.lpr(np.ldexp(PHI, exponent)), np.ldexp(model.lpr(PHI), -2 * exponent))
    assert model.lpr(np.zeros(M))[0] == np.inf
    assert len(model.lpr(np.zeros((0, M)))) == 0


def test_memory_is_of_the_order_of_the_rows() -> None:
    rows = np.random.default_rng(0).normal(size=(20, 4000))
    tracemalloc.start()
    Rigidity.from_features(rows, regularizer=1.0, n_threads=1).lpr(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * rows.nbytes < rows.shape[1] ** 2 * 8


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda r: r.lpr(PHI[:, 1:]), "phi has 89 columns, expected 90, one for each weight of the model"),
        (lambda r: r.lpr(np.full((1, M), np.nan)), "phi row 0 holds NaN, infinity or an entry above 1e140; remove"),
        (lambda r: r.restrict([]), "the list of columns is empty"),
        (lambda r: r.restrict([1, 90]), "column 90 does not exist"),
        (lambda r: r.restrict([1, 1]), "column 1 is given twice"),
        (lambda r: r.updated(PHI, -np.ones(len(PHI))), "the weight of row 0 is -1"),
        (lambda r: r.holding(np.zeros(M)), "the held rows are zero"),
        (lambda r: r.lpr_held(PHI), "nothing is held"),
        (lambda _: Rigidity.from_features(X, regularizer=0.0), "regularizer"),
        (lambda _: Rigidity.from_features(X, regularizer=1.0, targets=[1.0]), "got 1 targets for 12 rows"),
    ],
)
def test_bad_input_gets_the_sentence_that_all_factors_have(call: object, sentence: str) -> None:
    with pytest.raises(InvalidInputError, match=sentence):
        call(thin())  # type: ignore[operator]
