"""Errors of commands as one sentence and an exit code, warnings as notes; both go to the log too."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import click

from .._errors import LprError, LprWarning
from .._files import printable
from . import missing
from ._log import logging_to
from ._terminal import say

P = ParamSpec("P")
T = TypeVar("T")


class Mistake(click.ClickException):
    """An error that the user can correct: one sentence, and exit code 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:  # noqa: ARG002
        """Print the sentence."""
        click.echo(f"lpr-fast: {printable(self.message)}", err=True)


class Interrupted(Mistake):
    """Ctrl-C: the exit code that shells expect."""

    exit_code = 130


def one_sentence(command: Callable[P, T]) -> Callable[P, T]:
    """Turn errors that a user can correct into one sentence, and warnings into notes; log both."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **options: P.kwargs) -> T:
        log: Any = options.pop("log", None)
        with _mistakes(), logging_to(log), _mistakes(), _warnings_as_notes():  # --log may be wrong too
            return command(*args, **options)

    return wrapped


@contextmanager
def _mistakes() -> Iterator[None]:
    try:
        yield
    except ImportError as error:  # before LprError: a MissingPackageError is both
        raise Mistake(missing(error)) from error
    except LprError as error:
        raise Mistake(str(error)) from error
    except BrokenPipeError:
        raise  # click ends silently when nobody reads on
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        raise Mistake(f"{where}{error.strerror or error}.") from error
    except MemoryError as error:
        raise Mistake(f"out of memory ({error}); use a smaller active set or fewer features.") from error
    except KeyboardInterrupt as error:
        raise Interrupted(str(error) or "interrupted; no file was written.") from error


@contextmanager
def _warnings_as_notes() -> Iterator[None]:
    def note(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        kind = "note" if issubclass(category, LprWarning) else "warning"
        say(f"{kind}: {' '.join(str(message).split())}")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("once", category=UserWarning)
        warnings.showwarning = note
        yield
