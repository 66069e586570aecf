"""Committees on training rows against refits, dense least squares and NumPy's standard deviation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from click.testing import CliRunner

from lpr_fast import Committee, InvalidInputError, LinearModel, LprWarning, SparseKernelModel, TrainingRows, load_model
from lpr_fast.command_line._commands import lpr_fast as command

from .structures import HYPERS, gallium_arsenide, labelled, silicon


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    found = [frame for pair in zip(gallium_arsenide(9), silicon(9), strict=True) for frame in pair]
    rng = np.random.default_rng(5)
    for number, frame in enumerate(found):
        if number % 6 == 0:
            frame.numbers[0] = 33  # a composition of its own
        labelled(frame, float(-5.0 * len(frame) + rng.normal()))
        frame.info["config_type"] = ("bulk", "liquid", "film")[number % 3]
    return found


@pytest.fixture(scope="module")
def rows(frames: list[Atoms], tmp_path_factory: pytest.TempPathFactory) -> TrainingRows:
    path = tmp_path_factory.mktemp("rows") / "train.rows"
    SparseKernelModel.fit(frames, hypers=HYPERS, n_active=12, regularizer=1e-3, loss="per_atom", keep_rows=path)
    return TrainingRows(path)


@pytest.fixture(scope="module")
def committee(rows: TrainingRows) -> Committee:
    return Committee.fit(rows, 5, seed=3)


def dense_weights(rows: TrainingRows, model: SparseKernelModel, multiplicity: np.ndarray, mu: float) -> np.ndarray:
    """Weights by NumPy's least squares on rows and on the root of K_MM."""
    K_MM = np.zeros((len(model.rigidity.weights),) * 2)  # type: ignore[arg-type]
    start = 0
    for active in model.active_features.values():
        block = slice(start, start + len(active))
        K_MM[block, block] = (active @ active.T) ** model.zeta
        start += len(active)
    values, vectors = np.linalg.eigh(K_MM)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))).T
    composition = np.asarray(rows._records["composition"])
    targets = rows.target - composition @ np.array(list(model.baseline.values()))  # type: ignore[union-attr]
    factor = np.sqrt(rows.weight * multiplicity)
    matrix = np.vstack([factor[:, None] * rows.phi, np.sqrt(mu) * root])
    return np.linalg.lstsq(matrix, np.concatenate([factor * targets, np.zeros(len(root))]), rcond=None)[0]


@pytest.mark.parametrize("repeats", [False, True])
def test_each_member_is_a_dense_least_squares_of_its_structures(rows: TrainingRows, *, repeats: bool) -> None:
    committee = Committee.fit(rows, 4, with_replacement=repeats, seed=1)
    assert (committee.counts.max() > 1) == repeats
    for number, (counts, weights) in enumerate(zip(committee.counts, committee.weights, strict=True)):
        np.testing.assert_array_equal(weights, committee.member(number).rigidity.weights)  # type: ignore[arg-type]
        oracle = dense_weights(rows, committee.model, counts, 1e-3)  # type: ignore[arg-type]
        scale = np.abs(rows.phi) @ np.abs(oracle)
        assert np.abs(rows.phi @ (weights - oracle)).max() < 1e-8 * scale.max()


def test_each_member_has_the_bits_of_a_fit_to_its_structures(
    rows: TrainingRows, committee: Committee, frames: list[Atoms]
) -> None:
    baseline = committee.model.baseline
    for number, subset in enumerate(committee.subsets):
        alone = rows.fit(structures=subset, baseline=baseline)
        member = committee.member(number)
        assert alone.rigidity.weights is not None
        np.testing.assert_array_equal(committee.weights[number], alone.rigidity.weights)
        np.testing.assert_array_equal(member.rigidity.weights, alone.rigidity.weights)  # type: ignore[arg-type]
        np.testing.assert_array_equal(member.score(frames).lpr, alone.score(frames).lpr)
        assert member.provenance["n_structures"] == len(subset)


def test_the_model_of_a_committee_is_that_of_all_rows(
    rows: TrainingRows, committee: Committee, frames: list[Atoms]
) -> None:
    whole, found = rows.fit().score(frames), committee.score(frames)
    for name in ("lpr", "lpr_held", "variance", "local_energy", "residual"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))


def test_the_spread_is_the_standard_deviation_of_what_the_members_predict(
    committee: Committee, frames: list[Atoms]
) -> None:
    found = committee.score(frames)
    predicted = [committee.member(k).score(frames).local_energy for k in range(len(committee))]
    np.testing.assert_allclose(found.member_energies, np.array(predicted).T, rtol=1e-10)
    scale = np.abs(np.array(predicted)).max()
    np.testing.assert_allclose(found.spread, np.std(predicted, axis=0, ddof=1), rtol=1e-6, atol=1e-12 * scale)
    assert "spread" in found
    assert "member_energies" not in found


def test_a_saved_model_keeps_its_members(committee: Committee, tmp_path: Path) -> None:
    committee.model.save(tmp_path / "committee.lpr")
    arrays = load_model(tmp_path / "committee.lpr")._model.parts()[1]
    np.testing.assert_array_equal(arrays["members"], committee.weights)
    assert load_model(tmp_path / "committee.lpr").provenance["committee"]["n_members"] == 5


def test_members_join_the_model_whose_fit_kept_the_rows(frames: list[Atoms], tmp_path: Path) -> None:
    path = tmp_path / "train.rows"
    fit = SparseKernelModel.fit(frames, hypers=HYPERS, n_active=12, regularizer=1e-3, keep_rows=path)
    committee = Committee.fit(TrainingRows(path), 3)
    scores, without = committee.joined_to(fit).score(frames), fit.score(frames)
    np.testing.assert_array_equal(scores.verdict, without.verdict)
    np.testing.assert_array_equal(scores.spread, committee.score(frames).spread)
    with pytest.raises(InvalidInputError, match="model has other numbers than the model of the committee's rows"):
        Committee.fit(TrainingRows(path), 3, regularizer=1e-2).joined_to(fit)


def test_members_draw_the_share_that_was_asked_for(rows: TrainingRows) -> None:
    committee = Committee.fit(rows, 6, fraction=0.5, structures=np.arange(12), seed=2)
    assert [len(subset) for subset in committee.subsets] == [6] * 6
    assert max(subset.max() for subset in committee.subsets) < 12
    assert len({tuple(subset) for subset in committee.subsets}) > 1
    assert (Committee.fit(rows, 6, fraction=0.5, structures=np.arange(12), seed=2).counts == committee.counts).all()
    assert (Committee.fit(rows, 6, fraction=0.5, structures=np.arange(12), seed=4).counts != committee.counts).any()


def test_a_committee_has_the_same_bits_for_any_memory_and_number_of_threads(
    rows: TrainingRows, committee: Committee
) -> None:
    for options in ({"memory": 1}, {"n_threads": 1}, {"n_threads": 2}):
        again = Committee.fit(rows, 5, seed=3, **options)  # type: ignore[arg-type]
        assert again.model._to_bytes() == committee.model._to_bytes()


def test_structures_without_a_weight_are_in_no_member(rows: TrainingRows) -> None:
    weights = np.ones(rows.n_structures)
    weights[[2, 5]] = 0.0
    committee = Committee.fit(rows, 8, weights=weights)
    assert not committee.counts[:, [2, 5]].any()
    member = committee.member(0).rigidity.weights
    np.testing.assert_array_equal(member, committee.weights[0])  # type: ignore[arg-type]


def test_linear_rows_make_committees_too(frames: list[Atoms], tmp_path: Path) -> None:
    LinearModel.fit(frames, hypers=HYPERS, regularizer=1e-2, keep_rows=tmp_path / "linear.rows")
    committee = Committee.fit(TrainingRows(tmp_path / "linear.rows"), 3)
    assert isinstance(committee.model, LinearModel)
    assert committee.score(frames[:2]).member_energies.shape == (16, 3)


def test_a_regularizer_that_is_chosen_is_that_of_all_rows(rows: TrainingRows) -> None:
    committee = Committee.fit(rows, 3, regularizer="auto")
    assert committee.model.regularizer == rows.fit(regularizer="auto").regularizer
    assert committee.member(1).regularizer == committee.model.regularizer


def test_groups_are_left_out_as_refits_leave_them_out(rows: TrainingRows, frames: list[Atoms]) -> None:
    found = rows.leave_groups_out()
    assert found.groups.tolist() == ["bulk", "film", "liquid"]
    energies = np.array([frame.get_potential_energy() for frame in frames])
    for group, rmse, size in zip(found.groups, found.rmse, found.n_structures, strict=True):
        left_out = np.flatnonzero(rows.group == group)
        model = rows.fit(structures=rows.group != group)
        some = [frames[a] for a in left_out]
        errors = (model.predict(some).energy - energies[left_out]) / np.array([len(frame) for frame in some])
        assert size == len(left_out)
        np.testing.assert_allclose(found.errors[left_out], errors, atol=1e-9)
        np.testing.assert_allclose(rmse, np.sqrt(np.mean(errors**2)), rtol=1e-7)


def test_a_learning_curve_is_one_of_refits(rows: TrainingRows, frames: list[Atoms]) -> None:
    found = rows.learning_curve([4, 8, 12], n_draws=2, seed=7)
    assert found.sizes.tolist() == [4, 8, 12]
    assert found.errors.shape == (3, 2)
    order = np.random.default_rng(7).permutation(rows.n_structures)
    energies = np.array([frame.get_potential_energy() for frame in frames])
    for size, error in zip([4, 8, 12], found.errors[:, 0], strict=True):
        model = rows.fit(structures=order[:size])
        errors = (model.predict([frames[a] for a in order[12:]]).energy - energies[order[12:]]) / 8.0
        np.testing.assert_allclose(error, np.sqrt(np.mean(errors**2)), rtol=1e-7)
    np.testing.assert_allclose(found.mean, found.errors.mean(axis=1))
    np.testing.assert_allclose(found.spread, found.errors.std(axis=1, ddof=1))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"n_members": 1}, "needs at least two"),
        ({"fraction": 1.0}, "above 0 and below 1, or draw with replacement"),
        ({"fraction": 0.0}, "above 0 and below 1"),
        ({"fraction": 1.5, "with_replacement": True}, "or 1"),
        ({"structures": [3], "baseline": "kept"}, "1 structure with a weight and an energy"),
        ({"structures": [99, 100]}, "number 99, but there are 18"),
        ({"seed": -1}, "must not be negative"),
        ({"memory": "much"}, "give a size such as 2GB"),
    ],
)
def test_what_makes_no_committee_is_refused(rows: TrainingRows, options: dict[str, object], says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        Committee.fit(rows, **options)  # type: ignore[arg-type]


def test_members_that_there_are_not_are_refused(committee: Committee) -> None:
    with pytest.raises(InvalidInputError, match="members 0 to 4"):
        committee.member(5)


def test_rows_without_energies_make_no_committee(frames: list[Atoms], tmp_path: Path) -> None:
    path = tmp_path / "bare.rows"
    SparseKernelModel.fit(frames, hypers=HYPERS, n_active=5, regularizer=1e-3, energy_key=None, keep_rows=path)
    for asked in (Committee.fit, TrainingRows.leave_groups_out):
        with pytest.raises(InvalidInputError, match="has no energies"):
            asked(TrainingRows(path))


@pytest.mark.parametrize(
    ("groups", "says"),
    [(["a"] * 18, "all structures are of the group 'a'"), ([1, 2], "give 18 integers or strings")],
)
def test_groups_that_cannot_be_left_out_are_refused(rows: TrainingRows, groups: list[object], says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        rows.leave_groups_out(groups)


@pytest.mark.parametrize("sizes", [[], [0, 3], [18]])
def test_sizes_that_leave_nothing_in_or_out_are_refused(rows: TrainingRows, sizes: list[int]) -> None:
    with pytest.raises(InvalidInputError, match="give numbers from 1 to 17"):
        rows.learning_curve(np.array(sizes, dtype=np.int64))


def test_the_command_writes_a_model_with_members(rows: TrainingRows, tmp_path: Path) -> None:
    output = tmp_path / "committee.lpr"
    arguments = ["committee", str(rows._path), "-o", str(output), "--members", "3", "--with-replacement"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    assert "3 members, each fitted to 18" in result.output
    assert "split" not in result.output
    assert load_model(output)._model.members.shape[0] == 3


def test_the_command_says_what_the_spread_does_not_show(tmp_path: Path) -> None:
    frames, baseline = gallium_arsenide(8), {"Ga": -3.0, "As": -3.0}
    path = tmp_path / "x.rows"
    SparseKernelModel.fit(frames, hypers=HYPERS, n_active=6, regularizer=1e-3, baseline=baseline, keep_rows=path)
    result = CliRunner().invoke(command, ["committee", str(path), "-o", str(tmp_path / "x.lpr")])
    assert "do not determine how the energy is split between species" in result.output


def test_structures_without_an_energy_are_in_no_member(frames: list[Atoms], tmp_path: Path) -> None:
    bare = [frame.copy() for frame in frames[:2]]
    with pytest.warns(LprWarning, match="2 of 18 structures have no energy"):
        SparseKernelModel.fit(
            [*bare, *frames[2:]], hypers=HYPERS, n_active=8, regularizer=1e-3, keep_rows=tmp_path / "x.rows"
        )
    with pytest.warns(LprWarning, match="2 of 18 structures have no energy"):
        committee = Committee.fit(TrainingRows(tmp_path / "x.rows"), 6)
    assert not committee.counts[:, :2].any()
    assert np.isfinite(committee.score(frames).spread).all()


def test_members_stay_what_they_were_when_rows_are_appended(frames: list[Atoms], tmp_path: Path) -> None:
    SparseKernelModel.fit(frames, hypers=HYPERS, n_active=12, regularizer=1e-3, keep_rows=tmp_path / "train.rows")
    rows = TrainingRows(tmp_path / "train.rows")
    committee = Committee.fit(rows, 3, weights=np.linspace(0.5, 2.0, len(frames)))
    before = committee.score(frames).member_energies
    rows.append([labelled(frame, -40.0) for frame in silicon(2, seed=70)])
    for number in range(3):
        energies = committee.member(number).score(frames).local_energy
        np.testing.assert_allclose(energies, before[:, number], rtol=1e-12)
