"""What the tests share."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path
from typing import Any

import ase.io
import pytest
from ase import Atoms
from hypothesis import settings

from lpr_fast import SparseKernelModel

from . import sampled  # noqa: F401
from .oracle.remembered import keep_in
from .oracle.report import Solved, report, solve_all
from .structures import fitted, silicon

# The same examples in every run: chance decides nothing.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")

# A shell that starts the tests in the background makes them ignore Ctrl-C, and their processes too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Read by every process that a test starts.
_STARTED = str(Path(__file__).with_name("started"))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [_STARTED, os.environ.get("PYTHONPATH")]))

_solved: list[Solved] = []
_reports: list[str] = []


@pytest.fixture(scope="session")
def solved_problems() -> list[Solved]:
    """The generated problems with their exact answers, computed once."""
    if not _solved:
        _solved.extend(solve_all(from_the_end=os.environ.get("PYTEST_XDIST_WORKER") == "gw1"))
    return _solved


@pytest.fixture(scope="session")
def model() -> SparseKernelModel:
    """A model of silicon."""
    return fitted()


@pytest.fixture
def frames() -> list[Atoms]:
    """Five structures of eight atoms."""
    return silicon(5, seed=30)


@pytest.fixture
def trajectory(tmp_path: Path, frames: list[Atoms]) -> Path:
    """A file with these structures."""
    ase.io.write(tmp_path / "md.xyz", frames)
    return tmp_path / "md.xyz"


def pytest_configure(config: pytest.Config) -> None:
    """Exact answers stay in pytest's cache; workers of xdist have it too."""
    if cache := getattr(config, "cache", None):
        keep_in(cache.mkdir("exact"))


def pytest_collection_finish() -> None:
    """Leave modules and collected tests, which stay until the end, out of every later search for garbage."""
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Make the table of errors if the problems were solved here; a worker of xdist sends it."""
    if _solved:
        _reports.append(report(_solved))
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["reports"] = _reports


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the table from a worker, which prints nothing itself."""
    _reports.extend(getattr(node, "workeroutput", {}).get("reports", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of errors once, whoever made it."""
    if _reports:
        terminalreporter.section("errors against 400-bit arithmetic")
        terminalreporter.write_line(_reports[0])
