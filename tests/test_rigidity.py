"""Rigidity as Python sees it: shapes, bits, threads, processes, warnings."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lpr_fast import HessianAccumulator, InvalidInputError, LprWarning, NotPositiveDefiniteError, Rigidity

from .oracle.problems import Array


@pytest.fixture(scope="module")
def features() -> Array:
    return np.random.default_rng(2).normal(size=(300, 40))


@pytest.fixture(scope="module")
def model(features: Array) -> Rigidity:
    return Rigidity.from_features(features, regularizer=1e-2)


def line_kernel(a: Array, b: Array, width: float) -> Array:
    return np.exp(-0.5 * ((a[:, None] - b) / width) ** 2)


def test_every_constructor_gives_the_same_model(features: Array, model: Rigidity) -> None:
    accumulator = HessianAccumulator(40)
    accumulator.add(features)
    others = [
        Rigidity.from_accumulator(accumulator, regularizer=1e-2),
        Rigidity.from_accumulator(accumulator, regularizer=1e-2, prior=np.eye(40)),
        Rigidity.from_kernels(features, np.eye(40), regularizer=1e-2),
        Rigidity.from_hessian(features.T @ features, regularizer=1e-2),
        Rigidity.from_hessian(model.hessian()),
        Rigidity.from_features(features, regularizer=1e-2, method="gram"),
        Rigidity.from_features(2.0 * features, weights=np.full(300, 0.25), regularizer=1e-2),
    ]
    for other in others:
        np.testing.assert_allclose(other.lpr(features), model.lpr(features), rtol=1e-10)


def test_lpr_variance_and_covariance_are_what_their_formulas_say(features: Array, model: Rigidity) -> None:
    inverse = np.linalg.inv(features.T @ features + 1e-2 * np.eye(40))
    phi, other = features[:7] + 0.1, features[100:110]
    forms = np.einsum("ij,jk,ik->i", phi, inverse, phi)
    np.testing.assert_allclose(model.lpr(phi), 1 / forms, rtol=1e-10)
    np.testing.assert_allclose(model.variance(phi), 1e-2 * forms, rtol=1e-10)
    np.testing.assert_allclose(model.variance(phi, scale=3.0), 3.0 * forms, rtol=1e-10)
    np.testing.assert_allclose(model.covariance(phi, other, scale=3.0), 3.0 * phi @ inverse @ other.T, atol=1e-12)
    np.testing.assert_allclose(model.covariance(phi), 1e-2 * phi @ inverse @ phi.T, atol=1e-14)
    np.testing.assert_allclose(model.hessian() @ inverse, np.eye(40), atol=1e-10)


def test_what_is_asked_of_a_model_is_told(model: Rigidity) -> None:
    assert (model.size, model.n_dropped, model.regularizer, model.method) == (40, 0, 1e-2, "qr")
    assert model.kept_columns == list(range(40))
    assert model.error_estimate is None
    assert repr(model).startswith("Rigidity(size=40, regularizer=0.01, method='qr', condition_number=")
    assert repr(model).endswith(", n_dropped=0)")


def test_rows_of_zeros_are_infinitely_rigid_and_no_rows_are_fine(model: Rigidity) -> None:
    phi = np.zeros((2, 40))
    phi[1, 0] = 1e-155  # its form overflows on inversion, or nearly so
    assert model.lpr(phi)[0] == np.inf
    assert model.variance(phi)[0] == 0.0
    assert model.lpr(np.zeros((0, 40))).shape == (0,)
    assert model.covariance(phi, np.zeros((0, 40))).shape == (2, 0)


def test_the_size_one_model_works() -> None:
    model = Rigidity.from_features([[2.0]], regularizer=1.0)
    np.testing.assert_allclose(model.lpr([[1.0], [2.0]]), [5.0, 1.25], rtol=1e-15)
    assert model.condition_number == pytest.approx(1.0)


def test_inputs_of_other_types_and_layouts_give_the_same_bits(features: Array, model: Rigidity) -> None:
    exact = np.round(features * 8) / 8  # representable in float32
    expected = model.lpr(exact)
    strided = np.zeros((300, 80))
    strided[:, ::2] = exact
    readonly = exact.copy()
    readonly.setflags(write=False)
    unaligned = np.frombuffer(b"x" + exact.tobytes(), dtype=np.uint8)[1:].view(np.float64).reshape(exact.shape)
    variants = [
        exact.astype(np.float32),
        exact.astype(">f8"),
        np.asfortranarray(exact),
        strided[:, ::2],
        exact[::-1][::-1],
        exact.tolist(),
        readonly,
        unaligned,
    ]
    for variant in variants:
        np.testing.assert_array_equal(model.lpr(variant), expected)
    integers = np.rint(features * 3).astype(np.int64)
    np.testing.assert_array_equal(model.lpr(integers), model.lpr(integers.astype(float)))


@pytest.mark.parametrize("method", ["qr", "gram"])
def test_bits_do_not_depend_on_threads_or_batches(features: Array, method: str) -> None:
    kernel = line_kernel(np.linspace(0, 1, 40), np.linspace(0, 1, 40), 0.02)
    rng = np.random.default_rng(3)
    phi = rng.normal(size=(201, 40))
    models = [
        Rigidity.from_kernels(features, kernel, regularizer=1e-2, method=method, n_threads=n_threads)
        for n_threads in (1, 2, 5)
    ]
    expected = models[0].lpr(phi, n_threads=1)
    covariance = models[0].covariance(phi, n_threads=1)
    for model in models:
        for n_threads in (0, 1, 2):
            for batch in (1, 7, 64, 201):
                parts = [model.lpr(phi[i : i + batch], n_threads=n_threads) for i in range(0, 201, batch)]
                np.testing.assert_array_equal(np.concatenate(parts), expected)
            np.testing.assert_array_equal(model.covariance(phi, n_threads=n_threads), covariance)
    order = rng.permutation(201)
    np.testing.assert_array_equal(models[0].lpr(phi[order]), expected[order])


def test_eight_python_threads_share_one_object(features: Array, model: Rigidity) -> None:
    expected = model.lpr(features)
    with ThreadPoolExecutor(8) as pool:
        for result in pool.map(lambda _: model.lpr(features), range(40)):
            np.testing.assert_array_equal(result, expected)


FORK_SCRIPT = """
import multiprocessing, warnings
import numpy as np
from lpr_fast import Rigidity
warnings.simplefilter("ignore", DeprecationWarning)  # Python >= 3.12 dislikes a fork beside threads; that is the point
phi = np.random.default_rng(4).normal(size=(500, 60))
model = Rigidity.from_features(phi, regularizer=1e-3, n_threads=2)
expected = model.lpr(phi, n_threads=2)
def score(part):
    refit = Rigidity.from_features(phi, regularizer=1e-3, n_threads=2)
    return model.lpr(part, n_threads=2), refit.lpr(part, n_threads=2)
with multiprocessing.get_context("fork").Pool(2) as pool:
    for scored, refitted in pool.map(score, np.array_split(phi, 4)):
        first = np.flatnonzero(expected == scored[0])[0]
        assert np.array_equal(scored, expected[first : first + len(scored)])
        assert np.array_equal(refitted, scored)
assert np.array_equal(model.lpr(phi, n_threads=2), expected)
print("same bits")
"""


def test_forked_children_work_after_use_in_the_parent() -> None:
    result = subprocess.run([sys.executable, "-c", FORK_SCRIPT], capture_output=True, text=True, timeout=120)
    assert result.stdout == "same bits\n", result.stderr


BUSY_FORK_SCRIPT = """
import os, signal, threading, time
import numpy as np
from lpr_fast import Rigidity
phi = np.random.default_rng(0).random((20000, 100))
model = Rigidity.from_features(phi[:400], regularizer=1.0)
expected = model.lpr(phi[:1])
ended = False

def score():
    while not ended:
        model.lpr(phi, n_threads=2)

thread = threading.Thread(target=score)
thread.start()
for _ in range(10):
    time.sleep(0.01)
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(0 if np.array_equal(model.lpr(phi[:1]), expected) else 1)
    assert os.waitpid(child, 0)[1] == 0
ended = True
thread.join()
print("all came back")
"""


def test_children_that_are_forked_while_another_thread_scores_come_back() -> None:
    result = subprocess.run([sys.executable, "-c", BUSY_FORK_SCRIPT], capture_output=True, text=True, timeout=240)
    assert result.stdout == "all came back\n", result.stderr


EXIT_SCRIPT = """
import threading, time
import numpy as np
from lpr_fast import Rigidity
model = Rigidity.from_features(np.eye(3), regularizer=1.0)
phi = np.ones((2000, 3))

def score():
    while True:
        model.lpr(phi, n_threads=1)

for _ in range(2):
    threading.Thread(target=score, daemon=True).start()
end = time.time() + 0.2
while time.time() < end:
    pass
"""


def test_the_interpreter_ends_while_daemon_threads_score() -> None:
    for _ in range(5):
        result = subprocess.run([sys.executable, "-c", EXIT_SCRIPT], capture_output=True, text=True, timeout=60)
        assert result.returncode == 0, result.stderr


def test_a_triangle_whose_inverse_overflows_is_still_scored_and_warned_of() -> None:
    R = np.eye(60) + np.diag(np.full(59, 1e6), 1)
    with pytest.warns(LprWarning):
        model = Rigidity.from_hessian(R.T @ R)
    last = np.eye(60)[-1:]
    np.testing.assert_array_equal(model.lpr(last), [1.0])
    np.testing.assert_array_equal(model.covariance(last, scale=1.0), [[1.0]])
    assert np.isinf(model.condition_number)


def test_pickles_give_the_same_bits(features: Array) -> None:
    with pytest.warns(LprWarning):
        dropped = Rigidity.from_kernels(np.repeat(features[:, :1], 3, axis=1), np.ones((3, 3)), regularizer=1.0)
    gram = Rigidity.from_features(features, regularizer=1.0, method="gram")
    for model, phi in [(dropped, features[:, :3]), (gram, features), (gram.restrict([3, 1]), features[:, :2])]:
        restored = pickle.loads(pickle.dumps(model))
        assert repr(restored) == repr(model)
        assert restored.error_estimate == model.error_estimate
        assert restored.kept_columns == model.kept_columns
        np.testing.assert_array_equal(restored.lpr(phi), model.lpr(phi))


def test_redundant_active_points_are_dropped_with_one_warning() -> None:
    points = np.array([0.0, 1.0, 2.0, 1.0, 3.0])
    kernel = line_kernel(points, points, 0.5)
    k_nm = line_kernel(np.linspace(0, 3, 9), points, 0.5)
    with pytest.warns(LprWarning, match="1 of 5 active points was dropped as redundant") as record:
        model = Rigidity.from_kernels(k_nm, kernel, regularizer=1e-3)
    assert len(record) == 1
    assert record[0].filename == __file__
    assert model.n_dropped == 1
    assert model.kept_columns == [0, 1, 2, 4]
    assert model.hessian().shape == (4, 4)
    keep = [0, 1, 2, 4]
    reduced = Rigidity.from_kernels(k_nm[:, keep], kernel[np.ix_(keep, keep)], regularizer=1e-3)
    np.testing.assert_allclose(model.lpr(k_nm), reduced.lpr(k_nm[:, keep]), rtol=1e-12)
    np.testing.assert_allclose(
        model.restrict([4, 3, 1]).lpr(k_nm[:, [4, 3, 1]]), reduced.restrict([3, 1]).lpr(k_nm[:, [4, 1]]), rtol=1e-12
    )
    np.testing.assert_allclose(
        model.updated(k_nm).lpr(k_nm), reduced.updated(k_nm[:, keep]).lpr(k_nm[:, keep]), rtol=1e-12
    )
    with pytest.raises(InvalidInputError, match="every one of these columns was dropped"):
        model.restrict([3])
    accumulator = HessianAccumulator(5)
    accumulator.add(k_nm)
    with pytest.warns(LprWarning) as record:
        Rigidity.from_accumulator(accumulator, prior=kernel, regularizer=1e-3)
    assert record[0].filename == __file__


@pytest.mark.parametrize("n_points", [2, 16, 300])
def test_a_point_is_dropped_only_where_one_ulp_of_the_kernels_explains_it(n_points: int) -> None:
    """Two points at 1 - n eps / 2 leave n eps of one another, and one ulp of their four kernels moves that by 4 eps."""
    for n_eps in range(13):
        kernel = np.eye(n_points)
        kernel[0, 1] = kernel[1, 0] = 1.0 - n_eps * 2.0**-53
        rows = np.ones((1, n_points))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LprWarning)
            model = Rigidity.from_kernels(rows, kernel, regularizer=1e-3)
        assert model.n_dropped == (1 if n_eps < 4 else 0)


def test_a_dropped_point_costs_no_more_than_one_ulp_of_its_kernels() -> None:
    kernel = np.array([[1.0, 1.0 - 2.0**-52], [1.0 - 2.0**-52, 1.0]])
    phi = np.array([[1.0, 1.0], [0.5, 0.5]])
    with pytest.warns(LprWarning, match="1 of 2 active points"):
        model = Rigidity.from_kernels(np.ones((1, 2)), kernel, regularizer=1e-3)
    np.testing.assert_allclose(model.lpr(phi), 1.001 / phi[:, 0] ** 2, rtol=1e-14)


def test_updates_in_parts_give_the_bits_of_one(features: Array) -> None:
    start, rows = Rigidity.from_features(features[:3], regularizer=1e-9), features[3:]
    at_once = start.updated(rows)
    in_parts = start
    for first, last in ((0, 1), (1, 1), (1, 60), (60, 297)):
        in_parts = in_parts.updated(rows[first:last], n_threads=2)
    np.testing.assert_array_equal(in_parts.lpr(features), at_once.lpr(features))
    assert in_parts.condition_number == at_once.condition_number
    again = pickle.loads(pickle.dumps(in_parts)).updated(rows)
    np.testing.assert_allclose(again.lpr(features), at_once.updated(rows).lpr(features), rtol=1e-12)


def test_the_gram_route_warns_where_it_loses_digits_and_fails_by_name() -> None:
    points = np.linspace(0, 1, 25)
    kernel, k_nm = line_kernel(points, points, 0.1), line_kernel(np.linspace(0, 1, 60), points, 0.1)
    with pytest.warns(LprWarning, match="method='gram' gives rigidities with an estimated .*; use method='qr'"):
        model = Rigidity.from_kernels(k_nm, kernel, regularizer=1e-3, method="gram")
    assert model.error_estimate is not None
    assert model.error_estimate > 1e-6
    exact = Rigidity.from_kernels(k_nm, kernel, regularizer=1e-3)
    np.testing.assert_allclose(model.lpr(k_nm), exact.lpr(k_nm), rtol=model.error_estimate)

    kernel, k_nm = line_kernel(points, points, 0.3), line_kernel(np.linspace(0, 1, 60), points, 0.3)
    with pytest.raises(NotPositiveDefiniteError, match='use method="qr"'):
        Rigidity.from_kernels(k_nm, kernel, regularizer=1e-9, method="gram")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        benign = Rigidity.from_features(np.eye(5), regularizer=1.0, method="gram")
    assert benign.error_estimate is not None
    assert benign.error_estimate < 1e-13


def test_an_indefinite_hessian_names_the_regularizer_that_suffices() -> None:
    rng = np.random.default_rng(5)
    vectors = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    hessian = (vectors * np.linspace(-0.3, 5.0, 20)) @ vectors.T
    with pytest.raises(NotPositiveDefiniteError, match=r"smallest eigenvalue is -0\.3") as error:
        Rigidity.from_hessian(hessian)
    suggested = float(str(error.value).split("a regularizer of ")[1].split()[0])
    assert Rigidity.from_hessian(hessian, regularizer=suggested).size == 20


def test_the_condition_number_is_that_of_the_factor_at_any_regularizer(features: Array) -> None:
    for mu in (1e-300, 1e-30, 1.0):
        model = Rigidity.from_features(features[:10], regularizer=mu)
        largest = np.linalg.norm(features[:10], 2)
        assert model.condition_number == pytest.approx(np.sqrt(largest**2 + mu) / np.sqrt(mu), rel=0.05)


def test_a_hessian_that_rounding_makes_singular_is_doubted() -> None:
    vectors = np.linalg.qr(np.random.default_rng(11).normal(size=(12, 12)))[0]
    hessian = (vectors * np.array([1.0] * 11 + [2e-15])) @ vectors.T
    with pytest.warns(LprWarning, match="give a regularizer") as record:
        model = Rigidity.from_hessian(hessian)
    assert record[0].filename == __file__
    assert model.error_estimate is not None
    assert model.error_estimate > 0.1


def test_what_only_the_data_determine_is_kept() -> None:
    """An intercept without penalty: the prior is singular there, H is not."""
    rows = np.column_stack([np.ones(6), np.arange(6.0)])
    model = Rigidity.from_kernels(rows, np.diag([0.0, 1.0]), regularizer=0.5)
    assert model.n_dropped == 0
    exact = np.linalg.inv(rows.T @ rows + np.diag([0.0, 0.5]))
    np.testing.assert_allclose(model.variance(np.eye(2), scale=1.0), np.diag(exact), rtol=1e-13)


def test_a_centred_kernel_with_points_at_the_mean_is_accepted() -> None:
    features = np.random.default_rng(10).normal(size=(15, 4))
    features[12:] = features[:12].mean(axis=0)
    kernel = features @ features.T
    centred = kernel - kernel.mean(axis=0) - kernel.mean(axis=1)[:, None] + kernel.mean()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LprWarning)
        model = Rigidity.from_kernels(centred[:9], centred, regularizer=1e-2)
    assert np.all(np.isfinite(model.variance(centred)))


@pytest.mark.parametrize(("n_points", "n_duplicates"), [(2, 1), (5, 2), (6, 3), (12, 6)])
@pytest.mark.parametrize("n_rows", [255, 1000, 5000])
def test_duplicates_are_dropped_though_the_data_outweigh_the_prior(
    n_points: int, n_duplicates: int, n_rows: int
) -> None:
    rng = np.random.default_rng(n_rows)
    n_different = n_points - n_duplicates
    points = np.arange(n_different, dtype=float)
    different = line_kernel(rng.uniform(0, n_different, n_rows), points, 1.0) * 1e6
    rows = np.hstack([different, different[:, :n_duplicates]])
    copies = np.concatenate([np.arange(n_different), np.arange(n_duplicates)])
    kernel = line_kernel(points, points, 1.0)
    weights = 10.0 ** rng.uniform(-8, 4, n_rows)
    with pytest.warns(LprWarning, match=f"{n_duplicates} of {n_points} active points"):
        model = Rigidity.from_kernels(rows, kernel[np.ix_(copies, copies)], weights=weights, regularizer=1e-12)
    reduced = Rigidity.from_kernels(different, kernel, weights=weights, regularizer=1e-12)
    phi = rows[:9]
    np.testing.assert_allclose(model.lpr(phi), reduced.lpr(different[:9]), rtol=1e-9)
