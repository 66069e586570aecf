"""The choice of delta by the evidence of labels with known noise."""

from __future__ import annotations

import numpy as np
import pytest
from flint import arb, arb_mat, ctx

from lpr_fast import HessianAccumulator, LprWarning
from lpr_fast.models._basis import LinearBasis, SparseKernelBasis
from lpr_fast.models._delta import DeltaChoice, chosen_delta, warn_of_edge

from .oracle.problems import Array

SIGMAS = {"energy": 0.03, "force": 0.2}


def circle(angles: Array) -> Array:
    """Features of environments that have an angle."""
    return np.column_stack([np.cos(angles), np.sin(angles), np.ones(len(angles))]) / np.sqrt(2.0)


def kernel_problem(delta: float, *, sigma_factor: float = 1.0, n_structures: int = 40) -> tuple[Array, ...]:
    """Energies of four atoms and two forces each, of weights drawn from the prior; noise of two kinds."""
    rng = np.random.default_rng(5)
    zeta, step = 3.0, 1e-4
    active = circle(np.linspace(0.0, 6.0, 7))
    angles = rng.uniform(0.0, 6.0, size=(n_structures, 4))

    def kernels(at: Array) -> Array:
        return np.array((circle(at) @ active.T) ** zeta)

    energies = np.array([kernels(a).sum(axis=0) for a in angles])
    forces = -(kernels(angles[:, :2].ravel() + step) - kernels(angles[:, :2].ravel() - step)) / (2 * step)
    rows = np.vstack([energies, forces])
    sigma = np.repeat(list(SIGMAS.values()), [n_structures, 2 * n_structures])
    prior = (active @ active.T) ** zeta
    truth = delta * np.linalg.solve(np.linalg.cholesky(prior).T, rng.normal(size=7))
    targets = rows @ truth + sigma_factor * sigma * rng.normal(size=len(rows))
    return rows, targets, sigma, active


def chosen(rows: Array, targets: Array, sigma: Array, active: Array) -> DeltaChoice | str:
    accumulator = HessianAccumulator(rows.shape[1], labelled=True)
    accumulator.add(rows, sigma**-2.0, targets=targets)
    return chosen_delta(SparseKernelBasis({14: active}, 3.0), accumulator, 1)


def exact_evidence(rows: Array, targets: Array, sigma: Array, active: Array, delta: float) -> arb:
    """-2 log of the dense Gaussian y ~ N(0, sigma^2 + delta^2 X K^-1 X^T), in 400 bits."""
    K = (active @ active.T) ** 3.0
    X, K, y = (arb_mat(a.shape[0], a.shape[1], a.ravel().tolist()) for a in (rows, K, targets[:, None]))
    n = len(targets)
    noise = arb_mat([[arb(s) ** 2 if i == j else arb(0) for j in range(n)] for i, s in enumerate(sigma.tolist())])
    covariance = noise + X * K.solve(X.transpose(), algorithm="precond") * (arb(delta) ** 2)
    square = (y.transpose() * covariance.solve(y, algorithm="precond"))[0, 0]
    return square + covariance.det().log() + n * (2 * arb.pi()).log()


@pytest.fixture(autouse=True)
def _bits() -> None:
    ctx.prec = 400


@pytest.mark.parametrize("delta", [0.2, 5.0])
def test_the_chosen_delta_has_the_largest_evidence_of_a_dense_gaussian(delta: float) -> None:
    problem = kernel_problem(delta, n_structures=12)
    choice = chosen(*problem)
    assert isinstance(choice, DeltaChoice)
    index = int(np.flatnonzero(choice.deltas == choice.delta)[0])
    near = [index - 20, index - 1, index, index + 1, index + 20]
    exact = [exact_evidence(*problem, float(choice.deltas[i])) for i in near]
    np.testing.assert_allclose(choice.minus_twice_log_evidence[near], [float(e) for e in exact], rtol=1e-9)
    assert all(exact[2] < other for other in (exact[0], exact[1], exact[3], exact[4]))
    assert choice.edge is None


@pytest.mark.parametrize("delta", [0.1, 1.0, 30.0])
def test_a_delta_that_was_put_in_is_found(delta: float) -> None:
    choice = chosen(*kernel_problem(delta))
    assert isinstance(choice, DeltaChoice)
    lowest, highest = choice.interval
    assert lowest < choice.delta < highest
    assert abs(np.log(choice.delta / delta)) < 3.0 / np.sqrt(2 * 7)  # seven weights
    assert choice.sigma_factor == pytest.approx(1.0, abs=3.0 / np.sqrt(2 * 120))  # 120 labels


@pytest.mark.parametrize("factor", [0.25, 4.0])
def test_noise_of_another_size_than_sigma_is_said(factor: float) -> None:
    choice = chosen(*kernel_problem(1.0, sigma_factor=factor))
    assert isinstance(choice, DeltaChoice)
    assert choice.sigma_factor == pytest.approx(factor, rel=3.0 / np.sqrt(2 * 120))
    assert choice.facts()["sigma_factor"] == choice.sigma_factor


def test_labels_that_can_be_met_exactly_say_nothing_of_their_noise() -> None:
    rows, targets, sigma, active = kernel_problem(1.0)
    few = chosen(rows[:3], targets[:3], sigma[:3], active)
    assert isinstance(few, DeltaChoice)
    assert few.sigma_factor is None
    assert few.edge is None


def test_delta_goes_with_the_unit_of_the_labels() -> None:
    rows, targets, sigma, active = kernel_problem(1.0)
    one, other = chosen(rows, targets, sigma, active), chosen(rows, 1000 * targets, 1000 * sigma, active)
    assert isinstance(one, DeltaChoice)
    assert isinstance(other, DeltaChoice)
    assert other.delta == pytest.approx(1000 * one.delta, rel=1e-12)


def test_labels_of_zero_are_noise_and_said() -> None:
    rows, _, sigma, active = kernel_problem(1.0)
    choice = chosen(rows, np.zeros(len(rows)), sigma, active)
    assert isinstance(choice, DeltaChoice)
    assert choice.edge == "lower"
    with pytest.warns(LprWarning, match=r"delta .* is at the lower end of the tried range: .*check their units"):
        warn_of_edge(choice, stacklevel=1)


def test_without_labels_or_features_there_is_no_choice() -> None:
    accumulator = HessianAccumulator(3)
    accumulator.add(np.eye(3))
    assert chosen_delta(LinearBasis((14,), 3), accumulator, 1) == "there are no labels"
    nothing = HessianAccumulator(3, labelled=True)
    nothing.add(np.zeros((4, 3)), targets=np.ones(4))
    assert chosen_delta(LinearBasis((14,), 3), nothing, 1) == "no training row has any features"
