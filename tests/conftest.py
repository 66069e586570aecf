"""What the tests share."""

from __future__ import annotations

import pytest

from .oracle.report import Solved, report, solve_all

_solved: list[Solved] = []


@pytest.fixture(scope="session")
def solved_problems() -> list[Solved]:
    """The generated problems with their exact answers, computed once."""
    if not _solved:
        _solved.extend(solve_all())
    return _solved


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of errors when the problems were solved in this run."""
    if _solved:
        terminalreporter.section("errors against 400-bit arithmetic")
        terminalreporter.write_line(report(_solved))
