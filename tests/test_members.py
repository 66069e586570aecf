"""Weights of a committee in a model: member energies and their spread, beside models of each member's own weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from lpr_fast import InvalidInputError, LinearModel, SparseKernelModel, _core, load_model, score_trajectory
from lpr_fast.models._archive import with_members

from .structures import fitted, gallium_arsenide, with_committee


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    return gallium_arsenide()


@pytest.fixture(scope="module")
def model(frames: list[Atoms]) -> SparseKernelModel:
    return with_committee(fitted(frames))


def led_by(model: SparseKernelModel, member: int) -> SparseKernelModel:
    """The model whose own weights are those of a member."""
    text, arrays = model._model.parts()
    arrays["weights"] = arrays.pop("members")[member].copy()
    return model._of(_core.Model.from_parts(text, arrays))


def numbers_of(frames: list[Atoms]) -> np.ndarray:
    return np.concatenate([frame.numbers for frame in frames]).astype(np.int32)


def test_member_energies_are_the_bits_of_models_with_these_weights(
    model: SparseKernelModel, frames: list[Atoms]
) -> None:
    features = model.features(frames)
    energies = model._model.member_energies(features, numbers_of(frames), 2)
    assert energies.shape == (len(features), 3)
    for k in range(3):
        of_one = led_by(model, k).score_features(features, numbers_of(frames))
        np.testing.assert_array_equal(energies[:, k], of_one.local_energy)


def test_one_pass_over_structures_gives_the_same_and_the_scores_beside_it(
    model: SparseKernelModel, frames: list[Atoms]
) -> None:
    pipeline = model.pipeline
    expected = np.stack([led_by(model, k).score(frames).local_energy for k in range(3)], axis=1)
    found, rows = [], []
    for piece in pipeline.pieces(frames, "error", 5):
        scores = pipeline.scorer.score(piece.structures, piece.chosen, mark_unknown=False, n_threads=2, members=True)
        found.append(scores["member_energies"])
        rows.append(scores["lpr"])
        assert "member_energies" not in pipeline.scorer.score(piece.structures, piece.chosen, False, 1)  # noqa: FBT003
    np.testing.assert_array_equal(np.concatenate(found), expected)
    np.testing.assert_array_equal(np.concatenate(rows), model.score(frames).lpr)


def test_the_spread_is_their_standard_deviation_and_nothing_else_changes(
    model: SparseKernelModel, frames: list[Atoms]
) -> None:
    scores = model.score(frames)
    energies = model._model.member_energies(model.features(frames), numbers_of(frames), 1)
    np.testing.assert_allclose(scores.spread, energies.std(axis=1, ddof=1), rtol=1e-10)
    alone = model._of(with_members(model._model, None))
    assert (model.n_members, alone.n_members) == (3, 0)
    others = alone.score(frames)
    assert others.spread is None
    for name, values in others.items():
        np.testing.assert_array_equal(values, scores[name], err_msg=name)


def test_linear_models_have_members_too(frames: list[Atoms]) -> None:
    X = np.random.default_rng(2).normal(size=(40, 6))
    numbers, structures = np.resize([14, 31], 40), np.repeat(np.arange(10), 4)
    model = LinearModel.from_arrays(X, numbers, structures, regularizer=1e-2, energies=np.arange(10.0))
    weights = np.random.default_rng(3).normal(size=(4, model._model.size))
    linear = model._of(with_members(model._model, weights))
    energies = np.array([X[i] @ weights[:, :6].T if numbers[i] == 14 else X[i] @ weights[:, 6:].T for i in range(40)])
    np.testing.assert_allclose(
        linear.score_features(X, numbers).spread, energies.std(axis=1, ddof=1), rtol=1e-12, err_msg=str(frames[0])
    )


def test_files_keep_members_and_tables_their_spread(
    model: SparseKernelModel, frames: list[Atoms], tmp_path: Path
) -> None:
    model.save(tmp_path / "model.lpr")
    loaded = load_model(tmp_path / "model.lpr")
    expected = model.score(frames).spread
    np.testing.assert_array_equal(loaded.score(frames).spread, expected)
    score_trajectory(loaded, frames, [tmp_path / "out.csv"])
    lines = (tmp_path / "out.csv").read_text().splitlines()
    place = lines[0].split(",").index("spread_mean")
    assert lines[0].split(",")[place + 1] == "spread_largest"
    of_first = expected[: len(frames[0])]
    np.testing.assert_allclose(
        [float(word) for word in lines[1].split(",")[place : place + 2]], [of_first.mean(), of_first.max()], rtol=1e-9
    )


def test_marked_atoms_have_no_member_energies(model: SparseKernelModel, frames: list[Atoms]) -> None:
    strange = frames[0].copy()
    strange.numbers[0] = 79
    scores = model.score([strange], unknown_species="nan")
    np.testing.assert_array_equal(np.isnan(scores.spread), np.isnan(scores.lpr))
    pipeline = model.pipeline
    (piece,) = pipeline.pieces([strange], "nan")
    found = pipeline.scorer.score(piece.structures, piece.chosen, mark_unknown=True, n_threads=1, members=True)
    marked = np.isnan(found["member_energies"])
    np.testing.assert_array_equal(marked, np.isnan(scores.lpr)[:, None] & np.ones(3, dtype=bool))


def test_members_that_do_not_fit_are_refused_in_a_sentence(model: SparseKernelModel, frames: list[Atoms]) -> None:
    core = model._model
    with pytest.raises(InvalidInputError, match="the members and the model have different numbers of weights"):
        with_members(core, np.zeros((3, core.size + 1)))
    with pytest.raises(InvalidInputError, match="the number of members is not between 2 and 100000"):
        with_members(core, np.zeros((1, core.size)))
    with pytest.raises(InvalidInputError, match="holds NaN or infinity"):
        with_members(core, np.full((2, core.size), np.nan))
    plain = fitted(frames, energy_key=None)
    assert json.loads(plain._model.text)["baseline"] is None
    with pytest.raises(InvalidInputError, match="there are members without weights"):
        with_members(plain._model, np.zeros((2, plain._model.size)))
    bare = with_members(core, None)
    with pytest.raises(InvalidInputError, match="the model has no members"):
        bare.member_energies(model.features(frames), numbers_of(frames), 1)
