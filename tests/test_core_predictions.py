"""Energies, forces and virials: against differences of the definition, and bits that nothing may change."""

from __future__ import annotations

import functools

import ase.build
import numpy as np
import pytest
from ase import Atoms

from lpr_fast import InvalidInputError, LinearModel, SparseKernelModel, _core
from lpr_fast.descriptors._structures import structure_of

from .gradients import FRAMES, Array, best_difference, strained
from .structures import HYPERS, fitted, gallium_arsenide, labelled, rattled, silicon, with_committee

pytestmark = pytest.mark.filterwarnings("ignore:the baseline is arbitrary")

AnyModel = SparseKernelModel | LinearModel
ZETAS = (1, 2, 4, 2.5)


@functools.cache
def model_of(name: str, zeta: float | None = 2) -> AnyModel:
    """A kernel model of frames like one of FRAMES, or without zeta a linear one."""
    frames = [labelled(strained(rattled(FRAMES[name], n), np.eye(3) * 0.01 * n)) for n in range(6)]
    if zeta is None:
        return LinearModel.fit(frames, hypers=HYPERS, regularizer=1e-2)
    # Two or more of every species; so few that residuals are no rounding.
    return fitted(
        frames, zeta=zeta, n_active=20 if name == "a molecule" else min(10, 5 * len(frames[0])), regularizer=1e-2
    )


class Predicted:
    """A frame, what a model makes of it, and the same by definition."""

    def __init__(self, model: AnyModel, frame: Atoms, n_centers: int | None = None) -> None:
        self.model, self.frame, self.n_centers = model, frame, n_centers
        self.scorer = _core.SoapScorer(model._model)

    def structure(self, frame: Atoms | None = None) -> _core.Structure:
        frame = self.frame if frame is None else frame
        if self.n_centers is None:
            return structure_of(frame, self.model.cutoff, self.model.species)
        numbers = frame.numbers.astype(np.int32)
        of = (frame.positions, numbers, frame.cell.array, frame.pbc, list(self.model.species), self.model.cutoff)
        return _core.Structure(*of, "frame", self.n_centers)

    def predict(self, weights: Array | None = None, n_threads: int = 1, **options: Array) -> dict[str, Array]:
        return self.scorer.predict(self.structure(), weights, n_threads, **options)

    def energies(self, weights: Array, frame: Atoms | None = None) -> Array:
        """phi^T w of every center, by NumPy."""
        features = self.scorer.soap.features([self.structure(frame)], [None], 1)
        numbers = self.frame.numbers[: len(features)]
        if isinstance(self.model, LinearModel):
            blocks = weights.reshape(len(self.model.species), -1)
            return np.einsum("ij,ij->i", features, blocks[np.searchsorted(self.model.species, numbers)])
        x, first, energies = features / np.linalg.norm(features, axis=1)[:, None], 0, np.zeros(len(features))
        zeta = self.model._facts["zeta"]
        for number, active in self.model.active_features.items():
            kernels = np.maximum(x[numbers == number] @ active.T, 0.0 if zeta == 2.5 else -2.0) ** zeta
            energies[numbers == number] = kernels @ weights[first : first + len(active)]
            first += len(active)
        return energies

    def worst_difference(self, weights: Array, predicted: dict[str, Array], chosen: Array | None = None) -> float:
        """Of a change of positions and of one of the cell, relative to forces and virial."""
        rows = slice(None) if chosen is None else chosen
        random, errors = np.random.default_rng(7), []
        if self.frame.pbc.any():
            strain = random.normal(size=(3, 3))
            expected = -float((strain * predicted["virials"][0]).sum())
            errors.append(
                best_difference(
                    lambda h: float(self.energies(weights, strained(self.frame, h * strain))[rows].sum()), expected
                )
            )
        direction = random.normal(size=self.frame.positions.shape)

        def total(h: float) -> float:
            moved = self.frame.copy()
            moved.positions += h * direction
            return float(self.energies(weights, moved)[rows].sum())

        if len(self.frame) == 1:
            np.testing.assert_allclose(predicted["forces"], 0, atol=1e-12)
        else:
            errors.append(best_difference(total, -float((direction * predicted["forces"][0]).sum())))
        return max(errors)


@pytest.mark.parametrize("zeta", [*ZETAS, None])
@pytest.mark.parametrize("name", FRAMES)
def test_forces_and_virial_are_differences_of_the_energy(name: str, zeta: float | None) -> None:
    of = Predicted(model_of(name, zeta), rattled(FRAMES[name], 31))
    weights = np.random.default_rng(4).normal(size=(1, of.model._model.size))
    assert of.worst_difference(weights[0], of.predict(weights)) < 1e-7


@pytest.mark.parametrize("zeta", [2, None])
def test_atoms_that_are_no_centers_feel_forces_too(zeta: float | None) -> None:
    of = Predicted(model_of("a molecule", zeta), rattled(FRAMES["a molecule"], 31), n_centers=4)
    predicted = of.predict()
    assert predicted["energies"].shape == (4, 1)
    assert np.abs(predicted["forces"][0, 4:]).max() > 0.0
    assert of.worst_difference(of.model._model.weights, predicted) < 1e-7


def test_a_sum_over_chosen_atoms_is_that_of_their_energies() -> None:
    of = Predicted(model_of("two species"), rattled(FRAMES["two species"] * (2, 1, 1), 31))
    chosen = np.array([0, 3])
    predicted, everything = of.predict(chosen=chosen), of.predict()
    np.testing.assert_array_equal(predicted["energies"], everything["energies"][chosen])
    assert of.worst_difference(of.model._model.weights, predicted, chosen) < 1e-7
    rest = of.predict(chosen=np.array([1, 2]))
    for name in ("forces", "virials"):
        np.testing.assert_allclose(predicted[name] + rest[name], everything[name], rtol=0, atol=1e-11)


@pytest.mark.parametrize("zeta", [2, 2.5, None])
def test_local_energies_have_the_bits_of_scores_and_the_size_of_the_definition(zeta: float | None) -> None:
    of = Predicted(model_of("a molecule", zeta), rattled(FRAMES["a molecule"], 31))
    energies = of.predict()["energies"][:, 0]
    scores = of.scorer.score([of.structure()], [None], False, 1)["local_energy"]  # noqa: FBT003
    baseline = np.array([of.model.baseline[number] for number in of.frame.numbers])
    np.testing.assert_array_equal(baseline + energies, scores)
    np.testing.assert_allclose(energies, of.energies(of.model._model.weights), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("zeta", [2, None])
def test_every_vector_of_weights_has_the_bits_that_it_has_alone(zeta: float | None) -> None:
    """Also where there are so many that fewer environments are taken together."""
    of = Predicted(model_of("two species", zeta), rattled(FRAMES["two species"] * (3, 3, 3), 31))
    weights = np.random.default_rng(2).normal(size=(40, of.model._model.size))
    together = of.predict(weights)
    assert {name: found.shape for name, found in together.items()} == {
        "energies": (54, 40),
        "forces": (40, 54, 3),
        "virials": (40, 3, 3),
    }
    for k in (0, 7, 39):
        alone = of.predict(weights[k : k + 1])
        np.testing.assert_array_equal(alone["energies"][:, 0], together["energies"][:, k])
        for name in ("forces", "virials"):
            np.testing.assert_array_equal(alone[name][0], together[name][k])


def test_members_have_their_energies() -> None:
    model = with_committee(fitted(gallium_arsenide()))
    of = Predicted(model, gallium_arsenide(1, seed=40)[0])
    scores = of.scorer.score([of.structure()], [None], False, 1, True)  # noqa: FBT003
    baseline = np.array([model.baseline[number] for number in of.frame.numbers])[:, None]
    found = of.predict(model._model.parts()[1]["members"])["energies"]
    np.testing.assert_array_equal(baseline + found, scores["member_energies"])


@pytest.mark.parametrize("zeta", [2, None])
def test_threads_change_no_bit(zeta: float | None) -> None:
    of = Predicted(model_of("two species", zeta), rattled(FRAMES["two species"] * (6, 5, 5), 31))
    expected = of.predict()
    for n_threads in (2, 5):
        for name, found in of.predict(n_threads=n_threads).items():
            np.testing.assert_array_equal(found, expected[name])


def test_forces_add_up_to_nothing_and_virials_are_symmetric() -> None:
    of = Predicted(model_of("a slab"), rattled(FRAMES["a slab"], 31))
    found = of.predict(np.random.default_rng(2).normal(size=(2, of.model._model.size)))
    np.testing.assert_allclose(found["forces"].sum(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(found["virials"], found["virials"].transpose(0, 2, 1), rtol=0, atol=1e-11)


def test_forces_are_rows_of_kernels_times_weights() -> None:
    """By the other way, from every active environment to positions."""
    model = model_of("two species")
    of = Predicted(model, rattled(FRAMES["two species"], 31))
    active = list(model.active_features.values())
    first = np.cumsum([0, *map(len, active)]).tolist()
    kernels = _core.KernelGradients(of.scorer.soap, np.concatenate(active), first, 2.0)
    rows, virial = kernels.rows(of.structure(), None, virials=True, n_threads=1)
    found = of.predict()
    np.testing.assert_allclose(found["forces"][0].ravel(), rows @ model._model.weights, rtol=0, atol=1e-11)
    voigt = found["virials"][0][[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    np.testing.assert_allclose(voigt, virial @ model._model.weights, rtol=0, atol=1e-11)


def test_an_atom_alone_feels_nothing() -> None:
    found = Predicted(model_of("bulk silicon"), Atoms("Si")).predict()
    assert found["energies"].shape == (1, 1)
    assert not found["forces"].any()
    assert not found["virials"].any()


def test_neighbours_of_unknown_species_are_left_out() -> None:
    model, frame = model_of("a wire"), rattled(FRAMES["a wire"], 31)
    with_more = frame + Atoms("H", [frame.positions[0] + 1.2])
    found = Predicted(model, with_more, n_centers=3).predict()
    expected = Predicted(model, frame).predict()
    np.testing.assert_array_equal(found["forces"][0, :3], expected["forces"][0])
    assert not found["forces"][0, 3].any()


def test_energies_alone_take_no_smooth_cutoff() -> None:
    hypers = {**HYPERS, "cutoff": {"radius": 3.5, "smoothing": {"type": "Step"}}}
    of = Predicted(fitted(silicon(), hypers=hypers), silicon(1, seed=31)[0])
    assert set(of.predict(forces=False)) == {"energies"}
    with pytest.raises(InvalidInputError, match="the cutoff of the descriptor is a step"):
        of.predict()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros((2, 3)), "weights"),
        (np.full((1, 10), np.nan), "weights: row 0 holds NaN"),
        (np.zeros((0, 10)), "there are no vectors of weights; give at least one"),
        (np.zeros(10), "weights must be a C-contiguous float64 array with 2 dimensions"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights: Array, message: str) -> None:
    of = Predicted(model_of("bulk silicon"), rattled(FRAMES["bulk silicon"], 31))
    with pytest.raises(InvalidInputError, match=message):
        of.predict(weights)


def test_models_without_energies_predict_by_given_weights_alone() -> None:
    frames = silicon()
    for frame in frames:
        frame.calc = None
    of = Predicted(fitted(frames), frames[0])
    assert of.predict(np.ones((1, of.model._model.size)))["forces"].any()
    with pytest.raises(InvalidInputError, match="fitted without energies and predicts none; give vectors of weights"):
        of.predict()
    with pytest.raises(InvalidInputError, match="without energies and has no baseline; set with_baseline to false"):
        of.predict(np.ones((1, of.model._model.size)), baseline=True)  # type: ignore[arg-type]


def test_centers_that_cannot_be_described_are_refused() -> None:
    of = Predicted(model_of("bulk silicon"), ase.build.bulk("GaAs", "zincblende", a=5.65))
    with pytest.raises(
        InvalidInputError, match=r"has species \d+ \(atom \d\), and the model knows 14 only; fit a model with species"
    ):
        of.predict()
    with pytest.raises(InvalidInputError, match="center 9 was asked for, which the structure does not have"):
        of.predict(chosen=np.array([9]))
