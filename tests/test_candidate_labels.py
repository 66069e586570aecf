"""Candidates that bring rows of energies, forces and virials: against refits, and against choices of refits."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from lpr_fast import InvalidInputError, SparseKernelModel, TrainingRows, load_model, suggest, what_if
from lpr_fast.atoms.labels._noise import Noise

from .oracle.exact import exact_quadratic_forms
from .oracle.problems import Array
from .structures import HYPERS, fitted, gallium_arsenide, molecules, rattled, silicon
from .test_command_line import succeed
from .test_suggest import MEANS, example
from .test_what_if import candidates_of, kernel_problem, rigidity_of, with_rows

SIGMA = {"energy": 0.02, "force": 0.3, "virial": 0.5}


def rows_of(model: SparseKernelModel, frame: Atoms, sigma: dict[str, float]) -> Array:
    """Rows of a structure's labels, times the roots of their weights beside a loss on totals of deviation 0.02."""
    gradients = model.gradient_rows(frame)
    parts = {"energy": model.phi([frame]).sum(axis=0)[None], "force": gradients.forces, "virial": gradients.virials}
    return np.concatenate([parts[kind] * sigma["energy"] / deviation for kind, deviation in sigma.items()])


def blocks_of(candidates: Array, sizes: tuple[int, ...]) -> list[Array]:
    return np.split(candidates, np.cumsum(sizes)[:-1])


@pytest.mark.parametrize("objective", MEANS)
@pytest.mark.parametrize("column", ["lpr", "lpr_held"])
def test_greedy_choices_of_blocks_are_those_of_refits_after_every_choice(objective: Any, column: Any) -> None:
    rigidity, targets, rows = example(n_candidates=44)
    blocks = blocks_of(rows, (1, 3, 20, 2, 1, 5, 4, 8))  # 20 rows are more than there are weights
    found = suggest(rigidity, targets, blocks, 5, objective=objective, column=column)
    taken: list[int] = []
    means = [float(MEANS[objective](getattr(rigidity, column)(targets)))]
    for _ in range(5):
        left = [c for c in range(len(blocks)) if c not in taken]
        refits = [rigidity.updated(np.concatenate([blocks[b] for b in [*taken, c]])) for c in left]
        after = [float(MEANS[objective](getattr(refit, column)(targets))) for refit in refits]
        if not taken:
            np.testing.assert_allclose(found.alone, 1.0 - means[0] / np.array(after), atol=1e-9)
        taken.append(left[int(np.argmax(after))])
        means.append(max(after))
    assert found.chosen.tolist() == taken
    np.testing.assert_allclose(found.lpr, means, rtol=1e-9)
    for choice in (found.farthest, found.random[0]):
        refit = rigidity.updated(np.concatenate([blocks[c] for c in choice.candidates]))
        np.testing.assert_allclose(choice.lpr, MEANS[objective](getattr(refit, column)(targets)), rtol=1e-9)


def test_blocks_that_pin_down_nearly_all_lose_no_digits() -> None:
    problem = kernel_problem()
    block = candidates_of(problem)[:6] * np.array([1e2, 1.0, 1e3, 1e-2, 1.0, 30.0])[:, None]
    found = what_if(rigidity_of(problem), [block], problem.phi)
    assert found.enhancement.max() > 1e6
    exact = exact_quadratic_forms(with_rows(problem, block))
    np.testing.assert_allclose(found.lpr[0], [1.0 / float(form) for form in exact], rtol=1e-9)


def test_many_steps_with_blocks_that_are_alike_end_where_a_refit_does() -> None:
    rigidity, targets, rows = example(n_candidates=120)
    rows[60:] = rows[:60] * (1.0 + 1e-9)
    blocks = blocks_of(1e3 * rows, (3,) * 40)
    for objective in ("mean", "log"):
        found = suggest(rigidity, targets, blocks, 30, objective=objective, column="lpr")
        assert found.lpr[-1] > 1e7 * found.lpr[0]
        refit = rigidity.updated(np.concatenate([blocks[c] for c in found.chosen]))
        np.testing.assert_allclose(found.lpr[-1], MEANS[objective](refit.lpr(targets)), rtol=1e-8)
        np.testing.assert_allclose(found.followed_after, refit.lpr(targets), rtol=1e-8)


@pytest.mark.parametrize("prediction", ["local", "total", "force"])
@pytest.mark.parametrize("frames", [silicon, gallium_arsenide, molecules])
def test_labels_of_candidates_join_as_in_a_refit(prediction: Any, frames: Any) -> None:
    model = fitted(frames(), n_active=15)
    pool = [rattled(frame, 70 + n, by=0.2) for n, frame in enumerate(frames()[:4])]
    targets = [rattled(frame, 90 + n, by=0.2) for n, frame in enumerate(frames()[:2])]
    if prediction == "local":
        phi = model.phi(targets)
    elif prediction == "total":
        phi = np.stack([model.phi([frame]).sum(axis=0) for frame in targets])
    else:
        phi = np.concatenate([model.gradient_rows(frame).forces for frame in targets])
    candidates = [pool[0], pool[1], pool[2:]]
    found = what_if(model, candidates, targets, prediction=prediction, sigma=SIGMA)
    assert found.lpr.shape == (3, len(phi))
    for c, group in enumerate(([pool[0]], [pool[1]], pool[2:])):
        refit = model.rigidity.updated(np.concatenate([rows_of(model, frame, SIGMA) for frame in group]))
        np.testing.assert_allclose(found.lpr[c], refit.lpr(phi), rtol=1e-8)
        if found.lpr_held is not None:
            np.testing.assert_allclose(found.lpr_held[c], refit.lpr_held(phi), rtol=1e-8)
    chosen = suggest(model, targets, pool, 2, prediction=prediction, sigma=SIGMA, largest_residual=9.0, column="lpr")
    refit = model.rigidity.updated(np.concatenate([rows_of(model, pool[c], SIGMA) for c in chosen.chosen]))
    np.testing.assert_allclose(chosen.lpr[-1], MEANS["mean"](refit.lpr(phi)), rtol=1e-8)


def test_targets_are_told_apart_by_frame_and_atom() -> None:
    model, targets = fitted(), [silicon(1)[0], silicon(2)[1].repeat((2, 1, 1))]
    of_force = what_if(model, silicon(1, seed=9), targets, prediction="force")
    assert of_force.frame is not None
    assert of_force.atom is not None
    assert of_force.frame.tolist() == [0] * 24 + [1] * 48
    assert of_force.atom.tolist() == np.repeat([*range(8), *range(16)], 3).tolist()
    of_total = what_if(model, silicon(1, seed=9), targets, prediction="total")
    assert of_total.frame is not None
    assert of_total.atom is not None
    assert (of_total.frame.tolist(), of_total.atom.tolist()) == ([0, 1], [-1, -1])


def test_a_total_or_force_that_rests_on_a_blind_atom_is_blind() -> None:
    model = fitted()
    frame = silicon(1)[0].repeat((3, 1, 1))
    frame.positions[0] += [0.0, 1.0, 0.0]
    unlike = model.score([frame]).verdict == 2
    assert 0 < unlike.sum() < len(frame)
    near = frame.get_all_distances(mic=True) < 3.5
    of_force = what_if(model, silicon(1), [frame], prediction="force")
    np.testing.assert_array_equal(of_force.blind, np.repeat((near & unlike).any(axis=1), 3))
    of_total = what_if(model, silicon(1), [frame, *silicon(1)], prediction="total")
    assert of_total.blind is not None
    assert of_total.blind.tolist() == [True, False]


def test_atoms_whose_forces_are_masked_bring_no_rows_and_tables_say_the_noise_of_groups() -> None:
    model, (frame, other) = fitted(), silicon(2, seed=40)
    frame.arrays["force_mask"] = np.arange(8) < 3
    other.info["config_type"] = "liquid"
    noise = Noise(energy=0.02, force=0.3, tables={"liquid": {"energy": 0.04, "force": None}})
    found = what_if(model, [frame, other], silicon(2, seed=60), sigma=noise)
    phi = model.phi(silicon(2, seed=60))
    kept = rows_of(model, frame, {"energy": 0.02, "force": 0.3})
    refit = model.rigidity.updated(kept[[0, *range(1 + 9, 25)]])
    np.testing.assert_allclose(found.lpr[0], refit.lpr(phi), rtol=1e-9)
    energy_alone = model.rigidity.updated(model.phi([other]).sum(axis=0)[None])
    np.testing.assert_allclose(found.lpr[1], energy_alone.lpr(phi), rtol=1e-9)


def test_beside_a_loss_per_atom_the_energy_has_the_deviation_that_the_loss_compares() -> None:
    model, targets = fitted(loss="per_atom"), silicon(2, seed=60)
    large = silicon(1, seed=50)[0].repeat((2, 1, 1))
    found = what_if(model, [large], targets, sigma={"energy": 0.002, "force": 0.1})
    rows = np.concatenate([model.phi([large]).sum(axis=0)[None] / 16, 0.02 * model.gradient_rows(large).forces])
    np.testing.assert_allclose(found.lpr[0], model.rigidity.updated(rows).lpr(model.phi(targets)), rtol=1e-9)


def test_the_bits_of_blocks_depend_neither_on_threads_nor_on_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    model, targets, pool = fitted(), silicon(4, seed=20), silicon(5, seed=60)
    found = []
    for n_threads, limit in ((1, 4096), (2, 9), (2, 24)):
        monkeypatch.setattr("lpr_fast.atoms._frames.BATCH_ATOMS", limit)
        options: dict[str, Any] = {"prediction": "force", "sigma": SIGMA, "largest_residual": 1.0}
        found.append(suggest(model, targets, pool, 3, n_threads=n_threads, **options))
    for other in found[1:]:
        for name in ("chosen", "lpr", "alone", "followed_after"):
            np.testing.assert_array_equal(getattr(other, name), getattr(found[0], name))


def test_how_long_blocks_take_is_said_before() -> None:
    rigidity, targets, rows = example(n_candidates=20)
    said: list[str] = []
    suggest(rigidity, targets, blocks_of(rows, (5,) * 4), 2, announce=said.append)
    assert said == ["2 of 4 candidates (20 rows) for 30 targets by the objective 'mean': about 1 s"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"prediction": "stress"}, "prediction is 'stress'; it must be one of local, total, force"),
        ({"sigma": {"force": 0.1}}, r"sigma has no energy, but the model has a loss on energies \(total\)"),
        ({"sigma": {"energy": -1.0}}, "it must be finite and positive"),
        ({"sigma": 0.1}, "sigma is 0.1; give standard deviations by kind of label"),
    ],
)
def test_labels_that_cannot_be_meant_are_told(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInputError, match=sentence):
        what_if(fitted(), silicon(1), silicon(1), **options)
    with pytest.raises(InvalidInputError, match=sentence):
        suggest(fitted(), silicon(1), silicon(1), 1, largest_residual=1.0, **options)


def test_rows_of_candidates_that_do_not_fit_are_told() -> None:
    rigidity, targets, rows = example()
    with pytest.raises(InvalidInputError, match="candidates have 3 columns, expected 14"):
        suggest(rigidity, targets, [rows[:2], rows[:2, :3]], 1)


def with_forces(frames: list[Atoms]) -> list[Atoms]:
    """The frames with energies, and forces that are noise."""
    for frame in frames:
        frame.calc = SinglePointCalculator(
            frame, energy=frame.get_potential_energy(), forces=np.random.default_rng(1).normal(size=(len(frame), 3))
        )
    return frames


def test_candidates_of_a_model_of_noise_bring_its_labels_and_a_refit_measures_what_is_predicted(tmp_path: Path) -> None:
    options: dict[str, Any] = {"hypers": HYPERS, "zeta": 2, "n_active": 14, "keep_rows": tmp_path / "k.rows"}
    model = SparseKernelModel.fit(with_forces(silicon()), sigma={"energy": 0.02, "force": 0.3}, delta=1.5, **options)
    targets, pool = silicon(2, seed=60), with_forces(silicon(5, seed=40))
    found = suggest(model, targets, pool, 2, largest_residual=1.0)
    alone = suggest(model, targets, pool, 2, largest_residual=1.0, sigma={"energy": 0.02})
    assert found.lpr[-1] > alone.lpr[-1]
    rows = TrainingRows(tmp_path / "k.rows")
    rows.append(found.frames())
    np.testing.assert_allclose(found.measured(rows.fit(), targets), found.lpr[-1], rtol=1e-8)
    table = what_if(model, pool[:1], targets)
    phi = model.phi(targets)
    refit = model.rigidity.updated(
        np.concatenate([model.phi(pool[:1]).sum(axis=0)[None] / 0.02, model.gradient_rows(pool[0]).forces / 0.3])
    )
    np.testing.assert_allclose(table.lpr[0], refit.lpr(phi), rtol=1e-8)


def test_labels_with_deviations_of_their_own_say_nothing_of_those_of_candidates() -> None:
    frames = silicon()
    for frame in frames:
        frame.info["energy_sigma"] = 0.02
    options: dict[str, Any] = {"hypers": HYPERS, "zeta": 2, "n_active": 14}
    model = SparseKernelModel.fit(frames, sigma={"energy": "energy_sigma"}, delta=1.5, **options)
    with pytest.raises(InvalidInputError, match="each label of the model had its own standard deviation"):
        what_if(model, silicon(1), silicon(1))
    assert what_if(model, silicon(1), silicon(1), sigma={"energy": 0.02}).lpr.shape == (1, 8)


def test_the_command_that_is_printed_fits_forces_as_was_predicted(tmp_path: Path) -> None:
    for name, seed in (("train", 0), ("film", 20), ("pool", 40)):
        ase.io.write(tmp_path / f"{name}.xyz", with_forces(silicon(4, seed=seed)), format="extxyz")
    (tmp_path / "hypers.json").write_text(json.dumps(HYPERS))
    of_soap = ["--hypers", str(tmp_path / "hypers.json")]
    sigmas = ["--sigma-energy", "0.02", "--sigma-force", "0.3", "--delta", "1.5"]
    succeed("fit", tmp_path / "train.xyz", "-o", tmp_path / "m.lpr", *of_soap, "--n-active", "8", *sigmas)
    files = ["--targets", tmp_path / "film.xyz", "--candidates", tmp_path / "pool.xyz", "-o", tmp_path / "next.xyz"]
    asked = ["-n", "2", "--largest-residual", "1", "--prediction", "force", "--cost", "atoms"]
    printed = succeed("suggest", tmp_path / "m.lpr", *files, *asked).output
    assert "chosen    2 of 4 candidates, cost 16 atoms" in printed
    assert "compute the energies and forces of" in printed
    arguments = shlex.split(printed.split("then run: lpr-fast ")[1].splitlines()[0])
    arguments[arguments.index("new.lpr")] = str(tmp_path / "new.lpr")
    succeed(*arguments, *of_soap)
    model, new = load_model(tmp_path / "m.lpr"), load_model(tmp_path / "new.lpr")
    targets, pool = ase.io.read(tmp_path / "film.xyz", ":"), ase.io.read(tmp_path / "pool.xyz", ":")
    found = suggest(model, targets, pool, 2, largest_residual=1.0, prediction="force")
    phi = np.concatenate([new.gradient_rows(frame).forces for frame in targets])
    np.testing.assert_allclose(MEANS["mean"](new.rigidity.lpr(phi)), found.lpr[-1], rtol=1e-8)
    printed = succeed("suggest", tmp_path / "m.lpr", *files, *asked, "--sigma-energy", "0.1").output
    assert f"compute the energies of {tmp_path / 'next.xyz'}\n" in printed
