"""Commands about several models of the same structures, and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ._help import Command
from ._mistakes import one_sentence
from ._options import (
    descriptor_option,
    file_argument,
    log_option,
    memory_option,
    model_output_option,
    output_option,
    reading_options,
    rows_argument,
    seed_option,
    trajectory_argument,
)


@click.command(cls=Command, examples=("lpr-fast committee train.rows -o committee.lpr --model model.lpr",))
@rows_argument
@model_output_option
@click.option("--members", metavar="N", type=int, default=10, show_default=True, help="Number of members.")
@click.option(
    "--fraction",
    type=float,
    help="Share of the structures that each member is fitted to.  [default: 0.8; 1 with replacement]",
)
@click.option("--with-replacement", is_flag=True, help="Draw structures with replacement (bootstrap).")
@seed_option("the random subsets")
@click.option(
    "--model",
    metavar="MODEL",
    type=click.Path(path_type=Path),
    help="The model of the fit that wrote ROWS: its percentiles, verdicts and sigma are copied.",
)
@descriptor_option
@memory_option("Limit on memory for the members.  [default: 2GB]")
@log_option
@one_sentence
def committee(rows: Path, output: Path, **options: Any) -> None:
    """Fit a committee of models to subsets of the training set.

    ROWS is a file that `lpr-fast fit --keep-rows` wrote. Scores of OUT have the spread of the members' local energies
    beside the LPR.
    """
    from . import _committee

    _committee.committee(rows, output, **options)


@click.command(cls=Command, examples=("lpr-fast compare before.lpr after.lpr md.xyz",))
@file_argument("a", "A")
@file_argument("b", "B")
@trajectory_argument
@output_option(
    "File to write; repeat for more: a table of frames and species (.csv), all atoms (.h5, .npz, .extxyz), a picture "
    "(.png, .pdf, .svg), a map for chemiscope (.chemiscope.json.gz).  [default: .compare.csv and .compare.png beside "
    "TRAJECTORY]",
    multiple=True,
)
@click.option("--near", metavar="FILE", help="Also report the change for the atoms most similar to those of FILE.")
@click.option("-k", type=int, default=100, show_default=True, help="With --near: the number of these atoms.")
@descriptor_option
@reading_options
@log_option
@one_sentence
def compare(a: Path, b: Path, trajectory: tuple[str, ...], output: tuple[Path, ...], **options: Any) -> None:
    """Compare the LPR of two models on the same atoms.

    TRAJECTORY is read as by `lpr-fast score`. Both models need the same loss. With the same active set as well
    (`lpr-fast fit --active-set A`), all changes come from the training sets.
    """
    from . import _compare

    _compare.compare_models(a, b, trajectory, output, **options)
