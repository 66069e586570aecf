"""Options that several commands have."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .._errors import InvalidInputError
from ..models._settings import AUTO, Regularizer
from ._help import READING, RUNNING, Decorator, titled

PICTURES = ".png, .pdf or .svg"


def number_or_auto(name: str, text: str) -> Regularizer:
    """A number, or the word auto.

    Raises
    ------
    InvalidInputError
        For any other text.
    """
    if text == AUTO:
        return AUTO
    try:
        return float(text)
    except ValueError as error:
        raise InvalidInputError(f"{name} is {text!r}; give a positive number, or auto.") from error


def file_argument(name: str, metavar: str) -> Decorator:
    """One file."""
    return click.argument(name, metavar=metavar, type=click.Path(path_type=Path))


def files_argument(name: str, metavar: str) -> Decorator:
    """At least one file, each perhaps with a selection of frames."""
    return click.argument(name, metavar=f"{metavar}...", type=str, nargs=-1, required=True)


def output_option(text: str, *, metavar: str = "OUT", required: bool = False, multiple: bool = False) -> Decorator:
    """The file to write, or the files; `text` says what they are."""
    return click.option(
        "-o",
        "--output",
        metavar=metavar,
        type=click.Path(path_type=Path),
        required=required,
        multiple=multiple,
        help=text,
    )


def seed_option(text: str) -> Decorator:
    """The seed of something random, which `text` names."""
    return click.option("--seed", type=int, default=0, show_default=True, help=f"Seed of {text}.")


model_argument = file_argument("model", "MODEL")
rows_argument = file_argument("rows", "ROWS")
trajectory_argument = files_argument("trajectory", "TRAJECTORY")
model_output_option = output_option("Model file to write.", metavar="OUT", required=True)

group_key_option = click.option(
    "--group-key",
    metavar="KEY",
    default="config_type",
    show_default=True,
    help="Name of the group of a structure (its kind) in the files.",
)

descriptor_option = click.option(
    "--descriptor",
    metavar="MODULE:NAME",
    help="Python function that computes the features, for models that were fitted with one: package.module:name or "
    "file.py:name. A model built from arrays takes one too, or the name of the features in the structures.",
)

quiet_option = click.option("--quiet", is_flag=True, help="Print errors and warnings only.")

log_option = titled(
    RUNNING,
    click.option(
        "--log",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Append the output, and the progress every 10 s, to FILE (name ends in .log).",
    ),
)


def memory_option(text: str) -> Decorator:
    """A limit on memory; `text` says of what."""
    return titled(RUNNING, click.option("--memory", metavar="SIZE", help=text))


worker_options = titled(
    RUNNING,
    click.option(
        "--workers",
        metavar="N",
        type=int,
        default=0,
        help="Number of worker processes, one thread each.  [default: none, this process uses all cores]",
    ),
    click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="Dask cluster to run on: its address, for example tcp://host:8786, or its scheduler's .json file.",
    ),
)


_READING = {
    "format": ("NAME", str, "Format of all files, by ASE's name.  [default: from names and contents]"),
    "topology": (
        "FILE",
        click.Path(path_type=Path),
        "Structure with the same atoms in the same order. It gives the species to files without them (XTC, TRR, DCD, "
        "NetCDF, LAMMPS), and the cell to frames without one.",
    ),
    "species": (
        "LIST",
        str,
        "Elements of the types 1, 2, ... (In,P or 49,15), or of atom labels (OW=O,HW=H).",
    ),
    "cell": (
        "CELL",
        str,
        "Cell of frames without one, in Å and degrees: 'a b c', 'a b c alpha beta gamma', or nine numbers.",
    ),
    "ignore": ("LIST", str, "Drop atoms of these elements or labels (X,Mw). The other atoms are numbered anew."),
}


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for reading files; the command gets them together, as `reading`."""

    @functools.wraps(command)
    def wrapped(*args: Any, **options: Any) -> Any:
        given = {name: value for name in _READING if (value := options.pop(name)) is not None}
        return command(*args, reading=given, **options)

    options = [
        click.option(f"--{name}", metavar=metavar, type=kind, help=text)
        for name, (metavar, kind, text) in _READING.items()
    ]
    return titled(READING, *options)(wrapped)
