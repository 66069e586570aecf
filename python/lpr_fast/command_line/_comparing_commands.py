"""Commands about several models of the same structures, and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ._mistakes import one_sentence
from ._options import log_option, reading_options, trajectory_argument


@click.command()
@click.argument("rows", metavar="ROWS", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", metavar="MODEL", type=click.Path(path_type=Path), required=True, help="Model file to write."
)
@click.option("--members", metavar="N", type=int, default=10, show_default=True, help="Number of members.")
@click.option(
    "--fraction", type=float, help="Share of the structures that each draws.  [default: 0.8; 1 with replacement]"
)
@click.option("--with-replacement", is_flag=True, help="Draw structures more than once: a bootstrap.")
@click.option("--seed", type=int, default=0, show_default=True, help="Draws the members.")
@click.option(
    "--model",
    metavar="FIT",
    type=click.Path(path_type=Path),
    help="The model of the fit that kept ROWS: its percentiles, verdicts and sigma go into MODEL.",
)
@click.option("--memory", metavar="SIZE", help="Cap on memory of the members' sums.  [default: 2GB]")
@click.option("--descriptor", metavar="MODULE:NAME", help="As of `lpr-fast score`.")
@log_option
@one_sentence
def committee(rows: Path, output: Path, **options: Any) -> None:
    """Fit a model to the training rows in ROWS, with a committee whose local energies spread.

    ROWS is a file that `lpr-fast fit --keep-rows` wrote. Each member is fitted to some of the structures; scores of
    MODEL have the standard deviation of the members' local energies beside the LPR.
    """
    from . import _committee

    _committee.committee(rows, output, **options)


@click.command()
@click.argument("a", metavar="A", type=click.Path(path_type=Path))
@click.argument("b", metavar="B", type=click.Path(path_type=Path))
@trajectory_argument
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    type=click.Path(path_type=Path),
    multiple=True,
    help="File to write, may be repeated: a table of frames and species (.csv), all atoms (.h5, .npz, .extxyz), a "
    "picture (.png, .pdf, .svg), a map (.chemiscope.json.gz).  [default: .compare.csv and .compare.png beside "
    "TRAJECTORY]",
)
@click.option("--near", metavar="FILE", help="Structures: what changes for the atoms that are most similar to theirs.")
@click.option("-k", type=int, default=100, show_default=True, help="How many atoms that are.")
@click.option("--descriptor", metavar="MODULE:NAME", help="As of `lpr-fast score`, of both models.")
@reading_options
@log_option
@one_sentence
def compare(a: Path, b: Path, trajectory: tuple[str, ...], output: tuple[Path, ...], **options: Any) -> None:
    """Say how much more rigid model B makes every atom of TRAJECTORY than model A, by species.

    TRAJECTORY is read as by `lpr-fast score`. The models are fitted with the same loss, best with the same active set
    (`lpr-fast fit --active-set A`).
    """
    from . import _compare

    _compare.compare_models(a, b, trajectory, output, **options)
