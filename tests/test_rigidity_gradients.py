"""Gradients of rigidities, variances and residuals, against differences of the scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ase.build
import numpy as np
import pytest
from ase import Atoms

from lpr_fast import InvalidInputError, LinearModel, StructureModel

from .gradients import best_difference, strained
from .structures import HYPERS, fitted, gallium_arsenide, molecules, rattled, silicon

MODELS: dict[str, Callable[[], StructureModel]] = {
    "kernel": lambda: fitted(gallium_arsenide()),
    "linear": lambda: LinearModel.fit(gallium_arsenide(), hypers=HYPERS, regularizer=1e-3),
    "molecules": lambda: fitted(molecules(), n_active=24),
}
FRAMES = {
    "kernel": lambda: gallium_arsenide(1, seed=40)[0],
    "linear": lambda: gallium_arsenide(1, seed=40)[0],
    "molecules": lambda: rattled(ase.build.molecule("CH3OH"), 40, by=0.05),
}
OF_ATOMS = [(kind, quantity) for kind in MODELS for quantity in ("lpr", "lpr_held", "variance", "residual")]
OF_ATOMS.remove(("linear", "residual"))


def unit(values: np.ndarray) -> np.ndarray:
    return values / np.linalg.norm(values)


def assert_gradient(frame: Atoms, value: Callable[[Atoms], float], forces: np.ndarray, virial: np.ndarray) -> None:
    """Forces and virial are minus the four-point differences of a value, along some direction not across them."""
    rng = np.random.default_rng(1)
    direction = unit(forces) + 0.5 * unit(rng.normal(size=forces.shape))
    strain = unit(virial) + 0.5 * unit(rng.normal(size=(3, 3)))

    def moved(step: float) -> float:
        other = frame.copy()
        other.positions += step * direction
        return value(other)

    def under_strain(step: float) -> float:
        return value(strained(frame, step * strain))

    assert best_difference(moved, -float((forces * direction).sum())) < 1e-7
    assert best_difference(under_strain, -float((virial * strain).sum())) < 1e-7


@pytest.mark.parametrize(("kind", "quantity"), OF_ATOMS)
def test_the_gradient_of_an_atom_is_a_difference_of_its_score(kind: str, quantity: Any) -> None:
    model, frame = MODELS[kind](), FRAMES[kind]()
    found = model.rigidity_gradient(frame, quantity, atom=2)

    def score(moved: Atoms) -> float:
        return float(getattr(model.score(moved), quantity)[2])

    assert_gradient(frame, score, found.forces, found.virial)
    assert found.values is not None
    np.testing.assert_allclose(found.values, getattr(model.score(frame), quantity), rtol=1e-9)
    np.testing.assert_allclose(found.value, found.values[2], rtol=1e-14)


@pytest.mark.parametrize(("kind", "quantity"), OF_ATOMS)
def test_the_smooth_extreme_is_that_of_its_formula(kind: str, quantity: Any) -> None:
    model, frame = MODELS[kind](), FRAMES[kind]()
    found = model.rigidity_gradient(frame, quantity, power=6.0)
    sign = -1.0 if quantity.startswith("lpr") else 1.0

    def extreme(moved: Atoms) -> float:
        scores = getattr(model.score(moved), quantity)
        return float((scores ** (6.0 * sign)).sum() ** (sign / 6.0))

    assert_gradient(frame, extreme, found.forces, found.virial)
    np.testing.assert_allclose(found.value, extreme(frame), rtol=1e-9)


def test_a_weighted_sum_is_that_of_the_gradients_of_its_atoms() -> None:
    model, frame = MODELS["kernel"](), FRAMES["kernel"]()
    coefficients = np.random.default_rng(2).normal(size=len(frame))
    found = model.rigidity_gradient(frame, "variance", coefficients=coefficients)
    alone = [model.rigidity_gradient(frame, "variance", atom=atom) for atom in range(len(frame))]
    expected = sum(c * one.forces for c, one in zip(coefficients, alone, strict=True))
    np.testing.assert_allclose(found.forces, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.value, coefficients @ [one.value for one in alone], rtol=1e-12)


def form_of_sum(model: StructureModel, frame: Atoms, coefficients: np.ndarray, *, is_held: bool) -> float:
    """X^T H^-1 X of the weighted sum of rows of phi, by the definition."""
    row = (coefficients[:, None] * model.phi(frame)).sum(axis=0, keepdims=True)
    rigidity = model.rigidity
    return float(1.0 / (rigidity.lpr_held(row) if is_held else rigidity.lpr(row))[0])


@pytest.mark.parametrize("quantity", ["lpr", "lpr_held", "variance"])
@pytest.mark.parametrize("kind", MODELS)
def test_the_gradient_of_a_total_a_group_and_a_difference_is_that_of_their_score(kind: str, quantity: Any) -> None:
    model, frame = MODELS[kind](), FRAMES[kind]()
    group, difference = np.zeros(len(frame)), np.zeros(len(frame))
    group[1:4], difference[:2] = 1.0, (1.0, -0.5)
    for coefficients in (None, group, difference):
        found = model.rigidity_gradient(frame, quantity, coefficients=coefficients, total=True)
        chosen = np.ones(len(frame)) if coefficients is None else coefficients

        def value(moved: Atoms, chosen: np.ndarray = chosen) -> float:
            form = form_of_sum(model, moved, chosen, is_held=quantity == "lpr_held")
            return model.regularizer * form if quantity == "variance" else 1.0 / form

        assert_gradient(frame, value, found.forces, found.virial)
        np.testing.assert_allclose(found.value, value(frame), rtol=1e-8)
        assert found.values is None


def test_a_group_of_one_atom_is_the_atom() -> None:
    model, frame = MODELS["kernel"](), FRAMES["kernel"]()
    alone = np.zeros(len(frame))
    alone[3] = 1.0
    group = model.rigidity_gradient(frame, "lpr", coefficients=alone, total=True)
    atom = model.rigidity_gradient(frame, "lpr", atom=3)
    np.testing.assert_allclose(group.forces, atom.forces, rtol=1e-9, atol=1e-12 * np.abs(atom.forces).max())
    np.testing.assert_allclose(group.virial, atom.virial, rtol=1e-9, atol=1e-12 * np.abs(atom.virial).max())


def test_the_bits_do_not_depend_on_the_number_of_threads() -> None:
    model, frame = fitted(), silicon(1, seed=40)[0].repeat((3, 3, 3))
    for options in ({"power": 8.0}, {"total": True}):
        one, two = (model.rigidity_gradient(frame, n_threads=n, **options) for n in (1, 2))
        assert one.value == two.value
        np.testing.assert_array_equal(one.forces, two.forces)
        np.testing.assert_array_equal(one.virial, two.virial)


def own_features() -> StructureModel:
    frames = silicon()
    rng = np.random.default_rng(3)
    for frame in frames:
        frame.arrays["own"] = rng.random((8, 20))
    return fitted(frames, hypers=None, descriptor="own")


def gradient(*arguments: Any, **options: Any) -> Any:
    return fitted().rigidity_gradient(silicon(1)[0], *arguments, **options)


CASES: dict[str, tuple[Callable[[], Any], str]] = {
    "no atoms": (gradient, "got none of the options; select the atoms by exactly one of atom, coefficients"),
    "too much": (lambda: gradient(atom=1, power=2.0), "got atom and power; select the atoms by exactly one of"),
    "another quantity": (lambda: gradient("sigma", atom=1), "quantity is 'sigma'; it must be one of lpr, lpr_held"),
    "nothing is held": (
        lambda: gradient("lpr_held", atom=1),
        "quantity is 'lpr_held', but this model has no held rows",
    ),
    "an atom that is not there": (lambda: gradient(atom=8), "atom is 8, but the structure has atoms 0 to 7"),
    "too few coefficients": (
        lambda: gradient(coefficients=[1.0]),
        "coefficients are 1 numbers, .* each of the 8 atoms",
    ),
    "NaN": (lambda: gradient(coefficients=[np.nan] * 8), "coefficients are 8 numbers, of which 8 are not finite"),
    "a power of zero": (lambda: gradient(power=0.0), "power is 0; it must be above 0"),
    "an atom of a total": (lambda: gradient(atom=1, total=True), "atom was given with total=True; give coefficients"),
    "the residual of a total": (
        lambda: gradient("residual", total=True),
        "the residual of totals has no gradient; give variance",
    ),
    "the residual of a linear model": (
        lambda: MODELS["linear"]().rigidity_gradient(FRAMES["linear"](), "residual", atom=0),
        "the residual of linear models has no gradient",
    ),
    "several structures": (
        lambda: fitted().rigidity_gradient(silicon(2), atom=1),
        "frame 0 is a list; it must be an ase.Atoms",
    ),  # type: ignore[arg-type]
    "features of others": (
        lambda: own_features().rigidity_gradient(silicon(1)[0], atom=1),
        "the descriptor of this model is not SOAP",
    ),
    "no coefficient but zero": (
        lambda: gradient(coefficients=[0.0] * 8, total=True),
        "the lpr of this total has no gradient, because its variance is 0",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_has_no_gradient_is_refused_in_a_sentence(case: str) -> None:
    call, message = CASES[case]
    with pytest.raises(InvalidInputError, match=message):
        call()
