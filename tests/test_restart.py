"""Runs that are ended by force go on where they stopped, and nobody can tell from the files."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import ase.io
import pytest
from ase.build import bulk

from lpr_fast import InvalidInputError, LinearModel, cpu_info, score_trajectory
from lpr_fast.atoms import _frames, _pieces
from lpr_fast.jobs import _job
from lpr_fast.jobs._job import Run
from lpr_fast.writing import _chemiscope
from lpr_fast.writing._spool import Spool

from .processes import EndOfPowerError, Forked, forge_setting, killed
from .structures import HYPERS, fitted, rattled, silicon

# The command line, with batches so small and checkpoints so often that there are some in a short run.
PROGRAM = """
import lpr_fast.atoms._frames as frames
import lpr_fast.jobs._job as job
import lpr_fast.writing._chemiscope as chemiscope
frames.BATCH_ATOMS, job._BETWEEN_CHECKPOINTS, chemiscope._COUNT = 256, 0.02, 20
from lpr_fast.command_line import main
main()
"""

SUFFIXES = ("h5", "csv", "extxyz", "npz", "chemiscope.json.gz")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model and what it scores."""
    folder = tmp_path_factory.mktemp("files")
    fitted().save(folder / "m.lpr")
    ase.io.write(folder / "md.xyz", silicon(5, seed=40) * 60)
    return folder


@pytest.fixture
def folder(tmp_path: Path, files: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with these, which are read in batches of 32 frames."""
    monkeypatch.setattr(_frames, "BATCH_ATOMS", 256)
    return shutil.copytree(files, tmp_path, dirs_exist_ok=True)


def command(folder: Path, out: str) -> list[str]:
    (folder / out).mkdir(exist_ok=True)
    outputs = [part for name in SUFFIXES for part in ("-o", str(folder / out / f"md.{name}"))]
    arguments = [
        "score",
        str(folder / "m.lpr"),
        str(folder / "md.xyz"),
        "--least-rigid",
        "4",
        "--groups",
        "numbers",
        *outputs,
    ]
    return [sys.executable, "-c", PROGRAM, *arguments]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".json"}


@pytest.mark.parametrize("n_kills", [int(os.environ.get("LPR_FAST_KILLS", "10"))])
def test_a_run_that_was_killed_again_and_again_writes_the_same_bytes(n_kills: int, folder: Path) -> None:
    start = time.monotonic()
    assert not killed(command(folder, "whole"), 300)
    seconds = time.monotonic() - start
    expected = contents(folder / "whole")
    assert len(expected) == 7
    parts, moments, kills, safe = folder / "parts", random.Random(5), 0, []
    journal = parts / "md.h5.journal"
    while kills < n_kills:
        # Once just after the first checkpoint, then at any moment.
        kills += killed(command(folder, "parts"), 0.0, after=journal)
        if journal.exists():
            safe.append(json.loads(journal.read_text())["progress"]["summary"]["n_read"])
        while killed(command(folder, "parts"), moments.uniform(0.1, 1.05) * seconds):
            kills += 1
        assert contents(parts) == expected
        for path in parts.iterdir():
            path.unlink()
    assert any(safe)


@pytest.mark.parametrize("kind", ["score", "score_in_shards", "fit"])
def test_runs_that_were_killed_before_any_change_of_the_disk_write_the_same_bytes(kind: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.every_step", str(tmp_path), kind]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20


def test_an_interrupt_leaves_what_was_there_and_says_how_to_go_on(folder: Path) -> None:
    ase.io.write(folder / "long.xyz", silicon(3) * 1500)
    (folder / "out.extxyz").write_text("old")
    command = [sys.executable, "-c", PROGRAM]
    command += ["score", str(folder / "m.lpr"), str(folder / "long.xyz"), "-o", str(folder / "out.extxyz")]
    process = Forked(command)
    process.wait_for(folder / "out.extxyz.journal")
    process.send(signal.SIGINT)
    assert process.wait(60) == 130
    sentence = (
        r"lpr-fast: interrupted; (\d+) frames are kept: give the same command again to resume, or delete .*journal"
    )
    match = re.match(sentence, process.stderr)
    assert match
    assert len(process.stderr.splitlines()) == 1
    assert (folder / "out.extxyz").read_text() == "old"
    again = Forked(command)
    assert again.wait(60) == 0
    assert f"resumed at frame {match.group(1)}" in again.stderr
    assert "4500 frames" in again.stdout
    names = {path.name for path in folder.iterdir()}
    assert names == {"md.xyz", "m.lpr", "long.xyz", "out.extxyz", "out.extxyz.json"}


def crash_after(calls: int) -> Callable[[object], None]:
    """To be told about progress so many times, and then no more."""
    left = iter(range(calls))

    def count(_: object) -> None:
        if next(left, None) is None:
            raise EndOfPowerError

    return count


@pytest.fixture
def unfinished(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which a run has stopped after a checkpoint."""
    monkeypatch.setattr(_job, "_BETWEEN_CHECKPOINTS", 0.0)

    def stop(*_: object) -> None:
        raise EndOfPowerError

    with pytest.raises(EndOfPowerError):
        score_trajectory(folder / "m.lpr", folder / "md.xyz", [folder / "out.h5"], progress=stop)
    assert {path.name for path in folder.iterdir()} == {"m.lpr", "md.xyz", "out.h5.unfinished", "out.h5.journal"}
    return folder


def test_an_interrupt_just_after_a_checkpoint_loses_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lpr_fast.jobs._journal import Journal

    write = Journal.write

    def interrupted(self: Journal, progress: dict[str, object]) -> None:
        write(self, progress)
        raise KeyboardInterrupt

    monkeypatch.setattr(_job, "_BETWEEN_CHECKPOINTS", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "write", interrupted)
        with pytest.raises(KeyboardInterrupt, match=r"^interrupted; [1-9]\d* frames are kept: give the same command"):
            score_trajectory(folder / "m.lpr", folder / "md.xyz", [folder / "out.h5"])
    assert score_trajectory(folder / "m.lpr", folder / "md.xyz", [folder / "out.h5"]).resumed_at > 0


def test_an_unfinished_run_goes_on_in_the_same_process(unfinished: Path) -> None:
    run = score_trajectory(unfinished / "m.lpr", unfinished / "md.xyz", [unfinished / "out.h5"])
    assert 0 < run.resumed_at < 300 == run.summary.n_frames
    score_trajectory(unfinished / "m.lpr", unfinished / "md.xyz", [unfinished / "new.h5"])
    assert (unfinished / "out.h5").read_bytes() == (unfinished / "new.h5").read_bytes()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("model", "has another model; give the same command again, or delete"),
        ("input", r"has another input \(.*/md.xyz has changed\); give the same, unchanged files again, or"),
        (
            "selection",
            r"has another input \(.*/md.xyz then, .*/md.xyz@:100 now\); give the same, unchanged files again",
        ),
        ("option", r"another number of least rigid environments \(0 then, 3 now\); give the same command again"),
        ("outputs", "another list of outputs"),
        ("version", r"another version of lpr_fast \(0.0.1 then, .* now\); install that version"),
        ("level", r"another instruction set \(mmx then, .* now\); set LPR_FAST_INSTRUCTION_SET=mmx"),
        ("damage", "is not a journal that this version can read"),
        ("loss", "were written; delete the journal to start anew"),
    ],
)
def test_another_command_is_refused_and_harms_nothing(change: str, expected: str, unfinished: Path) -> None:
    source, outputs, options = str(unfinished / "md.xyz"), [unfinished / "out.h5"], {}
    journal = unfinished / "out.h5.journal"
    if change == "model":
        fitted(regularizer=1e-2).save(unfinished / "m.lpr")
    elif change == "input":
        ase.io.write(unfinished / "md.xyz", [*silicon(1, seed=1), *silicon(5, seed=40) * 60])
    elif change == "selection":
        source += "@:100"
    elif change == "option":
        options = {"least_rigid": 3}
    elif change == "outputs":
        outputs += [unfinished / "out.csv"]
    elif change == "damage":
        journal.write_text("{}")
    elif change == "loss":
        (unfinished / "out.h5.unfinished").write_bytes(b"")
    else:
        forge_setting(journal, change)
    before = contents(unfinished)
    with pytest.raises(InvalidInputError, match=expected):
        score_trajectory(unfinished / "m.lpr", source, outputs, **options)
    assert contents(unfinished) == before


def test_the_journal_knows_the_instruction_set(unfinished: Path) -> None:
    settings = json.loads((unfinished / "out.h5.journal").read_text())["settings"]
    assert settings["instruction_set"] == cpu_info().instruction_set


@pytest.mark.parametrize("columns", ["kernel", "linear"])
def test_a_large_frame_goes_on_at_the_cell_where_it_was(
    columns: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pieces, "LARGEST_WHOLE", 100)
    monkeypatch.setattr(_frames, "BATCH_ATOMS", 40)
    monkeypatch.setattr(_job, "_BETWEEN_CHECKPOINTS", 0.0)
    model = fitted() if columns == "kernel" else LinearModel.fit(silicon(), hypers=HYPERS, regularizer=1e-2)
    large = [rattled(bulk("Si", cubic=True).repeat((3, 3, n)), n) for n in (2, 3, 4)]
    frames = [*silicon(1), large[0], large[1], *silicon(2), large[2]]
    ase.io.write(tmp_path / "md.xyz", frames)

    def run(out: str, calls: int) -> Run:
        outputs = [tmp_path / f"{out}.{suffix}" for suffix in ("h5", "csv", "extxyz")]
        return score_trajectory(model, tmp_path / "md.xyz", outputs, least_rigid=3, progress=crash_after(calls))

    run("whole", 10**9)
    resumed = set()
    for stops in ([2], [4], [5], [7], [9], [13], [16], [3, 3], [7, 1, 2]):
        monkeypatch.setattr(_frames, "BATCH_ATOMS", 40)
        for calls in stops:
            with suppress(EndOfPowerError):
                run("parts", calls)
        monkeypatch.setattr(_frames, "BATCH_ATOMS", 55)  # another cap on memory
        done = run("parts", 10**9)
        resumed.add((done.resumed_at, done.resumed_at_atom > 0))
        for path in done.written:
            assert path.read_bytes() == path.with_name(path.name.replace("parts", "whole")).read_bytes()
    assert {(1, True), (2, True), (5, True)} <= resumed
    assert not list(tmp_path.glob("*.unfinished"))


def test_a_frame_left_out_before_a_large_one_does_not_move_its_atoms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pieces, "LARGEST_WHOLE", 100)
    monkeypatch.setattr(_frames, "BATCH_ATOMS", 40)
    monkeypatch.setattr(_job, "_BETWEEN_CHECKPOINTS", 0.0)
    model, unknown = fitted(), silicon(1)[0]
    unknown.numbers[0] = 6
    ase.io.write(tmp_path / "md.xyz", [*silicon(1), unknown, rattled(bulk("Si", cubic=True).repeat((3, 3, 3)), 1)])

    def run(out: str, calls: int) -> Run:
        outputs = [tmp_path / f"{out}.{suffix}" for suffix in ("csv", "extxyz")]
        return score_trajectory(model, tmp_path / "md.xyz", outputs, on_error="skip", progress=crash_after(calls))

    whole = run("whole", 10**9)
    with pytest.raises(EndOfPowerError):
        run("parts", 4)
    done = run("parts", 10**9)
    assert (done.resumed_at, done.resumed_at_atom > 0) == (2, True)
    assert done.summary.skipped == whole.summary.skipped
    for path in done.written:
        assert path.read_bytes() == path.with_name(path.name.replace("parts", "whole")).read_bytes()


def test_a_spool_that_was_cut_knows_its_length_before_anything_is_written(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "out.csv")
    spool.open(None)
    spool.write(b"kept and lost")
    spool.close()
    spool.open(4)
    assert spool.checkpoint() == 4
    spool.write(b"!")
    assert spool.checkpoint() == 5
    assert spool.path.read_bytes() == b"kept!"
    spool.close()


def score(folder: Path, out: str, **options: Any) -> Run:
    outputs = [folder / f"{out}.{suffix}" for suffix in ("h5", "csv")]
    return score_trajectory(folder / "m.lpr", folder / "md.xyz", outputs, **options)


def bytes_of(run: Run) -> list[bytes]:
    return [path.read_bytes() for path in run.written]


@pytest.fixture
def damaged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a run that has stopped at a frame that cannot be scored; 40 frames come before it, 9 behind."""
    monkeypatch.setattr(_job, "_BETWEEN_CHECKPOINTS", 0.0)
    monkeypatch.setattr(_frames, "BATCH_ATOMS", 64)
    frames = [frame.copy() for frame in silicon(5, seed=40) * 10]
    frames[40].numbers[3] = 6
    ase.io.write(folder / "md.xyz", frames)
    with pytest.raises(InvalidInputError, match="frame 40, atom 3 is C"):
        score(folder, "out")
    assert (folder / "out.h5.journal").exists()
    return folder


@pytest.mark.parametrize("remedy", [{"on_error": "skip"}, {"unknown_species": "nan"}, "mend", "grow"])
def test_the_remedy_for_a_bad_frame_loses_nothing_of_what_is_done(remedy: Any, damaged: Path) -> None:
    if isinstance(remedy, str):
        more = 3 if remedy == "grow" else 0
        ase.io.write(damaged / "md.xyz", [frame.copy() for frame in silicon(5, seed=40) * (10 + more)])
    options = {} if isinstance(remedy, str) else remedy
    run = score(damaged, "out", **options)
    assert run.resumed_at >= 32
    assert bytes_of(run) == bytes_of(score(damaged, "new", **options))
    assert run.summary.n_read == (65 if remedy == "grow" else 50)


def test_a_remedy_that_changes_what_is_done_is_refused(damaged: Path) -> None:
    text = (damaged / "md.xyz").read_text()
    (damaged / "md.xyz").write_text(text.replace("0.", "1.", 1))
    with pytest.raises(InvalidInputError, match=r"another input \(.*/md.xyz has changed\)"):
        score(damaged, "out", on_error="skip")


@pytest.mark.parametrize(
    ("name", "before", "after"), [("on_error", "skip", "stop"), ("unknown_species", "nan", "error")]
)
def test_what_was_left_out_or_marked_stays_so(
    name: str, before: Any, after: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_job, "_BETWEEN_CHECKPOINTS", 0.0)
    monkeypatch.setattr(_frames, "BATCH_ATOMS", 64)
    frames = [frame.copy() for frame in silicon(5, seed=40) * 10]
    frames[4].numbers[3] = 6
    ase.io.write(folder / "md.xyz", frames)
    with pytest.raises(EndOfPowerError):
        score(folder, "out", progress=crash_after(3), **{name: before})
    with pytest.raises(InvalidInputError, match=rf"has another treatment .* \({before} then, {after} now\)"):
        score(folder, "out", **{name: after})
    assert score(folder, "out", **{name: before}).resumed_at > 4


def test_a_pipe_does_not_overwrite_what_an_unfinished_run_has_left(unfinished: Path) -> None:
    before = contents(unfinished)
    with pytest.raises(InvalidInputError, match=r"out.h5.journal belongs to an unfinished run of .*out.h5; give its"):
        score_trajectory(unfinished / "m.lpr", silicon(2), [unfinished / "out.h5"])
    assert contents(unfinished) == before


def test_a_deleted_journal_starts_afresh(unfinished: Path) -> None:
    (unfinished / "out.h5.journal").unlink()
    run = score_trajectory(unfinished / "m.lpr", unfinished / "md.xyz", [unfinished / "out.h5"])
    assert (run.resumed_at, run.summary.n_frames) == (0, 300)


@pytest.mark.parametrize("step", ["assemble", "publish", "facts", "remove"])
def test_a_crash_while_files_are_finished_loses_nothing(
    step: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_chemiscope, "_COUNT", 20)
    outputs = [folder / f"out.{suffix}" for suffix in ("extxyz", "h5", "csv", "npz", "chemiscope.json.gz")]

    def crash(*_: object, **__: object) -> None:
        raise EndOfPowerError

    place = {
        "assemble": "lpr_fast.writing._records.HDF5._write",
        "publish": "lpr_fast.writing._records._Records.publish",
        "facts": "lpr_fast.jobs._job.Job._facts",
        "remove": "lpr_fast.writing._sinks.Text.remove",
    }[step]
    source = folder / "md.xyz"
    with monkeypatch.context() as patch:
        patch.setattr(place, crash)
        with pytest.raises(EndOfPowerError):
            score_trajectory(folder / "m.lpr", source, outputs, least_rigid=2)
    run = score_trajectory(folder / "m.lpr", source, outputs, least_rigid=2)
    assert (run.resumed_at, run.summary.n_frames) == (300, 300)
    found = {path.name: path.read_bytes() for path in run.written}
    (folder / "again").mkdir()
    new = [folder / "again" / output.name for output in outputs]
    again = score_trajectory(folder / "m.lpr", source, new, least_rigid=2)
    assert {path.name: path.read_bytes() for path in again.written} == found
    assert len(list(folder.iterdir())) == 10


def test_a_full_disk_is_told_and_the_run_goes_on_later(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_job, "_BETWEEN_CHECKPOINTS", 0.0)
    write, room = Spool.write, [80_000]

    def limited(self: Spool, content: bytes) -> None:
        room[0] -= len(content)
        if room[0] < 0:
            raise OSError(28, "No space left on device", str(self.path))
        write(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(Spool, "write", limited)
        with pytest.raises(OSError, match="No space left on device"):
            score_trajectory(folder / "m.lpr", folder / "md.xyz", [folder / "out.h5"])
    assert not (folder / "out.h5").exists()
    run = score_trajectory(folder / "m.lpr", folder / "md.xyz", [folder / "out.h5"])
    assert 0 < run.resumed_at < run.summary.n_frames == 300
