"""What models predict for structures: energies, forces, virials and stress, against differences of the energy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ase.build
import numpy as np
import pytest
from ase import Atoms

from lpr_fast import InvalidInputError, LinearModel, StructureModel, _core

from .gradients import best_difference, slab, strained, wire
from .structures import HYPERS, fitted, gallium_arsenide, labelled, molecules, rattled, silicon, with_committee

MODELS: dict[str, Callable[[list[Atoms]], StructureModel]] = {
    "kernel": fitted,
    "linear": lambda frames: LinearModel.fit(frames, hypers=HYPERS, regularizer=1e-3),
}

# Training structures, and one to predict.
SYSTEMS: dict[str, Callable[[], tuple[list[Atoms], Atoms]]] = {
    "a crystal": lambda: (silicon(), rattled(ase.build.bulk("Si", cubic=True), 40)),
    "two species": lambda: (gallium_arsenide(), gallium_arsenide(1, seed=40)[0]),
    "a cell smaller than the cutoff": lambda: (silicon(), rattled(ase.build.bulk("Si"), 40)),
    "a slab": lambda: ([rattled(slab(), n) for n in range(6)], rattled(slab(), 40)),
    "a wire": lambda: ([rattled(wire(), n) for n in range(6)], rattled(wire(), 40)),
    "a molecule": lambda: (molecules(), rattled(ase.build.molecule("CH3OH"), 40, by=0.05)),
}
every_model = pytest.mark.parametrize("kind", MODELS)
every_system = pytest.mark.parametrize("system", SYSTEMS)


@every_model
@every_system
def test_forces_and_virial_are_differences_of_the_energy(kind: str, system: str) -> None:
    training, frame = SYSTEMS[system]()
    model = MODELS[kind](training)
    found = model.predict(frame)
    assert found.forces is not None
    assert found.virial is not None
    rng = np.random.default_rng(1)
    direction, strain = rng.normal(size=frame.positions.shape), rng.normal(size=(3, 3))

    def moved(step: float) -> float:
        other = frame.copy()
        other.positions += step * direction
        return energy_by_phi(model, other)

    def under_strain(step: float) -> float:
        return energy_by_phi(model, strained(frame, step * strain))

    assert best_difference(moved, -float((found.forces * direction).sum())) < 1e-7
    assert best_difference(under_strain, -float((found.virial[0] * strain).sum())) < 1e-7
    np.testing.assert_allclose(found.energy, energy_by_phi(model, frame), rtol=1e-12)


def energy_by_phi(model: StructureModel, frame: Atoms) -> float:
    """The definition: weights times phi, and the baseline."""
    assert model.baseline is not None
    baseline = sum(model.baseline[number] for number in frame.numbers.tolist())
    weights = model._model.weights
    assert weights is not None
    return float((model.phi(frame) @ weights).sum() + baseline)


@every_system
def test_forces_add_up_to_nothing_and_the_virial_is_symmetric(system: str) -> None:
    training, frame = SYSTEMS[system]()
    found = fitted(training).predict(frame)
    assert found.forces is not None
    assert found.virial is not None
    np.testing.assert_allclose(found.forces.sum(axis=0), 0.0, atol=1e-12 * np.abs(found.forces).max() * len(frame))
    np.testing.assert_allclose(found.virial[0], found.virial[0].T, atol=1e-11 * np.abs(found.virial).max())


def test_local_energies_add_up_to_the_total_and_are_those_of_the_scores() -> None:
    frames = gallium_arsenide(4, seed=20)
    model = fitted(gallium_arsenide())
    found = model.predict(frames)
    np.testing.assert_allclose(found.energies, model.score(frames).local_energy, rtol=1e-12)
    assert found.energy.tolist() == [math.fsum(local) for local in found.energies.reshape(4, 8).tolist()]
    np.testing.assert_array_equal(found.frame, np.repeat(np.arange(4), 8))
    assert len(found) == 4


def test_a_total_is_rounded_once() -> None:
    """Where the order of plain sums has a say."""
    rng = np.random.default_rng(4)
    values = np.stack([rng.normal(-158.5, 0.1, 10000), rng.normal(size=10000) * 10.0 ** rng.integers(-8, 8, 10000)], 1)
    assert _core.column_sums(values).tolist() == [math.fsum(column) for column in values.T.tolist()]
    assert _core.column_sums(np.array([[1.0], [1e100], [1.0], [-1e100]])).tolist() == [2.0]


def test_the_stress_has_the_sign_and_the_order_of_ase() -> None:
    frame = gallium_arsenide(1, seed=40)[0]
    frame = strained(frame, 0.02 * np.random.default_rng(2).normal(size=(3, 3)))
    model = fitted(gallium_arsenide())
    stress = model.predict(frame).stress
    assert stress is not None
    for which, (i, j) in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
        strain = np.zeros((3, 3))
        strain[i, j] += 0.5
        strain[j, i] += 0.5

        def energy(step: float, strain: np.ndarray = strain) -> float:
            return energy_by_phi(model, strained(frame, step * strain)) / frame.cell.volume

        assert best_difference(energy, stress[0, which]) < 1e-7


def test_frames_without_three_vectors_have_a_virial_and_no_stress() -> None:
    model = fitted([*molecules(), rattled(ase.build.bulk("C", cubic=True), 1)])
    found = model.predict([molecules()[0], ase.build.bulk("C", cubic=True)])
    assert found.stress is not None
    assert found.virial is not None
    assert np.isnan(found.stress).any(axis=1).tolist() == [True, False]
    assert np.isfinite(found.virial).all()


@pytest.mark.parametrize("system", ["two species", "a molecule"])
def test_the_bits_do_not_depend_on_threads_or_on_other_frames_and_members(system: str) -> None:
    training, _ = SYSTEMS[system]()
    model = with_committee(fitted(training))
    together = model.predict(training, n_threads=2)
    alone = [model.predict(frame, n_threads=1) for frame in training]
    asked = model.predict(training, members=True, n_threads=2)
    for name in ("energy", "energies", "forces", "virial", "stress"):
        of_all = getattr(together, name)
        np.testing.assert_array_equal(of_all, np.concatenate([getattr(one, name) for one in alone]))
        np.testing.assert_array_equal(of_all, getattr(asked, name))


def test_what_belongs_to_a_frame_is_what_it_has_alone() -> None:
    frames = [silicon(1, seed=20)[0], silicon(1, seed=21)[0].repeat((2, 1, 1)), silicon(1, seed=22)[0]]
    model = with_committee(fitted())
    found = model.predict(frames, members=True)
    for number, frame in enumerate(frames):
        alone, part = model.predict(frame, members=True), found.of(number)
        assert part.members is not None
        for name in ("energy", "energies", "forces", "virial", "stress", "frame"):
            np.testing.assert_array_equal(getattr(part, name), getattr(alone, name))
            np.testing.assert_array_equal(getattr(part.members, name), getattr(alone.members, name))


@every_model
def test_members_predict_what_models_with_their_weights_would(kind: str) -> None:
    training, frame = SYSTEMS["two species"]()
    model: Any = MODELS[kind](training)
    model = with_committee(model)
    found = model.predict([frame, training[0]], members=True)
    weights = model._model.members
    assert found.members.members is None
    for number, of_member in enumerate(weights):
        expected = with_weights(model, of_member).predict([frame, training[0]])
        for name in ("energy", "energies", "forces", "virial", "stress"):
            values = getattr(found.members, name)[..., number]
            np.testing.assert_allclose(values, getattr(expected, name), rtol=1e-11, atol=1e-11)
        np.testing.assert_array_equal(found.members.frame, expected.frame)


def with_weights(model: StructureModel, weights: np.ndarray) -> StructureModel:
    text, arrays = model._model.parts()
    return model._of(_core.Model.from_parts(text, {**arrays, "weights": weights}))


def test_saved_models_predict_the_same_bits(tmp_path: Any) -> None:
    from lpr_fast import load_model

    model, frames = fitted(), silicon(2, seed=20)
    model.save(tmp_path / "m.lpr")
    copy = load_model(tmp_path / "m.lpr").predict(frames)
    np.testing.assert_array_equal(copy.forces, model.predict(frames).forces)
    np.testing.assert_array_equal(copy.stress, model.predict(frames).stress)


def test_models_of_other_features_predict_energies_alone() -> None:
    frames = silicon()
    rng = np.random.default_rng(3)
    for frame in frames:
        frame.arrays["own"] = rng.random((8, 20))
    model = with_committee(fitted(frames, hypers=None, descriptor="own"))
    found = model.predict(frames, members=True)
    np.testing.assert_allclose(found.energies, model.score(frames).local_energy, rtol=1e-12)
    assert found.forces is found.virial is found.stress is None
    assert found.members is not None
    assert found.members.energies.shape == (48, 3)
    assert found.members.energy.shape == (6, 3)
    assert found.members.forces is None


def test_energies_alone_have_the_same_bits_and_need_no_differentiable_descriptor() -> None:
    frames, step = silicon(2, seed=20), {**HYPERS, "cutoff": {"radius": 3.5, "smoothing": {"type": "Step"}}}
    found = fitted().predict(frames, forces=False)
    np.testing.assert_array_equal(found.energies, fitted().predict(frames).energies)
    assert found.forces is found.virial is found.stress is None
    jumping = fitted(hypers=step)
    expected = [energy_by_phi(jumping, frame) for frame in frames]
    np.testing.assert_allclose(jumping.predict(frames, forces=False).energy, expected, rtol=1e-12)
    with pytest.raises(InvalidInputError, match="the cutoff of the descriptor is a step"):
        jumping.predict(frames)


def test_no_frames_have_no_predictions() -> None:
    found = with_committee(fitted()).predict([], members=True)
    assert found.forces is not None
    assert found.members is not None
    assert found.energy.shape == (0,)
    assert found.forces.shape == (0, 3)
    assert found.members.stress is not None
    assert found.members.stress.shape == (0, 6, 3)


CASES: dict[str, tuple[Callable[[], Any], str]] = {
    "no energies": (
        lambda: fitted(energy_key=None).predict(silicon(1)),
        "this model was fitted without energies and predicts none",
    ),
    "no members": (
        lambda: fitted().predict(silicon(1), members=True),
        r"this model has no members; draw them with model.with_ensemble\(n_members\)",
    ),
    "an unknown species": (
        lambda: fitted().predict([*silicon(1), labelled(ase.build.molecule("CH4"))]),
        "frame 1, atom 0 is C, but the model knows only Si",
    ),
    "a path": (lambda: fitted().predict("md.xyz"), "frames is a str; give ase.Atoms"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_predicted_is_refused_in_a_sentence(case: str) -> None:
    call, message = CASES[case]
    with pytest.raises(InvalidInputError, match=message):
        call()
