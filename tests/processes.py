"""Commands in processes of their own that are ended by force, and the journals that they leave."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import sys
import time
import weakref
from pathlib import Path
from tempfile import mkdtemp

# What commands import: loaded once, into a process that computes nothing and is forked for each of them.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "ase.io",
        "chemfiles",
        "chemiscope",
        "featomic",
        "h5py",
        "lpr_fast.command_line._commands",
        "lpr_fast.descriptors._soap",
        "lpr_fast.jobs._shards",
        "lpr_fast.reading._formats",
        "lpr_fast.writing._outputs",
        "sklearn.decomposition",
    ]
)


class EndOfPowerError(BaseException):
    """Ends a run as a crash would: nothing catches it, and nothing is tidied up."""


class Forked:
    """The command ``python -c PROGRAM ARGUMENT ...`` in a process that has its imports behind it."""

    def __init__(self, command: list[str]) -> None:
        python, option, *program = command
        assert (python, option) == (sys.executable, "-c")
        self._said = Path(mkdtemp())
        weakref.finalize(self, shutil.rmtree, self._said)
        self._process = _FORKS.Process(target=_run, args=(program, self._said))
        self._process.start()

    @property
    def returncode(self) -> int | None:
        """Minus the signal that ended it, or what it returned; None as long as it runs."""
        return self._process.exitcode

    def wait(self, seconds: float) -> int | None:
        """Return the same after so many seconds at most."""
        self._process.join(seconds)
        return self.returncode

    def wait_for(self, file: Path) -> None:
        """Wait until a file is there, or the process has ended, for a minute at most."""
        deadline = time.monotonic() + 60
        while not file.exists() and self.returncode is None and time.monotonic() < deadline:
            time.sleep(0.0005)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.returncode is None:
            assert self._process.pid
            os.kill(self._process.pid, number)

    @property
    def stdout(self) -> str:
        """What it has printed."""
        return (self._said / "stdout").read_text()

    @property
    def stderr(self) -> str:
        """What it has said."""
        return (self._said / "stderr").read_text()


def _run(program: list[str], folder: Path) -> None:
    """Do in a fork what Python does in a process of its own."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT), number)
    sys.argv[:] = ["-c", *program[1:]]
    exec(program[0], {"__name__": "__main__"})


def killed(command: list[str], seconds: float, after: Path | None = None) -> bool:
    """Whether the command could be killed so long after its start, or after a file was there, before it had ended."""
    process = Forked(command)
    if after:
        process.wait_for(after)
    if process.wait(seconds) is None:
        process.send(signal.SIGKILL)
        process.wait(60)
        return True
    assert process.returncode == 0, process.stderr
    return False


def forge_setting(journal: Path, change: str) -> None:
    """Have the journal say another instruction set ("level"), or another version of lpr_fast."""
    content = json.loads(journal.read_text())
    name, value = ("instruction_set", "mmx") if change == "level" else ("version_of_lpr_fast", "0.0.1")
    content["settings"][name] = value
    journal.write_text(json.dumps(content))
