"""Structures without energies, or without a weight: what they count for, and what not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms

from lpr_fast import InvalidInputError, LinearModel, LprWarning, SparseKernelModel, TrainingRows, fit_files
from lpr_fast.atoms import _frames
from lpr_fast.jobs import _fit_job
from lpr_fast.jobs._executors import local_processes
from lpr_fast.models._row_sums import RowSums
from lpr_fast.models._rows import Rows

from .structures import HYPERS, gallium_arsenide, labelled, molecules, rattled, silicon

WITHOUT = (0, 3, 6)
SAID = r"3 of 15 structures have no energy, the first is number 0, counted from 0: without an energy a"
ACTIVE = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1), (3, 0), (5, 2), (6, 0), (6, 1), (7, 2)]
OPTIONS: dict[str, Any] = {"hypers": HYPERS, "active_set": ACTIVE, "zeta": 2, "regularizer": 1e-2}


def with_some_energies() -> list[Atoms]:
    """Molecules, each of them twice: three without energies, one of zero weight."""
    frames = [*molecules(), *(rattled(frame, 50 + n, by=0.05) for n, frame in enumerate(molecules()))]
    for number in WITHOUT:
        frames[number].calc = None
    for number, frame in enumerate(frames):
        frame.info["w"] = 0.0 if number == 4 else 1.0 + number / 8
    return frames


def fitted(frames: list[Atoms] | None = None, **options: Any) -> SparseKernelModel:
    frames = with_some_energies() if frames is None else frames
    with pytest.warns(LprWarning, match=SAID):
        return SparseKernelModel.fit(frames, weights="w", **OPTIONS, **options)


class Dense:
    """The definition: H of rows with a weight, weights by the rows that have an energy too."""

    def __init__(self, model: SparseKernelModel, frames: list[Atoms]) -> None:
        weights = np.array([frame.info["w"] for frame in frames])
        known = np.array([frame.calc is not None for frame in frames]) & (weights > 0)
        rows = np.array([model.phi(frame).sum(axis=0) for frame in frames])
        counts = np.array([[np.sum(frame.numbers == s) for s in model.species] for frame in frames])
        active = list(model.active_features.values())
        prior = np.zeros((len(rows[0]),) * 2)
        of_species = np.split(np.arange(len(prior)), np.cumsum([*map(len, active)]))[:-1]
        for block, columns in zip(active, of_species, strict=True):
            prior[np.ix_(columns, columns)] = (block @ block.T) ** 2
        self.H = rows.T @ (weights[:, None] * rows) + model.regularizer * prior
        energies = np.array([frames[a].get_potential_energy() for a in np.flatnonzero(known)])
        w, X, N = np.sqrt(weights[known])[:, None], rows[known], counts[known]
        self.baseline = np.linalg.lstsq(w * N, w[:, 0] * energies, rcond=None)[0]
        targets = energies - N @ self.baseline
        of_known = X.T @ (w**2 * X) + model.regularizer * prior
        self.weights = np.linalg.solve(of_known, X.T @ (w[:, 0] ** 2 * targets))
        sums, atoms = weights @ rows, weights @ counts
        self.means = np.zeros((len(model.species), len(prior)))
        for s, columns in enumerate(of_species):
            self.means[s, columns] = sums[columns] / atoms[s]

    def lpr(self, phi: np.ndarray) -> np.ndarray:
        return 1 / (phi * np.linalg.solve(self.H, phi.T).T).sum(axis=1)

    def lpr_held(self, phi: np.ndarray) -> np.ndarray:
        HB = np.linalg.solve(self.H, self.means.T)
        held = np.linalg.inv(self.H) - HB @ np.linalg.solve(self.means @ HB, HB.T)
        return 1 / ((phi @ held) * phi).sum(axis=1)


def test_structures_without_energies_count_for_the_rigidity_alone() -> None:
    frames = with_some_energies()
    model = fitted(frames)
    oracle, phi = Dense(model, frames), model.phi(frames)
    scores = model.score(frames)
    np.testing.assert_allclose(scores.lpr, oracle.lpr(phi), rtol=1e-8)
    np.testing.assert_allclose(scores.lpr_held, oracle.lpr_held(phi), rtol=1e-7)
    np.testing.assert_allclose(list(model.baseline.values()), oracle.baseline, rtol=1e-8)
    np.testing.assert_allclose(model.rigidity.predict(phi), phi @ oracle.weights, rtol=1e-6, atol=1e-8)
    facts = model.provenance
    assert (facts["n_structures"], facts["n_unlabelled"], facts["n_zero_weight"]) == (15, 3, 1)
    assert facts["n_environments"] == sum(map(len, frames)) - len(frames[4])


def test_the_reference_leaves_structures_of_zero_weight_out() -> None:
    frames = with_some_energies()
    model = fitted(frames)
    counted = model.with_reference([frame for frame in frames if frame.info["w"] > 0])
    assert counted._to_bytes() == model._to_bytes()


def test_the_choice_of_the_regularizer_sees_structures_with_energies_alone(tmp_path: Path) -> None:
    frames, known = with_some_energies(), [a for a in range(16) if a not in (*WITHOUT, 4)]
    rows = rows_of(frames, tmp_path)
    left_out = rows.leave_one_out(regularizers=[1e-2, 1.0])
    some = rows.leave_one_out(regularizers=[1e-2, 1.0], structures=known)
    np.testing.assert_allclose(left_out.errors[known], some.errors, rtol=1e-11)
    np.testing.assert_allclose(left_out.loss, some.loss, rtol=1e-11)
    assert np.isnan(left_out.errors[list(WITHOUT)]).all()
    assert np.isfinite(left_out.errors[4]).all()
    assert rows.choose_regularizer().regularizer == rows.choose_regularizer(structures=known).regularizer


def rows_of(frames: list[Atoms], folder: Path) -> TrainingRows:
    fitted(frames, keep_rows=folder / "train.rows")
    return TrainingRows(folder / "train.rows")


def test_kept_rows_make_the_same_model_and_those_of_parts(tmp_path: Path) -> None:
    frames = with_some_energies()
    model, rows = fitted(frames), rows_of(frames, tmp_path)
    with pytest.warns(LprWarning, match=SAID):
        again = rows.fit()
    assert again.with_reference([frame for frame in frames if frame.info["w"] > 0])._to_bytes() == model._to_bytes()
    part = [0, 1, 2, 4, 5, 7, 9, 14]
    with pytest.warns(LprWarning, match="1 of 7 structures has no energy"):
        found = rows.fit(structures=part)
    oracle = Dense(model, [frames[a] for a in part])
    np.testing.assert_allclose(found.score(frames).lpr, oracle.lpr(model.phi(frames)), rtol=1e-8)
    np.testing.assert_array_equal(rows.active_environments, model.active_environments)
    np.testing.assert_array_equal(found.active_environments, model.active_environments)
    expected = "no structure with an energy and a weight has N, so its baseline is not known"
    with pytest.raises(InvalidInputError, match=expected):
        rows.fit(structures=[1, 5, 7])
    assert rows.fit(structures=[1, 5, 7], baseline="kept").baseline == again.baseline
    with pytest.raises(InvalidInputError, match="no structure of positive weight has an energy"):
        rows.fit(structures=list(WITHOUT), baseline="kept")


def test_structures_without_energies_can_be_appended(tmp_path: Path) -> None:
    frames = with_some_energies()
    whole = rows_of(frames, tmp_path)
    (tmp_path / "few.rows").write_bytes((tmp_path / "train.rows").read_bytes()[: -6 * whole._head.record.itemsize])
    few = TrainingRows(tmp_path / "few.rows")
    assert few.n_structures == 10
    unlabelled = [frame.copy() for frame in frames[10:]]
    with pytest.warns(LprWarning, match="6 of 6 structures have no energy"):
        few.append(unlabelled[:6])
    np.testing.assert_array_equal(few.phi, whole.phi)
    assert np.isnan(few.target[10:]).all()
    with pytest.warns(LprWarning, match="9 of 15 structures have no energy"):
        model = few.fit()
    with pytest.warns(LprWarning, match="9 of 15 structures have no energy"):
        expected = SparseKernelModel.fit([*frames[:10], *unlabelled], weights="w", **OPTIONS)
    np.testing.assert_array_equal(model.score(frames).lpr, expected.score(frames).lpr)
    np.testing.assert_array_equal(model.predict(frames).energy, expected.predict(frames).energy)


def test_files_workers_and_memory_give_the_same_bits(tmp_path: Path) -> None:
    frames = with_some_energies()
    ase.io.write(tmp_path / "train.traj", frames)
    settings: dict[str, Any] = {**OPTIONS, "weights": "w"}
    with pytest.warns(LprWarning, match=SAID):
        fit_files(tmp_path / "train.traj", tmp_path / "here.lpr", **settings)
    with local_processes(1) as executor, pytest.warns(LprWarning, match=SAID):
        fit_files(tmp_path / "train.traj", tmp_path / "there.lpr", executor=executor, **settings)
    here = (tmp_path / "here.lpr").read_bytes()
    assert here == (tmp_path / "there.lpr").read_bytes() == fitted(frames)._to_bytes()


@pytest.mark.filterwarnings("ignore::lpr_fast.LprWarning")
def test_a_fit_that_was_interrupted_again_and_again_writes_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ase.io.write(tmp_path / "train.traj", with_some_energies())
    settings: dict[str, Any] = {**OPTIONS, "weights": "w", "regularizer": "auto"}
    for module, name, value in ((_frames, "BATCH_ATOMS", 8), (_fit_job, "_BETWEEN_CHECKPOINTS", 0.0)):
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(_fit_job, "_CHECKPOINT_SHARE", 0.0)
    outputs = [(tmp_path / f"{name}.lpr", tmp_path / f"{name}.rows") for name in ("whole", "broken")]
    fit_files(tmp_path / "train.traj", outputs[0][0], keep_rows=outputs[0][1], **settings)
    for stop in (8, 22, 36):
        steps = iter(range(stop))

        def progress(*_: object, steps: Iterator[int] = steps) -> None:
            if next(steps, None) is None:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fit_files(tmp_path / "train.traj", outputs[1][0], keep_rows=outputs[1][1], progress=progress, **settings)
    fit_files(tmp_path / "train.traj", outputs[1][0], keep_rows=outputs[1][1], **settings)
    for whole, broken in zip(*outputs, strict=True):
        assert broken.read_bytes() == whole.read_bytes()


def test_sums_with_rows_apart_survive_their_file_and_depend_on_no_cut(tmp_path: Path) -> None:
    rows = rows_of(with_some_energies(), tmp_path)
    blocks = Rows(np.array(rows.phi), np.array(rows._records))
    whole = RowSums.empty(rows._head.basis, labelled=True)
    whole.add(blocks, np.array(rows.target), 1)
    cut = RowSums.empty(rows._head.basis, labelled=True)
    for start in range(0, 16, 3):
        cut = RowSums.from_bytes(cut.to_bytes(), "the sums")
        part = slice(start, start + 3)
        cut.add(Rows(blocks.phi[part], blocks.labels[part]), np.array(rows.target)[part], 2)
    assert cut.to_bytes() == whole.to_bytes()
    assert (whole.n_rows, whole.unlabelled.n_rows) == (16, 3)


def test_linear_models_and_arrays_take_structures_without_energies() -> None:
    frames = with_some_energies()
    weights = [frame.info["w"] for frame in frames]
    linear: dict[str, Any] = {"regularizer": 1e-2, "weights": weights}
    with pytest.warns(LprWarning, match=SAID):
        model = LinearModel.fit(frames, hypers=HYPERS, **linear)
    numbers = np.concatenate([frame.numbers for frame in frames])
    owners = np.repeat(np.arange(len(frames)), list(map(len, frames)))
    energies = [np.nan if frame.calc is None else frame.get_potential_energy() for frame in frames]
    X = model.features(frames)
    with pytest.warns(LprWarning, match=SAID):
        of_arrays = LinearModel.from_arrays(X, numbers, owners, energies=energies, **linear)
    np.testing.assert_array_equal(of_arrays.score_features(X, numbers).lpr, model.score(frames).lpr)
    np.testing.assert_array_equal(of_arrays.rigidity.weights, model.rigidity.weights)


def test_species_of_which_no_energy_or_no_weight_tells_are_refused() -> None:
    frames = with_some_energies()
    for frame in frames:
        if 7 in frame.numbers:
            frame.calc = None
    with pytest.raises(InvalidInputError, match="no structure with an energy and a weight has N, so its baseline"):
        SparseKernelModel.fit(frames, **OPTIONS)
    with pytest.warns(LprWarning, match="have no energy"):
        given = SparseKernelModel.fit(frames, baseline={"H": -1.0, "C": -2.0, "N": -3.0, "O": -4.0}, **OPTIONS)
    assert given.baseline == {1: -1.0, 6: -2.0, 7: -3.0, 8: -4.0}
    weights = [0.0 if 7 in frame.numbers else 1.0 for frame in frames]
    with pytest.raises(
        InvalidInputError, match="only structures of zero weight have N, so nothing determines its energies"
    ):
        SparseKernelModel.fit(frames, weights=weights, **OPTIONS)
    with pytest.raises(InvalidInputError, match="no structure of positive weight has an energy"):
        SparseKernelModel.fit(
            [*silicon(2), silicon(1)[0].copy()],
            hypers=HYPERS,
            n_active=4,
            weights=[0, 0, 1],
            baseline={"Si": 1.0},
        )


def test_a_baseline_that_the_compositions_leave_open_is_told() -> None:
    frames = gallium_arsenide()
    with pytest.warns(
        LprWarning, match=r"the baseline is arbitrary, because there are 2 species, but only 1 independent"
    ):
        model = SparseKernelModel.fit(frames, hypers=HYPERS, n_active=6, regularizer=1e-3)
    np.testing.assert_allclose(model.baseline[31], model.baseline[33])
    for silent in ({"baseline": {"Ga": -1.0, "As": -2.0}}, {"energy_key": None}):
        SparseKernelModel.fit(frames, hypers=HYPERS, n_active=6, regularizer=1e-3, **silent)
    isolated = [labelled(Atoms("Ga"), -1.0), labelled(Atoms("As"), -2.0)]
    found = SparseKernelModel.fit([*frames, *isolated], hypers=HYPERS, n_active=6, regularizer=1e-3)
    assert found.provenance["n_compositions"] == 2


def test_the_command_says_what_structures_count_for(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "train.traj", with_some_energies())
    (tmp_path / "hypers.json").write_text(json.dumps(HYPERS))
    command = [sys.executable, "-m", "lpr_fast", "fit", "train.traj", "-o", "m.lpr", "--hypers", "hypers.json"]
    more = ["--weights", "w", "--n-active", "12", "--regularizer", "1e-2"]
    done = subprocess.run([*command, *more], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "training  15 structures, 75 atoms; 3 of the structures have no energy; 1 more of zero" in done.stdout
    assert done.stderr.count("note: 3 of 15 structures have no energy, the first is number 0") == 1
