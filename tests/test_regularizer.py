"""The choice of the regularizer: by leave-one-out error, in every kind of fit, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms

from lpr_fast import InvalidInputError, LinearModel, LprWarning, SparseKernelModel, TrainingRows, fit_files, load_model
from lpr_fast.atoms.about._choice_lines import regularizer_text, size_line
from lpr_fast.models import _leave_one_out, _rows_file
from lpr_fast.models._rows import Rows, label_type

from .oracle.problems import Array
from .structures import HYPERS, gallium_arsenide, molecules, silicon
from .test_command_line import succeed

OPTIONS: dict[str, Any] = {"hypers": HYPERS, "n_active": 16, "zeta": 2}


def noisy(frames: list[Atoms], sigma: float = 0.002) -> list[Atoms]:
    """Frames whose energies per atom have noise, so that some regularizer is best."""
    rng = np.random.default_rng(7)
    for number, frame in enumerate(frames):
        energy = frame.get_potential_energy() + sigma * len(frame) * rng.normal()
        frame.calc = None
        frame.info["energy"] = float(energy)
        frame.info["config_type"] = ("bulk", "liquid")[number % 2]
    return frames


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    return noisy([frame for pair in zip(gallium_arsenide(20), silicon(20), strict=True) for frame in pair])


@pytest.fixture(scope="module")
def kept(frames: list[Atoms], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "train.rows"
    SparseKernelModel.fit(frames, regularizer=1e-3, loss="per_atom", keep_rows=path, **OPTIONS)
    return path


@pytest.mark.parametrize("mu", [1e-5, 1e-2])
def test_left_out_errors_are_those_of_models_of_all_other_structures(
    kept: Path, frames: list[Atoms], mu: float
) -> None:
    rows = TrainingRows(kept)
    found = rows.leave_one_out(regularizers=[mu], baseline="kept")
    for a in (0, 7, 20, 39):
        others = np.arange(len(frames)) != a
        model = rows.fit(structures=others, regularizer=mu, baseline="kept")
        expected = (frames[a].info["energy"] - model.predict([frames[a]]).energy[0]) / len(frames[a])
        np.testing.assert_allclose(found.errors[a, 0], expected, rtol=1e-8, atol=1e-10)
    whole = rows.fit(regularizer=mu, baseline="kept")
    expected = [(frame.info["energy"] - whole.predict([frame]).energy[0]) / len(frame) for frame in frames]
    np.testing.assert_allclose(found.residuals[:, 0], expected, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(found.rmse, np.sqrt((found.errors**2).mean(axis=0)), rtol=1e-12)
    np.testing.assert_allclose(found.loss, found.rmse, rtol=1e-12)  # of a loss per atom
    np.testing.assert_allclose(found.training_rmse, np.sqrt((found.residuals**2).mean(axis=0)), rtol=1e-12)


def test_the_largest_regularizer_is_chosen_whose_error_is_within_a_hundredth_of_the_least(kept: Path) -> None:
    rows = TrainingRows(kept)
    choice = rows.choose_regularizer()
    decades = choice.regularizer * 10.0 ** np.arange(-6.0, 7.0)
    loss = rows.leave_one_out(regularizers=decades).loss
    assert loss[6] <= 1.01 * loss.min()
    assert (loss[7:] > loss[6]).all()
    assert (choice.left_out.loss[choice.index + 1 :] > 1.01 * choice.left_out.loss.min()).all()
    assert choice.edge is None
    assert choice.training_rmse < choice.rmse < choice.left_out.spread
    np.testing.assert_allclose(np.diff(np.log10(choice.left_out.regularizers)), 0.2, rtol=1e-10)


def test_every_kind_of_fit_chooses_the_same_with_the_same_bits(frames: list[Atoms], tmp_path: Path) -> None:
    ase.io.write(tmp_path / "train.xyz", frames, format="extxyz")
    read = ase.io.read(tmp_path / "train.xyz", ":")
    model = SparseKernelModel.fit(read, keep_rows=tmp_path / "memory.rows", **OPTIONS)
    assert fit_files(tmp_path / "train.xyz", tmp_path / "files.lpr", **OPTIONS)._to_bytes() == model._to_bytes()
    assert SparseKernelModel.fit(read, n_threads=2, **OPTIONS)._to_bytes() == model._to_bytes()
    rows = TrainingRows(tmp_path / "memory.rows")
    again = rows.fit()
    for name, array in again._model.parts()[1].items():
        np.testing.assert_array_equal(array, model._model.parts()[1][name])
    choice = rows.choose_regularizer()
    assert model.regularizer == choice.regularizer
    assert model.provenance["regularizer_choice"] == json.loads(json.dumps(choice.facts()))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["files.lpr", "memory.rows", "train.xyz"]


def test_rows_that_do_not_stay_in_memory_give_the_same_bits(
    frames: list[Atoms], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = SparseKernelModel.fit(frames, **OPTIONS)._to_bytes()
    monkeypatch.setattr(_rows_file, "_IN_MEMORY", 100)
    monkeypatch.setattr(_rows_file, "_TOGETHER", 3)
    assert SparseKernelModel.fit(frames, **OPTIONS)._to_bytes() == expected


def _linear_problem(sigma: float, n_structures: int = 400) -> tuple[dict[str, Any], Array]:
    """Arrays of a linear model with weights of variance one, whose energies have noise of that size."""
    rng = np.random.default_rng(11)
    X, truth = rng.normal(size=(4 * n_structures, 15)), rng.normal(size=15)
    structure = np.repeat(np.arange(n_structures), 4)
    energies = (X @ truth).reshape(n_structures, 4).sum(axis=1) + sigma * rng.normal(size=n_structures)
    return {"X": X, "species": np.ones(len(X), int), "structure": structure, "energies": energies}, truth


def test_the_evidence_finds_the_noise_that_was_put_in() -> None:
    sigma = 0.3
    arrays, truth = _linear_problem(sigma)
    model = LinearModel.from_arrays(**arrays, baseline={1: 0.0})
    choice = model.provenance["regularizer_choice"]
    assert 0.3 < choice["evidence"] / (sigma**2 / np.mean(truth**2)) < 3.0
    # Four atoms, 15 weights of 400 structures.
    np.testing.assert_allclose(choice["leave_one_out_rmse_per_atom"], sigma / 4, rtol=0.1)
    assert choice["training_rmse_per_atom"] < choice["leave_one_out_rmse_per_atom"]
    assert model.regularizer == choice["regularizer"]


@pytest.mark.parametrize(("sigma", "edge"), [(0.0, "lower"), (None, "upper")])
def test_the_end_of_the_grid_is_said(sigma: float | None, edge: str) -> None:
    arrays, _ = _linear_problem(sigma or 0.0, n_structures=60)
    if sigma is None:
        arrays["energies"] = np.where(np.arange(60) % 2, 1.0, -1.0)
        arrays["X"] = np.abs(arrays["X"][:, :1]) * np.ones(1)
        arrays["X"][:] = 1.0
    with pytest.warns(LprWarning, match=f"at the {edge} end of the tried range"):
        model = LinearModel.from_arrays(**arrays, baseline={1: 0.0})
    assert model.provenance["regularizer_choice"]["edge"] == edge


def test_without_energies_the_default_is_taken_and_said(frames: list[Atoms], tmp_path: Path) -> None:
    with pytest.warns(LprWarning, match=r"cannot be chosen, because there are no energies: it is set to 0\.001"):
        model = SparseKernelModel.fit(frames, energy_key=None, keep_rows=tmp_path / "bare.rows", **OPTIONS)
    assert model.regularizer == 1e-3
    assert model.provenance["regularizer_choice"]["by"] == "default, because there are no energies"
    rows = TrainingRows(tmp_path / "bare.rows")
    for refused in (rows.leave_one_out, rows.choose_regularizer):
        with pytest.raises(InvalidInputError, match="has no energies"):
            refused()


def test_what_rounding_leaves_of_the_baseline_chooses_no_regularizer(frames: list[Atoms], tmp_path: Path) -> None:
    path = tmp_path / "two.rows"
    with pytest.warns(LprWarning, match=r"because the baseline alone gives all energies: it is set to 0\.001"):
        model = SparseKernelModel.fit(frames[:2], keep_rows=path, **OPTIONS)
    assert model.regularizer == 1e-3
    with pytest.raises(InvalidInputError, match="the baseline alone gives all energies; add rows of other structures"):
        TrainingRows(path).choose_regularizer()


def test_the_seconds_of_the_choice_are_its_own(frames: list[Atoms]) -> None:
    told: list[tuple[str, int]] = []
    SparseKernelModel.fit(frames, progress=lambda stage, done, _: told.append((stage, done)), **OPTIONS)
    assert told.index(("choosing the regularizer", 1)) + 1 == told.index(("factorising", 0))


@pytest.mark.parametrize("given", ["best", "", 0.0, -1.0, float("nan")])
def test_regularizers_that_are_none_are_refused(given: Any, frames: list[Atoms]) -> None:
    with pytest.raises(InvalidInputError, match="regularizer is"):
        SparseKernelModel.fit(frames, regularizer=given, **OPTIONS)


@pytest.mark.parametrize("grid", [[], [1.0, 0.0], [float("inf")]])
def test_grids_of_other_numbers_are_refused(grid: list[float], kept: Path) -> None:
    with pytest.raises(InvalidInputError, match="regularizers"):
        TrainingRows(kept).leave_one_out(regularizers=grid)


def test_smaller_models_have_the_leading_environments(frames: list[Atoms], tmp_path: Path) -> None:
    path = tmp_path / "train.rows"
    options = OPTIONS | {"n_active": 64}
    model = SparseKernelModel.fit(frames, keep_rows=path, loss="per_atom", **options)
    choice = TrainingRows(path).choose_regularizer()
    assert choice.sizes[-1] == 64
    assert len(choice.sizes) == 4
    # The half, with the same baseline, as a model of its own.
    pairs = [features[: -(-len(features) // 2)] for features in model.active_features.values()]
    assert choice.sizes[-2] == sum(map(len, pairs))
    assert choice.still_falls == (choice.error_of_size[-1] < 0.95 * choice.error_of_size[-2])
    rows = TrainingRows(path).phi
    assert rows.shape[1] == 64


def test_the_order_of_farthest_points_is_in_the_model_file(frames: list[Atoms]) -> None:
    model = SparseKernelModel.fit(frames, regularizer=1e-3, **OPTIONS)
    order = model._model.parts()[1]["active.order"]
    assert sorted(order.tolist()) == list(range(16))
    start = 0
    for features in model.active_features.values():
        chosen = order[start : start + len(features)] - start
        similar = features @ features.T
        for k in range(1, len(chosen)):
            nearest = similar[:, chosen[:k]].max(axis=1)
            assert nearest[chosen[k]] <= nearest[np.delete(np.arange(len(features)), chosen[:k])].min() + 1e-12
        start += len(features)


def test_blocks_end_where_structures_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_leave_one_out, "_BLOCK", 5)
    structures = np.repeat(np.arange(8), [2, 3, 1, 9, 1, 1, 4, 2])
    labels = np.zeros(len(structures), label_type(1))
    labels["structure"] = structures
    rows = Rows(np.arange(len(labels))[:, None] * np.ones((1, 2)), labels)
    expected = None
    for cut in (1, 2, 7, 100):
        pieces = [Rows(rows.phi[i : i + cut], labels[i : i + cut]) for i in range(0, len(labels), cut)]
        blocks = list(_leave_one_out.whole_structures(pieces))
        np.testing.assert_array_equal(np.concatenate([block.phi for block in blocks]), rows.phi)
        sizes = list(map(len, blocks))
        expected = expected or sizes
        assert sizes == expected == [5, 10, 6, 2]


def test_fit_and_tune_say_what_was_found(frames: list[Atoms], tmp_path: Path) -> None:
    ase.io.write(tmp_path / "train.xyz", frames, format="extxyz")
    small = ("--cutoff", "3.5", "--max-radial", "2", "--max-angular", "3", "--n-active", "64", "--zeta", "2")
    rows = tmp_path / "train.rows"
    printed = succeed("fit", tmp_path / "train.xyz", "-o", tmp_path / "m.lpr", "--keep-rows", rows, *small).output
    facts = load_model(tmp_path / "m.lpr").provenance["regularizer_choice"]
    assert f"mu = {facts['regularizer']:.3g} by leave-one-out error" in printed
    assert f"{facts['leave_one_out_rmse_per_atom']:.3g} leave-one-out; " in printed
    assert f"maximum evidence: {facts['evidence']:.3g}" in printed
    assert f"{facts['error_of_size'][-1]:.3g} (M = 64)" in printed
    assert ("use a larger active set (n_active, --n-active)" in printed) == facts["still_falls"]
    printed = succeed("tune", rows, "-o", tmp_path / "curve.svg").output
    assert "<- chosen" in printed
    assert f"mu = {facts['regularizer']:.3g} by leave-one-out error" in printed
    assert (tmp_path / "curve.svg").read_text().startswith("<?xml")
    succeed("tune", rows)
    assert (tmp_path / "train.tune.png").exists()


def test_no_larger_active_set_is_advised_where_all_environments_are_active() -> None:
    choice = {"sizes": [8, 16], "error_of_size": [2.0, 1.0], "still_falls": True}
    assert "use a larger active set (n_active, --n-active)" in str(
        size_line({"regularizer_choice": choice, "pool": {14: 17}})
    )
    assert "; for the error, a larger active set would" in str(
        size_line({"regularizer_choice": {**choice, "still_falls": False}})
    )
    assert "all environments are active" in str(size_line({"regularizer_choice": choice, "pool": {14: 16}}))


def test_molecules_of_all_sizes_can_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "train.rows"
    frames = noisy([frame for _ in range(3) for frame in molecules()])
    SparseKernelModel.fit(frames, regularizer=1e-3, keep_rows=path, **(OPTIONS | {"n_active": 20}))
    found = TrainingRows(path).leave_one_out()
    sizes = np.array([len(frame) for frame in frames])[:, None]
    squares = (sizes * found.errors) ** 2  # a loss on totals
    np.testing.assert_allclose(found.loss, np.sqrt(squares.sum(axis=0) / (sizes**2).sum()), rtol=1e-12)


def test_a_mu_far_from_that_of_the_evidence_says_what_it_may_mean() -> None:
    choice = {"grid": [], "regularizer": 0.398, "evidence": 0.000631}
    assert regularizer_text(choice) == (
        " by leave-one-out error (maximum evidence: 0.000631, far apart: too few active environments, or structures "
        "that are nearly copies of one another)"
    )
    for evidence in (0.00631, 10.0):
        assert regularizer_text({**choice, "evidence": evidence}).endswith(f"(maximum evidence: {evidence:.3g})")
