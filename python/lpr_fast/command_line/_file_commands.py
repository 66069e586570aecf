"""Commands about model files, and the demo."""

from __future__ import annotations

from pathlib import Path

import click

from .._files import refuse_output
from ._help import Command
from ._mistakes import one_sentence
from ._options import file_argument, model_argument


@click.command(cls=Command, examples=("lpr-fast info model.lpr",))
@model_argument
@one_sentence
def info(model: Path) -> None:
    """Print what a model file holds: training set, settings, checks."""
    from . import _info

    _info.info(model)


@click.command(cls=Command, examples=("lpr-fast upgrade old.lpr new.lpr",))
@file_argument("old", "OLD")
@file_argument("new", "NEW")
@one_sentence
def upgrade(old: Path, new: Path) -> None:
    """Write an old model file in the current format.

    Files of version 1 lack the radial integrals of the descriptor; this command adds them, with featomic. C++, C and
    LAMMPS need them to score structures.
    """
    from ..atoms._load import load_model

    refuse_output(new, [old])
    load_model(old).save(new)
    print(f"written   {new}")


@click.command("demo", cls=Command, examples=("lpr-fast demo",))
@click.argument("folder", metavar="[FOLDER]", type=click.Path(path_type=Path), default=Path("lpr-fast-demo"))
@one_sentence
def run_demo(folder: Path) -> None:
    """Fit, score and draw melting silicon and a melting alloy.

    The files go to FOLDER (default: lpr-fast-demo).
    """
    from ._demo import demo  # loads matplotlib

    demo(folder)
