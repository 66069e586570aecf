"""Calibration: the constant, sigma of atoms and totals, and what runs write of them."""

from __future__ import annotations

import csv
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from ase import Atoms
from scipy.integrate import quad
from scipy.stats import norm

from lpr_fast import InvalidInputError, LinearModel, SparseKernelModel, load_model, merge_shards, score_trajectory
from lpr_fast.atoms.sums import _sums, _totals
from lpr_fast.models._calibration import calibrated, crps, observed_fractions

from .oracle.problems import Array
from .structures import HYPERS, fitted, gallium_arsenide, labelled, rattled, silicon

HELD_OUT = gallium_arsenide(5, seed=50)


@pytest.fixture(scope="module")
def model() -> SparseKernelModel:
    return fitted(gallium_arsenide(), n_active=14)


def dense_totals(model: SparseKernelModel, frames: list[Atoms]) -> tuple[Array, Array]:
    """Variance and residual of totals by their definitions, with kernels between all atoms."""
    variances, residuals = [], []
    for frame in frames:
        x, numbers = model.features([frame]), frame.numbers
        k = np.where(numbers[:, None] == numbers, (x @ x.T) ** model.zeta, 0.0)
        phi = model.phi([frame])
        active = np.vstack(list(model.active_features.values()))
        species = np.repeat(model.species, [len(a) for a in model.active_features.values()])
        K_MM = np.where(species[:, None] == species, (active @ active.T) ** model.zeta, 0.0)
        X = phi.sum(axis=0)
        variances.append(model.regularizer * X @ np.linalg.solve(model.rigidity.hessian(), X))
        residuals.append(k.sum() - X @ np.linalg.solve(K_MM, X))
    return np.array(variances), np.array(residuals)


def test_totals_are_those_of_their_definitions(model: SparseKernelModel) -> None:
    assert model.rigidity.n_dropped == 0
    found = model.totals(HELD_OUT)
    variance, residual = dense_totals(model, HELD_OUT)
    np.testing.assert_allclose(found.variance, variance, rtol=1e-4)
    np.testing.assert_allclose(found.lpr, model.regularizer / variance, rtol=1e-4)
    np.testing.assert_allclose(found.residual, residual, rtol=1e-3, atol=1e-9)
    np.testing.assert_allclose(found.energy, model.predict(HELD_OUT).energy, rtol=1e-12)
    assert found.sigma is None
    assert len(found) == 5


def test_totals_depend_on_no_other_frame_nor_on_threads(
    model: SparseKernelModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = model.totals(HELD_OUT)
    for n_threads in (1, 3):
        found = [model.totals(frame, n_threads=n_threads) for frame in HELD_OUT]
        for name in expected:
            np.testing.assert_array_equal(np.concatenate([each[name] for each in found]), expected[name])
    monkeypatch.setattr(_sums, "_DESCRIBED", 3)
    in_parts = model.totals(HELD_OUT)
    for name in expected:
        np.testing.assert_allclose(in_parts[name], expected[name], rtol=1e-6)
    monkeypatch.setattr(_totals, "LARGEST_PAIRED", 7)
    assert np.isnan(model.totals(HELD_OUT).residual).all()


@pytest.mark.parametrize("kind", ["pp", "sr"])
def test_the_constant_is_the_mean_of_squared_errors_over_variances(model: SparseKernelModel, kind: Any) -> None:
    calibration = model.calibrate(HELD_OUT, variance=kind).calibration
    totals = model.totals(HELD_OUT)
    errors = totals.energy - [frame.get_potential_energy() for frame in HELD_OUT]
    variances = totals.variance + (totals.residual if kind == "pp" else 0.0)
    assert calibration is not None
    assert (calibration.variance, calibration.n_totals) == (kind, 5)
    assert calibration.prior_variance == pytest.approx(np.mean(errors**2 / variances))
    assert calibration.mean_absolute_error == pytest.approx(np.abs(errors).mean())


@pytest.mark.parametrize("kind", ["pp", "sr"])
def test_calibration_recovers_a_known_constant(model: SparseKernelModel, kind: Any) -> None:
    """Labels are what the model predicts, and errors of 0.09 times the variance of each total."""
    frames = [rattled(frame, seed) for seed, frame in enumerate(gallium_arsenide(1) * 200)]
    totals = model.totals(frames)
    variances = totals.variance + (totals.residual if kind == "pp" else 0.0)
    errors = np.random.default_rng(3).normal(size=200) * np.sqrt(0.09 * variances)
    for frame, energy in zip(frames, totals.energy + errors, strict=True):
        labelled(frame, float(energy))
    calibration = model.calibrate(frames, variance=kind).calibration
    assert calibration is not None
    assert calibration.prior_variance == pytest.approx(0.09, rel=3.0 * np.sqrt(2.0 / 200))


def test_the_constant_of_independent_errors_is_found_to_the_digit_that_their_number_allows() -> None:
    rng = np.random.default_rng(4)
    variances = rng.uniform(0.1, 5.0, 4000)
    found = calibrated(rng.normal(size=4000) * np.sqrt(2.5 * variances), variances, "sr")
    assert found.prior_variance == pytest.approx(2.5, rel=4.0 * np.sqrt(2.0 / 4000))
    expected = np.array([0.1, 0.5, 0.9])
    errors = rng.normal(size=20_000)
    np.testing.assert_allclose(observed_fractions(errors, np.ones(20_000), expected), expected, atol=0.02)
    assert (observed_fractions(errors, np.full(20_000, 0.5), expected) < expected).all()


@pytest.mark.parametrize(("error", "sigma"), [(0.0, 1.0), (0.7, 2.0), (-3.0, 0.5)])
def test_the_crps_is_the_integral_that_defines_it(error: float, sigma: float) -> None:
    below = quad(lambda x: norm.cdf(x, scale=sigma) ** 2, -np.inf, error)[0]
    above = quad(lambda x: norm.sf(x, scale=sigma) ** 2, error, np.inf)[0]
    assert crps(np.array([error]), np.array([sigma]))[0] == pytest.approx(below + above, rel=1e-7)


def test_what_is_known_exactly_counts_by_its_error() -> None:
    """The force on a lone atom, for one, is zero and has no variance."""
    errors, sigmas = np.array([0.0, 0.3, -0.2]), np.zeros(3)
    assert crps(errors, sigmas).tolist() == [0.0, 0.3, 0.2]
    assert observed_fractions(errors, sigmas, np.array([0.5, 0.95])).tolist() == [1 / 3, 1 / 3]


def test_sigma_of_atoms_is_the_root_of_the_scaled_variance(model: SparseKernelModel, tmp_path: Path) -> None:
    assert model.score(HELD_OUT).sigma is None
    for kind in ("pp", "sr"):
        model.calibrate(HELD_OUT, variance=kind).save(tmp_path / "m.lpr")
        stored = load_model(tmp_path / "m.lpr")
        constant = stored.calibration.prior_variance
        for copy in (stored, pickle.loads(pickle.dumps(stored))):
            scores = copy.score(HELD_OUT)
            variance = scores.variance + (scores.residual if kind == "pp" else 0.0)
            np.testing.assert_allclose(scores.sigma, np.sqrt(constant * variance), rtol=1e-14)
            np.testing.assert_array_equal(scores.lpr, model.score(HELD_OUT).lpr)


def test_sigma_grows_far_from_the_training_set(model: SparseKernelModel) -> None:
    from_far = [rattled(HELD_OUT[0], 7, by=0.8)]
    scored = model.calibrate(HELD_OUT)
    assert scored.totals(from_far).sigma[0] > 10.0 * scored.totals(HELD_OUT).sigma.max()
    of_one_species = fitted().calibrate(silicon(5, seed=50))
    near, far = (
        of_one_species.score(silicon(5, seed=50)).sigma,
        of_one_species.score([rattled(silicon(1)[0], 7, 0.8)]).sigma,
    )
    assert np.median(far) > 3.0 * np.median(near)


def read_totals(path: Path) -> dict[str, list[float]]:
    if path.suffix == ".csv":
        lines = list(csv.DictReader(path.read_text().splitlines()))
        return {name: [float(line[name] or "nan") for line in lines] for name in ("lpr_total", "sigma_total")}
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return {name: arrays[name].tolist() for name in ("lpr_total", "sigma_total")}
    with h5py.File(path) as file:
        return {name: file["frames"][name][:].tolist() for name in ("lpr_total", "sigma_total")}


def test_runs_write_totals_of_calibrated_models(model: SparseKernelModel, tmp_path: Path) -> None:
    scored = model.calibrate(HELD_OUT)
    outputs = [tmp_path / f"out.{suffix}" for suffix in ("h5", "csv", "npz")]
    score_trajectory(scored, HELD_OUT, outputs)
    expected = scored.totals(HELD_OUT)
    for output in outputs:
        assert read_totals(output) == {"lpr_total": expected.lpr.tolist(), "sigma_total": expected.sigma.tolist()}
    score_trajectory(model, HELD_OUT, tmp_path / "bare.csv")
    assert "lpr_total" not in (tmp_path / "bare.csv").read_text()


def test_shards_and_unknown_species_have_totals_too(model: SparseKernelModel, tmp_path: Path) -> None:
    import ase.io

    frames = [*HELD_OUT, *silicon(1), HELD_OUT[0]]
    ase.io.write(tmp_path / "md.xyz", frames, format="extxyz")
    model.calibrate(HELD_OUT).save(tmp_path / "m.lpr")
    given: dict[str, Any] = {"unknown_species": "nan"}
    score_trajectory(tmp_path / "m.lpr", tmp_path / "md.xyz", tmp_path / "a.h5", **given)
    for shard in ("1/2", "2/2"):
        score_trajectory(tmp_path / "m.lpr", tmp_path / "md.xyz", tmp_path / "b.h5", shard=shard, **given)
    merge_shards(tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    found = read_totals(tmp_path / "a.h5")
    assert np.flatnonzero(np.isnan(found["sigma_total"])).tolist() == [5]
    assert found["sigma_total"][6] == found["sigma_total"][0]


def test_what_cannot_be_calibrated_is_refused_by_name(model: SparseKernelModel) -> None:
    bare = HELD_OUT[0].copy()
    cases: list[tuple[Any, str]] = [
        (lambda: model.calibrate([]), "no structures to calibrate with"),
        (lambda: model.calibrate([HELD_OUT[0], bare]), "frame 1 has no energy named 'energy'"),
        (lambda: model.calibrate(HELD_OUT, variance="dtc"), "variance is 'dtc'; it must be 'sr' or 'pp'"),
        (
            lambda: fitted(gallium_arsenide(), energy_key=None).calibrate(HELD_OUT),
            "fitted without energies, so it has no errors",
        ),
        (
            lambda: LinearModel.fit(silicon(), hypers=HYPERS, regularizer=1.0).calibrate(silicon(), variance="pp"),
            "linear models have no residual",
        ),
        (lambda: calibrated(np.zeros(2), np.ones(2), "sr"), "the errors of the totals are at most 0"),
        (lambda: calibrated(np.ones(2), np.array([1.0, 0.0]), "sr"), "the total of frame 1 has variance 0"),
    ]
    for call, message in cases:
        with pytest.raises(InvalidInputError, match=message) as error:
            call()
        assert str(error.value).count(". ") == 0
