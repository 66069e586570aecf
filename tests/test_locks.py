"""One process at a time for each output, at every moment of a run, and on file systems that have no locks."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ase.io
import pytest

from lpr_fast import InvalidInputError, LprWarning, fit_files, load_model, merge_shards, plot_scores, score_trajectory
from lpr_fast.jobs._lock import InUseError, locked

from .processes import Forked
from .structures import HYPERS, fitted, silicon

fcntl = pytest.importorskip("fcntl")

# Runs the command line, and holds it before a call: says so with a file, and waits until that is gone.
HELD = """
import importlib, sys, time
from pathlib import Path
place, flag = sys.argv[1], Path(sys.argv[2])
module, owner, name = place.rsplit(".", 2)
owner = getattr(importlib.import_module(module), owner) if owner != "-" else importlib.import_module(module)
call = getattr(owner, name)
def held(*arguments, **options):
    flag.touch()
    while flag.exists():
        time.sleep(0.005)
    setattr(owner, name, call)
    return call(*arguments, **options)
setattr(owner, name, held)
import lpr_fast.jobs._job as job
job._BETWEEN_CHECKPOINTS = 0.0
sys.argv[:] = ["lpr-fast", *sys.argv[3:]]
from lpr_fast.command_line import main
main()
"""

READING = "lpr_fast.reading._sources.Files.read_through"
CHECKPOINT = "lpr_fast.jobs._journal.Journal.write"
ASSEMBLING = "lpr_fast.writing._records.HDF5._write"
RENAMING = "lpr_fast.writing._records._Records.publish"
REMOVING = "lpr_fast.jobs._journal.Journal.remove"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fitted().save(tmp_path / "m.lpr")
    ase.io.write(tmp_path / "md.xyz", silicon(20))
    return tmp_path


def scoring(folder: Path, out: str, *more: str) -> list[str]:
    outputs = [part for suffix in ("h5", "csv") for part in ("-o", f"{folder}/{out}.{suffix}")]
    return ["score", f"{folder}/m.lpr", f"{folder}/md.xyz", *outputs, *more]


def score(folder: Path, out: str, shard: str | None = None, suffixes: tuple[str, ...] = ("h5", "csv")) -> None:
    outputs = [folder / f"{out}.{suffix}" for suffix in suffixes]
    score_trajectory(folder / "m.lpr", folder / "md.xyz", outputs, shard=shard)


def fitting(folder: Path, out: str) -> list[str]:
    small = ["--n-active", "12", "--max-radial", "2", "--max-angular", "2", "--cutoff", "3.5"]
    return ["fit", f"{folder}/md.xyz", "-o", f"{folder}/{out}.lpr", *small]


def refused(call: Callable[..., Any], *arguments: Any) -> None:
    """By another process than the one that is held."""
    with pytest.raises(InUseError, match=r"^another process is writing .*; wait for it, or give another output\.$"):
        call(*arguments)


@contextmanager
def held(place: str, folder: Path, arguments: list[str]) -> Iterator[None]:
    """A command that stands still at a place within the block, and has to end well afterwards."""
    flag = folder / "held"
    command = [sys.executable, "-c", HELD, place, str(flag), *arguments]
    process = Forked(command)
    process.wait_for(flag)
    assert flag.exists(), f"the place was never reached: {process.stderr}"
    try:
        yield
    finally:
        flag.unlink()
    assert process.wait(60) == 0, process.stderr


def files(folder: Path, out: str) -> dict[str, bytes]:
    """Outputs, and whatever else is beside them, by what they add to their name."""
    found = sorted(path for path in folder.iterdir() if path.name.startswith(out + "."))
    return {path.name.removeprefix(out): path.read_bytes() for path in found if path.suffix != ".json"}


@pytest.mark.parametrize("place", [READING, CHECKPOINT, ASSEMBLING, RENAMING, REMOVING])
def test_the_same_command_is_kept_out_at_every_moment_of_a_run(place: str, folder: Path) -> None:
    score(folder, "whole")
    with held(place, folder, scoring(folder, "md1")):
        refused(score, folder, "md1")
        refused(score, folder, "md1", "1/2")
        refused(score, folder, "md1", None, ("csv",))  # one output in common
    assert files(folder, "md1") == files(folder, "whole")


@pytest.mark.parametrize("place", [READING, CHECKPOINT, "lpr_fast.writing._sinks.Text.checkpoint"])
def test_a_shard_keeps_out_itself_and_the_merge_but_no_other_shard(place: str, folder: Path) -> None:
    score(folder, "whole")
    with held(place, folder, scoring(folder, "md1", "--shard", "1/2")):
        if place != READING:
            refused(score, folder, "md1", "1/2")
        refused(score, folder, "md1")
        refused(merge_shards, folder / "md1.h5")
        score(folder, "md1", "2/2")
    merge_shards(folder / "md1.h5")
    assert files(folder, "md1") == files(folder, "whole")


@pytest.mark.parametrize(
    "place", [ASSEMBLING, RENAMING, REMOVING, "lpr_fast.jobs._shards.-._remove", "lpr_fast.writing._sinks.Text.absorb"]
)
def test_a_merge_keeps_out_everything(place: str, folder: Path) -> None:
    score(folder, "whole")
    for index in (1, 2):
        score(folder, "md1", f"{index}/2")
    with held(place, folder, ["merge", f"{folder}/md1.h5"]):
        refused(merge_shards, folder / "md1.h5")
        refused(score, folder, "md1", "2/2")
        refused(score, folder, "md1")
    assert files(folder, "md1") == files(folder, "whole")


@pytest.mark.parametrize(
    "place",
    [READING, CHECKPOINT, "lpr_fast.jobs._fit_job.FitJob.assemble", "lpr_fast.jobs._fit_job.FitJob.publish", REMOVING],
)
def test_the_same_fit_is_kept_out_at_every_moment(place: str, folder: Path) -> None:
    with held(place, folder, fitting(folder, "si")):
        refused(lambda: fit_files(folder / "md.xyz", folder / "si.lpr", hypers=HYPERS, n_active=12, regularizer=1e-3))
    assert set(files(folder, "si")) == {".lpr"}
    load_model(folder / "si.lpr")


def test_a_lock_whose_file_is_removed_while_it_is_waited_for_is_taken_anew(tmp_path: Path) -> None:
    inside, most = [0], [0]

    def work() -> None:
        for _ in range(150):
            with locked([tmp_path / "out"], patience=60.0):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert not list(tmp_path.iterdir())


def test_a_lock_that_is_shared_is_gone_when_the_last_one_leaves(tmp_path: Path) -> None:
    output = [tmp_path / "out"]
    with locked(output, shared=True):
        with locked(output, shared=True), pytest.raises(InUseError), locked(output):
            pass
        assert (tmp_path / "out.running").exists()
    assert not list(tmp_path.iterdir())


@pytest.fixture
def no_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that answers every lock with an error."""

    def refuse(*_: Any) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.mark.parametrize("no_locks", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL], indirect=True)
@pytest.mark.usefixtures("no_locks")
def test_without_locks_everything_works_and_that_is_told(folder: Path) -> None:
    message = "the file system has no locks, .*; do not start the same command twice"
    with pytest.warns(LprWarning, match=message) as caught:
        score_trajectory(folder / "m.lpr", folder / "md.xyz", [folder / "a.h5", folder / "a.csv"])
    assert [warning.filename for warning in caught] == [__file__]
    for index in (1, 2):
        with pytest.warns(LprWarning, match=message):
            score_trajectory(folder / "m.lpr", folder / "md.xyz", [folder / "b.h5"], shard=f"{index}/2")
    with pytest.warns(LprWarning, match=message) as caught:
        merge_shards(folder / "b.h5")
    assert {warning.filename for warning in caught} == {__file__}
    assert (folder / "b.h5").read_bytes() == (folder / "a.h5").read_bytes()
    with pytest.warns(LprWarning, match=message) as caught:
        fit_files(folder / "md.xyz", folder / "f.lpr", hypers=HYPERS, n_active=12, regularizer=1e-3, zeta=2)
    assert {warning.filename for warning in caught} == {__file__}
    assert not list(folder.glob("*.running"))


@pytest.mark.parametrize("no_locks", [errno.EIO, errno.ESTALE], indirect=True)
@pytest.mark.usefixtures("no_locks")
def test_another_error_of_the_system_is_told_as_what_it_is(folder: Path) -> None:
    with pytest.raises(OSError, match=r"(Input/output error|Stale file handle).*a\.csv\.running"):
        score_trajectory(folder / "m.lpr", folder / "md.xyz", [folder / "a.csv"])


@pytest.mark.parametrize("code", [errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES])
def test_a_lock_of_another_process_is_told(code: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(InvalidInputError, match=r"another process is writing .*a\.csv; wait for it, or give another"):
        score_trajectory(folder / "m.lpr", folder / "md.xyz", [folder / "a.csv"])


def test_without_the_module_for_locks_everything_works(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.warns(LprWarning, match="has no locks"):
        score_trajectory(folder / "m.lpr", folder / "md.xyz", [folder / "a.h5"])


def test_importing_needs_no_module_for_locks() -> None:
    program = "import sys; sys.modules['fcntl'] = None; import lpr_fast"
    subprocess.run([sys.executable, "-c", program], check=True)


SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
static int none(void) { errno = ENOSYS; return -1; }
int flock(int file, int kind) { (void)file; (void)kind; return none(); }
int fcntl64(int file, int command, ...) {
  va_list list; va_start(list, command); void* argument = va_arg(list, void*); va_end(list);
  if (command == F_SETLK || command == F_SETLKW) return none();
  int (*real)(int, int, ...) = (int (*)(int, int, ...))dlsym(RTLD_NEXT, "fcntl64");
  return real(file, command, argument);
}
int fcntl(int file, int command, ...) {
  va_list list; va_start(list, command); void* argument = va_arg(list, void*); va_end(list);
  return fcntl64(file, command, argument);
}
"""


def test_hdf5_and_pictures_need_no_locks_of_the_system(folder: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    (folder / "shim.c").write_text(SHIM)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", folder / "shim.so", folder / "shim.c", "-ldl"], check=True)
    environment = {**os.environ, "LD_PRELOAD": str(folder / "shim.so")}
    for arguments in (scoring(folder, "a"), ["plot", f"{folder}/a.h5"]):
        command = [sys.executable, "-c", "from lpr_fast.command_line import main; main()", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr
    assert (folder / "a.png").exists()
    plot_scores(folder / "a.h5", folder / "b.png")
