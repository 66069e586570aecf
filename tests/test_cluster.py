"""Workers of dask.distributed, real processes all of them, write the bytes of one process."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ase.io
import dask
import pytest
from ase.constraints import FixBondLengths
from distributed import LocalCluster
from lpr_fast.jobs._cluster import Cluster, connected

from lpr_fast import InvalidInputError, LprError, LprWarning, Run, RunProgress, score_trajectory
from lpr_fast.jobs import _cluster, _workers
from lpr_fast.jobs._journal import Journal

from .structures import fitted, gallium_arsenide, silicon
from .test_command_line import run
from .test_restart import contents

SUFFIXES = ("csv", "h5", "extxyz", "npz", "chemiscope.json.gz")

# The command line, with ranges so small that there are many of them, and frequent checkpoints.
PROGRAM = """
import lpr_fast.jobs._workers as workers
workers._ATOMS_OF_RANGE = 2000
from lpr_fast.command_line import main
if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two workers that all tests share."""
    with connected(None, 2) as cluster:
        yield cluster


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_workers, "_ATOMS_OF_RANGE", 30)
    fitted().save(tmp_path / "m.lpr")
    ase.io.write(tmp_path / "a.xyz", silicon(11, seed=50))
    ase.io.write(tmp_path / "b.xyz.gz", silicon(8, seed=70), format="extxyz")
    ase.io.write(tmp_path / "c.traj", silicon(3, seed=90))
    return tmp_path


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of which some can be done before something happens, and its files as of one process."""
    folder = tmp_path_factory.mktemp("long")
    fitted().save(folder / "m.lpr")
    ase.io.write(folder / "long.xyz", silicon(5, seed=40) * 400)
    score(folder, "whole", folder / "long.xyz")
    return folder


def score(folder: Path, out: str, source: Any = None, **options: Any) -> Run:
    (folder / out).mkdir(exist_ok=True)
    source = source or [folder / "a.xyz", f"{folder / 'b.xyz.gz'}@::2", folder / "c.traj"]
    outputs = [folder / out / f"md.{suffix}" for suffix in SUFFIXES]
    return score_trajectory(folder / "m.lpr", source, outputs, **{"least_rigid": 5, **options})


def pids(cluster: Cluster) -> list[int]:
    return sorted(cluster.client.run(os.getpid).values())


def write_scheduler_file(cluster: Cluster, folder: Path) -> None:
    """As `dask scheduler --scheduler-file` does."""
    (folder / "scheduler.json").write_text(
        json.dumps({"type": "Scheduler", "address": cluster.client.scheduler.address})
    )


def wait_for_workers(cluster: Cluster) -> None:
    """Until the nannies have started others, so that the next test has two again."""
    time.sleep(0.5)
    cluster.client.wait_for_workers(2, timeout=30)


def test_workers_write_the_bytes_of_one_process(folder: Path, cluster: Cluster) -> None:
    whole = score(folder, "whole")
    seen: list[RunProgress] = []
    parts = score(folder, "parts", scheduler=cluster.client, progress=seen.append)
    assert contents(folder / "parts") == contents(folder / "whole")
    assert {path.suffix for path in (folder / "parts").iterdir()} == {".csv", ".h5", ".extxyz", ".npz", ".gz", ".json"}
    assert len(seen) == 5  # ceil(18 * 8 / 30)
    assert (seen[-1].frames, seen[-1].atoms, seen[-1].atoms_in_all) == (18, 144, 144)
    assert parts.written == [folder / "parts" / path.name for path in whole.written]
    assert (parts.summary.n_frames, parts.summary.n_atoms, parts.resumed_at) == (18, 144, 0)
    assert set(parts.seconds) == set(whole.seconds)


@pytest.mark.parametrize("workers", [1, 4])
def test_the_local_cluster_is_one_option(workers: int, folder: Path) -> None:
    score(folder, "whole")
    before = dict(os.environ)
    score(folder, "parts", workers=workers)
    assert dict(os.environ) == before
    assert contents(folder / "parts") == contents(folder / "whole")


def test_frames_that_are_left_out_keep_their_numbers(folder: Path, cluster: Cluster) -> None:
    frames = [*silicon(9), *gallium_arsenide(1), *silicon(4)]
    ase.io.write(folder / "mixed.xyz", frames)
    text = (folder / "mixed.xyz").read_text()
    (folder / "mixed.xyz").write_text(text.replace("Si", "Xx", 1)[: -len("Si 1.0 1.0 1.0")])
    options = {"source": folder / "mixed.xyz", "on_error": "skip"}
    whole = score(folder, "whole", **options)
    parts = score(folder, "parts", **options, scheduler=cluster.client)
    assert [number for number, _ in whole.summary.skipped] == [0, 9, 13]
    assert parts.summary.skipped == whole.summary.skipped
    assert (parts.summary.n_read, parts.summary.n_skipped) == (14, 3)
    assert contents(folder / "parts") == contents(folder / "whole")
    write_scheduler_file(cluster, folder)
    options = ["--on-error", "skip", "--scheduler", folder / "scheduler.json", "-o", folder / "out.csv"]
    result = run("score", folder / "m.lpr", folder / "mixed.xyz", *options)
    assert result.exit_code == 3
    assert "skipped   3 frames, the first because cannot read frame 0 of" in result.output
    assert (folder / "out.csv").read_bytes() == (folder / "whole" / "md.csv").read_bytes()


def test_a_bad_frame_is_the_same_sentence_and_ends_everything(folder: Path, cluster: Cluster) -> None:
    ase.io.write(folder / "mixed.xyz", [*silicon(9), *gallium_arsenide(1), *silicon(400)])
    with pytest.raises(InvalidInputError) as expected:
        score(folder, "whole", folder / "mixed.xyz")
    with pytest.raises(InvalidInputError, match="frame 9, atom 0 is Ga") as found:
        score(folder, "parts", folder / "mixed.xyz", scheduler=cluster.client)
    assert str(found.value) == str(expected.value)
    done = [path for path in (folder / "parts").iterdir() if path.suffix == ".journal"]
    assert len(done) < 100
    assert not cluster.client.processing() or not any(cluster.client.processing().values())


def test_notes_of_workers_are_told_once(folder: Path, cluster: Cluster) -> None:
    frames = silicon(20)
    for frame in frames:
        frame.set_constraint(FixBondLengths([[0, 1]]))
    ase.io.write(folder / "fixed.traj", frames)
    with pytest.warns(LprWarning, match="cannot hold the constraint FixBondLengths") as caught:
        score(folder, "parts", folder / "fixed.traj", scheduler=cluster.client)
    assert len(caught) == 1


def test_a_worker_that_is_killed_costs_only_its_range(
    long: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_workers, "_ATOMS_OF_RANGE", 2000)
    done: dict[Path, int] = {}
    victim = pids(cluster)[0]

    def kill(*_: object) -> None:
        if not done:
            done.update({journal: journal.stat().st_mtime_ns for journal in complete(long / "killed")})
            os.kill(victim, signal.SIGKILL)

    def merged(*arguments: Any) -> Run:
        assert len(complete(long / "killed")) == 8
        assert done
        assert {journal: journal.stat().st_mtime_ns for journal in done} == done  # nobody has been there again
        return merge(*arguments)

    merge = _workers.merged
    monkeypatch.setattr(_workers, "merged", merged)
    score(long, "killed", long / "long.xyz", scheduler=cluster.client, progress=kill)
    assert contents(long / "killed") == contents(long / "whole")
    wait_for_workers(cluster)


def test_what_was_sent_outlives_every_worker(cluster: Cluster) -> None:
    sent = cluster.send(list(range(1000)))
    assert cluster.result(cluster.submit(sum, sent)) == 499500
    for victim in pids(cluster):
        os.kill(victim, signal.SIGKILL)
    assert cluster.result(cluster.submit(len, sent)) == 1000
    wait_for_workers(cluster)


def test_a_task_that_kills_every_worker_is_told() -> None:
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        connected(None, 1) as cluster,
        pytest.raises(
            LprError, match=r"every worker that tried a task has died \(1 of them, the last tcp://.*\); look"
        ),
    ):
        list(cluster.run(signal.raise_signal, [signal.SIGKILL]))


def command(folder: Path, out: str, *options: str) -> list[str]:
    (folder / out).mkdir(exist_ok=True)
    outputs = [part for name in SUFFIXES for part in ("-o", str(folder / out / f"md.{name}"))]
    arguments = ["score", str(folder / "m.lpr"), str(folder / "long.xyz"), "--least-rigid", "5", *outputs, *options]
    (folder / "program.py").write_text(PROGRAM)
    return [sys.executable, "-W", "error", str(folder / "program.py"), *arguments]


def complete(folder: Path) -> list[Path]:
    """Journals of ranges that are done."""
    journals = sorted(folder.glob("*.journal"))
    return [path for path in journals if json.loads(path.read_text())["progress"]["state"] == "complete"]


def wait_for_a_range(folder: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None and not complete(folder):
        time.sleep(0.01)


def test_a_run_that_was_killed_goes_on_with_other_workers(long: Path, cluster: Cluster) -> None:
    process = subprocess.Popen(command(long, "parts", "--workers", "2"), text=True, start_new_session=True)
    with process:
        wait_for_a_range(long / "parts", process)
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    # The scheduler by its file, and workers that are in another folder.
    write_scheduler_file(cluster, long)
    relative = [part.replace(f"{long}/", "") for part in command(long, "parts", "--scheduler", "scheduler.json")]
    again = subprocess.run(relative, capture_output=True, text=True, check=True, cwd=long)
    match = re.search(r"lpr-fast: went on: (\d+) frames had been done before\.", again.stderr)
    assert match
    assert int(match.group(1)) >= 250
    assert "scored    2000 frames, 16000 atoms" in again.stdout
    assert contents(long / "parts") == contents(long / "whole")


def test_an_interrupt_says_how_to_go_on(long: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_workers, "_ATOMS_OF_RANGE", 2000)
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
    assert re.match(r"lpr-fast: interrupted, what the workers have written is safe; give the same command", stderr)
    assert score(long, "stopped", long / "long.xyz", scheduler=cluster.client).resumed_at >= 250
    assert contents(long / "stopped") == contents(long / "whole")


def test_files_of_a_dying_worker_are_waited_for(folder: Path, cluster: Cluster) -> None:
    score(folder, "whole")
    (folder / "parts").mkdir()
    with (folder / "parts" / "md.csv.shard-2-of-5.unfinished").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)

        def release(*_: object) -> None:
            fcntl.flock(file, fcntl.LOCK_UN)

        score(folder, "parts", scheduler=cluster.client, progress=release)
    assert contents(folder / "parts") == contents(folder / "whole")


def test_what_is_left_of_other_runs_is_told_first(folder: Path, cluster: Cluster) -> None:
    score(folder, "parts", shard="1/2")
    with pytest.raises(InvalidInputError, match="has shards of a run of 2 shards, but this one has 5; merge or delete"):
        score(folder, "parts", scheduler=cluster.client)
    for path in (folder / "parts").iterdir():
        path.unlink()
    score(folder, "parts", shard="1/5")
    assert score(folder, "parts", scheduler=cluster.client).resumed_at == 3
    Journal(folder / "parts" / "md.csv", {"shard": None}).write({})
    with pytest.raises(InvalidInputError, match="was begun without workers; go on without, or delete that file"):
        score(folder, "parts", scheduler=cluster.client)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"workers": 2, "shard": "1/2"}, "a shard is a job of its own, without workers; give one or the other"),
        ({"workers": 2, "scheduler": "tcp://127.0.0.1:9"}, "a scheduler has its own workers; give a scheduler, or"),
        ({"workers": -1}, "workers is -1; it must not be negative"),
        ({"workers": 2, "source": "-"}, "standard input cannot be read by workers; give files"),
        ({"workers": 2, "source": silicon(1)}, "frames in memory cannot be read by workers; give files"),
        ({"scheduler": "tcp://127.0.0.1:9"}, "no Dask scheduler answers at tcp://127.0.0.1:9; give the address"),
        ({"scheduler": "nonsense"}, "no Dask scheduler answers at nonsense"),
        ({"scheduler": 3}, "scheduler is a int; give an address, a scheduler file, or a Client of Dask"),
        ({"scheduler": __file__.replace("test_cluster.py", "none.json")}, "No such file"),
    ],
)
def test_what_cannot_work_is_one_sentence(
    options: dict[str, Any], expected: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_cluster, "_PATIENCE", 0.5)
    with pytest.raises((InvalidInputError, OSError), match=expected):
        score(folder, "parts", **options)
    assert not list((folder / "parts").iterdir())


def test_it_is_told_once_that_all_workers_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([{"a": 1}, {}, {}, {"b": 1}, {}])
    seen = threading.Event()

    class Looked:
        def nthreads(self) -> dict[str, int]:
            try:
                return next(looks)
            except StopIteration:
                seen.set()
                raise

    monkeypatch.setattr(_cluster, "_BETWEEN_LOOKS", 0.001)
    with pytest.warns(LprWarning, match="no workers any more") as told, _cluster._watched(Looked()):  # type: ignore[arg-type]
        assert seen.wait(30)
    assert len(told) == 2


def test_a_scheduler_without_workers_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cluster, "_PATIENCE_WITH_WORKERS", 0.5)
    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", scheduler_kwargs={"dashboard": False}) as empty,
        pytest.raises(
            InvalidInputError, match=r"the scheduler at tcp://.* has had no workers for .* seconds; start some"
        ),
    ):
        score(folder, "parts", scheduler=empty)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("version", lambda _: "0.0.1", "has ase .*, but here it is 0.0.1; install the same version everywhere"),
        ("_core", SimpleNamespace(cpu_info=lambda: ("mmx", [])), "but this process with mmx, which gives other bits"),
    ],
)
def test_workers_that_would_compute_other_bits_are_refused(
    name: str, value: Any, expected: str, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_cluster, name, value)  # here; the workers know nothing of it
    expected = r"the worker tcp://\S+ .*" + expected
    with pytest.raises(InvalidInputError, match=expected), connected(cluster.client):
        pass
    late = Cluster(cluster.client)  # as if the workers had joined after the others were looked at
    with pytest.raises(InvalidInputError, match=expected):
        late.result(late.submit(os.getpid))


def test_the_remedy_is_an_instruction_set_that_all_have() -> None:
    here = {**_cluster.facts(), "instruction set": "c", "available": ["a", "b", "c"]}
    there = {**here, "instruction set": "b", "available": ["a", "b"]}
    with pytest.raises(InvalidInputError, match="set LPR_FAST_INSTRUCTION_SET=b here and for all workers"):
        _cluster._refuse_others(here, there, "tcp://x")


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
    page = (Path(__file__).parents[1] / "docs" / "cluster.md").read_text()
    (script,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(script, names)
    names["cluster"].close()
    assert "11 frames, 88 atoms; the least rigid: Extreme(value=" in capsys.readouterr().out
    assert (folder / "md.h5.least-rigid.extxyz").exists()
