"""Rigidities of forces against their definition in exact arithmetic, and against differences of kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ase.build
import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list
from flint import arb, arb_mat, ctx

from lpr_fast import InvalidInputError, LinearModel, SparseKernelModel
from lpr_fast.atoms import _pieces
from lpr_fast.atoms.forces import _force_rigidity

from .gradients import FRAMES, STEPS
from .structures import HYPERS, fitted, gallium_arsenide, rattled, silicon

Array = np.ndarray

pytestmark = pytest.mark.filterwarnings("ignore:the baseline is arbitrary")


@pytest.fixture(scope="module")
def model() -> SparseKernelModel:
    return fitted(gallium_arsenide(), n_active=12, zeta=3)


@pytest.fixture(scope="module")
def noisy() -> SparseKernelModel:
    frames = gallium_arsenide()
    return SparseKernelModel.fit(frames, hypers=HYPERS, n_active=12, zeta=3, sigma={"energy": 0.01}, delta=0.5)


def slab() -> Atoms:
    """Two species, open along one vector, and an atom that nobody sees."""
    frame = ase.build.bulk("GaAs", "zincblende", a=5.65, cubic=True)
    frame.pbc = (True, True, False)
    frame = rattled(frame, 5)
    frame.append("Ga")
    frame.positions[-1] = [1.0, 1.0, 30.0]
    return frame


def exact_matrix(values: Array) -> arb_mat:
    return arb_mat([[arb(float(value)) for value in row] for row in np.atleast_2d(values)])


def as_floats(matrix: arb_mat) -> Array:
    return np.array([[float(matrix[i, j]) for j in range(matrix.ncols())] for i in range(matrix.nrows())])


def exact_form(rows: Array, root: Array, scale: float) -> Array:
    """Scale times F A^-1 F^T with A = root^T root, in 400 bits."""
    before, ctx.prec = ctx.prec, 400
    F, U = exact_matrix(rows), exact_matrix(root)
    found = as_floats(F * (U.transpose() * U).solve(F.transpose()))
    ctx.prec = before
    return scale * found


def hessian_root(model: SparseKernelModel | LinearModel) -> Array:
    """R with its columns in the order of phi, of a model that dropped none."""
    factor = model._model.factor
    found = np.zeros((factor.size, factor.size))
    found[:, factor.columns] = factor.triangle()
    return found


def kernel_root(model: SparseKernelModel) -> Array:
    """U with U^T U = K_MM."""
    blocks = [(active @ active.T) ** model.zeta for active in model.active_features.values()]
    size = sum(map(len, blocks))
    found, start = np.zeros((size, size)), 0
    for block in blocks:
        found[start : start + len(block), start : start + len(block)] = block
        start += len(block)
    root: Array = np.linalg.cholesky(found).T
    return root


def test_covariances_are_those_of_the_definition(model: SparseKernelModel) -> None:
    frame = slab()
    found = model.force_rigidity(frame)
    forces = model.gradient_rows(frame).forces.reshape(len(frame), 3, -1)
    R = hessian_root(model)
    for atom in (0, 3):
        expected = exact_form(forces[atom], R, model.regularizer)
        scale = np.linalg.norm(expected)
        np.testing.assert_allclose(found.covariance[atom], expected, rtol=0, atol=1e-10 * scale)
        largest = np.linalg.eigvalsh(expected)[-1]
        assert found.variance[atom] == pytest.approx(largest, rel=1e-10)
        assert found.lpr[atom] == pytest.approx(model.regularizer / largest, rel=1e-10)
    assert found.variance[-1] == 0.0
    assert found.lpr[-1] == np.inf


def test_what_is_held_is_taken_off_covariances(model: SparseKernelModel) -> None:
    """The covariance under the condition that the held rows' predictions do not change, by its definition."""
    frame = slab()
    found = model.force_rigidity(frame)
    held = model._model.factor.held()
    assert held is not None
    rows = np.vstack([model.gradient_rows(frame).forces[:3], held[0]])
    joint = exact_form(rows, hessian_root(model), model.regularizer)
    expected = joint[:3, :3] - joint[:3, 3:] @ np.linalg.pinv(joint[3:, 3:], rcond=1e-12) @ joint[3:, :3]
    assert found.covariance_held is not None
    np.testing.assert_allclose(found.covariance_held[0], expected, rtol=0, atol=1e-8 * np.linalg.norm(expected))
    for plain, less in zip(found.covariance, found.covariance_held, strict=True):
        assert np.linalg.eigvalsh(plain - less).min() >= -1e-12 * np.linalg.norm(plain)


def kernels_between(model: SparseKernelModel, first: Atoms, second: Atoms) -> float:
    """Covariance of two total energies under the prior."""
    found = 0.0
    for s in model.species:
        x, other = (model.features([frame])[frame.numbers == s] for frame in (first, second))
        found += float((np.maximum(x @ other.T, 0) ** model.zeta).sum())
    return found


def mixed_difference(f: Callable[[float, float], float]) -> list[float]:
    """d^2 f / dx dy around 0 with several steps, from sixteen values each."""
    weights = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}
    return [
        sum(a * b * f(i * h, j * h) for i, a in weights.items() for j, b in weights.items()) / h**2 for h in STEPS[2:]
    ]


@pytest.mark.parametrize("zeta", [1.0, 2.0, 3.0, 2.5])
def test_the_exact_residual_is_the_prior_less_what_the_active_set_sees(zeta: float) -> None:
    """The prior's covariance of a force by differences of kernels between the structure and itself."""
    model = fitted(gallium_arsenide(), n_active=12, zeta=zeta)
    frame = rattled(FRAMES["two species"], 8)
    found = model.force_rigidity(frame, exact_residual=True).residual_covariance
    assert found is not None
    explained = exact_form(model.gradient_rows(frame).forces[:3], kernel_root(model), 1.0)

    def moved(component: int, step: float) -> Atoms:
        other = frame.copy()
        other.positions[0, component] += step
        return other

    for a, b in ((0, 0), (0, 2), (1, 2)):
        candidates = mixed_difference(
            lambda x, y, a=a, b=b: kernels_between(model, moved(a, x), moved(b, y))  # type: ignore[misc]
        )
        scale = np.abs(explained).max()
        assert np.abs(np.array(candidates) - explained[a, b] - found[0, a, b]).min() < 1e-6 * scale


@pytest.mark.filterwarnings("ignore:14 of 20 active points were dropped as redundant")
def test_active_sets_that_see_everything_leave_nothing() -> None:
    """Of linear kernels in as many directions as there are features."""
    coarse: dict[str, Any] = HYPERS | {
        "basis": {"type": "TensorProduct", "max_angular": 1, "radial": {"type": "Gto", "max_radial": 1}}
    }
    model = fitted(silicon(8), hypers=coarse, n_active=20, zeta=1)
    found = model.force_rigidity(silicon(1, seed=30), exact_residual=True)
    assert found.residual_covariance is not None
    scale = np.abs(model.gradient_rows(silicon(1, seed=30)[0]).forces).max() ** 2
    assert np.abs(found.residual_covariance).max() < 1e-9 * scale


def test_covariances_are_not_negative_and_the_residual_only_adds(noisy: SparseKernelModel) -> None:
    plain = noisy.force_rigidity(slab())
    found = noisy.force_rigidity(slab(), exact_residual=True)
    assert found.residual_covariance is not None
    for matrices in (found.covariance, found.residual_covariance):
        values = np.linalg.eigvalsh(matrices)
        assert (values >= -1e-14 * np.abs(values).max(axis=1, keepdims=True)).all()
    np.testing.assert_array_equal(found.covariance, plain.covariance)
    assert found.sigma is not None
    assert plain.sigma is not None
    assert (found.sigma[:-1] > plain.sigma[:-1]).all()
    assert found.sigma[-1] == 0.0


def test_sigma_is_the_root_of_the_largest_eigenvalue_in_the_unit_of_forces(noisy: SparseKernelModel) -> None:
    """With noise, H^-1 is the covariance of the weights in squared energies."""
    frame = rattled(FRAMES["two species"], 8)
    found = noisy.force_rigidity(frame)
    expected = exact_form(noisy.gradient_rows(frame).forces[3:6], hessian_root(noisy), 1.0)
    assert found.sigma is not None
    assert found.sigma[1] == pytest.approx(np.linalg.eigvalsh(expected)[-1] ** 0.5, rel=1e-10)
    np.testing.assert_allclose(found.prior_variance * found.covariance[1], expected, rtol=1e-9)
    assert found.prior_variance == pytest.approx(0.25)


def test_calibrated_models_have_sigmas_and_others_do_not(model: SparseKernelModel) -> None:
    frame = rattled(FRAMES["two species"], 8)
    assert model.force_rigidity(frame).sigma is None
    calibrated = model.calibrate(gallium_arsenide(4, seed=60))
    assert calibrated.calibration is not None
    found = calibrated.force_rigidity(frame)
    assert found.sigma is not None
    np.testing.assert_allclose(found.sigma**2, calibrated.calibration.prior_variance * found.variance, rtol=1e-12)


def test_the_residual_is_the_largest_of_those_that_contribute(model: SparseKernelModel) -> None:
    frame = slab()
    found = model.force_rigidity(frame)
    residual = model.score(frame).residual
    assert residual is not None
    assert found.residual is not None
    first, second = neighbor_list("ij", frame, model.cutoff)  # type: ignore[no-untyped-call]
    expected = residual.copy()
    np.maximum.at(expected, first, residual[second])
    np.testing.assert_array_equal(found.residual, expected)


def test_parts_of_large_frames_and_threads_change_no_bit(
    model: SparseKernelModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [slab(), rattled(FRAMES["two species"] * (4, 3, 2), 2)]
    expected = model.force_rigidity(frames, exact_residual=True, n_threads=1)
    monkeypatch.setattr(_force_rigidity, "ROWS_TOGETHER", 5 * 3 * model.rigidity.size)
    monkeypatch.setattr(_pieces, "LARGEST_WHOLE", 20)
    found = model.force_rigidity(frames, exact_residual=True, n_threads=2)
    for name, values in vars(expected).items():
        np.testing.assert_array_equal(getattr(found, name), values)


def test_forces_that_depend_on_unknown_species_are_nan(model: SparseKernelModel) -> None:
    frame = rattled(ase.build.bulk("GaAs", "zincblende", a=5.65, cubic=True) * (4, 1, 1), 4)
    expected = model.force_rigidity(frame)
    frame.numbers[0] = 13
    found = model.force_rigidity(frame, unknown_species="nan", exact_residual=True)
    scores = model.score(frame, unknown_species="nan")
    marked = np.isnan(scores.lpr)
    first, second = neighbor_list("ij", frame, model.cutoff)  # type: ignore[no-untyped-call]
    nan = marked.copy()
    nan[first[marked[second]]] = True
    assert nan.any()
    assert not nan.all()
    for values in (found.variance, found.residual, found.lpr, found.lpr_held, found.covariance[:, 0, 1]):
        assert values is not None
        np.testing.assert_array_equal(np.isnan(values), nan)
    np.testing.assert_array_equal(found.covariance[~nan], expected.covariance[~nan])


def test_linear_models_have_covariances_of_forces_and_no_residual() -> None:
    model = LinearModel.fit(silicon(), hypers=HYPERS, regularizer=1e-3)
    frame = silicon(1, seed=9)[0]
    found = model.force_rigidity(frame)
    assert found.residual is None
    assert found.lpr_held is None
    rows = model.gradient_rows(frame).forces[:3]
    expected = exact_form(rows, hessian_root(model), model.regularizer)
    np.testing.assert_allclose(found.covariance[0], expected, rtol=0, atol=1e-10 * np.linalg.norm(expected))
    with pytest.raises(
        InvalidInputError, match="exact_residual was given, but linear models have no residual; leave it out"
    ):
        model.force_rigidity(frame, exact_residual=True)


def test_no_frames_have_no_forces(model: SparseKernelModel) -> None:
    found = model.force_rigidity([], exact_residual=True)
    assert len(found) == 0
    assert found.covariance.shape == (0, 3, 3)
    assert found.residual is not None


def described(frames: list[Atoms]) -> Array:
    return np.concatenate([np.column_stack([frame.positions, np.ones(len(frame))]) for frame in frames])


def test_descriptors_without_derivatives_are_refused_in_a_sentence() -> None:
    model = LinearModel.fit(silicon(), descriptor=described, regularizer=1e-3)
    with pytest.raises(InvalidInputError, match="has no derivatives"):
        model.force_rigidity(silicon(1))
