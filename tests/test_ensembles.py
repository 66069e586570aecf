"""Ensembles: members drawn from the posterior spread as the analytic variances say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

from lpr_fast import InvalidInputError, LinearModel, LprWarning, SparseKernelModel, StructureModel, _core, load_model

from .structures import HYPERS, fitted, gallium_arsenide, silicon

MODELS: dict[str, Callable[[], StructureModel]] = {
    "kernel": lambda: fitted(gallium_arsenide()),
    "linear": lambda: LinearModel.fit(gallium_arsenide(), hypers=HYPERS, regularizer=1e-3),
}


def changed(model: StructureModel, **facts: Any) -> StructureModel:
    """The model with other entries in its text."""
    text, arrays = model._model.parts()
    return model._of(_core.Model.from_parts(json.dumps({**json.loads(text), **facts}), arrays))


def calibrated(model: StructureModel, prior_variance: float) -> StructureModel:
    said = {"n_totals": 10, "mean_absolute_error": 0.1, "crps": 0.1, "projected_process": 0}
    return changed(model, calibration={"prior_variance": prior_variance, **said})


def assert_spread(samples: np.ndarray, variances: np.ndarray) -> None:
    """Sample variances over the last axis lie within the bounds of the chi-square distribution, all of them."""
    degrees, share = samples.shape[-1] - 1, 1e-3 / variances.size
    ratios = samples.var(axis=-1, ddof=1) / variances
    assert ratios.min() > chi2.ppf(share / 2, degrees) / degrees
    assert ratios.max() < chi2.isf(share / 2, degrees) / degrees


@pytest.mark.parametrize("kind", MODELS)
def test_the_spread_of_energies_and_forces_is_the_analytic_sigma(kind: str) -> None:
    model = calibrated(MODELS[kind](), 0.3)
    frame = gallium_arsenide(1, seed=30)[0]
    found = model.with_ensemble(1000, seed=2).predict(frame, members=True).members
    assert found is not None
    assert found.forces is not None
    sigma = model.score(frame).sigma
    assert sigma is not None
    assert_spread(found.energies, sigma**2)
    totals = model.totals(frame).sigma
    assert totals is not None
    assert_spread(found.energy, totals**2)
    rows = model.gradient_rows(frame)
    variances = 0.3 * np.diag(model.rigidity.covariance(np.vstack([rows.forces, rows.virials])))
    assert_spread(found.forces.reshape(24, -1), variances[:24])
    assert found.stress is not None
    assert_spread(found.stress[0], variances[24:] / frame.get_volume() ** 2)


@pytest.mark.parametrize("kind", MODELS)
def test_members_are_the_models_weights_and_white_noise_through_the_factor(kind: str) -> None:
    model = MODELS[kind]()
    drawn = model.with_ensemble(5, seed=7, alpha=2.0)._model.members
    factor = model._model.factor
    assert drawn is not None
    assert model._model.weights is not None
    moved = (drawn - model._model.weights)[:, factor.columns]
    z = moved @ factor.triangle().T / (2.0 * np.sqrt(model.regularizer))
    expected = np.random.default_rng(7).standard_normal((5, len(factor.columns)))
    np.testing.assert_allclose(z, expected, rtol=0, atol=1e-12 * factor.condition_number)


def test_columns_that_were_dropped_stay_zero() -> None:
    frames = [*silicon(3), *silicon(1)]
    with pytest.warns(LprWarning, match="1 of 3 active points was dropped as redundant in float64"):
        model = fitted(frames, n_active=None, active_set=[(0, 0), (3, 0), (1, 2)])
    drawn = model.with_ensemble(3)._model.members
    assert drawn is not None
    kept = model._model.factor.columns
    dropped = [column for column in range(3) if column not in kept]
    assert len(dropped) == 1
    assert (drawn[:, dropped] == 0.0).all()
    assert (drawn[:, kept] != 0.0).all()


def test_the_first_members_are_the_same_of_any_number_and_other_seeds_draw_others() -> None:
    model = fitted()
    few, many, other = (model.with_ensemble(n, seed=s)._model.members for n, s in ((3, 1), (9, 1), (3, 2)))
    assert few is not None
    assert many is not None
    np.testing.assert_array_equal(few, many[:3])
    assert not np.any(few == other)


def test_the_spread_is_in_all_scores_and_in_the_file(tmp_path: Path) -> None:
    model, frames = fitted(), silicon(2, seed=20)
    drawn = model.with_ensemble(20, alpha=0.5)
    drawn.save(tmp_path / "m.lpr")
    copy = load_model(tmp_path / "m.lpr")
    scores, members = copy.score(frames), copy.predict(frames, members=True).members
    assert members is not None
    np.testing.assert_allclose(scores.spread, members.energies.std(axis=1, ddof=1), rtol=1e-9)
    np.testing.assert_array_equal(scores.lpr, model.score(frames).lpr)
    assert copy.n_members == 20
    assert copy.provenance["ensemble"] == {"n_members": 20, "seed": 0, "alpha": 0.5}


def test_noise_of_labels_says_the_prior_variance_unless_a_calibration_does() -> None:
    model = fitted()
    own = model._model.weights

    def moved(of: StructureModel) -> np.ndarray:
        members = of.with_ensemble(4)._model.members
        assert members is not None
        return members - own

    noisy = changed(model, loss="noise", noise={"prior_variance": 1 / model.regularizer, "energy": 0.1})
    scale = 1.0 / np.sqrt(model.regularizer)
    np.testing.assert_allclose(moved(noisy), moved(model) * scale, rtol=1e-9)
    np.testing.assert_allclose(moved(calibrated(noisy, 4.0)), moved(model) * 2.0, rtol=1e-9)


CASES: dict[str, tuple[Callable[[], Any], str]] = {
    "one member": (lambda: fitted().with_ensemble(1), "n_members is 1; it must be from 2 to"),
    "too many": (lambda: fitted().with_ensemble(100_001), "n_members is 100001; it must be from 2 to 100000"),
    "half a member": (lambda: fitted().with_ensemble(2.5), "n_members is 2.5; it must be an integer"),  # type: ignore[arg-type]
    "no spread": (lambda: fitted().with_ensemble(4, alpha=0.0), "alpha is 0; it must be positive"),
    "NaN": (lambda: fitted().with_ensemble(4, alpha=float("nan")), "alpha is nan; it must be positive"),
    "a seed below zero": (lambda: fitted().with_ensemble(4, seed=-1), "seed"),
    "no energies": (
        lambda: fitted(energy_key=None).with_ensemble(4),
        "this model was fitted without energies, so members would predict nothing",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_makes_no_ensemble_is_refused_in_a_sentence(case: str) -> None:
    call, message = CASES[case]
    with pytest.raises(InvalidInputError, match=message):
        call()


def test_an_ensemble_takes_the_place_of_a_committee() -> None:
    model = fitted().with_ensemble(3).with_ensemble(5)
    assert isinstance(model, SparseKernelModel)
    assert model.n_members == 5
