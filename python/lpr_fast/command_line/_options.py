"""Options that several commands have."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from .._errors import InvalidInputError
from ..models._settings import AUTO, Regularizer

P = ParamSpec("P")
T = TypeVar("T")


def number_or_auto(name: str, text: str) -> Regularizer:
    """A number, or the word auto.

    Raises
    ------
    InvalidInputError
        For anything else, calling it by its name.
    """
    if text == AUTO:
        return AUTO
    try:
        return float(text)
    except ValueError as error:
        raise InvalidInputError(f"{name} is {text!r}; give a positive number, or auto.") from error


model_argument = click.argument("model", metavar="MODEL", type=click.Path(path_type=Path))

trajectory_argument = click.argument("trajectory", metavar="TRAJECTORY...", type=str, nargs=-1, required=True)

log_option = click.option(
    "--log",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Append what is said, and every ten seconds how far it is, to FILE, whose name ends in .log.",
)


def worker_options(command: Callable[P, T]) -> Callable[P, T]:
    """Add what says which processes do the work."""
    workers = click.option(
        "--workers", metavar="N", type=int, default=0, help="Work with N processes of one thread each."
    )
    scheduler = click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="Work with a Dask cluster: tcp://host:8786, for instance, or the .json file of its scheduler.",
    )
    return workers(scheduler(command))


_READING = {
    "format": ("NAME", str, "Format of all files, as ASE calls it.  [default: told by names and contents]"),
    "topology": (
        "FILE",
        click.Path(path_type=Path),
        "Structure with the same atoms in the same order: species of files that hold none (XTC, TRR, DCD, NetCDF, "
        "LAMMPS), and the cell of frames without one.",
    ),
    "species": ("LIST", str, "Elements of the types 1, 2, ... (In,P), or of labels (OW=O,HW=H)."),
    "cell": ("CELL", str, "Cell of frames without one, in Å: 'a b c', 'a b c alpha beta gamma', or nine numbers."),
    "ignore": ("LIST", str, "Leave out atoms of these elements or labels, such as X,Mw; others are numbered without."),
}


def reading_options(command: Callable[..., T]) -> Callable[..., T]:
    """Add what says how files are read; the command gets it together, as `reading`."""

    @functools.wraps(command)
    def wrapped(*args: Any, **options: Any) -> T:
        given = {name: value for name in _READING if (value := options.pop(name)) is not None}
        return command(*args, reading=given, **options)

    for name, (metavar, kind, text) in reversed(_READING.items()):
        wrapped = click.option(f"--{name}", metavar=metavar, type=kind, help=text)(wrapped)
    return wrapped
