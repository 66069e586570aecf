"""What the tests share."""

from __future__ import annotations

from pathlib import Path

import ase.io
import pytest
from ase import Atoms
from hypothesis import settings

from lpr_fast import SparseKernelModel

from .oracle.report import Solved, report, solve_all
from .structures import fitted, silicon

# The same examples in every run: chance decides nothing.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")

_solved: list[Solved] = []


@pytest.fixture(scope="session")
def solved_problems() -> list[Solved]:
    """The generated problems with their exact answers, computed once."""
    if not _solved:
        _solved.extend(solve_all())
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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of errors when the problems were solved in this run."""
    if _solved:
        terminalreporter.section("errors against 400-bit arithmetic")
        terminalreporter.write_line(report(_solved))
