"""Rows of forces and virials of models, against four-point differences of phi."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase import Atoms

from lpr_fast import InvalidInputError, LinearModel, SparseKernelModel
from lpr_fast.atoms.rows import _gradient_rows
from lpr_fast.atoms.rows._gradient_rows import GradientBasis
from lpr_fast.models._basis import LinearBasis

from .gradients import FRAMES, Array, best_difference, strained
from .structures import HYPERS, fitted, rattled, silicon

Model = SparseKernelModel | LinearModel

# xx yy zz yz xz xy
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def kernel_model(name: str) -> SparseKernelModel:
    frames = [rattled(FRAMES[name], seed) for seed in range(4)]
    return fitted(frames, hypers=HYPERS, n_active=8, zeta=3)


def linear_model(name: str) -> LinearModel:
    return LinearModel.fit([rattled(FRAMES[name], seed) for seed in range(4)], hypers=HYPERS, regularizer=1e-3)


MODELS = {"kernels": kernel_model, "features": linear_model}

every_model = pytest.mark.parametrize("kind", MODELS)
every_frame = pytest.mark.parametrize("name", [name for name in FRAMES if len(FRAMES[name]) > 1])


@every_frame
@every_model
def test_rows_are_differences_of_the_sum_of_phi(kind: str, name: str) -> None:
    model = MODELS[kind](name)
    frame = rattled(FRAMES[name], 7)
    rows = model.gradient_rows(frame)
    random = np.random.default_rng(3)
    weights = random.normal(size=model.rigidity.size)

    def total(of: Atoms) -> float:
        return float(model.phi([of]).sum(axis=0) @ weights)

    direction = random.normal(size=frame.positions.shape)

    def moved(step: float) -> float:
        other = frame.copy()
        other.positions += step * direction
        return total(other)

    assert best_difference(moved, -float(direction.ravel() @ rows.forces @ weights)) < 1e-7
    strain = random.normal(size=(3, 3))
    components = [(strain[a, b] + strain[b, a]) / (1 if a != b else 2) for a, b in VOIGT]
    expected = -float(np.array(components) @ rows.virials @ weights)
    assert best_difference(lambda h: total(strained(frame, h * strain)), expected) < 1e-7


@every_model
def test_rows_have_a_place_for_every_atom_and_component(kind: str) -> None:
    model = MODELS[kind]("two species")
    frame = FRAMES["two species"]
    rows = model.gradient_rows(frame, n_threads=1)
    assert rows.forces.shape == (3 * len(frame), model.rigidity.size)
    assert rows.virials.shape == (6, model.rigidity.size)


@every_model
def test_threads_change_no_bit(kind: str) -> None:
    model = MODELS[kind]("two species")
    frame = rattled(FRAMES["two species"] * (3, 2, 2), 1)
    expected = model.gradient_rows(frame, n_threads=1)
    for n_threads in (2, 3):
        rows = model.gradient_rows(frame, n_threads=n_threads)
        np.testing.assert_array_equal(rows.forces, expected.forces)
        np.testing.assert_array_equal(rows.virials, expected.virials)


def test_constants_have_no_derivatives() -> None:
    model = linear_model("two species")
    soap = model.gradient_basis.soap
    structure = model._one_structure(FRAMES["two species"])
    plain: Array = model.gradient_rows(FRAMES["two species"]).forces
    basis = LinearBasis(model.species, model.n_features, has_constants=True)
    found = GradientBasis(basis, soap).rows(structure)
    forces, virials = found.forces, found.virials
    width = model.n_features + 1
    assert not forces[:, [0, width]].any()
    assert not virials[:, [0, width]].any()
    np.testing.assert_array_equal(np.delete(forces, [0, width], axis=1), plain)


@every_model
def test_parts_of_rows_have_the_bits_of_all(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = MODELS[kind]("two species")
    frame = rattled(FRAMES["two species"] * (3, 2, 2), 1)
    rows = model.gradient_rows(frame)
    both = np.concatenate([rows.forces, rows.virials])
    n = len(rows.forces)
    structure, basis = model._one_structure(frame), model.gradient_basis
    monkeypatch.setattr(_gradient_rows, "ROWS_TOGETHER", 5 * 3 * basis.basis.size)
    for places in (np.arange(n + 6), np.arange(n), np.arange(n, n + 6), np.array([1, 4, 5, 40, n + 2])):
        found = np.concatenate(list(basis.parts(structure, places, 1)))
        np.testing.assert_array_equal(found, both[places])


def test_rows_of_many_structures_are_those_of_each() -> None:
    model = kernel_model("bulk silicon")
    basis = GradientBasis(model.gradient_basis.basis, model.gradient_basis.soap)
    for frame in silicon(2):
        rows = basis.rows(model._one_structure(frame), 1)
        np.testing.assert_array_equal(rows.forces, model.gradient_rows(frame).forces)


def described(frames: list[Atoms]) -> Array:
    return np.concatenate([np.column_stack([frame.positions, np.ones(len(frame))]) for frame in frames])


def refused(case: str) -> tuple[Model, Atoms, str]:
    if case == "another descriptor":
        model = LinearModel.fit(silicon(), descriptor=described, regularizer=1e-3)
        return model, silicon(1)[0], "has no derivatives, so there are no rows of forces"
    model = kernel_model("bulk silicon")
    if case == "an unknown species":
        return model, FRAMES["two species"], "is Ga, but the model knows only Si"
    return model, silicon(1)[0] * (0, 1, 1), "has no atoms"


@pytest.mark.parametrize("case", ["another descriptor", "an unknown species", "no atoms"])
def test_what_has_no_rows_is_refused_in_a_sentence(case: str) -> None:
    model, frame, message = refused(case)
    with pytest.raises(InvalidInputError, match=message):
        model.gradient_rows(frame)


def test_steps_of_the_cutoff_are_refused() -> None:
    hypers: dict[str, Any] = HYPERS | {"cutoff": {"radius": 3.5, "smoothing": {"type": "Step"}}}
    model = fitted(silicon(), hypers=hypers)
    with pytest.raises(InvalidInputError, match="the cutoff of the descriptor is a step"):
        model.gradient_rows(silicon(1)[0])
