"""Commands about structures that are not in the training set yet, and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..design._greedy import OBJECTIVES
from . import _suggest
from ._mistakes import one_sentence
from ._options import log_option, reading_options


@click.command()
@click.argument("model", metavar="MODEL", type=click.Path(path_type=Path))
@click.option(
    "--targets", metavar="FILE", multiple=True, required=True, help="Structures whose atoms are meant; may be repeated."
)
@click.option("--candidates", metavar="FILE", multiple=True, help="Structures to choose from; may be repeated.")
@click.option(
    "--prototypes",
    metavar="NAME",
    multiple=True,
    help="Strained crystals to choose from too, those of `lpr-fast prototypes NAME`; may be repeated.",
)
@click.option(
    "-o", "--output", metavar="OUT", type=click.Path(path_type=Path), required=True, help="Extended XYZ file to write."
)
@click.option("-n", "n", type=int, help="How many to choose.  [default: 20, or what --budget-cost allows]")
@click.option("--budget-cost", type=float, help="What they may cost together; a structure of N atoms costs N^3.")
@click.option("--max-per-source", type=int, help="At most so many of each source.")
@click.option(
    "--source-key",
    metavar="KEY",
    help="Name of what a structure's source is, such as config_type.  [default: its file]",
)
@click.option(
    "--objective",
    type=click.Choice(OBJECTIVES),
    default="mean",
    show_default=True,
    help="What is to fall: the mean variance of the targets, that of its logarithm, or the largest.",
)
@click.option(
    "--column",
    type=click.Choice(["lpr", "lpr_held"]),
    help="Which rigidity is to rise.  [default: lpr_held where MODEL has it]",
)
@click.option("--loosest", metavar="K", type=int, help="Mean only the K targets of lowest rigidity.")
@click.option(
    "--target-weights", type=click.Choice(["species", "frame"]), help="Each species, or each frame, weighs the same."
)
@click.option("--largest-residual", type=float, help="Targets beyond are not ranked.  [default: those that are unlike]")
@click.option("--draws", "n_draws", type=int, default=20, show_default=True, help="Random choices to compare with.")
@click.option("--seed", type=int, default=0, show_default=True, help="Draws them.")
@click.option("--descriptor", metavar="MODULE:NAME", help="As of `lpr-fast score`.")
@reading_options
@log_option
@one_sentence
def suggest(model: Path, **options: Any) -> None:
    """Choose candidates that would make MODEL's predictions for the atoms of the targets more rigid.

    Nothing is fitted, and no energies are needed. OUT gets the chosen structures, best first; a table beside it, .csv,
    has all candidates with the share of the targets' variance that each would take away alone.
    """
    _suggest.suggest(model, _suggest.Options(**options))
