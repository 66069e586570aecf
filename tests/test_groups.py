"""Groups of atoms and weighted sums of them: definitions, identities with atoms and totals, covariances, bad input."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from flint import arb, arb_mat

from lpr_fast import InvalidInputError, LinearModel, SparseKernelModel
from lpr_fast.atoms.sums import _sums

from .oracle.exact import _matrix
from .oracle.problems import Array
from .structures import HYPERS, fitted, gallium_arsenide, molecules, rattled, silicon

FRAMES = gallium_arsenide(3, seed=50)
FIELDS = ("lpr", "lpr_held", "variance", "residual", "energy", "sigma")


@pytest.fixture(scope="module")
def model() -> SparseKernelModel:
    return fitted(gallium_arsenide(), n_active=14).calibrate(gallium_arsenide(5, seed=80))


def layers(frame: Atoms) -> list[str]:
    """Words for the lower and the upper half of a cell."""
    return ["lower" if z < 0.45 else "upper" for z in frame.get_scaled_positions()[:, 2] % 1.0]


def weights_of(found: Any, frames: list[Atoms], labels: Any) -> Array:
    """The same groups as a matrix of weights of all atoms, (n_groups, n_atoms)."""
    frame = np.repeat(np.arange(len(frames)), [len(f) for f in frames])
    names = np.concatenate([np.asarray(labels(f)).astype(str) for f in frames])
    return np.array([(frame == f) & (names == g) for f, g in zip(found.frame, found.group, strict=True)], dtype=float)


def exact_covariances(model: SparseKernelModel, rows: Array, kernels: Array) -> dict[str, arb_mat]:
    """Covariances by their definitions in 400 bits, from rounded H, K_MM, rows and kernels."""
    triangle = _matrix(model.rigidity._factor.triangle())
    order = np.argsort(model.rigidity._factor.columns)
    H = triangle.transpose() * triangle
    H = arb_mat([[H[int(i), int(j)] for j in order] for i in order])
    active = np.vstack(list(model.active_features.values()))
    species = np.repeat(model.species, [len(a) for a in model.active_features.values()])
    K_MM = _matrix(np.where(species[:, None] == species, (active @ active.T) ** model.zeta, 0.0))
    G, mu = _matrix(rows), arb(model.regularizer)
    inverse = H.inv()
    B = _matrix(model._model.factor.held()[0])
    middle = (B * inverse * B.transpose()).inv()
    held = inverse - inverse * B.transpose() * middle * B * inverse
    unseen = _matrix(kernels) - G * K_MM.inv() * G.transpose()
    sr = mu * (G * inverse * G.transpose())
    return {"sr": sr, "held": mu * (G * held * G.transpose()), "pp": sr + unseen, "residual": unseen}


def as_floats(matrix: arb_mat) -> Array:
    return np.array([[float(x) for x in row] for row in matrix.tolist()])


def test_groups_are_what_their_definitions_say_in_extended_precision(model: SparseKernelModel) -> None:
    """Two species, two groups of each of two frames, and covariances between all of them."""
    assert model.rigidity.n_dropped == 0
    frames = FRAMES[:2]
    found = model.score_groups(frames, layers)
    C = weights_of(found, frames, layers)
    assert found.group.tolist() == ["lower", "upper"] * 2
    x, numbers = model.features(frames), np.concatenate([f.numbers for f in frames])
    k = np.where(numbers[:, None] == numbers, (x @ x.T) ** model.zeta, 0.0)
    exact = exact_covariances(model, C @ model.phi(frames), C @ k @ C.T)
    for kind in ("sr", "held", "pp"):
        expected = as_floats(exact[kind])
        scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
        assert (np.abs(found.covariance(kind) - expected) < 1e-6 * scale).all(), kind
    np.testing.assert_allclose(found.variance, np.diag(as_floats(exact["sr"])), rtol=1e-8)
    np.testing.assert_allclose(found.lpr * found.variance, model.regularizer, rtol=1e-14)
    np.testing.assert_allclose(model.regularizer / found.lpr_held, np.diag(as_floats(exact["held"])), rtol=1e-8)
    np.testing.assert_allclose(found.residual, np.diag(as_floats(exact["residual"])), rtol=1e-6, atol=1e-11)
    np.testing.assert_allclose(found.energy, C @ model.score(frames).local_energy, rtol=1e-12)
    constant = model.calibration.prior_variance
    np.testing.assert_allclose(found.sigma, np.sqrt(constant * np.diag(found.covariance("pp"))), rtol=1e-7)
    assert found.prior_variance == constant


def test_a_group_of_one_atom_is_the_atom() -> None:
    frames = silicon(3, seed=50)
    model = fitted(n_active=14).calibrate(silicon(5, seed=80))
    scores, found = model.score(frames), model.score_groups(frames, lambda frame: np.arange(len(frame)))
    assert len(found) == len(scores)
    for name, of_atoms in (("lpr", "lpr"), ("variance", "variance"), ("energy", "local_energy")):
        np.testing.assert_allclose(found[name], scores[of_atoms], rtol=1e-12)
    for name, unit in (("residual", 1.0), ("sigma", found.prior_variance**0.5)):  # of differences from 1
        np.testing.assert_allclose((found[name] / unit) ** 2, (scores[name] / unit) ** 2, rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(found.frame, scores.frame)
    assert found.group.tolist() == [str(n) for n in scores.atom]
    assert (found.n_atoms == 1).all()


def test_a_group_of_one_atom_of_two_species_has_the_bits_of_its_row(model: SparseKernelModel) -> None:
    """Atoms are scored with factors of their species, which agree with the whole one as far as its digits go."""
    found, phi = model.score_groups(FRAMES, lambda frame: np.arange(len(frame))), model.phi(FRAMES)
    np.testing.assert_array_equal(found.lpr, model.rigidity.lpr(phi))
    np.testing.assert_array_equal(found.lpr_held, model.rigidity.lpr_held(phi))
    scores = model.score(FRAMES)
    for name in ("lpr", "lpr_held", "sigma"):
        np.testing.assert_allclose(found[name], scores[name], rtol=1e-9)


@pytest.mark.parametrize("frames", [FRAMES, molecules()], ids=["crystals", "molecules"])
def test_the_group_of_all_atoms_is_the_total(model: SparseKernelModel, frames: list[Atoms]) -> None:
    of = model if frames is FRAMES else fitted(molecules(), n_active=30)
    totals, found = of.totals(frames), of.score_groups(frames, lambda frame: ["all"] * len(frame))
    for name in totals:
        np.testing.assert_allclose(found[name], totals[name], rtol=1e-12, err_msg=name)
    assert found.n_atoms.tolist() == [len(frame) for frame in frames]


@pytest.mark.parametrize("kind", ["sr", "held", "pp"])
def test_covariances_are_positive_semidefinite_and_have_the_variances_on_their_diagonal(
    model: SparseKernelModel, kind: Any
) -> None:
    found = model.score_groups([*FRAMES, rattled(FRAMES[0], 3, by=0.6)], lambda frame: np.arange(len(frame)) // 2)
    covariance, correlation = found.covariance(kind), found.correlation(kind)
    np.testing.assert_array_equal(covariance, covariance.T)
    eigenvalues = np.linalg.eigvalsh(covariance)
    assert eigenvalues.min() > -1e-12 * eigenvalues.max()
    diagonal = {
        "sr": found.variance,
        "held": model.regularizer / found.lpr_held,
        "pp": found.variance + found.residual,
    }[kind]
    np.testing.assert_allclose(np.diag(covariance), diagonal, rtol=1e-9)
    np.testing.assert_allclose(np.diag(correlation), 1.0, rtol=1e-14)
    assert (np.abs(correlation) <= 1.0).all()


def test_the_residual_of_a_group_is_no_sum_of_residuals() -> None:
    """What the active set does not see of two equal atoms adds up as they are: four times, not twice."""
    model = fitted(silicon(), n_active=4)
    twice = rattled(silicon(1)[0], 5, by=0.5)
    frame = twice.repeat((2, 1, 1))
    of_atom = model.score(twice).residual[0]
    found = model.score_groups(frame, {"pair": np.isin(np.arange(16), [0, 8])})
    assert of_atom > 1e-3
    assert found.residual[0] == pytest.approx(4.0 * of_atom, rel=1e-8)


def test_weighted_sums_are_those_of_their_weights_and_of_groups(model: SparseKernelModel) -> None:
    """A difference over two frames by names, by coefficients, and as the variance of a difference."""
    frames = FRAMES[:2]
    frames[0].info["config_type"], frames[1].info["config_type"] = "defect", "crystal"
    groups = model.score_groups(frames, "config_type")
    assert groups.group.tolist() == ["defect", "crystal"]
    by_name = groups.combined({"formation": {"defect": 1, "crystal": -7 / 8}})
    by_number = groups.combined({"formation": [1, -7 / 8], "defect": [1, 0]})
    assert by_name.frame.tolist() == [-1]
    assert by_number.frame.tolist() == [-1, 0]
    for name in FIELDS:
        assert by_name[name][0] == by_number[name][0]
        assert by_number[name][1] == pytest.approx(groups[name][0], rel=1e-10)
    a = np.array([1, -7 / 8])
    for kind, expected in (("sr", by_name.variance), ("pp", by_name.variance + by_name.residual)):
        assert a @ groups.covariance(kind) @ a == pytest.approx(expected[0], rel=1e-7)
    assert by_name.energy[0] == pytest.approx(a @ groups.energy, rel=1e-12)
    within = model.score_groups(frames[0], {"half": np.where(np.arange(8) < 4, 1.0, -1.0)})
    halves = model.score_groups(frames[0], np.arange(8) // 4).combined({"half": {"0": 1, "1": -1}})
    for name in FIELDS:
        assert within[name][0] == pytest.approx(halves[name][0], rel=1e-9)
    for frame in frames:
        del frame.info["config_type"]


def test_labels_come_from_arrays_information_lists_and_functions(model: SparseKernelModel) -> None:
    frame = FRAMES[0].copy()
    frame.arrays["region"] = np.array(["a", "b"] * 4)
    frame.info["half"] = [0, 0, 0, 0, 10, 10, 2, -1]
    assert model.score_groups(frame, "region").group.tolist() == ["a", "b"]
    found = model.score_groups(frame, "half")
    assert found.group.tolist() == ["0", "2", "10"]
    assert found.n_atoms.tolist() == [4, 1, 2]
    assert model.score_groups(frame, "numbers").group.tolist() == ["31", "33"]
    assert model.score_groups(frame, [None, "", *["x"] * 6]).n_atoms.tolist() == [6]
    assert model.score_groups(frame, frame.positions[:, 2] > 2.0).group.tolist() == ["False", "True"]
    assert len(model.score_groups([], "region")) == 0


def test_groups_have_the_same_bits_for_any_number_of_threads_and_frames_together(
    model: SparseKernelModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [frame.repeat((4, 3, 3)) for frame in FRAMES]
    labels = lambda frame: np.arange(len(frame)) // 7  # noqa: E731
    expected = model.score_groups(frames, labels, n_threads=1)
    together = model.score_groups(frames, labels, n_threads=3)
    alone = [model.score_groups(frame, labels) for frame in frames]
    for name in FIELDS:
        np.testing.assert_array_equal(together[name], expected[name])
        np.testing.assert_array_equal(np.concatenate([each[name] for each in alone]), expected[name])
    for kind in ("sr", "held", "pp"):
        np.testing.assert_array_equal(together.covariance(kind, n_threads=3), expected.covariance(kind, n_threads=1))
    monkeypatch.setattr(_sums, "_DESCRIBED", 100)
    monkeypatch.setattr(_sums, "_ROWS", 64)
    for name in FIELDS:
        np.testing.assert_allclose(model.score_groups(frames, labels)[name], expected[name], rtol=1e-6)


def test_models_of_labels_with_noise_have_a_sigma_in_their_unit() -> None:
    noisy = SparseKernelModel.fit(silicon(), hypers=HYPERS, n_active=12, zeta=2, sigma={"energy": 0.05}, delta=2.0)
    found = noisy.score_groups(silicon(2, seed=9), np.arange(8) // 4)
    assert found.prior_variance == pytest.approx(4.0)
    np.testing.assert_allclose(found.sigma, found.lpr**-0.5, rtol=1e-12)


def test_linear_models_have_groups_without_residuals_and_models_of_arrays_none() -> None:
    linear = LinearModel.fit(silicon(), hypers=HYPERS, regularizer=1e-3)
    found = linear.score_groups(silicon(2, seed=9), np.arange(8) // 4)
    assert found.residual is None
    assert found.lpr_held is None
    assert found.sigma is None
    assert "residual" not in found
    phi = linear.phi(silicon(2, seed=9)).reshape(4, 4, -1).sum(axis=1)
    np.testing.assert_allclose(found.covariance(), linear.rigidity.covariance(phi), rtol=1e-9)
    assert found._repr_html_().count("<tr>") >= 5


def test_atoms_of_large_frames_are_described_where_they_are_in_a_group_only(model: SparseKernelModel) -> None:
    frame = FRAMES[0].repeat(9)
    assert len(frame) > 4096
    labels = np.full(len(frame), -1)
    labels[[5, 4000]] = 0
    found = model.score_groups(frame, labels)
    scores = model.score(frame)
    assert found.energy[0] == pytest.approx(scores.local_energy[[5, 4000]].sum(), rel=1e-12)
    assert np.isfinite(found.residual).all()


def test_vacancies_less_bulk_have_the_rigidity_of_a_refit_with_the_difference_held() -> None:
    """The loss grows by LPR eps^2 as the difference moves by eps: a heavy row of data does the same."""
    crystal = bulk("Si", cubic=True).repeat((2, 1, 1))
    vacancy = crystal.copy()
    del vacancy[3]
    model = fitted(silicon(6), n_active=10)
    found = model.score_groups([vacancy, crystal], lambda frame: [str(len(frame))] * len(frame))
    formation = found.combined({"formation": {"15": 1.0, "16": -15 / 16}})
    row = model.phi(vacancy).sum(axis=0) - 15 / 16 * model.phi(crystal).sum(axis=0)
    weight = 1e3 * formation.lpr[0]
    after = model.rigidity.updated(row[None, :], [weight]).lpr(row)[0]
    assert after == pytest.approx(formation.lpr[0] + weight, rel=1e-9)


def test_what_cannot_be_grouped_is_refused_in_a_sentence(model: SparseKernelModel) -> None:
    frame = FRAMES[0]
    found = model.score_groups(FRAMES, layers)
    linear = LinearModel.fit(silicon(), hypers=HYPERS, regularizer=1e-3).score_groups(silicon(1), [0] * 8)
    cases: list[tuple[Any, str]] = [
        (lambda: model.score_groups(frame, "region"), "frame 0 has no labels named 'region', but numbers; give"),
        (lambda: model.score_groups(frame, [0, 1]), r"the labels of frame 0 have shape \(2,\); give one for each"),
        (lambda: model.score_groups(frame, [[0], [1, 2]]), "the labels of frame 0 have shape"),
        (
            lambda: model.score_groups(frame, np.ones(8)),
            "labels of frame 0 have dtype float64; give integers or strings",
        ),
        (lambda: model.score_groups(frame, [-1] * 8), "frame 0 has no groups"),
        (lambda: model.score_groups(frame, {}), "frame 0 has no groups"),
        (lambda: model.score_groups(frame, {"a": np.zeros(8)}), "the weights of 'a' in frame 0 cannot be used"),
        (lambda: model.score_groups(frame, {"a": ["x"] * 8}), "the weights of 'a' in frame 0 cannot be used"),
        (lambda: model.score_groups(frame, {"a": np.ones(3)}), "give 8 finite numbers"),
        (lambda: model.score_groups(silicon(1), "numbers"), "atom 0 is Si, but the model knows only"),
        (lambda: found.combined({}), "sums is empty"),
        (lambda: found.combined({"s": {"lower": 1}}), "in the sum 's', 'lower' is the name of 3 groups"),
        (lambda: found.combined({"s": {"surface": 1}}), "'surface' is the name of no group; give one of lower, upper"),
        (lambda: found.combined({"s": [1.0]}), "the coefficients of 's' are not finite numbers, or all zero"),
        (lambda: found.combined({"s": np.full(6, np.nan)}), "the coefficients of 's' are not finite numbers"),
        (lambda: found.covariance("dtc"), "kind is 'dtc'; it must be 'sr', 'held' or 'pp'"),
        (lambda: linear.covariance("pp"), "linear models have no residual"),
        (lambda: linear.covariance("held"), "this model has no held rows"),
    ]
    for call, message in cases:
        with pytest.raises(InvalidInputError, match=message) as error:
            call()
        assert str(error.value).count(". ") == 0


def test_group_scores_can_be_pickled(model: SparseKernelModel) -> None:
    found = model.score_groups(FRAMES, layers)
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.covariance("pp"), found.covariance("pp"))
