"""The statements of the paper's toy figures, as numbers.

S. Chong et al., J. Chem. Theory Comput. 2023, 19, 8020. The data and the constrained minimisation, which uses
nothing of the package, are those of ``docs/gallery/toy.py``.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import toy

from lpr_fast import Rigidity

STRUCTURES = toy.toy_structures(seed=0)
ROWS, TARGETS, PER_ATOM = toy.training_rows(STRUCTURES)
TOTALS = np.ones(len(ROWS))
PURE = toy.N_ATOMS * toy.features([toy.REPLICATED])  # the row of the structure of equal environments
GRID = np.linspace(0, 1, 201)


def rigidity(rows: np.ndarray, weights: np.ndarray, mu: float, method: str = "qr") -> Rigidity:
    return Rigidity.from_features(rows, regularizer=mu, weights=weights, method=method)


# Figure 1: the definition


@pytest.mark.parametrize("mu", [1e-5, 1e-2])
def test_the_constrained_minimum_is_the_one_that_lagrange_multipliers_give(mu: float) -> None:
    phi, shift = toy.features([0.55])[0], 0.3
    hessian = ROWS.T @ (PER_ATOM[:, None] * ROWS) + mu * np.eye(len(phi))
    gradient = ROWS.T @ (PER_ATOM * TARGETS)
    optimum = np.linalg.solve(hessian, gradient)
    system = np.block([[hessian, phi[:, None]], [phi[None, :], np.zeros((1, 1))]])
    weights = np.linalg.solve(system, np.append(gradient, phi @ optimum + shift))[:-1]
    expected = PER_ATOM @ (TARGETS - ROWS @ weights) ** 2 + mu * weights @ weights
    found = toy.constrained_loss(ROWS, TARGETS, PER_ATOM, mu, phi, np.array([shift]))[0]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("method", ["qr", "gram"])
@pytest.mark.parametrize("loss_weights", [PER_ATOM, TOTALS], ids=["per_atom", "total"])
@pytest.mark.parametrize("mu", [1e-4, 1e-2, 1.0])
def test_the_constrained_loss_is_a_parabola_whose_curvature_is_the_lpr(
    mu: float, loss_weights: np.ndarray, method: str
) -> None:
    phi = toy.features([0.1, 0.25, toy.REPLICATED, 0.7, toy.OUTSIDE])
    lpr = rigidity(ROWS, loss_weights, mu, method).lpr(phi)
    epsilon = np.linspace(-2, 2, 9)
    for row, expected in zip(phi, lpr, strict=True):
        loss = toy.constrained_loss(ROWS, TARGETS, loss_weights, mu, row, epsilon)
        quadratic, linear, lowest = np.polyfit(epsilon, loss, 2)
        np.testing.assert_allclose(quadratic, expected, rtol=1e-8)  # the second derivative is twice this
        assert abs(linear) < 1e-8 * quadratic
        np.testing.assert_allclose(loss, lowest + expected * epsilon**2, rtol=1e-8)


def test_the_curvature_does_not_depend_on_the_targets() -> None:
    phi, mu, epsilon = toy.features([0.6]), 1e-3, np.linspace(-2, 2, 9)
    lpr = rigidity(ROWS, PER_ATOM, mu).lpr(phi)[0]
    generator = np.random.default_rng(1)
    for _ in range(3):
        targets = generator.normal(size=len(ROWS))
        loss = toy.constrained_loss(ROWS, targets, PER_ATOM, mu, phi[0], epsilon)
        np.testing.assert_allclose(toy.curvature(epsilon, loss), lpr, rtol=1e-8)


def test_a_group_of_environments_has_a_rigidity_of_its_own_by_the_same_definition() -> None:
    group, mu, epsilon = toy.features([0.2, 0.5, 0.7]).sum(axis=0), 1e-3, np.linspace(-2, 2, 9)
    loss = toy.constrained_loss(ROWS, TARGETS, PER_ATOM, mu, group, epsilon)
    np.testing.assert_allclose(
        toy.curvature(epsilon, loss), rigidity(ROWS, PER_ATOM, mu).lpr(group[None])[0], rtol=1e-8
    )


# Figure 2: the profile


@pytest.mark.parametrize("mu", [1e-6, 1e-5, 1e-4, 1e-3])
def test_the_profile_peaks_at_the_environment_of_the_pure_structure(mu: float) -> None:
    lpr = rigidity(ROWS, PER_ATOM, mu).lpr(toy.features(GRID))
    assert abs(GRID[np.argmax(lpr)] - toy.REPLICATED) <= 0.005


@pytest.mark.parametrize(
    ("loss_weights", "mu", "height"), [(PER_ATOM, 1e-5, 1.0), (TOTALS, 64e-5, 64.0)], ids=["per_atom", "total"]
)
def test_the_peak_is_as_high_as_the_loss_says(loss_weights: np.ndarray, mu: float, height: float) -> None:
    assert toy.N_ATOMS == 8
    peak = rigidity(ROWS, loss_weights, mu).lpr(PURE / toy.N_ATOMS)[0]
    assert height < peak < 1.1 * height


@pytest.mark.parametrize("mu", [1e-6, 1e-3, 1.0])
@pytest.mark.parametrize(
    ("loss_weights", "height"), [(PER_ATOM, 1.0), (TOTALS, 64.0)], ids=["one_per_atom", "its_size_squared_in_total"]
)
def test_a_pure_structure_raises_the_lpr_of_its_environment_by(
    loss_weights: np.ndarray, height: float, mu: float
) -> None:
    phi = PURE / toy.N_ATOMS
    without = rigidity(ROWS[:-1], loss_weights[:-1], mu)
    expected = without.lpr(phi) + height
    np.testing.assert_allclose(rigidity(ROWS, loss_weights, mu).lpr(phi), expected, rtol=1e-11)
    np.testing.assert_allclose(without.updated(PURE, loss_weights[-1:]).lpr(phi), expected, rtol=1e-11)


def test_totals_of_equally_large_structures_only_change_the_unit() -> None:
    phi, unit = toy.features(GRID), toy.N_ATOMS**2
    total = rigidity(ROWS, TOTALS, 1e-3 * unit).lpr(phi)
    np.testing.assert_allclose(total, unit * rigidity(ROWS, PER_ATOM, 1e-3).lpr(phi), rtol=1e-11)


def test_the_peak_is_resolved_less_when_the_regularizer_grows() -> None:
    sampled = np.linspace(*toy.SAMPLED, 161)
    away = sampled[np.abs(sampled - toy.REPLICATED) > 2 * toy.WIDTH]
    ratios, spreads = [], []
    for mu in (1e-5, 1e-3, 1e-1):
        model = rigidity(ROWS, PER_ATOM, mu)
        lpr = model.lpr(toy.features(away))
        ratios.append(model.lpr(PURE / toy.N_ATOMS)[0] / np.median(lpr))
        spreads.append(np.std(np.log(lpr)))
    assert ratios[0] > 10
    assert ratios[0] > 1.5 * ratios[1]
    assert ratios[1] > 1.5 * ratios[2]
    assert ratios[2] > 2
    assert spreads[0] > spreads[1] > spreads[2]


def test_a_larger_regularizer_never_lowers_any_lpr_and_never_raises_it_more_than_in_proportion() -> None:
    phi = toy.features(GRID)
    regularizers = 10.0 ** np.arange(-8, 3)
    profiles = [rigidity(ROWS, PER_ATOM, mu).lpr(phi) for mu in regularizers]
    for lower, upper in pairwise(profiles):
        assert np.all(upper > lower)
        assert np.all(upper < 10 * lower * (1 + 1e-9))


@pytest.mark.parametrize("share", [1e-5, 1e-3, 1e-1])
@pytest.mark.parametrize("size", [0.1, 1.0, 10.0])
def test_the_floor_of_the_lpr_is_the_regularizer_over_the_squared_norm(share: float, size: float) -> None:
    mu, phi = share * size**2, size * toy.features(GRID)
    lpr = rigidity(size * ROWS, PER_ATOM, mu).lpr(phi)
    floor = mu / np.sum(phi**2, axis=1)
    assert np.all(lpr > floor * (1 - 1e-12))
    assert lpr[-1] < 1.1 * floor[-1]  # x = 1 is unlike all training environments
    assert np.all(lpr[GRID < 0.75] > 1.5 * floor[GRID < 0.75])


def test_adding_a_structure_never_lowers_any_lpr_of_the_profile() -> None:
    phi = toy.features(GRID)
    model = rigidity(ROWS[:1], PER_ATOM[:1], 1e-4)
    before = model.lpr(phi)
    for row, weight in zip(ROWS[1:], PER_ATOM[1:], strict=True):
        model = model.updated(row[None], [weight])
        after = model.lpr(phi)
        assert np.all(after > before * (1 - 1e-11))
        before = after
    np.testing.assert_allclose(before, rigidity(ROWS, PER_ATOM, 1e-4).lpr(phi), rtol=1e-10)


# Figure 3: parts that always come in the same proportion


class Parts:
    """Two kinds of environments, 8 and 8 in each of 200 structures, with one more structure or none."""

    mu = 1e-6

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.generator = np.random.default_rng(2)
        self.rows = [self.row(8, 8) for _ in range(200)]

    def row(self, n_a: int, n_b: int) -> np.ndarray:
        return toy.row_of_parts(self.kind, n_a, n_b, self.generator)

    def phi(self, part: str, x: np.ndarray) -> np.ndarray:
        return toy.phi_of_part(self.kind, part, x)

    def model(self, *extra: tuple[int, int]) -> Rigidity:
        rows = np.stack([*self.rows, *(self.row(*numbers) for numbers in extra)])
        sizes = np.array([16] * len(self.rows) + [sum(numbers) for numbers in extra])
        return rigidity(rows, 1 / sizes**2, self.mu)

    def lpr(self, *extra: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        model, x = self.model(*extra), np.linspace(0, 1, 21)
        return model.lpr(self.phi("a", x)), model.lpr(self.phi("b", x))


@pytest.fixture(params=["phases", "species"])
def parts(request: pytest.FixtureRequest) -> Parts:
    return Parts(request.param)


def test_parts_in_constant_proportion_are_not_determined_but_their_sum_is(parts: Parts) -> None:
    for lpr in parts.lpr():
        assert np.all(lpr > parts.mu)
        assert np.all(lpr < 10 * parts.mu)
    x = np.linspace(0, 1, 21)
    means = np.stack([parts.phi("a", x).mean(axis=0), parts.phi("b", x).mean(axis=0)])
    model = parts.model()
    covariance = model.covariance(means)
    assert covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]) < -0.99999
    assert model.lpr(means.mean(axis=0)[None])[0] > 1


@pytest.mark.parametrize("pure", [(8, 0), (0, 8)], ids=["first", "second"])
def test_one_structure_of_one_part_alone_lifts_both_parts(parts: Parts, pure: tuple[int, int]) -> None:
    for before, after in zip(parts.lpr(), parts.lpr(pure), strict=True):
        assert np.all(after > 1000 * before)
        assert np.all(after > 0.01)
        assert 0.3 < np.max(after) < 1


def test_one_more_structure_in_the_same_proportion_lifts_neither_part(parts: Parts) -> None:
    for before, after in zip(parts.lpr(), parts.lpr((8, 8)), strict=True):
        assert np.all(after >= before * (1 - 1e-9))
        assert np.all(after < 1.01 * before)


@pytest.mark.parametrize(("n_a", "n_b"), [(8, 4), (4, 8), (9, 7)])
def test_another_proportion_lifts_both_parts_by_the_square_of_its_excess(parts: Parts, n_a: int, n_b: int) -> None:
    excess = ((n_a - n_b) / (n_a + n_b)) ** 2
    for before, after in zip(parts.lpr(), parts.lpr((n_a, n_b)), strict=True):
        assert np.all(after > 100 * before)
        assert 0.5 * excess < np.max(after) < 1.1 * excess


# Redundant features


def test_repeating_all_feature_columns_halves_the_regularizer() -> None:
    twice = rigidity(np.hstack([ROWS, ROWS]), PER_ATOM, 1e-3)
    phi = toy.features(GRID)
    assert twice.n_dropped == 0
    np.testing.assert_allclose(twice.lpr(np.hstack([phi, phi])), rigidity(ROWS, PER_ATOM, 5e-4).lpr(phi), rtol=1e-10)


def test_rotating_the_features_and_adding_empty_columns_changes_nothing() -> None:
    phi, size = toy.features(GRID), ROWS.shape[1]
    rotation = np.linalg.qr(np.random.default_rng(3).normal(size=(size + 5, size)))[0].T
    expected = rigidity(ROWS, PER_ATOM, 1e-3).lpr(phi)
    np.testing.assert_allclose(rigidity(ROWS @ rotation, PER_ATOM, 1e-3).lpr(phi @ rotation), expected, rtol=1e-10)
