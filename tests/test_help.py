"""The help of the command line lists everything once, and its examples can be typed."""

from __future__ import annotations

import shlex

import click
import pytest
from click.testing import CliRunner

from lpr_fast.command_line._commands import lpr_fast

COMMANDS = sorted(lpr_fast.commands)


def help_of(*command: str) -> list[str]:
    result = CliRunner().invoke(lpr_fast, [*command, "--help"], prog_name="lpr-fast", terminal_width=80)
    assert result.exit_code == 0
    return result.output.splitlines()


def test_every_command_is_listed_once_with_its_whole_first_line() -> None:
    lines = help_of()
    for name in COMMANDS:
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        assert not line.endswith("...")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_listed_once(name: str) -> None:
    lines = help_of(name)
    for parameter in lpr_fast.commands[name].params:
        if isinstance(parameter, click.Option):
            listed = [line for line in lines if line.startswith("  -") and parameter.opts[-1] in line.split()[:2]]
            assert len(listed) == 1, parameter


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_is_a_command_that_can_be_typed(name: str) -> None:
    lines = [line.strip() for line in help_of(name)]
    examples = lines[lines.index("Examples:") + 1 :]
    examples = examples[: examples.index("")]
    assert examples
    for example in examples:
        program, command, *arguments = shlex.split(example)
        assert (program, command) == ("lpr-fast", name)
        lpr_fast.commands[name].make_context(name, arguments)
