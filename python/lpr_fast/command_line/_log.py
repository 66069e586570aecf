"""The log file: the command, its progress, its output."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from .._errors import InvalidInputError

_logger = logging.getLogger(__name__)
_logger.addHandler(logging.NullHandler())
_logger.propagate = False
_logger.setLevel(logging.INFO)


@contextmanager
def logging_to(path: Path | None) -> Iterator[None]:
    """Append all lines of `note` to a file, if one is given.

    Raises
    ------
    InvalidInputError
        If the name does not end in .log: it could be an input or output.
    """
    if path is None:
        yield
        return
    if path.suffix != ".log":
        raise InvalidInputError(
            f"the log file is {path}; its name must end in .log, because the log is appended to it."
        )
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    _logger.addHandler(handler)
    try:
        note(f"command: {shlex.join(['lpr-fast', *sys.argv[1:]])}")
        yield
    except click.ClickException as error:
        note(error.message, logging.ERROR)
        raise
    finally:
        _logger.removeHandler(handler)
        handler.close()


def note(line: str, level: int = logging.INFO) -> None:
    """Add a line to the log."""
    _logger.log(level, "%s", line)
