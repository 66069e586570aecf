"""Calibration of forces, and conformal intervals of energies and forces."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from scipy.stats import beta, binom

from lpr_fast import InvalidInputError, LinearModel, SparseKernelModel, load_model
from lpr_fast.atoms.forces._force_errors import force_errors, predicted_forces
from lpr_fast.models._conformal import intervals, needed_for, quantile

from .structures import HYPERS, fitted, silicon


def alloys(count: int, seed: int, *, by: float = 0.15) -> list[Atoms]:
    """Copper and gold, by EMT: energies and forces; the second half is hotter."""
    rng = np.random.default_rng(seed)
    frames = []
    for number in range(count):
        frame = bulk("Cu", "fcc", 3.9, cubic=True).repeat((2, 1, 1))
        frame.numbers[rng.permutation(8)[:4]] = 79
        hot = number % 2 == 1
        frame.positions += rng.normal(scale=by * (1.3 if hot else 1.0), size=(8, 3))
        frame.calc = EMT()  # type: ignore[no-untyped-call]
        results = {"energy": frame.get_potential_energy(), "forces": frame.get_forces()}
        frame.calc = SinglePointCalculator(frame, **results)  # type: ignore[no-untyped-call]
        frame.info["config_type"] = "hot" if hot else "cold"
        frames.append(frame)
    return frames


TRAINING, HELD_OUT = alloys(60, seed=1), alloys(60, seed=2)

# Leaves out a sixth of the forces.
BOUND = 0.008


@pytest.fixture(scope="module")
def model() -> SparseKernelModel:
    return SparseKernelModel.fit(TRAINING, hypers=HYPERS, n_active=60, regularizer=1e-4, zeta=2)


@pytest.fixture(scope="module")
def calibrated(model: SparseKernelModel) -> SparseKernelModel:
    return model.calibrate(HELD_OUT, forces=True, largest_residual=BOUND, coverage=0.8, group_key="config_type")


def test_errors_of_forces_are_those_of_differences_of_totals_and_variances_too(model: SparseKernelModel) -> None:
    """Of one component: four points of the energy, and the variance of the same combination of totals."""
    frame, atom, axis, h = HELD_OUT[1], 3, 1, 2e-3
    found = force_errors(model, [frame], None, 1)
    moved = []
    for step in (-2, -1, 1, 2):
        moved.append(frame.copy())
        moved[-1].positions[atom, axis] += step * h
    groups = model.score_groups(moved, lambda frame: [0] * len(frame))
    expected = groups.combined({"force": -np.array([1, -8, 8, -1]) / (12 * h)})
    error = expected.energy[0] - frame.get_forces()[atom, axis]
    assert found.errors[atom, axis] == pytest.approx(error, rel=1e-6)
    assert found.variances[atom, axis] == pytest.approx(expected.variance[0], rel=1e-4)


def test_the_constant_of_forces_is_the_mean_of_squared_errors_over_variances(
    model: SparseKernelModel, calibrated: SparseKernelModel
) -> None:
    facts = calibrated.force_calibration
    assert facts is not None
    found = force_errors(model, HELD_OUT, None, 1)
    kept = found.residual <= BOUND
    assert 0 < facts.share_left_out == 1.0 - kept.mean() < 1.0
    errors, variances = found.errors[kept], found.variances[kept]
    assert facts.prior_variance == pytest.approx(np.mean(errors**2 / variances), rel=1e-12)
    assert facts.root_mean_square_error == pytest.approx(np.sqrt(np.mean(errors**2)))
    assert (facts.n_structures, facts.n_atoms) == (len(np.unique(found.frame[kept])), kept.sum())
    assert facts.largest_residual == BOUND
    assert calibrated.calibration == model.calibrate(HELD_OUT).calibration
    by_default = model.calibrate(HELD_OUT, forces=True).force_calibration
    assert by_default is not None
    of_training = [model.training_quantile("residual", 0.999, s) for s in model.species]
    assert by_default.largest_residual == max(of_training)


def test_calibration_of_forces_recovers_a_known_constant(model: SparseKernelModel) -> None:
    """Labels are predictions, with errors from normal distributions of 0.09 times the covariance of each force."""
    rng = np.random.default_rng(3)
    frames = [frame.copy() for frame in HELD_OUT]
    for number, (frame, found) in enumerate(zip(frames, HELD_OUT, strict=True)):
        roots = np.linalg.cholesky(0.09 * model.force_rigidity(found).covariance)
        frame.info["energy"] = found.get_potential_energy()
        frame.arrays["labels"] = predicted_forces(model, [found], 1) + np.einsum(
            "nij,nj->ni", roots, rng.normal(size=(8, 3))
        )
        frame.arrays["labels"][number % 8] = np.nan
    facts = model.calibrate(frames, forces=True, force_key="labels", largest_residual=1.0).force_calibration
    assert facts is not None
    assert facts.n_atoms == 60 * 7
    assert facts.prior_variance == pytest.approx(0.09, rel=4.0 * np.sqrt(2.0 / (60 * 7 * 3)))


def test_sigma_of_forces_is_by_their_own_constant(model: SparseKernelModel, calibrated: SparseKernelModel) -> None:
    plain, found = model.force_rigidity(HELD_OUT[0]), calibrated.force_rigidity(HELD_OUT[0])
    assert plain.sigma is None
    constant = calibrated.force_calibration.prior_variance
    np.testing.assert_allclose(found.sigma, np.sqrt(constant * plain.variance), rtol=1e-14)
    assert found.prior_variance == constant
    exact = calibrated.force_rigidity(HELD_OUT[0], exact_residual=True)
    assert exact.prior_variance == calibrated.calibration.prior_variance


def test_what_a_calibration_says_is_in_the_file_and_replaced_by_the_next(
    model: SparseKernelModel, calibrated: SparseKernelModel, tmp_path: Path
) -> None:
    calibrated.save(tmp_path / "c.lpr")
    for copy in (load_model(tmp_path / "c.lpr"), pickle.loads(pickle.dumps(calibrated))):
        assert copy.force_calibration == calibrated.force_calibration
        assert copy.conformal == calibrated.conformal
        np.testing.assert_array_equal(copy.score(HELD_OUT[0]).lpr, model.score(HELD_OUT[0]).lpr)
    again = calibrated.calibrate(HELD_OUT)
    assert again.force_calibration is None
    assert again.conformal is None


@pytest.mark.parametrize(("n", "coverage"), [(9, 0.9), (10, 0.9), (19, 0.9), (99, 0.95), (4, 0.5), (100, 0.68)])
def test_the_quantile_of_structures_with_one_score_is_that_of_split_conformal_prediction(
    n: int, coverage: float
) -> None:
    scores = np.random.default_rng(n).normal(size=n)
    place = math.ceil(round((n + 1) * coverage, 9))
    assert quantile(scores, np.arange(n), coverage) == np.sort(scores)[place - 1]
    assert needed_for(coverage) <= n
    assert math.ceil(round((needed_for(coverage) - 1 + 1) * coverage, 9)) > needed_for(coverage) - 1


def test_structures_count_alike_however_many_atoms_they_have() -> None:
    """Weights of the definition: 1 / ((K + 1) N_k) for each score, and 1 / (K + 1) for infinity."""
    rng = np.random.default_rng(7)
    structures = np.repeat(np.arange(12), rng.integers(1, 20, 12))
    scores = rng.normal(size=len(structures))
    found = quantile(scores, structures, 0.75)
    weights = 1.0 / np.bincount(structures)[structures] / 13
    assert weights[scores <= found].sum() >= 0.75 - 1e-12
    assert weights[scores < found].sum() < 0.75


def test_intervals_hold_the_stated_share_of_new_scores() -> None:
    """Over many draws the coverage has the distribution of Beta(k, n + 1 - k): its mean is at least what was asked."""
    n, coverage, rng = 30, 0.9, np.random.default_rng(11)
    drawn = [quantile(rng.random(n), np.arange(n), coverage) for _ in range(4000)]
    k = math.ceil(round((n + 1) * coverage, 9))
    expected = beta(k, n + 1 - k)
    assert abs(np.mean(drawn) - expected.mean()) < 4 * expected.std() / np.sqrt(4000)
    assert expected.mean() >= coverage


def binomial_bounds(n: int, share: float) -> tuple[float, float]:
    low, high = binom(n, share).ppf([1e-4, 1 - 1e-4])
    return low / n, high / n


def test_intervals_of_each_group_hold_the_energies_of_new_structures(calibrated: SparseKernelModel) -> None:
    new = alloys(200, seed=5)
    found = calibrated.intervals(new)
    energies = np.array([frame.get_potential_energy() / len(frame) for frame in new])
    inside = np.abs(found.energy_per_atom - energies) <= found.half_width
    assert found.radius is None
    for group in ("hot", "cold"):
        n = calibrated.conformal.energy[group].n_structures
        assert n == 30
        k = math.ceil(round((n + 1) * 0.8, 9))  # of the calibration; the new ones scatter about what it came to
        low, high = beta(k, n + 1 - k).ppf([1e-4, 1 - 1e-4])
        assert binomial_bounds(100, low)[0] <= inside[found.group == group].mean() <= binomial_bounds(100, high)[1]


def test_intervals_of_forces_hold_the_forces_of_new_structures(calibrated: SparseKernelModel) -> None:
    new = alloys(60, seed=6)
    found = calibrated.intervals(new, forces=True)
    assert found.force is not None
    assert found.radius is not None
    errors = np.linalg.norm(found.force - np.concatenate([frame.get_forces() for frame in new]), axis=1)
    residual = force_errors(calibrated, new, None, 1).residual
    np.testing.assert_array_equal(np.isnan(found.radius), residual > BOUND)
    for group in ("hot", "cold"):
        chosen = (found.group[found.frame] == group) & ~np.isnan(found.radius)
        structures = found.frame[chosen]
        inside = (errors <= found.radius)[chosen]
        by_structure = [inside[structures == s].mean() for s in np.unique(structures)]
        n = calibrated.conformal.force[group].n_structures
        k = math.ceil(round((n + 1) * 0.8, 9))
        low, high = beta(k, n + 1 - k).ppf([1e-4, 1 - 1e-4])
        assert binomial_bounds(len(by_structure), low)[0] <= np.mean(by_structure)
        assert np.mean(by_structure) <= binomial_bounds(len(by_structure), high)[1]


def test_groups_of_too_few_structures_are_refused_with_the_number_that_is_needed() -> None:
    scores, structures = np.arange(12.0), np.arange(12)
    with pytest.raises(InvalidInputError, match=r"need 9 structures in each group, but 'b' has 2; give more") as error:
        intervals("energy", scores, structures, ["a"] * 10 + ["b"] * 2, 0.9)
    assert str(error.value).count(". ") == 0
    with pytest.raises(InvalidInputError, match=r"need 19 structures in each group, but there are 12"):
        intervals("energy", scores, structures, [""] * 12, 0.95)


def test_forces_have_the_name_that_the_fit_found_them_under() -> None:
    """The energies have it too."""
    frames = [frame.copy() for frame in TRAINING[:20]]
    for frame, labelled in zip(frames, TRAINING, strict=False):
        frame.info["dft_energy"] = labelled.get_potential_energy()
        frame.arrays["dft_force"] = labelled.get_forces()
    sigma = {"energy": 0.05, "force": 0.2}
    names = {"energy_key": "dft_energy", "force_key": "dft_force"}
    model = SparseKernelModel.fit(frames[::2], hypers=HYPERS, n_active=20, sigma=sigma, delta=1.0, **names)
    found = model.calibrate(frames[1::2], forces=True).force_calibration
    assert found is not None
    assert found == model.calibrate(frames[1::2], forces=True, **names).force_calibration


def test_linear_models_calibrate_forces_without_a_bound() -> None:
    linear = LinearModel.fit(TRAINING, hypers=HYPERS, regularizer=1e-3)
    facts = linear.calibrate(HELD_OUT, forces=True).force_calibration
    assert facts is not None
    assert facts.largest_residual is None
    assert facts.share_left_out == 0.0


def test_what_cannot_be_calibrated_is_refused_in_a_sentence(
    model: SparseKernelModel, calibrated: SparseKernelModel
) -> None:
    bare = [frame.copy() for frame in HELD_OUT]
    for frame, labelled in zip(bare, HELD_OUT, strict=True):
        frame.info["energy"] = labelled.get_potential_energy()
    without_group = HELD_OUT[0].copy()
    del without_group.info["config_type"]
    unlike = HELD_OUT[0].copy()
    unlike.info["config_type"] = "liquid"
    linear = LinearModel.fit(TRAINING, hypers=HYPERS, regularizer=1e-3)
    unknown = model._of(fitted()._model)
    cases: list[tuple[Any, str]] = [
        (lambda: model.calibrate(bare, forces=True), "no structure has forces to calibrate with"),
        (
            lambda: model.calibrate(HELD_OUT, forces=True, largest_residual=1e-12),
            "labelled forces depend on environments",
        ),
        (
            lambda: model.calibrate(HELD_OUT, forces=True, largest_residual=-1.0),
            "largest_residual is -1; it must be above",
        ),
        (
            lambda: model.calibrate(HELD_OUT, forces=True, largest_residual="small"),  # type: ignore[arg-type]
            "largest_residual is 'small'; it must be a real number",
        ),
        (lambda: linear.calibrate(HELD_OUT, forces=True, largest_residual=0.1), "linear models have no residual"),
        (lambda: model.calibrate(HELD_OUT, force_key="forces"), "but forces are not calibrated; ask for them"),
        (
            lambda: model.calibrate(HELD_OUT, group_key="config_type"),
            "but groups are for intervals alone; ask for these",
        ),
        (lambda: model.calibrate(HELD_OUT, coverage=90), "coverage is 90; it must be between 0 and 1"),
        (lambda: model.calibrate(HELD_OUT, coverage=0.99), "need 99 structures in each group, but there are 60"),
        (
            lambda: model.calibrate(HELD_OUT, coverage=0.9, group_key="kind"),
            "frame 0 has no group named 'kind'; leave it out",
        ),
        (lambda: model.intervals(HELD_OUT), "this model has no conformal intervals; calibrate it, for instance"),
        (lambda: calibrated.intervals(unlike), "frame 0 has config_type 'liquid', which has no intervals"),
        (lambda: calibrated.intervals(without_group), "frame 0 has no group named 'config_type'"),
        (
            lambda: model.calibrate(HELD_OUT, coverage=0.9).intervals(HELD_OUT, forces=True),
            "this model has no intervals of forces; calibrate it with forces=True",
        ),
        (lambda: unknown.calibrate(silicon(), forces=True), "no structure has forces"),
    ]
    for call, message in cases:
        with pytest.raises(InvalidInputError, match=message) as error:
            call()
        assert str(error.value).count(". ") == 0, str(error.value)
