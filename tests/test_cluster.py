"""Processes of an executor, of Python's own or of Dask, write the bytes of one process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ase.io
import pytest
from ase.constraints import FixBondLengths
from distributed import Client, LocalCluster

from lpr_fast import InvalidInputError, LprError, LprWarning, Run, RunProgress, score_trajectory
from lpr_fast.jobs import _executors, _tasks, _workers
from lpr_fast.jobs._executors import executor_of, local_processes
from lpr_fast.jobs._journal import Journal
from lpr_fast.jobs._lock import locked

from .structures import fitted, gallium_arsenide, silicon
from .test_command_line import run
from .test_restart import contents

SUFFIXES = ("csv", "h5", "extxyz", "npz", "chemiscope.json.gz")

# The command line, with ranges so small that there are many of them.
PROGRAM = """
import lpr_fast.jobs._workers as workers
workers._ATOMS_OF_RANGE = 800
from lpr_fast.command_line import main
if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    """Two processes that all tests share."""
    with local_processes(2) as executor:
        yield executor


@pytest.fixture(scope="module")
def dask() -> Iterator[LocalCluster]:
    """Two workers of Dask."""
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        silence_logs=50,
        memory_limit=0,
    ) as cluster:
        yield cluster


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_workers, "_ATOMS_OF_RANGE", 30)
    fitted().save(tmp_path / "m.lpr")
    ase.io.write(tmp_path / "a.xyz", silicon(11, seed=50))
    ase.io.write(tmp_path / "b.xyz.gz", silicon(8, seed=70), format="extxyz")
    ase.io.write(tmp_path / "c.traj", silicon(3, seed=90))
    return tmp_path


def score(folder: Path, out: str, source: Any = None, **options: Any) -> Run:
    (folder / out).mkdir(exist_ok=True)
    source = source or [folder / "a.xyz", f"{folder / 'b.xyz.gz'}@::2", folder / "c.traj"]
    outputs = [folder / out / f"md.{suffix}" for suffix in SUFFIXES]
    return score_trajectory(folder / "m.lpr", source, outputs, **{"least_rigid": 5, **options})


def complete(folder: Path) -> list[Path]:
    """Journals of ranges that are done."""
    journals = sorted(folder.glob("*.journal"))
    return [path for path in journals if json.loads(path.read_text())["progress"]["state"] == "complete"]


def test_workers_write_the_bytes_of_one_process(folder: Path, processes: Executor) -> None:
    whole = score(folder, "whole")
    seen: list[RunProgress] = []
    parts = score(folder, "parts", executor=processes, progress=seen.append)
    assert contents(folder / "parts") == contents(folder / "whole")
    assert {path.suffix for path in (folder / "parts").iterdir()} == {".csv", ".h5", ".extxyz", ".npz", ".gz", ".json"}
    assert len(seen) == 5  # ceil(18 * 8 / 30)
    assert (seen[-1].frames, seen[-1].atoms, seen[-1].atoms_in_all) == (18, 144, 144)
    assert parts.written == [folder / "parts" / path.name for path in whole.written]
    assert (parts.summary.n_frames, parts.summary.n_atoms, parts.resumed_at) == (18, 144, 0)
    assert set(parts.seconds) == set(whole.seconds)


def test_the_executor_of_dask_is_one_like_any_other(folder: Path, dask: LocalCluster) -> None:
    score(folder, "whole")
    with Client(dask, set_as_default=False) as client:
        score(folder, "parts", executor=client.get_executor())
    assert contents(folder / "parts") == contents(folder / "whole")


def test_the_command_line_starts_processes_or_finds_a_scheduler(
    folder: Path, dask: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "scheduler.json").write_text(json.dumps({"type": "Scheduler", "address": dask.scheduler_address}))
    before = dict(os.environ)
    for name, options in {
        "one.csv": (),
        "two.csv": ("--workers", "2"),
        "three.csv": ("--scheduler", "scheduler.json"),
        "four.csv": ("--scheduler", dask.scheduler_address),
    }.items():
        assert "11 frames" in run("score", "m.lpr", "a.xyz", "-o", name, *options).output
        assert Path(name).read_bytes() == Path("one.csv").read_bytes()
    assert dict(os.environ) == before
    assert not list(folder.glob("*.shard-*"))


def test_frames_that_are_left_out_keep_their_numbers(folder: Path, processes: Executor) -> None:
    ase.io.write(folder / "mixed.xyz", [*silicon(9), *gallium_arsenide(1), *silicon(4)])
    text = (folder / "mixed.xyz").read_text()
    (folder / "mixed.xyz").write_text(text.replace("Si", "Xx", 1)[: -len("Si 1.0 1.0 1.0")])
    options = {"source": folder / "mixed.xyz", "on_error": "skip"}
    whole = score(folder, "whole", **options)
    parts = score(folder, "parts", **options, executor=processes)
    assert [number for number, _ in whole.summary.skipped] == [0, 9, 13]
    assert parts.summary.skipped == whole.summary.skipped
    assert contents(folder / "parts") == contents(folder / "whole")


def test_a_bad_frame_is_the_sentence_of_one_process_and_its_remedy_loses_nothing(
    folder: Path, processes: Executor
) -> None:
    ase.io.write(folder / "mixed.xyz", [*silicon(9), *gallium_arsenide(1), *silicon(30)])
    with pytest.raises(InvalidInputError) as expected:
        score(folder, "whole", folder / "mixed.xyz")
    with pytest.raises(InvalidInputError, match="frame 9, atom 0 is Ga") as found:
        score(folder, "parts", folder / "mixed.xyz", executor=processes)
    assert str(found.value) == str(expected.value)
    done = complete(folder / "parts")
    assert done
    again = score(folder, "parts", folder / "mixed.xyz", executor=processes, on_error="skip")
    assert again.resumed_at >= 6
    score(folder, "whole", folder / "mixed.xyz", on_error="skip")
    assert contents(folder / "parts") == contents(folder / "whole")


def test_a_frame_that_is_mended_costs_only_the_ranges_behind_it(folder: Path, processes: Executor) -> None:
    mended = [frame.copy() for frame in silicon(20)]
    bad = mended[12].copy()
    bad.numbers[0] = 6
    ase.io.write(folder / "mixed.xyz", [*mended[:12], bad, *mended[13:]])
    with pytest.raises(InvalidInputError, match="frame 12, atom 0 is C"):
        score(folder, "parts", folder / "mixed.xyz", executor=processes)
    text = (folder / "mixed.xyz").read_text()
    (folder / "mixed.xyz").write_text(re.sub(r"^C ( *)", r"Si\1", text, flags=re.MULTILINE))
    score(folder, "whole", folder / "mixed.xyz")
    assert score(folder, "parts", folder / "mixed.xyz", executor=processes).resumed_at >= 9
    assert contents(folder / "parts") == contents(folder / "whole")


def test_notes_of_workers_are_told_once_and_point_to_the_caller(folder: Path, processes: Executor) -> None:
    frames = silicon(20)
    for frame in frames:
        frame.set_constraint(FixBondLengths([[0, 1]]))
    ase.io.write(folder / "fixed.traj", frames)
    with pytest.warns(LprWarning, match="cannot hold the constraint FixBondLengths") as caught:
        score(folder, "parts", folder / "fixed.traj", executor=processes)
    assert [warning.filename for warning in caught] == [__file__]


def test_a_worker_that_dies_leaves_what_is_done_and_the_same_call_goes_on(folder: Path) -> None:
    score(folder, "whole")

    def kill(*_: object) -> None:
        os.kill(pid, signal.SIGKILL)

    with local_processes(1) as executor:
        pid = executor.submit(os.getpid).result()
        expected = r"^a worker died, or the executor failed \(.*\); finished work is kept: give the same command again"
        with pytest.raises(LprError, match=expected):
            score(folder, "parts", executor=executor, progress=kill)
    assert complete(folder / "parts")
    with local_processes(1) as executor:
        assert score(folder, "parts", executor=executor).resumed_at >= 3
    assert contents(folder / "parts") == contents(folder / "whole")


def command(folder: Path, out: str, *options: str) -> list[str]:
    (folder / out).mkdir(exist_ok=True)
    outputs = [part for name in SUFFIXES for part in ("-o", str(folder / out / f"md.{name}"))]
    arguments = ["score", str(folder / "m.lpr"), str(folder / "long.xyz"), "--least-rigid", "5", *outputs, *options]
    (folder / "program.py").write_text(PROGRAM)
    return [sys.executable, "-W", "error", str(folder / "program.py"), *arguments]


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of which some can be done before something happens, and its files as of one process."""
    folder = tmp_path_factory.mktemp("long")
    fitted().save(folder / "m.lpr")
    ase.io.write(folder / "long.xyz", silicon(5, seed=40) * 160)
    score(folder, "whole", folder / "long.xyz")
    return folder


def wait_for_a_range(folder: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None and not complete(folder):
        time.sleep(0.01)


def children_of(process: subprocess.Popen[str]) -> list[int]:
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(pid) for pid in found.read_text().split()] if found.exists() else []


def test_a_run_that_was_killed_leaves_no_process_and_goes_on_with_other_workers(long: Path, dask: LocalCluster) -> None:
    with subprocess.Popen(command(long, "parts", "--workers", "2"), text=True) as process:
        wait_for_a_range(long / "parts", process)
        children = children_of(process)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in children) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)
    # Workers that are in another folder.
    relative = [part.replace(f"{long}/", "") for part in command(long, "parts", "--scheduler", dask.scheduler_address)]
    again = subprocess.run(relative, capture_output=True, text=True, check=True, cwd=long)
    match = re.search(r"lpr-fast: resumed: (\d+) frames had been scored before\.", again.stderr)
    assert match
    assert int(match.group(1)) >= 100
    assert "scored    800 frames, 6400 atoms" in again.stdout
    assert contents(long / "parts") == contents(long / "whole")


def test_an_interrupt_says_how_to_go_on(long: Path, processes: Executor) -> None:
    process = subprocess.Popen(
        command(long, "stopped", "--workers", "2"),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        wait_for_a_range(long / "stopped", process)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: the workers get it too
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (stdout, len(stderr.splitlines())) == ("", 1), stderr
    assert re.match(r"lpr-fast: interrupted; the finished work of the workers is kept: give the same command", stderr)
    assert score(long, "stopped", long / "long.xyz", executor=processes).resumed_at >= 100
    assert contents(long / "stopped") == contents(long / "whole")


def test_a_range_on_which_another_worker_is_still_busy_is_waited_for(folder: Path, processes: Executor) -> None:
    score(folder, "whole")
    (folder / "parts").mkdir()
    with ExitStack() as other:
        other.enter_context(locked([folder / "parts" / "md.csv"], tag=".shard-2-of-5"))
        score(folder, "parts", executor=processes, progress=lambda _: other.close())
    assert contents(folder / "parts") == contents(folder / "whole")


def test_what_is_left_of_other_runs_is_gone_on_with_or_told(folder: Path, processes: Executor) -> None:
    score(folder, "whole")
    score(folder, "parts", shard="1/2")
    assert score(folder, "parts", executor=processes).resumed_at == 9
    assert contents(folder / "parts") == contents(folder / "whole")
    score(folder, "parts", shard="1/2")
    score(folder, "parts", shard="1/3")
    expected = "has shards of several runs, of 2, 3 shards; delete those of all runs but one"
    with pytest.raises(InvalidInputError, match=expected):
        score(folder, "parts", executor=processes)
    Journal(folder / "parts" / "md.csv", {"shard": None}).write({})
    with pytest.raises(InvalidInputError, match="has no workers; resume it without them, or delete that file"):
        score(folder, "parts", executor=processes)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"shard": "1/2"}, "shard and executor were given, but a shard has no workers; give one of them"),
        ({"source": "-"}, "standard input cannot be read by workers; give files"),
        ({"source": silicon(1)}, "frames in memory cannot be read by workers; give files"),
        (
            {"executor": 3},
            r"executor is 3; give a concurrent.futures.Executor, for example Client\(...\).get_executor\(\)",
        ),
    ],
)
def test_what_cannot_work_is_one_sentence(
    options: dict[str, Any], expected: str, folder: Path, processes: Executor
) -> None:
    with pytest.raises(InvalidInputError, match=expected):
        score(folder, "parts", **{"executor": processes, **options})
    assert not list((folder / "parts").iterdir())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"workers": 2, "scheduler": "tcp://127.0.0.1:9"}, "a scheduler and a number of workers were given, but"),
        ({"workers": -1}, "workers is -1; it must not be negative"),
        ({"scheduler": "tcp://127.0.0.1:9"}, "no Dask scheduler answers at tcp://127.0.0.1:9; give the address"),
        ({"scheduler": "nonsense"}, "no Dask scheduler answers at nonsense"),
        ({"scheduler": "none.json"}, "No such file or directory: 'none.json'"),
        ({"scheduler": "other.json"}, "is not a scheduler file of Dask; give the file that the scheduler wrote"),
    ],
)
def test_workers_that_cannot_be_had_are_told(
    options: dict[str, Any], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_executors, "_PATIENCE", 0.5)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.json").write_text("[]")
    wanted = {"workers": 0, "scheduler": None, **options}
    with pytest.raises((InvalidInputError, OSError), match=expected), executor_of(**wanted):
        pass


def test_a_scheduler_without_workers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_executors, "_PATIENCE_WITH_WORKERS", 0.5)
    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", scheduler_kwargs={"dashboard": False}) as empty,
        pytest.raises(InvalidInputError, match=r"the scheduler at tcp://.* has had no workers for .* seconds; start"),
        executor_of(workers=0, scheduler=empty.scheduler_address),
    ):
        pass


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"versions": {"ase": "0.0.1"}},
            "has ase .*, but the main process has 0.0.1; install the same",
        ),
        ({"instruction set": "mmx", "available": []}, "but the main process with mmx, which gives other bits"),
    ],
)
def test_workers_that_would_compute_other_bits_are_refused(
    change: dict[str, Any], expected: str, folder: Path, processes: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {**_tasks.facts(), **change}
    monkeypatch.setattr(_tasks, "facts", lambda: here)  # here; the workers know nothing of it
    with pytest.raises(InvalidInputError, match=r"a worker on \S+ .*" + expected):
        score(folder, "parts", executor=processes)
    assert not list((folder / "parts").iterdir())


def test_the_remedy_is_an_instruction_set_that_all_have() -> None:
    here = {**_tasks.facts(), "instruction set": "c", "available": ["a", "b", "c"]}
    there = {**here, "instruction set": "b", "available": ["a", "b"]}
    with pytest.raises(InvalidInputError, match="set LPR_FAST_INSTRUCTION_SET=b everywhere"):
        _tasks.refuse_others(here, there)


def test_the_script_for_slurm_runs_with_processes_in_place_of_jobs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Jobs(LocalCluster):
        """Takes what dask-jobqueue does; its script was looked at by hand."""

        def __init__(self, **options: Any) -> None:
            assert options["processes"] == options["cores"]
            without_dashboard = {"dashboard_address": "127.0.0.1:0", "scheduler_kwargs": {"dashboard": False}}
            super().__init__(n_workers=0, threads_per_worker=1, memory_limit=0, silence_logs=50, **without_dashboard)

        def job_script(self) -> str:
            return "#!/usr/bin/env bash"

        def scale(self, n: int = 0, *, jobs: int = 0) -> None:
            super().scale(min(jobs, 2) or n)

    ase.io.write(folder / "md.xyz", silicon(11, seed=50))
    fitted().save(folder / "si.lpr")
    monkeypatch.chdir(folder)
    monkeypatch.setitem(sys.modules, "dask_jobqueue", SimpleNamespace(SLURMCluster=Jobs))
    page = (Path(__file__).parents[1] / "docs" / "guides" / "cluster.md").read_text()
    (script,) = [text for text in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL) if "SLURM" in text]
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(script, names)
    names["client"].close()
    names["cluster"].close()
    assert "11 frames, 88 atoms; the least rigid: Extreme(value=" in capsys.readouterr().out
    assert (folder / "md.h5.least-rigid.extxyz").exists()
