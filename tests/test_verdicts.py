"""How a run is told in verdicts: counts by species and along the frames, a sentence, and the next command."""

from __future__ import annotations

import csv
import json
import shlex
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.md.verlet import VelocityVerlet
from click.testing import CliRunner, Result

from lpr_fast import (
    InvalidInputError,
    LprObserver,
    Scores,
    SparseKernelModel,
    TrainingRows,
    Trigger,
    merge_shards,
    score_trajectory,
)
from lpr_fast.command_line._commands import lpr_fast as command
from lpr_fast.writing._verdicts import VerdictsAlong, verdict_counts

from .structures import HYPERS, fitted, gallium_arsenide


def training() -> list[Atoms]:
    return gallium_arsenide(40)


def trajectory() -> list[Atoms]:
    """Thirty frames, the last ten of which melt."""
    frames = gallium_arsenide(30, seed=77)
    for number, frame in enumerate(frames[20:]):
        frame.positions += np.random.default_rng(number).normal(scale=0.5, size=frame.positions.shape)
    return frames


@pytest.fixture(scope="module")
def model() -> SparseKernelModel:
    return fitted(training())


@pytest.fixture
def folder(model: SparseKernelModel, tmp_path: Path) -> Path:
    model.save(tmp_path / "m.lpr")
    ase.io.write(tmp_path / "md.xyz", trajectory())
    return tmp_path


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result


def beyond(scores: Scores) -> tuple[int, int]:
    """Frames with more than 3 % of their atoms, and more than one, loose or unlike: how many, and the first."""
    assert scores.verdict is not None
    verdicts = [scores.verdict[scores.frame == k] > 0 for k in range(30)]
    found = np.flatnonzero([np.mean(unpinned) > 0.03 and np.sum(unpinned) > 1 for unpinned in verdicts])
    return len(found), int(found[0])


def test_counts_along_a_run_are_those_of_its_frames(model: SparseKernelModel, tmp_path: Path) -> None:
    summary = score_trajectory(model, trajectory(), tmp_path / "out.npz").summary
    scores = model.score(trajectory())
    assert summary.verdicts == [np.count_nonzero(scores.verdict == k) for k in range(3)]
    numbers = np.concatenate([frame.numbers for frame in trajectory()])
    for species, part in summary.species.items():
        assert part.verdicts == [np.count_nonzero(scores.verdict[numbers == species] == k) for k in range(3)]
    along = summary.verdicts_along
    assert along.frames_together == 4  # 30 frames are 8 ranges of 4, and 15 of 2
    for number, counts in along.of_range.items():
        here = scores.frame // 4 == number
        assert counts == [np.count_nonzero(scores.verdict[here] == k) for k in range(3)]
    assert (along.n_beyond, along.first_beyond) == beyond(scores)


@pytest.mark.parametrize("bounds", [(7,), (1, 100, 512), (3, 4, 5, 400)])
def test_ranges_do_not_depend_on_how_frames_were_shared_out(bounds: tuple[int, ...]) -> None:
    counts = np.random.default_rng(5).integers(0, 9, size=(611, 3)).tolist()
    whole, merged = VerdictsAlong(), VerdictsAlong()
    for frame, of_frame in enumerate(counts):
        whole.add(frame, of_frame)
    for start, stop in zip((0, *bounds), (*bounds, len(counts)), strict=True):
        part = VerdictsAlong()
        for frame in range(start, stop):
            part.add(frame, counts[frame])
        merged.merge(VerdictsAlong.from_json(json.loads(json.dumps(part.to_json()))))
    assert merged == whole
    assert whole.frames_together == 64
    assert list(whole.of_range) == list(range(10))


def test_atoms_that_were_left_out_have_no_verdict() -> None:
    assert verdict_counts(np.array([0.0, 2.0, np.nan, 2.0])) == [1, 0, 2]


def test_shards_come_to_the_same(folder: Path) -> None:
    for part in (1, 2, 3):
        score_trajectory(folder / "m.lpr", folder / "md.xyz", folder / "parts.csv", shard=f"{part}/3")
    merged = merge_shards(folder / "parts.csv")
    whole = score_trajectory(folder / "m.lpr", folder / "md.xyz", folder / "whole.csv")
    assert merged.summary.verdicts_along == whole.summary.verdicts_along
    assert merged.verdict_limits == whole.verdict_limits


def test_the_command_ends_with_shares_a_sentence_and_the_next_command(folder: Path) -> None:
    lines = run("score", folder / "m.lpr", folder / "md.xyz").output.splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("verdicts"))
    names = [line.split("  ")[0].strip() for line in lines[start:-2]]
    assert names[:4] == ["verdicts", "all", "Ga", "As"]
    assert names[4:] == [f"frames {first}-{min(first + 3, 29)}" for first in range(0, 30, 4)]
    assert lines[-2].startswith("meaning   ")
    assert "more than 3 % of the atoms are loose or unlike the training set" in lines[-2]
    assert "unlike: " in lines[-2]
    assert "Choose the active set from such frames too (lpr-fast fit ... --active-from FILE), then add" in lines[-2]
    command = lines[-1].removeprefix("next      lpr-fast ")
    assert command == shlex.join(["score", str(folder / "m.lpr"), str(folder / "md.xyz"), "--least-rigid", "20"])
    last = run(*shlex.split(command)).output.splitlines()[-1]
    assert last == f"next      lpr-fast plot {folder / 'md.lpr.h5'}"


def test_the_next_command_has_the_options_that_the_files_need(folder: Path) -> None:
    needed = ["--format", "extxyz", "--species", "Q=As", "--on-error", "skip"]
    text = (folder / "md.xyz").read_text()
    (folder / "md.xyz").write_text(text.replace("\nAs ", "\nQ  "))
    lines = run("score", folder / "m.lpr", folder / "md.xyz", *needed, "-o", folder / "s.csv").output.splitlines()
    command = lines[-1].removeprefix("next      lpr-fast ")
    assert shlex.split(command) == [
        "score",
        str(folder / "m.lpr"),
        str(folder / "md.xyz"),
        *needed,
        "--least-rigid",
        "20",
    ]
    run(*shlex.split(command))


def test_json_holds_the_same_in_numbers(model: SparseKernelModel, folder: Path) -> None:
    facts = json.loads(run("score", folder / "m.lpr", folder / "md.xyz", "--json").output)
    scores = model.score(trajectory())
    assert facts["verdicts"]["unlike"] == np.count_nonzero(scores.verdict == 2.0)
    assert (
        facts["species"]["Ga"]["verdicts"]["pinned"] + facts["species"]["As"]["verdicts"]["pinned"]
        == (facts["verdicts"]["pinned"])
    )
    assert [entry["first_frame"] for entry in facts["verdicts_along"]] == list(range(0, 30, 4))
    assert facts["verdicts_along"][-1]["last_frame"] == 29
    assert (facts["frames_beyond"], facts["first_frame_beyond"]) == beyond(scores)
    assert facts["next"].endswith("--least-rigid 20")
    assert f"in {facts['frames_beyond']} of 30 frames" in facts["meaning"]


def test_a_run_like_the_training_set_says_so_and_shows_a_picture(folder: Path) -> None:
    ase.io.write(folder / "same.xyz", training())
    lines = run("score", folder / "m.lpr", folder / "same.xyz").output.splitlines()
    assert "no frame has more than 3 % of its atoms" in next(line for line in lines if line.startswith("meaning"))


def test_a_model_without_a_reference_says_what_to_do(folder: Path) -> None:
    SparseKernelModel.fit(training(), hypers=HYPERS, n_active=12, regularizer=1e-3, keep_rows=folder / "m.rows")
    TrainingRows(folder / "m.rows").fit().save(folder / "bare.lpr")
    lines = run("score", folder / "bare.lpr", folder / "md.xyz", "-o", folder / "bare.csv").output.splitlines()
    assert "model.with_reference(frames).save(file)" in lines[-1]
    facts = json.loads(run("score", folder / "bare.lpr", folder / "md.xyz", "--json").output)
    assert facts["verdicts"] is facts["verdict_limits"] is facts["next"] is None
    with (folder / "bare.csv").open() as file:
        assert "share_unlike" not in next(csv.reader(file))


def test_a_table_has_shares_for_each_frame(model: SparseKernelModel, folder: Path) -> None:
    score_trajectory(folder / "m.lpr", folder / "md.xyz", folder / "md.csv")
    scores = model.score(trajectory())
    with (folder / "md.csv").open() as file:
        for frame, line in enumerate(csv.DictReader(file)):
            verdicts = scores.verdict[scores.frame == frame]
            assert float(line["percentile_lowest"]) == scores.percentile[scores.frame == frame].min()
            assert float(line["share_loose"]) == np.mean(verdicts == 1.0)
            assert float(line["share_unlike"]) == np.mean(verdicts == 2.0)


def test_a_trigger_asks_for_what_it_has_a_limit_for_and_says_why() -> None:
    trigger = Trigger(percentile=1.0, unpinned_share=0.0, max_frames=9)
    assert trigger.watched == ("percentile", "unpinned")
    with pytest.raises(InvalidInputError, match="unpinned_share is missing, but the trigger has a limit for it"):
        trigger.update(0, lowest_percentile=50.0)
    assert trigger.update(0, lowest_percentile=50.0, unpinned_share=0.0) is None
    assert trigger.update(1, lowest_percentile=0.5, unpinned_share=0.0) == "percentile"
    assert trigger.update(2, lowest_percentile=50.0, unpinned_share=0.1) is None  # has not recovered yet
    assert trigger.update(3, lowest_percentile=50.0, unpinned_share=0.0) is None
    assert trigger.update(4, lowest_percentile=0.5, unpinned_share=0.1) == "unpinned"
    with pytest.raises(InvalidInputError, match="the trigger has no limit"):
        Trigger()


def test_an_observer_saves_the_reason_and_what_it_saw(model: SparseKernelModel, tmp_path: Path) -> None:
    atoms = training()[0]
    atoms.calc = LennardJones()
    dynamics = VelocityVerlet(atoms, 0.1)
    trigger = Trigger(percentile=1e-3, unpinned_share=0.1)
    observer = LprObserver(dynamics, model, trigger, path=tmp_path / "saved.xyz")
    observer()
    assert trigger.n_fired == 0
    atoms.positions += np.random.default_rng(0).normal(scale=0.6, size=atoms.positions.shape)
    dynamics.nsteps = 1
    observer()
    frame = ase.io.read(tmp_path / "saved.xyz")
    scores = model.score(atoms)
    assert frame.info["reason"] == "unpinned"
    assert frame.info["unpinned_share"] == np.mean(scores.verdict > 0.0)
    assert frame.info["percentile_lowest"] == scores.percentile.min()
    np.testing.assert_array_equal(frame.arrays["lpr_verdict"], scores.verdict)


def test_an_observer_refuses_limits_that_the_model_has_no_numbers_for(tmp_path: Path) -> None:
    SparseKernelModel.fit(training(), hypers=HYPERS, n_active=12, regularizer=1e-3, keep_rows=tmp_path / "m.rows")
    bare = TrainingRows(tmp_path / "m.rows").fit()
    dynamics = VelocityVerlet(training()[0], 0.1)
    with pytest.raises(InvalidInputError, match=r"add that with model\.with_reference\(frames\)"):
        LprObserver(dynamics, bare, Trigger(percentile=1.0))
    LprObserver(dynamics, bare, Trigger(1.0))
