"""Layout of the help: examples below the description, options and commands under titles."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_DEFAULT_TITLE = "Options"

READING = "Reading files"
RUNNING = "Running"


class Command(click.Command):
    """A command whose help has examples, and options under titles."""

    def __init__(self, *args: Any, examples: Sequence[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.help = _with_examples(self.help, examples)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, title by title."""
        titles: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                titles.setdefault(getattr(parameter, "title", _DEFAULT_TITLE), []).append(record)
        for title, records in titles.items():
            with formatter.section(title):
                formatter.write_dl(records)


class Group(click.Group):
    """Commands under titles."""

    def __init__(self, *args: Any, examples: Sequence[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.help = _with_examples(self.help, examples)
        self._titles: dict[str, list[click.Command]] = {}

    def add_under(self, title: str, *commands: click.Command) -> None:
        """Add commands, which the help lists in this order."""
        for command in commands:
            self.add_command(command)
        self._titles[title] = list(commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the commands, title by title."""
        width = max(map(len, self.commands))
        for title, commands in self._titles.items():
            with formatter.section(title):
                formatter.write_dl([((one.name or "").ljust(width), one.get_short_help_str(80)) for one in commands])


def _with_examples(text: str | None, examples: Sequence[str]) -> str:
    """The description, and the examples as lines that click leaves as they are."""
    return "\n".join([inspect.cleandoc(text or ""), "", "\b", "Examples:", *(f"  {line}" for line in examples)])


def titled(title: str, *options: Decorator) -> Decorator:
    """Options under a title of their own in the help."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        before = len(getattr(command, "__click_params__", ()))
        for option in reversed(options):
            command = option(command)
        for parameter in getattr(command, "__click_params__")[before:]:  # noqa: B009
            parameter.title = title
        return command

    return add
