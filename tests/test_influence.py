"""What becomes of predictions when training structures are left out, against refits without them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from click.testing import CliRunner

from lpr_fast import InvalidInputError, LinearModel, SparseKernelModel, TrainingRows
from lpr_fast.atoms._model import StructureModel
from lpr_fast.atoms.rows._influence import Influence
from lpr_fast.command_line._commands import lpr_fast as command

from .structures import HYPERS, fitted, gallium_arsenide, labelled, molecules, rattled, silicon
from .test_command_line import succeed

SIGMA = {"energy": 0.02, "force": 0.2, "virial": 0.3}


def with_derivatives(frame: Atoms, seed: int) -> Atoms:
    """The frame with an energy, and forces and a virial that are noise."""
    rng = np.random.default_rng(seed)
    energy = labelled(frame).get_potential_energy()
    stress = rng.normal(scale=0.01, size=6) if frame.cell.rank == 3 else None
    frame.calc = SinglePointCalculator(frame, energy=energy, forces=rng.normal(size=(len(frame), 3)), stress=stress)
    return frame


def kept(path: Path, frames: list[Atoms], **options: Any) -> TrainingRows:
    if "sigma" in options:
        frames = [with_derivatives(frame, n) for n, frame in enumerate(frames)]
        chosen = {"hypers": HYPERS, "n_active": 14, "zeta": 2, "delta": 1.0, **options}
        SparseKernelModel.fit(frames, keep_rows=path, **chosen)
    else:
        fitted(frames, keep_rows=path, n_active=14, **options)
    return TrainingRows(path)


def held_rows(model: StructureModel) -> Any:
    held = model.rigidity._factor.held()  # type: ignore[union-attr]
    return None if held is None else held[0]


def phi_of(model: StructureModel, frames: list[Atoms], prediction: str) -> Any:
    if prediction == "local":
        return model.phi(frames)
    if prediction == "total":
        return np.stack([model.phi([frame]).sum(axis=0) for frame in frames])
    return np.concatenate([model.gradient_rows(frame).forces for frame in frames])


def assert_equals_refits(
    found: Influence, rows: TrainingRows, targets: list[Atoms], prediction: str, members: list[Any]
) -> None:
    """All numbers against models of the others."""
    model = rows.fit(baseline="kept")
    phi, held = phi_of(model, targets, prediction), held_rows(model) if prediction == "local" else None
    column = "lpr" if held is None else "lpr_held"
    now, predicted_now = getattr(model.rigidity, column)(phi), phi @ model.rigidity.weights
    np.testing.assert_allclose(found.variance_now, 1.0 / now, rtol=1e-9)
    assert found.increase is not None
    assert found.shift is not None
    assert found.labels is not None
    for b, block in enumerate(members):
        others = rows.fit(structures=np.setdiff1d(np.arange(rows.n_structures), block), baseline="kept").rigidity
        firm = others if held is None else others.holding(held)
        np.testing.assert_allclose(found.increase[b] + 1.0, now / getattr(firm, column)(phi), rtol=1e-8)
        shift = phi @ others.weights - predicted_now
        np.testing.assert_allclose(found.shift[b], shift, rtol=1e-8, atol=1e-8 * np.abs(predicted_now).max())
        loosest = found.increase_target[b]
        assert found.increase[b, loosest] == found.increase[b].max() == found.largest_increase[b]
        np.testing.assert_allclose(found.mean_increase[b], found.increase[b].mean(), rtol=1e-12, atol=1e-14)
        assert found.largest_shift is not None
        assert abs(found.largest_shift[b]) == np.abs(found.shift[b]).max()
        assert found.shift[b, found.shift_target[b]] == found.largest_shift[b]
        known = rows.fit(structures=np.setdiff1d(np.flatnonzero(has_label(rows)), block), baseline="kept").rigidity
        for structure in block:
            assert_labels_equal(found, rows, model, known, structure)


def has_label(rows: TrainingRows) -> Any:
    """Structures of which some label is known."""
    return np.isin(np.arange(rows.n_structures), rows.structure[~np.isnan(rows.target)])


def assert_labels_equal(found: Influence, rows: TrainingRows, model: Any, others: Any, structure: int) -> None:
    """Errors of a structure's labels by the model of the others, and their deviations."""
    labels = found.labels
    assert labels is not None
    own = np.flatnonzero(rows.structure == structure)
    composition = np.asarray(rows._records["composition"][own])
    baseline = np.array(list(model.baseline.values()))
    phi = np.asarray(rows.phi[own])
    errors = rows.target[own] - composition @ baseline - phi @ others.weights
    n_atoms = composition[0].sum()
    assert labels.n_atoms[structure] == n_atoms
    scale = max(1.0, np.abs(errors).max())
    weights = rows.weight[own]
    with np.errstate(divide="ignore"):
        deviations = np.sqrt(1.0 / weights + 1.0 / others.lpr(phi))
    for kind, name in enumerate(("energy", "force", "virial")):
        of_kind = (rows.kind[own] == kind) & ~np.isnan(errors)
        ours = getattr(labels, f"{name}_error")[structure]
        if not of_kind.any():
            assert np.isnan(ours)
            continue
        expected = {
            "energy": errors[of_kind][0] / n_atoms,
            "force": np.sqrt((errors[of_kind] ** 2).mean()),
            "virial": np.sqrt((errors[of_kind] ** 2).mean()) / n_atoms,
        }[name]
        np.testing.assert_allclose(ours, expected, rtol=1e-8, atol=1e-8 * scale)
        largest = np.abs(errors / deviations)[of_kind].max() if weights[of_kind].all() else np.nan
        np.testing.assert_allclose(labels.studentised[name][structure], largest, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("prediction", ["local", "total", "force"])
@pytest.mark.parametrize("loss", ["total", "per_atom"])
@pytest.mark.parametrize("frames", [silicon, gallium_arsenide, molecules])
def test_leaving_out_a_structure_does_what_a_refit_without_it_does(
    frames: Any, loss: str, prediction: Any, tmp_path: Path
) -> None:
    rows = kept(tmp_path / "k.rows", frames(), loss=loss)
    targets = [rattled(frame, 60 + n) for n, frame in enumerate(frames()[:2])]
    found = rows.influence(targets, prediction=prediction)
    assert found.block.tolist() == list(range(rows.n_structures))
    assert_equals_refits(found, rows, targets, prediction, [[n] for n in range(rows.n_structures)])


@pytest.mark.parametrize("frames", [silicon, gallium_arsenide, molecules])
def test_energies_forces_and_virials_of_a_structure_leave_together(frames: Any, tmp_path: Path) -> None:
    kinds = [kind for kind in SIGMA if kind != "virial" or frames is not molecules]
    rows = kept(tmp_path / "k.rows", frames(), sigma={kind: SIGMA[kind] for kind in kinds})
    targets = [rattled(frame, 60 + n) for n, frame in enumerate(frames()[:2])]
    found = rows.influence(targets)
    assert_equals_refits(found, rows, targets, "local", [[n] for n in range(rows.n_structures)])
    assert found.n_rows.tolist() == np.bincount(rows.structure).tolist()


@pytest.mark.parametrize("sigma", [None, SIGMA])
def test_a_group_leaves_as_a_whole_whether_its_rows_are_more_than_weights_or_not(sigma: Any, tmp_path: Path) -> None:
    frames, names = silicon(8), ["a", "b", "a", "c", "b", "a", "c", "a"]
    for frame, name in zip(frames, names, strict=True):
        frame.info["config_type"] = name
    rows = kept(tmp_path / "k.rows", frames, **({} if sigma is None else {"sigma": sigma}))
    targets = silicon(2, seed=60)
    found = rows.influence(targets, groups=rows.group)
    members = [[n for n in range(8) if names[n] == name] for name in "abc"]
    assert found.block.tolist() == ["a", "b", "c"]
    assert found.n_structures.tolist() == [4, 2, 2]
    assert found.n_rows.tolist() == ([4, 2, 2] if sigma is None else [124, 62, 62])  # of 14 weights
    assert_equals_refits(found, rows, targets, "local", members)
    assert found.labels is not None
    assert found.labels.group.tolist() == names


def test_what_only_one_structure_knows_takes_a_refit(tmp_path: Path) -> None:
    frames = silicon(5)
    odd = rattled(frames[0].repeat((2, 1, 1)), 3, by=0.6)
    rows = kept(tmp_path / "k.rows", [*frames, odd], regularizer=1e-5)
    targets = [*silicon(1, seed=60), odd]
    found = rows.influence(targets, prediction="total")
    assert found.is_refitted[-1]
    assert found.largest_increase[-1] > 1e5
    assert_equals_refits(found, rows, targets, "total", [[n] for n in range(6)])


def test_structures_without_energies_count_for_variances_alone(tmp_path: Path) -> None:
    frames = gallium_arsenide()
    frames[2].calc = None
    with pytest.warns(UserWarning, match="1 of 6 structures has no energy"):
        rows = kept(tmp_path / "k.rows", frames)
    targets = gallium_arsenide(2, seed=60)
    found = rows.influence(targets)
    with pytest.warns(UserWarning, match="1 of . structures has no energy"):
        assert_equals_refits(found, rows, targets, "local", [[n] for n in range(6)])
    assert found.shift is not None
    assert found.labels is not None
    assert not found.shift[2].any()
    assert found.largest_increase[2] > 0.0
    assert np.isnan(found.labels.energy_error[2])
    assert np.isnan(found.labels.suspicion[2])


def test_a_structure_without_a_weight_changes_nothing_and_is_predicted(tmp_path: Path) -> None:
    rows = kept(tmp_path / "k.rows", silicon(), weights=np.array([1.0, 0.0, 2.0, 1.0, 1.0, 1.0]))
    targets = silicon(2, seed=60)
    found = rows.influence(targets)
    assert_equals_refits(found, rows, targets, "local", [[n] for n in range(6)])
    assert found.increase is not None
    assert found.shift is not None
    assert not found.increase[1].any()
    assert not found.shift[1].any()


def test_models_without_energies_have_variances_alone(tmp_path: Path) -> None:
    rows = kept(tmp_path / "k.rows", silicon(), energy_key=None)
    found = rows.influence(silicon(2, seed=60))
    assert found.labels is None
    assert found.shift is None
    assert found.largest_shift is None
    refit = rows.fit(structures=[0, 1, 2, 3, 4])
    now = rows.fit().rigidity.lpr(refit.phi(silicon(2, seed=60)))
    assert found.increase is not None
    after = refit.rigidity.lpr(refit.phi(silicon(2, seed=60)))
    np.testing.assert_allclose(found.increase[5] + 1.0, now / after, rtol=1e-8)


def test_linear_models_are_no_different(tmp_path: Path) -> None:
    LinearModel.fit(silicon(), hypers=HYPERS, regularizer=1e-3, keep_rows=tmp_path / "k.rows")
    rows, targets = TrainingRows(tmp_path / "k.rows"), silicon(2, seed=60)
    assert_equals_refits(rows.influence(targets), rows, targets, "local", [[n] for n in range(6)])


def test_plain_variances_are_there_where_something_is_held_and_parts_of_the_rows_too(tmp_path: Path) -> None:
    rows, targets = kept(tmp_path / "k.rows", gallium_arsenide(7)), gallium_arsenide(1, seed=60)
    found = rows.influence(targets, column="lpr", structures=[0, 2, 3, 5, 6])
    model = rows.fit(structures=[0, 2, 3, 5, 6], baseline="kept")
    phi = model.phi(targets)
    assert found.block.tolist() == [0, 2, 3, 5, 6]
    assert found.increase is not None
    refit = rows.fit(structures=[0, 2, 5, 6], baseline="kept").rigidity
    np.testing.assert_allclose(found.increase[2] + 1.0, model.rigidity.lpr(phi) / refit.lpr(phi), rtol=1e-8)


def test_a_wrong_label_is_the_most_suspicious(tmp_path: Path) -> None:
    for sigma in ({}, {"sigma": {"energy": 0.01, "force": 0.1}}):
        frames = silicon(30)
        rng = np.random.default_rng(0)
        for n, frame in enumerate(frames):
            energy = frame.get_potential_energy() + 0.5 * (n == 11)
            forces = rng.normal(scale=0.1, size=(8, 3))
            forces[3, 1] += 4.0 * (n == 17)
            frame.calc = SinglePointCalculator(frame, energy=energy, forces=forces)
        options = {"n_active": 14, "hypers": HYPERS, "zeta": 2}
        options |= {"delta": 1.0, **sigma} if sigma else {"regularizer": 1e-3}
        SparseKernelModel.fit(frames, keep_rows=tmp_path / "k.rows", **options)
        labels = TrainingRows(tmp_path / "k.rows").influence(silicon(1, seed=90)).labels
        assert labels is not None
        expected = {11, 17} if sigma else {11}
        assert set(labels.suspicious()[: len(expected)].tolist()) == expected
        assert labels.suspicion[0] < 6.0


def test_targets_beyond_a_residual_are_blind_and_do_not_count(tmp_path: Path) -> None:
    rows = kept(tmp_path / "k.rows", silicon())
    targets = [*silicon(1, seed=60), rattled(silicon(1)[0], 4, by=0.8)]
    residual = rows.fit().score(targets).residual
    assert residual is not None
    limit = float(np.median(residual))
    found = rows.influence(targets, largest_residual=limit)
    np.testing.assert_array_equal(found.blind, residual > limit)
    assert found.increase is not None
    np.testing.assert_array_equal(found.largest_increase, found.increase[:, ~found.blind].max(axis=1))
    with pytest.raises(
        InvalidInputError, match=r"all 16 targets have a residual above 0\.0, too far from the active set"
    ):
        rows.influence(targets, largest_residual=0.0)


def test_the_bits_of_influence_depend_on_no_number_of_threads(tmp_path: Path) -> None:
    rows = kept(tmp_path / "k.rows", gallium_arsenide(), sigma=SIGMA)
    one, two = (rows.influence(gallium_arsenide(2, seed=60), n_threads=n) for n in (1, 2))
    for name in ("increase", "shift", "leverage", "largest_increase", "largest_shift"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert one.labels is not None
    assert two.labels is not None
    np.testing.assert_array_equal(one.labels.suspicion, two.labels.suspicion)


def test_leverages_add_up_to_what_the_labels_determine_of_the_model(tmp_path: Path) -> None:
    rows = kept(tmp_path / "k.rows", gallium_arsenide(), sigma=SIGMA)
    found = rows.influence(gallium_arsenide(1, seed=60), column="lpr")
    model, phi = rows.fit(baseline="kept"), np.asarray(rows.phi)
    values, vectors = np.linalg.eigh(rows._head.basis.prior(1))
    root = np.sqrt(model.rigidity.regularizer * np.maximum(values, 0.0))[:, None] * vectors.T
    q = np.linalg.qr(np.vstack([np.sqrt(rows.weight)[:, None] * phi, root]))[0]
    np.testing.assert_allclose(found.leverage.sum(), (q[: len(phi)] ** 2).sum(), rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"groups": ["a"] * 6}, "there is only 1 block to leave out, and nothing would be left; give at least two"),
        ({"groups": ["a"] * 3}, "groups"),
        ({"structures": [2]}, "there is only 1 block to leave out"),
        ({"prediction": "stress"}, "prediction is 'stress'; it must be one of local, total, force"),
        ({"column": "lpr_held"}, "column is 'lpr_held', but no rows are held"),
        ({"column": "variance"}, "column is 'variance'; it must be 'lpr' or"),
        ({"largest_residual": -1.0}, "largest_residual is -1.0; it must not be negative"),
    ],
)
def test_what_cannot_be_asked_of_influence_is_told(options: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    rows = kept(tmp_path / "k.rows", silicon())
    with pytest.raises(InvalidInputError, match=sentence):
        rows.influence(silicon(1, seed=60), **options)


def test_targets_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    rows = kept(tmp_path / "k.rows", silicon())
    with pytest.raises(InvalidInputError, match="targets is empty; give at least one structure"):
        rows.influence([])
    with pytest.raises(InvalidInputError, match="targets: frame 0, atom 0 is Ga"):
        rows.influence(gallium_arsenide(1))


@pytest.mark.parametrize("sigma", [None, SIGMA])
@pytest.mark.parametrize("frames", [silicon, gallium_arsenide])
def test_redundant_structures_can_go_together_as_a_refit_without_all_of_them_says(
    frames: Any, sigma: Any, tmp_path: Path
) -> None:
    rows = kept(tmp_path / "k.rows", frames(10), **({} if sigma is None else {"sigma": sigma}))
    targets = frames(2, seed=60)
    model = rows.fit(baseline="kept")
    phi, held = model.phi(targets), held_rows(model)
    column = "lpr" if held is None else "lpr_held"
    now, predicted = getattr(model.rigidity, column)(phi), phi @ model.rigidity.weights
    for limit in (0.3, 2.0):
        found = rows.redundant(targets, increase=limit)
        assert found.shift is not None
        assert 0 < len(found.structure) < 10
        for n in range(len(found.structure)):
            others = np.setdiff1d(np.arange(10), found.structure[: n + 1])
            refit = rows.fit(structures=others, baseline="kept").rigidity
            firm = refit if held is None else refit.holding(held)
            increase = (now / getattr(firm, column)(phi)).max() - 1.0
            np.testing.assert_allclose(found.increase[n], increase, rtol=1e-7, atol=1e-9)
            np.testing.assert_allclose(found.shift[n], np.abs(phi @ refit.weights - predicted).max(), rtol=1e-6)
        assert found.increase[-1] <= limit
    least = rows.redundant(targets, increase=2.0, shift=found.shift[0])
    assert least.shift is not None
    assert least.shift.max() <= found.shift[0]


def test_of_twins_each_alone_is_redundant_but_not_both(tmp_path: Path) -> None:
    odd = rattled(silicon(1)[0], 3, by=0.6)
    rows = kept(tmp_path / "k.rows", [*silicon(6), odd, odd], sigma={"energy": 0.001})
    assert {6, 7} <= set(rows.influence([odd]).redundant(increase=1.5).tolist())
    together = rows.redundant([odd], increase=1.5).structure
    assert len({6, 7} & set(together.tolist())) == 1


def test_nothing_is_redundant_where_nothing_may_change(tmp_path: Path) -> None:
    rows = kept(tmp_path / "k.rows", silicon())
    found = rows.redundant(silicon(1, seed=60), increase=0.0)
    assert not len(found.structure)
    with pytest.raises(InvalidInputError, match=r"increase is -0\.1; it must not be negative"):
        rows.redundant(silicon(1, seed=60), increase=-0.1)


def test_the_command_writes_what_the_call_finds(tmp_path: Path) -> None:
    frames = silicon(20)
    for number, frame in enumerate(frames):
        energy = frame.get_potential_energy() + 5.0 * (number == 3)
        frame.calc = SinglePointCalculator(frame, energy=energy, forces=np.zeros((8, 3)))
        frame.info["config_type"] = ("bulk", "hot")[number % 2]
    ase.io.write(tmp_path / "train.xyz", frames, format="extxyz")
    ase.io.write(tmp_path / "film.xyz", silicon(2, seed=20), format="extxyz")
    (tmp_path / "hypers.json").write_text(json.dumps(HYPERS))
    fit = ["--hypers", tmp_path / "hypers.json", "--n-active", "10", "--sigma-energy", "0.1", "--sigma-force", "0.2"]
    kept = ["--delta", "1", "--keep-rows", tmp_path / "k.rows"]
    succeed("fit", tmp_path / "train.xyz", "-o", tmp_path / "m.lpr", *fit, *kept)
    asked = [tmp_path / "k.rows", "--targets", tmp_path / "film.xyz", "-o", tmp_path / "out.csv"]
    printed = succeed("influence", *asked, "--redundant", "0.5").output
    rows, targets = TrainingRows(tmp_path / "k.rows"), ase.io.read(tmp_path / "film.xyz", ":")
    found, redundant = rows.influence(targets), rows.redundant(targets, increase=0.5)
    with (tmp_path / "out.csv").open() as file:
        table = list(csv.DictReader(file))
    order = np.argsort(-found.largest_increase, kind="stable")
    assert [int(row["block"]) for row in table] == order.tolist()
    assert [float(row["largest_increase"]) for row in table] == found.largest_increase[order].tolist()
    assert found.labels is not None
    assert [float(row["energy_error"]) for row in table] == found.labels.energy_error[order].tolist()
    assert {row["virial_error"] for row in table} == {""}
    content = json.loads((tmp_path / "out.json").read_text())
    assert [block["suspicion"] for block in content["blocks"]] == found.labels.suspicion.tolist()
    assert content["redundant"]["structures"] == redundant.structure.tolist()
    assert content["suspicious"] == found.labels.suspicious().tolist() == [3]
    assert f"redundant {len(redundant.structure)} structures can be left out together" in printed
    assert "structure 3 (hot): energy" in printed
    assert f"matters   structure {order[0]}" in printed
    succeed("influence", *asked, "--by-group", "--prediction", "total")
    with (tmp_path / "out.csv").open() as file:
        assert sorted(row["block"] for row in csv.DictReader(file)) == ["bulk", "hot"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["-o", "out.txt"], "out.txt is not a table; give a name that ends in .csv."),
        (["-o", "out.csv", "--largest-shift", "1"], "--largest-shift was given without --redundant, which it limits;"),
        (["-o", "out.csv", "--redundant", "-1"], "increase is -1.0; it must not be negative."),
        (
            ["-o", "out.csv", "--column", "lpr_held"],
            "column is 'lpr_held', but no rows are held; give column='lpr'.",
        ),
    ],
)
def test_the_command_refuses_in_one_sentence(
    options: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kept(tmp_path / "k.rows", silicon())
    ase.io.write("film.xyz", silicon(1), format="extxyz")
    result = CliRunner().invoke(command, ["influence", "k.rows", "--targets", "film.xyz", *options])
    assert result.exit_code == 2
    assert sentence in result.output
    assert not Path("out.csv").exists()
