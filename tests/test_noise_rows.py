"""Kept rows of energies, forces and virials: models of parts, more structures, and what is left out, against refits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from lpr_fast import Committee, InvalidInputError, LinearModel, LprWarning, SparseKernelModel, TrainingRows
from lpr_fast.atoms.rows import _kept_rows
from lpr_fast.models import _leave_one_out, _members

from .alloys import SIGMA, alloys, with_labels, without
from .structures import HYPERS

Array = np.ndarray

ACTIVE = [(0, 0), (0, 3), (1, 1), (1, 5), (2, 2), (3, 0), (4, 3), (5, 6)]
OPTIONS: dict[str, Any] = {"hypers": HYPERS, "zeta": 2, "active_set": ACTIVE, "sigma": SIGMA, "delta": 0.7}
# Energies of any model here: no fit is asked where the data leave them open.
BASELINE = {"Cu": -0.1, "Au": 0.2}


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    """One structure has no energy, one no forces and no stress."""
    found = alloys(12)
    found[4], found[7] = without(found[4], "energy"), without(found[7], "forces", "stress")
    for number, frame in enumerate(found):
        frame.info["config_type"] = ("a", "b", "c")[number % 3]
    return found


@pytest.fixture(scope="module")
def kept(frames: list[Atoms], tmp_path_factory: pytest.TempPathFactory) -> tuple[SparseKernelModel, Path]:
    path = tmp_path_factory.mktemp("rows") / "train.rows"
    return SparseKernelModel.fit(frames, keep_rows=path, baseline=BASELINE, **OPTIONS), path


@pytest.fixture
def rows(kept: tuple[SparseKernelModel, Path]) -> TrainingRows:
    return TrainingRows(kept[1])


def weights_of(model: Any) -> Array:
    found: Array = model.rigidity.weights
    return found


def refit(rows: TrainingRows, model: SparseKernelModel, used: Array, factors: Array | None = None) -> Array:
    """Weights of the least squares of some rows, by a library: never a Hessian."""
    baseline = np.array(list(model.baseline.values()))  # type: ignore[union-attr]
    targets = np.array(rows.target) - np.asarray(rows._records["composition"]) @ baseline
    used = used & (rows.weight > 0)
    weights = np.sqrt(rows.weight * (1.0 if factors is None else factors))[used]
    eigenvalues, vectors = np.linalg.eigh(_prior(model))
    root = np.sqrt(np.maximum(eigenvalues, 0.0))[:, None] * vectors.T
    stacked = np.vstack([weights[:, None] * rows.phi[used], np.sqrt(model.regularizer) * root])
    wanted = np.concatenate([weights * targets[used], np.zeros(len(root))])
    found: Array = np.linalg.lstsq(stacked, wanted, rcond=None)[0]
    return found


def _prior(model: SparseKernelModel) -> Array:
    blocks = [(active @ active.T) ** model.zeta for active in model.active_features.values()]
    prior, start = np.zeros((model.rigidity.size,) * 2), 0
    for block in blocks:
        prior[start : start + len(block), start : start + len(block)] = block
        start += len(block)
    return prior


def test_rows_of_all_structures_make_the_bits_of_the_fit(
    kept: tuple[SparseKernelModel, Path], rows: TrainingRows, frames: list[Atoms]
) -> None:
    assert rows.n_structures == len(frames)
    assert rows.fit(baseline="kept").with_reference(frames)._to_bytes() == kept[0]._to_bytes()


def test_a_part_of_the_structures_is_a_fit_to_all_their_rows(rows: TrainingRows, frames: list[Atoms]) -> None:
    chosen = [0, 2, 4, 5, 7]
    found = rows.fit(structures=chosen, baseline="kept")
    used = np.isin(rows.structure, chosen)
    np.testing.assert_allclose(weights_of(found), refit(rows, found, used), rtol=0, atol=1e-6)  # type: ignore[arg-type]
    counts = {kind: int(np.count_nonzero(used & (rows.kind == k))) for k, kind in enumerate(SIGMA)}
    assert found.provenance["n_labels"] == {**counts, "energy": 4}
    assert found.noise == rows.fit().noise
    assert rows.fit(structures=[7, 1, 2]).baseline is not None
    assert frames[7].calc is not None


def test_weights_of_structures_count_for_all_their_rows(rows: TrainingRows) -> None:
    counts = np.linspace(0.5, 2.0, rows.n_structures)
    found = rows.fit(weights=counts, baseline="kept")
    everything = np.ones(len(rows), dtype=bool)
    expected = refit(rows, found, everything, counts[rows.structure])  # type: ignore[arg-type]
    np.testing.assert_allclose(weights_of(found), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", [SparseKernelModel, LinearModel])
def test_appended_structures_are_as_if_they_had_been_there(kind: Any, frames: list[Atoms], tmp_path: Path) -> None:
    options = {**OPTIONS, "baseline": BASELINE}
    if kind is LinearModel:
        options = {name: options[name] for name in ("hypers", "sigma", "delta", "baseline")}
    few, whole = tmp_path / "few.rows", tmp_path / "whole.rows"
    kind.fit(frames[:6], keep_rows=few, **options)
    kind.fit(frames, keep_rows=whole, **options)
    rows = TrainingRows(few)
    assert rows.fit(baseline="kept").provenance["n_labels"]["virial"] == 36
    rows.append(frames[6:8])
    rows.append(frames[8:])
    assert rows.fit(baseline="kept").provenance["n_labels"]["virial"] == 6 * 11
    for name in ("phi", "target", "weight", "structure", "kind"):
        np.testing.assert_array_equal(getattr(TrainingRows(few), name), getattr(TrainingRows(whole), name))
    nothing = with_labels(frames[0].copy())
    with pytest.warns(LprWarning, match="1 of 1 structure has no label that is used"):
        rows.append([nothing])


def test_structures_that_are_left_out_lose_all_their_rows(
    kept: tuple[SparseKernelModel, Path], rows: TrainingRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_kept_rows, "_BLOCK", 17)
    monkeypatch.setattr(_leave_one_out, "_BLOCK", 40)
    mu = kept[0].regularizer
    found = rows.leave_one_out(regularizers=[mu], baseline="kept")
    baseline = np.array(list(kept[0].baseline.values()))  # type: ignore[union-attr]
    composition = np.asarray(rows._records["composition"])
    units = np.where(rows.kind == 0, composition.sum(axis=1), 1.0)
    targets = np.array(rows.target) - composition @ baseline
    for number in range(rows.n_structures):
        here = rows.structure == number
        expected = (targets[here] - rows.phi[here] @ refit(rows, kept[0], ~here)) / units[here]
        np.testing.assert_allclose(found.errors[here, 0], expected, rtol=0, atol=1e-7)
        assert np.isnan(expected[0]) == (number == 4)
    np.testing.assert_array_equal(found.kind, rows.kind)
    for kind in range(3):
        errors = found.errors[rows.kind == kind, 0]
        np.testing.assert_allclose(found.rmse_of(kind)[0], np.sqrt(np.nanmean(errors**2)), rtol=1e-12)
    assert found.rmse_of(0)[0] == pytest.approx(found.rmse[0], rel=1e-12)
    with pytest.raises(InvalidInputError, match="kind is 'force'; it must be 0"):
        found.rmse_of("force")  # type: ignore[arg-type]
    known = ~np.isnan(found.errors[:, 0])
    weights = (rows.weight * units**2)[known]
    expected_loss = np.sqrt((weights * found.errors[known, 0] ** 2).sum() / weights.sum())
    assert found.loss[0] == pytest.approx(expected_loss, rel=1e-12)


def test_the_evidence_is_that_of_the_noise_that_was_given(
    kept: tuple[SparseKernelModel, Path], rows: TrainingRows
) -> None:
    mu = kept[0].regularizer
    found = rows.leave_one_out(regularizers=[mu], baseline="kept").minus_twice_log_evidence[0]
    used = rows.weight > 0
    baseline = np.array(list(kept[0].baseline.values()))  # type: ignore[union-attr]
    targets = (np.array(rows.target) - np.asarray(rows._records["composition"]) @ baseline)[used]
    eigenvalues, vectors = np.linalg.eigh(_prior(kept[0]))
    half = (rows.phi[used] @ vectors) / np.sqrt(mu * eigenvalues)
    covariance = np.diag(1.0 / rows.weight[used]) + half @ half.T
    _, logdet = np.linalg.slogdet(2.0 * np.pi * covariance)
    assert found == pytest.approx(logdet + targets @ np.linalg.solve(covariance, targets), rel=1e-6)


def test_a_regularizer_can_be_chosen_by_all_labels(rows: TrainingRows) -> None:
    choice = rows.choose_regularizer(baseline="kept")
    scan = rows.leave_one_out(baseline="kept")
    assert choice.regularizer in scan.regularizers
    assert scan.loss[choice.index] <= 1.01 * scan.loss.min()


def test_members_of_a_committee_are_refits_to_all_rows_of_their_structures(
    rows: TrainingRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    committee = Committee.fit(rows, 4, with_replacement=True, baseline="kept")
    for number, counts in enumerate(committee.counts):
        factors = counts[rows.structure]
        expected = refit(rows, committee.model, factors > 0, factors)  # type: ignore[arg-type]
        np.testing.assert_allclose(committee.weights[number], expected, rtol=0, atol=1e-6)
        member = weights_of(committee.member(number))
        np.testing.assert_allclose(committee.weights[number], member, rtol=0, atol=1e-9)
    monkeypatch.setattr(_members, "_bytes_of_one", lambda size, n_rows: 10**12)  # noqa: ARG005
    np.testing.assert_array_equal(
        Committee.fit(rows, 4, with_replacement=True, baseline="kept").weights, committee.weights
    )


def test_structures_without_energies_may_be_drawn(rows: TrainingRows) -> None:
    committee = Committee.fit(rows, 8, baseline="kept", seed=1)
    assert committee.counts[:, 4].any()
    assert committee.counts[:, 7].any()


def test_groups_that_are_left_out_lose_all_their_rows(rows: TrainingRows, kept: tuple[SparseKernelModel, Path]) -> None:
    found = rows.leave_groups_out(baseline="kept")
    assert found.groups.tolist() == ["a", "b", "c"]
    baseline = np.array(list(kept[0].baseline.values()))  # type: ignore[union-attr]
    for group in "abc":
        is_of_group = (rows.group == group)[rows.structure]
        weights = refit(rows, kept[0], ~is_of_group)
        for number in np.flatnonzero(rows.group == group).tolist():
            row = int(np.flatnonzero(rows.structure == number)[0])
            composition = np.asarray(rows._records["composition"][row])
            predicted = rows.phi[row] @ weights + composition @ baseline
            expected = (predicted - rows.target[row]) / composition.sum()
            np.testing.assert_allclose(found.errors[number], expected, atol=1e-7)


def test_a_learning_curve_counts_structures_not_rows(rows: TrainingRows) -> None:
    curve = rows.learning_curve([3, 6, 9], n_draws=2, baseline="kept")
    assert curve.sizes.tolist() == [3, 6, 9]
    assert np.isfinite(curve.errors).all()


def test_rows_that_were_cut_off_take_their_structure_with_them(
    kept: tuple[SparseKernelModel, Path], tmp_path: Path
) -> None:
    path = tmp_path / "cut.rows"
    path.write_bytes(kept[1].read_bytes()[:-500])
    assert TrainingRows(path).n_structures == TrainingRows(kept[1]).n_structures - 1


def test_rows_of_other_noise_are_refused(rows: TrainingRows, frames: list[Atoms]) -> None:
    with pytest.raises(InvalidInputError, match="the rows know only Cu, Au"):
        rows.append([Atoms("Ag", cell=[4, 4, 4], pbc=True)])
    strange = without(frames[0])
    strange.calc.results["forces"] = np.zeros((2, 3))  # type: ignore[union-attr]
    with pytest.raises(InvalidInputError, match="'forces' of frame 0 has shape"):
        rows.append([strange])
    with pytest.raises(InvalidInputError, match="weights were given, but the labels of these rows have noise"):
        rows.append(frames[:1], weights=[2.0])
