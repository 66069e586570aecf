"""How training environments score: distributions, percentiles and verdicts, beside what NumPy says of all scores."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms

from lpr_fast import (
    InvalidInputError,
    LinearModel,
    LprWarning,
    SparseKernelModel,
    StructureModel,
    _core,
    fit_files,
    load_model,
    score_trajectory,
)
from lpr_fast.atoms._pipeline import Scores
from lpr_fast.jobs import _fit_job, _fit_passes
from lpr_fast.jobs._executors import local_processes
from lpr_fast.models import _reference
from lpr_fast.models._reference import Reference
from lpr_fast.models._scores import LocalScores, all_columns

from .structures import HYPERS, fitted, gallium_arsenide, rattled, silicon

OPTIONS: dict[str, Any] = {"hypers": HYPERS, "n_active": 12, "regularizer": 1e-3, "zeta": 2}


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    return gallium_arsenide(30)


@pytest.fixture(scope="module")
def model(frames: list[Atoms]) -> SparseKernelModel:
    return fitted(frames)


def numbers_of(frames: list[Atoms]) -> Any:
    return np.concatenate([frame.numbers for frame in frames])


def rigidity(scores: LocalScores) -> Any:
    return scores.lpr if scores.lpr_held is None else scores.lpr_held


def unusual() -> list[Atoms]:
    """Structures that leave the training set step by step."""
    found = gallium_arsenide(12, seed=9)
    for number, frame in enumerate(found):
        frame.positions += np.random.default_rng(number).normal(scale=0.04 * number, size=frame.positions.shape)
    return found


def test_quantiles_are_those_of_all_scores_to_a_thousandth(model: SparseKernelModel, frames: list[Atoms]) -> None:
    scores, numbers = model.score(frames), numbers_of(frames)
    for column in ("lpr", "lpr_held", "variance", "residual"):
        for species in model.species:
            values = getattr(scores, column)[numbers == species]
            for share in (0.0, 0.01, 0.3, 0.5, 0.999, 1.0):
                expected = np.quantile(values, share, method="inverted_cdf")
                np.testing.assert_allclose(model.training_quantile(column, share, species), expected, rtol=5e-4)


def test_percentiles_are_shares_of_sorted_training_scores(model: SparseKernelModel, frames: list[Atoms]) -> None:
    training, numbers = rigidity(model.score(frames)), numbers_of(frames)
    scores, here = model.score(unusual()), numbers_of(unusual())
    for species in model.species:
        known = np.sort(training[numbers == species])
        for value, found in zip(rigidity(scores)[here == species], scores.percentile[here == species], strict=True):
            low, high = (100.0 * np.searchsorted(known, value * (1.0 + sign * 1e-3)) / len(known) for sign in (-1, 1))
            assert low - 1e-9 <= found <= high + 1e-9


def expected_verdicts(model: StructureModel, training: Scores, of_training: Any, scores: Scores, numbers: Any) -> Any:
    """Verdicts by the limits, and which of them a thousandth of the score could change."""
    expected, is_clear = np.zeros(len(scores)), np.ones(len(scores), dtype=bool)
    for species in model.species:
        here = numbers == species
        least = np.quantile(rigidity(training)[of_training == species], 0.01, method="inverted_cdf")
        most = np.quantile(training.residual[of_training == species], 0.999, method="inverted_cdf")
        expected[here & (rigidity(scores) < least)] = 1.0
        expected[here & (scores.residual > most)] = 2.0
        for values, limit in ((rigidity(scores), least), (scores.residual, most)):
            is_clear[here & (np.abs(values / limit - 1.0) < 1e-3)] = False
    return expected, is_clear


def test_verdicts_are_those_of_the_limits_and_unlike_wins(model: SparseKernelModel, frames: list[Atoms]) -> None:
    scores, numbers = model.score(unusual()), numbers_of(unusual())
    expected, is_clear = expected_verdicts(model, model.score(frames), numbers_of(frames), scores, numbers)
    np.testing.assert_array_equal(scores.verdict[is_clear], expected[is_clear])
    assert is_clear.mean() > 0.95
    assert set(expected) == {0.0, 1.0, 2.0} or set(expected) == {0.0, 2.0}
    assert set(scores.verdict_names) <= {"pinned", "loose", "unlike"}
    training = model.score(frames).verdict
    assert (training != 2.0).all()  # of so few, none is above the last thousandth
    assert (training == 1.0).mean() < 0.01


def test_atoms_that_were_left_out_have_neither(model: SparseKernelModel) -> None:
    frame = gallium_arsenide(1)[0]
    frame.numbers[0] = 14
    scores = model.score([frame], unknown_species="nan")
    assert np.isnan(scores.percentile[0])
    assert np.isnan(scores.verdict[0])
    assert scores.verdict_names[0] == ""


def test_linear_models_have_verdicts_without_a_residual(frames: list[Atoms]) -> None:
    model = LinearModel.fit(frames, hypers=HYPERS, regularizer=1e-2)
    training, scores, numbers = model.score(frames), model.score(unusual()), numbers_of(unusual())
    for species in model.species:
        here = numbers == species
        of_species = rigidity(training)[numbers_of(frames) == species]
        ratios = rigidity(scores)[here] / np.quantile(of_species, 0.01, method="inverted_cdf")
        is_clear = np.abs(ratios - 1.0) > 1e-3
        np.testing.assert_array_equal(scores.verdict[here][is_clear], 1.0 * (ratios[is_clear] < 1.0))
    assert model.training_quantile("variance", 0.5, 31) > 0.0
    with pytest.raises(InvalidInputError, match="column is 'residual'; it must be one of lpr, lpr_held, variance"):
        model.training_quantile("residual", 0.5, 31)


def test_where_all_environments_are_active_rounding_makes_nothing_unlike() -> None:
    frames = silicon(3)
    model = fitted(frames, n_active=24)
    scores = model.score(frames)
    assert scores.residual.max() < 1e-8
    assert (scores.verdict == 0.0).all()
    moved = frames[0].copy()
    moved.positions += np.random.default_rng(0).normal(scale=1e-9, size=moved.positions.shape)
    assert (model.score(moved).verdict == 0.0).all()


def test_arrays_give_the_reference_of_structures(model: SparseKernelModel, frames: list[Atoms]) -> None:
    features = model.features(frames)
    structure = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
    of_arrays = SparseKernelModel.from_arrays(features, numbers_of(frames), structure, n_active=12, regularizer=1e-3)
    scores = of_arrays.score_features(features, numbers_of(frames))
    expected = np.quantile(scores.lpr[numbers_of(frames) == 33], 0.4, method="inverted_cdf")
    np.testing.assert_allclose(of_arrays.training_quantile("lpr", 0.4, 33), expected, rtol=5e-4)
    assert scores.percentile.max() > 50.0
    assert scores.verdict is not None


def test_bits_do_not_depend_on_batches(
    model: SparseKernelModel, frames: list[Atoms], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = pickle.dumps(model)
    monkeypatch.setattr("lpr_fast.atoms._frames.BATCH_ATOMS", 16)
    assert pickle.dumps(fitted(frames, n_threads=2)) == expected
    assert pickle.dumps(model.with_reference(frames, n_threads=1)) == expected
    assert pickle.dumps(model.with_reference(reversed(frames))) == expected


def test_another_reference_takes_the_place_of_the_first(model: SparseKernelModel, frames: list[Atoms]) -> None:
    other = model.with_reference(unusual())
    scores = model.score(unusual())
    expected = np.quantile(scores.residual[numbers_of(unusual()) == 31], 0.7, method="inverted_cdf")
    np.testing.assert_allclose(other.training_quantile("residual", 0.7, 31), expected, rtol=5e-4)
    np.testing.assert_array_equal(other.score(frames).lpr, model.score(frames).lpr)
    assert pickle.dumps(other.with_reference(frames)) == pickle.dumps(model)


def test_a_model_without_a_reference_says_what_to_do(
    model: SparseKernelModel, frames: list[Atoms], tmp_path: Path
) -> None:
    text, arrays = model._model.parts()
    facts = json.loads(text)
    del facts["reference"]
    kept = {name: array for name, array in arrays.items() if not name.startswith("reference.")}
    bare = SparseKernelModel._of(_core.Model.from_parts(json.dumps(facts), kept))
    assert not bare.has_reference
    assert bare.verdict_limits is None
    scores = bare.score(frames[:1])
    assert scores.percentile is None
    assert scores.verdict_names is None
    with pytest.raises(InvalidInputError, match="has no scores of its training environments; use"):
        bare.training_quantile("lpr", 0.5, 31)
    run = score_trajectory(bare, frames[:2], tmp_path / "out.csv")
    assert run.verdict_limits is run.summary.verdicts is None
    assert pickle.dumps(bare.with_reference(frames)) == pickle.dumps(model)


@pytest.mark.parametrize(
    ("column", "share", "species", "message"),
    [
        ("lpr", 1.5, 31, r"share is 1\.5; it must be between 0 and 1"),
        ("lpr", 0.5, 14, "species is 14, but the model knows only 31, 33"),
        ("energy", 0.5, 31, "column is 'energy'; it must be one of lpr, lpr_held, variance, residual"),
    ],
)
def test_quantiles_of_what_there_is_not_are_refused(
    model: SparseKernelModel, column: str, share: float, species: int, message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        model.training_quantile(column, share, species)


def test_a_reference_needs_all_species(model: SparseKernelModel) -> None:
    gallium = gallium_arsenide(1)[0]
    with pytest.raises(InvalidInputError, match="no environment of species 33 to compare with; give"):
        model.with_reference(gallium[gallium.numbers == 31])


def test_zero_infinity_and_the_smallest_numbers_have_bins_of_their_own() -> None:
    values = np.array([0.0, -0.0, 5e-324, 1.0, np.inf, np.inf, 1.7976931348623157e308])
    reference = Reference()
    reference.add(LocalScores(**all_columns({"lpr": values, "variance": values})), np.full(7, 14))
    assert reference.quantile("lpr", 0.2, 14) == 0.0
    assert 0.0 < reference.quantile("lpr", 0.4, 14) < 1e-300
    assert reference.quantile("lpr", 0.55, 14) == pytest.approx(1.0, rel=5e-4)
    assert np.isfinite(reference.quantile("lpr", 0.7, 14))
    assert reference.quantile("lpr", 1.0, 14) == np.inf


def test_references_of_parts_are_that_of_the_whole() -> None:
    rng = np.random.default_rng(1)
    values, numbers = rng.lognormal(0.0, 3.0, size=4000), rng.integers(14, 16, size=4000)

    def counted(*parts: Any) -> Any:
        reference = Reference()
        for part in parts:
            one = Reference()
            one.add(LocalScores(**all_columns({"lpr": values[part], "variance": values[part]})), numbers[part])
            reference.merge(Reference.from_arrays(one.to_arrays()))
        return {name: array.tolist() for name, array in reference.to_arrays().items()}

    whole = counted(slice(None))
    assert counted(slice(3000, None), slice(10), slice(10, 3000)) == whole
    assert len(whole["reference.lpr.14.bins"]) < np.sum(numbers == 14)


def test_workers_and_processes_that_die_give_the_bits_of_one_that_does_not(
    tmp_path: Path, frames: list[Atoms], monkeypatch: pytest.MonkeyPatch
) -> None:
    ase.io.write(tmp_path / "train.xyz", frames)
    monkeypatch.setattr(_fit_passes, "_TOGETHER", 4)
    monkeypatch.setattr(_fit_job, "_BETWEEN_CHECKPOINTS", 0.0)
    monkeypatch.setattr(_fit_job, "_CHECKPOINT_SHARE", 0.0)
    monkeypatch.setattr("lpr_fast.atoms._frames.BATCH_ATOMS", 32)
    whole = fit_files(tmp_path / "train.xyz", tmp_path / "whole.lpr", **OPTIONS)
    with local_processes(2) as executor:
        fit_files(tmp_path / "train.xyz", tmp_path / "workers.lpr", **OPTIONS, executor=executor)
    assert (tmp_path / "workers.lpr").read_bytes() == (tmp_path / "whole.lpr").read_bytes()

    scored: list[int] = []

    def stop(stage: str, done: int, total: int | None) -> None:
        if stage.startswith("training environments"):
            scored.append(done)
            if len(scored) == 4:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="all rows and the model are kept: give the same command again"):
        fit_files(tmp_path / "train.xyz", tmp_path / "parts.lpr", **OPTIONS, progress=stop)
    stages: list[str] = []
    again = fit_files(
        tmp_path / "train.xyz",
        tmp_path / "parts.lpr",
        **OPTIONS,
        progress=lambda stage, *_: stages.append(stage),
    )
    assert set(stages) == {"training environments: scored"}
    assert len(stages) < len(frames) * 8 / 32 + 1
    assert pickle.dumps(again) == pickle.dumps(whole)
    assert (tmp_path / "parts.lpr").read_bytes() == (tmp_path / "whole.lpr").read_bytes()
    assert {path.suffix for path in tmp_path.iterdir()} == {".xyz", ".lpr"}


def test_a_file_keeps_the_reference(model: SparseKernelModel, frames: list[Atoms], tmp_path: Path) -> None:
    model.save(tmp_path / "m.lpr")
    loaded = load_model(tmp_path / "m.lpr")
    assert loaded.verdict_limits == {
        "loose": _reference.LOOSE_PERCENT,
        "unlike": _reference.UNLIKE_PERCENT,
        "smallest_residual": _reference.SMALLEST_RESIDUAL,
    }
    np.testing.assert_array_equal(loaded.score(frames).percentile, model.score(frames).percentile)


def test_structures_that_a_taken_active_set_does_not_see_are_told(tmp_path: Path) -> None:
    known, strange = silicon(6), [rattled(frame, seed=k, by=0.5) for k, frame in enumerate(silicon(6, seed=40))]
    first = fitted(known, n_active=12)
    told = (
        r"the residual above which an atom is 'unlike' rose from (\S+) to (\S+) \(Si\): the new structures are in the"
    )
    options: dict[str, Any] = {"hypers": HYPERS, "active_set": first, "regularizer": 1e-3, "zeta": 2}
    with pytest.warns(LprWarning, match=told) as caught:
        second = SparseKernelModel.fit([*known, *strange], **options)
    assert {warning.filename for warning in caught} == {__file__}
    found = re.search(told, str(caught[0].message))
    assert found is not None
    limits = [model.training_quantile("residual", 0.999, 14) for model in (first, second)]
    assert list(found.groups()) == [f"{limit:.3g}" for limit in limits]
    ase.io.write(tmp_path / "train.xyz", [*known, *strange])
    with pytest.warns(LprWarning, match=told) as caught:
        fit_files(tmp_path / "train.xyz", tmp_path / "m.lpr", **options)
    assert {warning.filename for warning in caught} == {__file__}
    SparseKernelModel.fit(known[:4], **options)
