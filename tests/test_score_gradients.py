"""Gradients of scores: against differences of scores, and of the held LPR against 60 digits of its definition."""

from __future__ import annotations

import json
from typing import Any

import mpmath
import numpy as np
import pytest
from ase import Atoms

from lpr_fast import InvalidInputError, LinearModel, SparseKernelModel, _core
from lpr_fast.descriptors._structures import structure_of

from .gradients import FRAMES, Array, best_difference, strained
from .structures import HYPERS, fitted, gallium_arsenide, labelled, molecules, rattled, silicon
from .test_core_predictions import AnyModel, model_of

pytestmark = pytest.mark.filterwarnings("ignore:the baseline is arbitrary")

QUANTITIES = ("lpr", "lpr_held", "variance", "residual")
SUMS: dict[str, Any] = {"a sum": {}, "a weighted sum": {"weighted": True}, "a smooth extreme": {"power": 6.0}}


class Scored:
    """A frame and its scores."""

    def __init__(self, model: AnyModel, frame: Atoms) -> None:
        self.model, self.frame = model, frame
        self.scorer = _core.SoapScorer(model._model)

    def structure(self, frame: Atoms | None = None) -> _core.Structure:
        return structure_of(self.frame if frame is None else frame, self.model.cutoff, self.model.species)

    def scores(self, quantity: str, frame: Atoms | None = None) -> Array:
        return self.scorer.score([self.structure(frame)], [None], False, 1)[quantity]  # noqa: FBT003

    def gradient(
        self,
        quantity: str,
        coefficients: Array | None = None,
        power: float | None = None,
        n_threads: int = 1,
        **options: Array,
    ) -> dict[str, Any]:
        return self.scorer.score_gradient(self.structure(), quantity, coefficients, power, n_threads, **options)

    def summed(self, scores: Array, quantity: str, coefficients: Array | None, power: float | None) -> float:
        """By definition."""
        if power is None:
            return float(scores.sum() if coefficients is None else scores @ coefficients)
        sign = -1.0 if quantity.startswith("lpr") else 1.0
        return float((scores ** (sign * power)).sum() ** (sign / power))

    def worst_difference(self, quantity: str, coefficients: Array | None = None, power: float | None = None) -> float:
        """Of a change of positions and of one of the cell, relative to what the gradient says."""
        found, random = self.gradient(quantity, coefficients, power), np.random.default_rng(7)
        errors = []

        def value(frame: Atoms) -> float:
            return self.summed(self.scores(quantity, frame), quantity, coefficients, power)

        if self.frame.pbc.any():
            strain = random.normal(size=(3, 3))
            expected = -float((strain * found["virial"]).sum())
            errors.append(best_difference(lambda h: value(strained(self.frame, h * strain)), expected))
        direction = random.normal(size=self.frame.positions.shape)

        def moved(h: float) -> float:
            frame = self.frame.copy()
            frame.positions += h * direction
            return value(frame)

        errors.append(best_difference(moved, -float((direction * found["forces"]).sum())))
        return max(errors)


def random_coefficients(scored: Scored) -> Array:
    return np.random.default_rng(1).normal(size=len(scored.frame))


@pytest.mark.parametrize("of", SUMS)
@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("zeta", [1, 2, 4, 2.5])
@pytest.mark.parametrize("name", ["a slab", "a wire", "a molecule", "two species"])
def test_gradients_are_differences_of_scores(name: str, zeta: float, quantity: str, of: str) -> None:
    frame = rattled(FRAMES[name], 31)
    # Near the active set a residual is what little is left of 1, and its differences are rounding: here it is large.
    scored = Scored(model_of(name, zeta), strained(frame, 0.1 * np.eye(3)) if quantity == "residual" else frame)
    if quantity == "lpr_held" and len(scored.model.species) == 1:
        with pytest.raises(InvalidInputError, match="lpr_held has no gradient: the model holds no rows"):
            scored.gradient(quantity)
        return
    coefficients = random_coefficients(scored) if SUMS[of].get("weighted") else None
    assert scored.worst_difference(quantity, coefficients, SUMS[of].get("power")) < 1e-7


@pytest.mark.parametrize("of", SUMS)
@pytest.mark.parametrize("quantity", ["lpr", "lpr_held", "variance"])
def test_those_of_linear_models_are_differences_too(quantity: str, of: str) -> None:
    scored = Scored(model_of("two species", None), rattled(FRAMES["two species"], 31))
    coefficients = random_coefficients(scored) if SUMS[of].get("weighted") else None
    assert scored.worst_difference(quantity, coefficients, SUMS[of].get("power")) < 1e-7


def exact_derivatives(model: SparseKernelModel, features: Array, numbers: Array) -> Array:
    """Of the sum of held LPR with respect to features, from the definition with the whole H in 60 digits."""
    factor, facts = model._model.factor, json.loads(model._model.parts()[0])
    arrays = model._model.parts()[1]
    size = model._model.size
    triangle = mpmath.zeros(size)
    for i, row in enumerate(factor.triangle().tolist()):
        for j, value in enumerate(row):
            triangle[i, factor.columns[j]] = value
    inverse = (triangle.T * triangle) ** -1
    held = mpmath.matrix(arrays["hessian.held"].tolist())
    of_held = inverse * held.T
    inverse_of_block = (held * of_held) ** -1
    starts = dict(zip(facts["species"], np.cumsum([0, *facts["n_active"]]).tolist(), strict=False))
    derivatives = np.zeros_like(features)
    for i, (row, number) in enumerate(zip(features, numbers, strict=True)):
        active = mpmath.matrix(model.active_features[number].tolist())
        p = mpmath.matrix(row.tolist())
        norm = mpmath.norm(p)
        x = p / norm
        products = active * x
        phi = mpmath.zeros(size, 1)
        for m in range(active.rows):
            phi[starts[number] + m] = products[m] ** 2
        of_phi = inverse * phi
        freed = of_phi - of_held * (inverse_of_block * (held * of_phi))
        form = (phi.T * freed)[0]
        slopes = mpmath.matrix([2 * products[m] * 2 * freed[starts[number] + m] for m in range(active.rows)])
        by_x = active.T * slopes
        by_p = (by_x - x * (x.T * by_x)[0]) / norm
        derivatives[i] = [float(-value / form**2) for value in by_p]
    return derivatives


def test_the_gradient_of_the_held_lpr_is_that_of_its_definition_in_sixty_digits() -> None:
    scored = Scored(
        fitted(gallium_arsenide(), n_active=14, regularizer=1e-5), rattled(FRAMES["two species"] * (2, 1, 1), 31)
    )
    features = scored.scorer.soap.features([scored.structure()], [None], 1)
    with mpmath.workdps(60):
        derivatives = exact_derivatives(scored.model, features, scored.frame.numbers)
    forces, virial = scored.scorer.soap.gradient(scored.structure(), derivatives, 1)
    found = scored.gradient("lpr_held")
    np.testing.assert_allclose(found["forces"], forces, rtol=0, atol=1e-9 * np.abs(forces).max())
    np.testing.assert_allclose(found["virial"], virial, rtol=0, atol=1e-9 * np.abs(virial).max())


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_values_have_the_bits_of_scores(quantity: str) -> None:
    scored = Scored(fitted(gallium_arsenide()), rattled(FRAMES["two species"] * (3, 3, 3), 31))
    expected = scored.scores(quantity)
    np.testing.assert_array_equal(scored.gradient(quantity)["values"], expected)
    chosen = np.array([50, 3, 20])
    np.testing.assert_array_equal(scored.gradient(quantity, chosen=chosen)["values"], expected[chosen])


def test_chosen_atoms_are_those_with_coefficients() -> None:
    scored = Scored(fitted(gallium_arsenide()), rattled(FRAMES["two species"] * (3, 1, 1), 31))
    coefficients, chosen = np.zeros(6), np.array([4, 1])
    coefficients[chosen] = [0.5, -2.0]
    of_all, of_some = scored.gradient("lpr", coefficients), scored.gradient("lpr", coefficients[chosen], chosen=chosen)
    assert of_some["value"] == pytest.approx(of_all["value"], rel=1e-14)
    for name in ("forces", "virial"):
        np.testing.assert_allclose(of_some[name], of_all[name], rtol=0, atol=1e-13 * np.abs(of_all[name]).max())


@pytest.mark.parametrize("power", [None, 8.0])
def test_threads_change_no_bit(power: float | None) -> None:
    scored = Scored(fitted(gallium_arsenide()), rattled(FRAMES["two species"] * (6, 5, 5), 31))
    expected = scored.gradient("lpr_held", power=power)
    for n_threads in (2, 5):
        for name, found in scored.gradient("lpr_held", power=power, n_threads=n_threads).items():
            np.testing.assert_array_equal(found, expected[name])


@pytest.mark.parametrize("power", [1e-2, 1.0, 30.0, 3000.0])
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_smooth_extremes_neither_over_nor_underflow(quantity: str, power: float) -> None:
    """Of scores that span decades: powers of them are no float64, logarithms are."""
    frame = rattled(FRAMES["two species"] * (2, 2, 2), 31)
    frame.positions[3] += 0.7
    scored = Scored(fitted(gallium_arsenide(), regularizer=1e-9), frame)
    scores, found = scored.scores(quantity), scored.gradient(quantity, power=power)
    sign = -1 if quantity.startswith("lpr") else 1
    with mpmath.workdps(40):
        powers = [mpmath.mpf(q) ** (sign * power) for q in scores.tolist() if q > 0]
        expected = mpmath.fsum(powers) ** (mpmath.mpf(sign) / power)
        weights = [float((q / expected) ** (sign * power - 1)) if q > 0 else 0.0 for q in scores.tolist()]
    assert found["value"] == pytest.approx(float(expected), rel=1e-11)
    by_weights = scored.gradient(quantity, np.array(weights))
    scale = np.abs(by_weights["forces"]).max()
    np.testing.assert_allclose(found["forces"], by_weights["forces"], rtol=0, atol=1e-10 * scale)
    extreme = scores.min() if sign < 0 else scores.max()
    if power > 1000:
        assert found["value"] == pytest.approx(extreme, rel=5e-3)


def without_active(model: SparseKernelModel, number: int) -> SparseKernelModel:
    """The model, whose last species has no active environments any more."""
    text, arrays = model._model.parts()
    facts = json.loads(text)
    n = facts["n_active"][0]
    assert facts["species"][-1] == number
    first = f"hessian.{facts['species'][0]}"
    facts["n_active"] = [n, 0]
    facts["factors"] = {
        "hessian": facts["factors"][first],
        first: facts["factors"][first],
        f"prior.{facts['species'][0]}": facts["factors"][f"prior.{facts['species'][0]}"],
    }
    facts.pop("reference")
    kept = {
        name: array
        for name, array in arrays.items()
        if name.startswith(("descriptor.", f"prior.{facts['species'][0]}"))
    }
    for part in ("triangle", "columns"):
        kept[f"{first}.{part}"] = kept[f"hessian.{part}"] = arrays[f"{first}.{part}"]
    kept["active"], kept["weights"] = arrays["active"][:n].copy(), arrays["weights"][:n].copy()
    facts.pop("data", None)
    return model._of(_core.Model.from_parts(json.dumps(facts), kept))


def test_a_rigidity_that_is_infinite_has_no_gradient() -> None:
    whole = fitted(gallium_arsenide())
    scored = Scored(without_active(whole, 33), rattled(FRAMES["two species"], 31))
    of_both, of_first = scored.gradient("lpr"), scored.gradient("lpr", np.array([1.0, 0.0]))
    assert np.isinf(of_both["values"]).tolist() == [False, True]
    assert np.isinf(of_both["value"])
    assert of_first["value"] == of_both["values"][0]
    np.testing.assert_array_equal(of_both["forces"], of_first["forces"])
    smooth = scored.gradient("lpr", power=4.0)
    assert smooth["value"] == pytest.approx(of_both["values"][0], rel=1e-13)
    np.testing.assert_allclose(smooth["forces"], of_first["forces"], rtol=1e-10)
    alone = scored.gradient("lpr", power=4.0, chosen=np.array([1]))
    assert np.isinf(alone["value"])
    assert not alone["forces"].any()


def test_an_atom_alone_has_no_gradient() -> None:
    found = Scored(fitted(silicon()), Atoms("Si")).gradient("lpr")
    assert found["value"] > 0.0
    assert not found["forces"].any()


def test_the_rigidity_of_a_total_is_the_gradient_of_weights() -> None:
    """The gradient of X^T H^-1 X, X the sum of all phi, is that of predictions by 2 H^-1 X."""
    model = fitted(molecules())
    scored = Scored(model, rattled(FRAMES["a molecule"], 31))
    numbers = scored.frame.numbers.astype(np.int32)

    def total_phi(frame: Atoms) -> Array:
        features = scored.scorer.soap.features([scored.structure(frame)], [None], 1)
        return model._model.phi(features, numbers, 1).sum(axis=0)

    factor = model._model.factor
    triangle = np.zeros((len(factor.columns), model._model.size))
    triangle[:, factor.columns] = factor.triangle()
    hessian = triangle.T @ triangle
    assert factor.n_dropped == 0
    weights = 2.0 * np.linalg.solve(hessian, total_phi(scored.frame))
    forces = scored.scorer.predict(scored.structure(), weights[None], 1)["forces"][0]
    direction = np.random.default_rng(7).normal(size=scored.frame.positions.shape)

    def form(h: float) -> float:
        frame = scored.frame.copy()
        frame.positions += h * direction
        phi = total_phi(frame)
        return float(phi @ np.linalg.solve(hessian, phi))

    assert best_difference(form, -float((direction * forces).sum())) < 1e-7


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"quantity": "sigma"}, "'sigma' was asked for; ask for that of lpr, lpr_held, variance or residual"),
        ({"coefficients": np.zeros(3)}, "there are 3 coefficients for 2 centers; give one for each"),
        ({"coefficients": np.array([1.0, np.inf])}, "coefficients: row 1 holds NaN, infinity"),
        ({"power": 0.0}, "the power is 0.0+; it must be positive and finite"),
        ({"power": np.inf}, "the power is inf; it must be positive and finite"),
        ({"power": 2.0, "coefficients": np.ones(2)}, "takes no coefficients; give either these or a power"),
    ],
)
def test_what_cannot_be_meant_is_refused(asked: dict[str, Any], message: str) -> None:
    scored = Scored(model_of("two species"), rattled(FRAMES["two species"], 31))
    with pytest.raises(InvalidInputError, match=message):
        scored.gradient(asked.pop("quantity", "lpr"), **asked)


def test_linear_models_have_no_residual_and_steps_no_gradient() -> None:
    frame = labelled(FRAMES["bulk silicon"].copy())
    linear = Scored(LinearModel.fit(silicon(), hypers=HYPERS, regularizer=1e-2), frame)
    with pytest.raises(InvalidInputError, match="residual has no gradient: linear models have no residual"):
        linear.gradient("residual")
    hypers = {**HYPERS, "cutoff": {"radius": 3.5, "smoothing": {"type": "Step"}}}
    with pytest.raises(InvalidInputError, match="the cutoff of the descriptor is a step"):
        Scored(fitted(silicon(), hypers=hypers), frame).gradient("lpr")
