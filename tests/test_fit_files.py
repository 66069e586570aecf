"""Fits from files: the bits of a fit in memory, whatever happens on the way."""

from __future__ import annotations

import json
import os
import pickle
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms

from lpr_fast import (
    InvalidInputError,
    LinearModel,
    LprError,
    LprWarning,
    SparseKernelModel,
    fit_files,
    load_model,
)
from lpr_fast.atoms import _frames
from lpr_fast.jobs import _fit_job, _fit_passes
from lpr_fast.jobs._executors import local_processes
from lpr_fast.jobs._fit_job import FitJob
from lpr_fast.jobs._journal import Journal
from lpr_fast.models._active_set import Pool, draw, pool_size

from .processes import EndOfPowerError, Forked, forge_setting, killed
from .structures import HYPERS, fitted, gallium_arsenide, molecules, silicon

OPTIONS: dict[str, Any] = {"hypers": HYPERS, "n_active": 12, "regularizer": 1e-3, "zeta": 2}

# The command line, with a checkpoint after every batch, of which there are many.
PROGRAM = """
import lpr_fast.atoms._frames as frames, lpr_fast.jobs._fit_job as job
frames.BATCH_ATOMS, job._BETWEEN_CHECKPOINTS, job._CHECKPOINT_SHARE = 64, 0.0, 0.0
from lpr_fast.command_line import main
main()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ase.io.write(tmp_path / "train.xyz", silicon(60))
    return tmp_path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("frames", "options"),
    [
        (silicon(60), {}),
        (gallium_arsenide(40), {"n_active": {"Ga": 7, "As": 5}, "loss": "per_atom"}),
        (molecules() * 4, {"n_active": 25, "energy_key": None, "provenance": {"note": "Möhre"}}),
    ],
)
def test_a_fit_from_files_has_the_bytes_of_a_fit_in_memory(
    frames: list[Atoms], options: dict[str, Any], tmp_path: Path
) -> None:
    for name, part in (("a.xyz", frames[:7]), ("b.xyz.gz", frames[7:])):
        ase.io.write(tmp_path / name, part, format="extxyz")
    files = [tmp_path / "a.xyz", tmp_path / "b.xyz.gz"]
    read = [frame for file in files for frame in ase.io.read(file, ":")]
    SparseKernelModel.fit(read, **(OPTIONS | options)).save(tmp_path / "memory.lpr")
    model = fit_files(files, tmp_path / "files.lpr", **(OPTIONS | options))
    assert (tmp_path / "files.lpr").read_bytes() == (tmp_path / "memory.lpr").read_bytes()
    assert names(tmp_path) == {"a.xyz", "b.xyz.gz", "memory.lpr", "files.lpr"}
    np.testing.assert_array_equal(model.score(read[:3]).lpr, load_model(tmp_path / "memory.lpr").score(read[:3]).lpr)


def test_the_active_set_comes_from_further_files_or_a_model(folder: Path) -> None:
    ase.io.write(folder / "target.traj", silicon(5, seed=90))
    expected = fitted(ase.io.read(folder / "train.xyz", ":"), active_from=silicon(5, seed=90))
    settings: dict[str, Any] = {**OPTIONS, "active_from": folder / "target.traj"}
    model = fit_files(folder / "train.xyz", folder / "m.lpr", **settings)
    with local_processes(1) as executor:
        fit_files(folder / "train.xyz", folder / "w.lpr", executor=executor, **settings)
    assert expected._to_bytes() == (folder / "m.lpr").read_bytes() == (folder / "w.lpr").read_bytes()
    command = [sys.executable, "-m", "lpr_fast", "fit", "target.traj", "-o", "second.lpr", "--active-set", "m.lpr"]
    (folder / "hypers.json").write_text(json.dumps(HYPERS))
    done = subprocess.run([*command, "--hypers", "hypers.json"], cwd=folder, check=True, capture_output=True, text=True)
    assert "of another model (m.lpr, sha256 " in done.stdout
    np.testing.assert_array_equal(load_model(folder / "second.lpr").active_features[14], model.active_features[14])


class Again:
    """Frames that are made anew each time, and how often that was."""

    def __init__(self, make: Callable[[], list[Atoms]]) -> None:
        self._make = make
        self.n_times = 0

    def __iter__(self) -> Iterator[Atoms]:
        self.n_times += 1
        return iter(self._make())


def test_what_can_be_run_through_again_is_and_an_iterator_is_kept() -> None:
    expected = pickle.dumps(fitted(silicon(9)))
    again = Again(lambda: silicon(9))
    assert pickle.dumps(fitted(again)) == expected
    assert again.n_times == 4
    assert pickle.dumps(fitted(iter(silicon(9)))) == expected
    assert pickle.dumps(fitted(tuple(silicon(9)))) == expected
    assert pickle.dumps(fitted(silicon(1)[0], n_active=5)) == pickle.dumps(fitted(silicon(1), n_active=5))
    linear: dict[str, Any] = {"hypers": HYPERS, "regularizer": 1e-2}
    assert pickle.dumps(LinearModel.fit(again, **linear)) == pickle.dumps(LinearModel.fit(silicon(9), **linear))


@pytest.mark.parametrize("change", ["fewer", "other atoms", "more atoms"])
def test_frames_that_are_others_the_second_time_are_refused(change: str) -> None:
    def make() -> list[Atoms]:
        frames = silicon(9)
        if again.n_times == 3:
            if change == "fewer":
                return frames[:4]
            frames[4] = frames[4] * (1, 1, 2) if change == "more atoms" else frames[4]
            frames[4].numbers[0] = 14 if change == "more atoms" else 32
        return frames

    again = Again(make)
    with pytest.raises(InvalidInputError, match=r"^frame 4 has changed since the training set was checked"):
        fitted(again)


@pytest.mark.parametrize("together", [1, 100, 10**6])
def test_a_pool_drawn_from_what_goes_by_is_that_drawn_from_all(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lpr_fast.models._active_set._DRAWN_TOGETHER", together)
    numbers = np.random.default_rng(1).choice([1, 6, 8], p=[0.8, 0.19, 0.01], size=8000)
    pool = Pool(pool_size(500), seed=5)
    for part in np.split(numbers, [3, 700, 701, 5000]):
        pool.add(part)
    drawn = pool.drawn({1: 500, 6: 2, 8: 1})
    for s, size in {1: 2500, 6: 100, 8: 50}.items():
        np.testing.assert_array_equal(drawn[s], draw(np.flatnonzero(numbers == s), size, 5))


def tiny(n_structures: int) -> list[Atoms]:
    """Dimers, each of them another."""
    return [Atoms("Si2", [[0, 0, 0], [0, 0, 1.8 + 1.5 * n / n_structures]]) for n in range(n_structures)]


class Inline(Executor):
    """Does everything at once, as if each task came out of a pickle."""

    def submit(self, function: Any, /, *arguments: Any, **_: Any) -> Any:
        future: Future[Any] = Future()
        future.set_result(function(*pickle.loads(pickle.dumps(arguments))))
        return future


def test_ranges_of_structures_have_the_bits_of_one_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ase.io.write(tmp_path / "train.xyz", tiny(600))
    settings: dict[str, Any] = {"hypers": HYPERS, "n_active": 8, "regularizer": 1e-3}
    fit_files(tmp_path / "train.xyz", tmp_path / "whole.lpr", keep_rows=tmp_path / "whole.rows", **settings)
    monkeypatch.setattr(_fit_passes, "_TOGETHER", 70)
    parts = {"keep_rows": tmp_path / "parts.rows", "executor": Inline(), **settings}
    fit_files(tmp_path / "train.xyz", tmp_path / "parts.lpr", **parts)
    for suffix in ("lpr", "rows"):
        assert (tmp_path / f"whole.{suffix}").read_bytes() == (tmp_path / f"parts.{suffix}").read_bytes()


def command(folder: Path, out: str, *options: str) -> list[str]:
    arguments = ["fit", str(folder / "train.xyz"), "-o", str(folder / out), "--cutoff", "3.5", "--max-radial", "2"]
    return [sys.executable, "-c", PROGRAM, *arguments, "--max-angular", "3", "--n-active", "12", *options]


@pytest.mark.parametrize("n_kills", [int(os.environ.get("LPR_FAST_KILLS", "8"))])
def test_a_fit_that_was_killed_again_and_again_writes_the_same_bytes(n_kills: int, folder: Path) -> None:
    ase.io.write(folder / "train.xyz", silicon(60) * 10)
    start = time.monotonic()
    assert not killed(command(folder, "whole.lpr"), 300)
    seconds = time.monotonic() - start
    moments, kills = random.Random(5), 0
    while kills < n_kills:
        # Between the passes, then after a checkpoint of the rows, then at any moment.
        for name in ("parts.lpr.journal", "parts.lpr.rows.unfinished"):
            kills += killed(command(folder, "parts.lpr"), 0.0, after=folder / name)
        while killed(command(folder, "parts.lpr"), moments.uniform(0.1, 1.05) * seconds):
            kills += 1
        assert names(folder) == {"train.xyz", "whole.lpr", "parts.lpr"}
        assert (folder / "parts.lpr").read_bytes() == (folder / "whole.lpr").read_bytes()
        (folder / "parts.lpr").unlink()


def test_an_interrupt_says_how_to_go_on(folder: Path) -> None:
    ase.io.write(folder / "train.xyz", silicon(60) * 40)
    (folder / "m.lpr").write_text("old")
    process = Forked(command(folder, "m.lpr"))
    process.wait_for(folder / "m.lpr.rows.unfinished")
    process.send(signal.SIGINT)
    assert process.wait(60) == 130, process.stderr
    match = re.fullmatch(
        r"lpr-fast: interrupted; the active set and (\d+) structures are kept: give the same command again to resume, "
        r"or delete .*/m\.lpr\.journal to start anew\.\n",
        process.stderr,
    )
    assert match, process.stderr
    assert 0 < int(match.group(1)) < 2400
    assert (folder / "m.lpr").read_text() == "old"
    again = Forked(command(folder, "m.lpr"))
    assert again.wait(60) == 0, again.stderr
    assert f"resumed at structure {match.group(1)} of the second pass" in again.stderr
    assert "2400 structures" in again.stdout
    assert names(folder) == {"train.xyz", "m.lpr"}


def crash(*_: object, **__: object) -> None:
    raise EndOfPowerError


@pytest.fixture
def unfinished(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which a fit has stopped after a checkpoint of its rows."""
    with monkeypatch.context() as patch:
        patch.setattr(_frames, "BATCH_ATOMS", 64)
        patch.setattr(_fit_job, "_BETWEEN_CHECKPOINTS", 0.0)

        def stop(stage: str, done: int, total: int | None) -> None:
            if stage.startswith("rows") and done > 200:
                raise EndOfPowerError

        with pytest.raises(EndOfPowerError):
            fit_files(folder / "train.xyz", folder / "m.lpr", **OPTIONS, progress=stop)
    sides = {f"m.lpr{end}" for end in (".active.unfinished", ".rows.unfinished", ".journal")}
    assert names(folder) == {"train.xyz", *sides}
    return folder


def test_an_unfinished_fit_goes_on(unfinished: Path) -> None:
    looked: list[str] = []
    fit_files(
        unfinished / "train.xyz", unfinished / "m.lpr", **OPTIONS, progress=lambda stage, *_: looked.append(stage)
    )
    assert not {"reading", "active set: descriptors"} & set(looked)
    fit_files(unfinished / "train.xyz", unfinished / "new.lpr", **OPTIONS)
    assert (unfinished / "m.lpr").read_bytes() == (unfinished / "new.lpr").read_bytes()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("input", r"has another input \(.*train.xyz has changed\); give the same, unchanged files again, or"),
        ("selection", r"has another input \(.*train.xyz then, .*train.xyz@:30 now\); give the same, unchanged"),
        ("hypers", "has another descriptor; give the same"),
        ("n_active", r"another size of the active set \(12 then, 13 now\)"),
        ("loss", r"another loss \(total then, per_atom now\)"),
        ("provenance", "has another provenance;"),
        ("version", r"another version of lpr_fast \(0.0.1 then, .* now\); install that version"),
        ("level", r"another instruction set \(mmx then, .* now\); set LPR_FAST_INSTRUCTION_SET=mmx"),
        ("journal", "is not a journal that this version can read"),
        ("active set", r"m\.lpr\.active\.unfinished is damaged or missing; delete .*m\.lpr\.journal to start anew"),
        ("no active set", r"m\.lpr\.active\.unfinished is damaged or missing; delete .*m\.lpr\.journal to start anew"),
        ("rows", r"m\.lpr\.rows\.unfinished is damaged or missing; delete .*m\.lpr\.journal to start anew"),
    ],
)
def test_another_fit_is_refused_and_harms_nothing(change: str, expected: str, unfinished: Path) -> None:
    source, journal = str(unfinished / "train.xyz"), unfinished / "m.lpr.journal"
    other: dict[str, Any] = {
        "hypers": {"hypers": HYPERS | {"density": {"type": "Gaussian", "width": 0.4}}},
        "n_active": {"n_active": 13},
        "loss": {"loss": "per_atom"},
        "provenance": {"provenance": {"by": "me"}},
    }
    if change == "input":
        ase.io.write(source, silicon(1), append=True)
    elif change == "selection":
        source += "@:30"
    elif change == "journal":
        journal.write_text("{}")
    elif change == "no active set":
        (unfinished / "m.lpr.active.unfinished").unlink()
    elif change in ("active set", "rows"):
        path = unfinished / f"m.lpr.{change.split()[0]}.unfinished"
        path.write_bytes(path.read_bytes()[:-1])
    elif change not in other:
        forge_setting(journal, change)
    before = contents(unfinished)
    with pytest.raises(InvalidInputError, match=expected):
        fit_files(source, unfinished / "m.lpr", **(OPTIONS | other.get(change, {})))
    assert contents(unfinished) == before


def test_a_deleted_journal_starts_afresh(unfinished: Path) -> None:
    (unfinished / "m.lpr.journal").unlink()
    fit_files(unfinished / "train.xyz", unfinished / "m.lpr", **(OPTIONS | {"regularizer": 1.0}))
    fit_files(unfinished / "train.xyz", unfinished / "new.lpr", **(OPTIONS | {"regularizer": 1.0}))
    assert (unfinished / "m.lpr").read_bytes() == (unfinished / "new.lpr").read_bytes()
    assert names(unfinished) == {"train.xyz", "m.lpr", "new.lpr"}


@pytest.mark.parametrize("step", ["keep_first_pass", "solve", "assemble", "publish", "remove"])
def test_a_crash_between_steps_loses_nothing(step: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit_files(folder / "train.xyz", folder / "whole.lpr", **OPTIONS)
    owner: Any = {"solve": SparseKernelModel, "remove": Journal}.get(step, FitJob)
    name = {"solve": "_of"}.get(step, step)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, crash)
        with pytest.raises(EndOfPowerError):
            fit_files(folder / "train.xyz", folder / "m.lpr", **OPTIONS)
    fit_files(folder / "train.xyz", folder / "m.lpr", **OPTIONS)
    assert (folder / "m.lpr").read_bytes() == (folder / "whole.lpr").read_bytes()
    assert names(folder) == {"train.xyz", "whole.lpr", "m.lpr"}


def test_a_full_disk_is_told_and_the_fit_goes_on_later(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        if path.name.endswith(".rows.unfinished"):
            raise OSError(28, "No space left on device", str(path))
        path.write_bytes(content)

    monkeypatch.setattr(_fit_job, "_BETWEEN_CHECKPOINTS", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(_fit_job, "write_whole", full)
        with pytest.raises(OSError, match="No space left on device"):
            fit_files(folder / "train.xyz", folder / "m.lpr", **OPTIONS)
    assert not (folder / "m.lpr").exists()
    fit_files(folder / "train.xyz", folder / "m.lpr", **OPTIONS)
    assert names(folder) == {"train.xyz", "m.lpr"}


@pytest.mark.parametrize("stage", ["active set: farthest points", "rows: descriptors"])
def test_a_file_that_changes_meanwhile_is_noticed(stage: str, folder: Path) -> None:
    def touch(told: str, *_: object) -> None:
        if told == stage:
            text = (folder / "train.xyz").read_text()
            (folder / "train.xyz").write_text(text.replace("0.1", "0.2", 1))

    with pytest.raises(InvalidInputError, match=r"train\.xyz changed during the fit; fit again when"):
        fit_files(folder / "train.xyz", folder / "m.lpr", **OPTIONS, progress=touch)
    assert names(folder) == {"train.xyz"}


def test_warnings_point_to_the_caller(folder: Path) -> None:
    write(folder / "same.xyz", *[silicon(1)[0]] * 3)
    with pytest.warns(LprWarning, match="the active set has 8 environments, not 12") as caught:
        fit_files(folder / "same.xyz", folder / "m.lpr", **OPTIONS)
    with pytest.warns(LprWarning, match="active points were dropped as redundant") as dropped:
        fit_files(folder / "train.xyz", folder / "n.lpr", **(OPTIONS | {"n_active": 300, "zeta": 1}))
    assert {warning.filename for warning in [*caught, *dropped]} == {__file__}


def write(path: Path, *frames: Atoms) -> Path:
    ase.io.write(path, frames, format="extxyz")
    return path


BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "an empty file": (lambda f: write(f / "e.xyz"), "e.xyz holds no structures; give a file"),
    "a folder": (lambda f: f, "is a folder; give a file of structures"),
    "NaN positions": (
        lambda f: [f / "train.xyz", write(f / "n.xyz", Atoms("Si", [[np.nan, 0, 0]]))],
        "frame 60, atom 0 has a position that is not finite; ",
    ),
    "a frame without atoms": (lambda f: [f / "train.xyz", write(f / "n.xyz", Atoms())], "frame 60 has no atoms"),
    "standard input": (lambda _: "-", "standard input can be read only once, but a fit reads it several"),
    "frames in memory": (lambda _: silicon(), "frames in memory can be read only once, but a fit reads it several"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_explained_in_one_sentence_and_nothing_stays(name: str, folder: Path) -> None:
    make, expected = BAD[name]
    source = make(folder)
    before = names(folder)
    with pytest.raises(InvalidInputError, match=expected):
        fit_files(source, folder / "m.lpr", **OPTIONS)
    assert names(folder) == before


def test_arguments_that_were_refused_leave_nothing_that_others_are_measured_by(folder: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"with zeta = 0\.3 the kernel is not positive definite"):
        fit_files(folder / "train.xyz", folder / "m.lpr", **(OPTIONS | {"zeta": 0.3, "n_active": 40}))
    assert names(folder) == {"train.xyz"}
    fit_files(folder / "train.xyz", folder / "m.lpr", **OPTIONS)


def test_workers_make_the_same_bytes(folder: Path) -> None:
    ase.io.write(folder / "more.xyz.gz", gallium_arsenide(20), format="extxyz")
    ase.io.write(folder / "train.xyz", tiny(700) + silicon(20), format="extxyz")
    chosen: dict[str, Any] = {"n_active": {"Si": 4, "Ga": 2, "As": 2}, "energy_key": None}
    options, files = OPTIONS | chosen, [folder / "train.xyz", folder / "more.xyz.gz"]
    fit_files(files, folder / "here.lpr", **options)
    for workers in (1, 3):
        with local_processes(workers) as executor:
            fit_files(files, folder / "there.lpr", **options, executor=executor)
        assert (folder / "there.lpr").read_bytes() == (folder / "here.lpr").read_bytes()
        (folder / "there.lpr").unlink()
    assert names(folder) == {"train.xyz", "more.xyz.gz", "here.lpr"}


def test_a_fit_whose_worker_dies_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ase.io.write(folder / "train.xyz", silicon(60) * 40)
    fit_files(folder / "train.xyz", folder / "here.lpr", **OPTIONS)
    monkeypatch.setattr(_fit_job, "_BETWEEN_CHECKPOINTS", 0.0)
    monkeypatch.setattr(_fit_job, "_CHECKPOINT_SHARE", 0.0)
    with local_processes(2) as executor:
        pid = executor.submit(os.getpid).result()

        def kill_one(stage: str, done: int, _: int | None) -> None:
            if stage.startswith("rows") and done > 512 * 8:
                os.kill(pid, signal.SIGKILL)

        with pytest.raises(
            LprError, match=r"a worker died, or the executor failed \(.*\); finished work is kept: give"
        ):
            fit_files(folder / "train.xyz", folder / "there.lpr", **OPTIONS, executor=executor, progress=kill_one)
    assert (folder / "there.lpr.rows.unfinished").exists()
    fit_files(folder / "train.xyz", folder / "there.lpr", **OPTIONS)
    assert (folder / "there.lpr").read_bytes() == (folder / "here.lpr").read_bytes()
    assert names(folder) == {"train.xyz", "here.lpr", "there.lpr"}


def test_a_fit_goes_on_with_workers_and_without(unfinished: Path) -> None:
    with local_processes(1) as executor:
        fit_files(unfinished / "train.xyz", unfinished / "m.lpr", **OPTIONS, executor=executor)
    fit_files(unfinished / "train.xyz", unfinished / "new.lpr", **OPTIONS)
    assert (unfinished / "m.lpr").read_bytes() == (unfinished / "new.lpr").read_bytes()
