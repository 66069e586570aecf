"""Commands about structures that might join the training set, or leave it, and their options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ..atoms.predictions._predicted import PREDICTIONS
from ..design._greedy import OBJECTIVES
from . import _influence, _suggest
from ._mistakes import one_sentence
from ._options import log_option, model_argument, reading_options

T = TypeVar("T")

_SIGMAS = {
    "energy": "Standard deviation of the energy that a candidate would bring, in eV",
    "force": "The same of its forces, in eV/Å; without any it brings none",
    "virial": "The same of its virial, in eV; without any it brings none",
}

targets_option = click.option(
    "--targets", metavar="FILE", multiple=True, required=True, help="Structures whose atoms are meant; may be repeated."
)
prediction_option = click.option(
    "--prediction",
    type=click.Choice(PREDICTIONS),
    default="local",
    show_default=True,
    help="What of them is meant: local energies of atoms, energies of structures, or components of forces.",
)
column_option = click.option(
    "--column",
    type=click.Choice(["lpr", "lpr_held"]),
    help="Of which rigidity variances are.  [default: lpr_held for local energies, where there is one]",
)


def sigma_options(command: Callable[..., T]) -> Callable[..., T]:
    """Add the standard deviations of the labels that candidates would bring."""
    for kind, of_kind in reversed(_SIGMAS.items()):
        command = click.option(f"--sigma-{kind}", metavar="SIGMA", help=f"{of_kind}.  [default: that of MODEL]")(
            command
        )
    return command


descriptor_option = click.option("--descriptor", metavar="MODULE:NAME", help="As of `lpr-fast score`.")


@click.command()
@model_argument
@targets_option
@prediction_option
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
@sigma_options
@click.option("-n", "n", type=int, help="How many to choose.  [default: 20, or what --budget-cost allows]")
@click.option("--budget-cost", type=float, help="What they may cost together.")
@click.option(
    "--cost",
    type=click.Choice(["cubic", "atoms"]),
    default="cubic",
    show_default=True,
    help="What a structure of N atoms costs: N^3, as of density functionals, or N.",
)
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
@column_option
@click.option("--loosest", metavar="K", type=int, help="Mean only the K targets of lowest rigidity.")
@click.option(
    "--target-weights", type=click.Choice(["species", "frame"]), help="Each species, or each frame, weighs the same."
)
@click.option("--largest-residual", type=float, help="Targets beyond are not ranked.  [default: those that are unlike]")
@click.option("--draws", "n_draws", type=int, default=20, show_default=True, help="Random choices to compare with.")
@click.option("--seed", type=int, default=0, show_default=True, help="Draws them.")
@descriptor_option
@reading_options
@log_option
@one_sentence
def suggest(model: Path, **options: Any) -> None:
    """Choose candidates that would make MODEL's predictions for the atoms of the targets more rigid.

    Nothing is fitted, and no energies are needed. OUT gets the chosen structures, best first; a table beside it, .csv,
    has all candidates with the share of the targets' variance that each would take away alone.
    """
    _suggest.suggest(model, _suggest.Options(**options))


@click.command()
@click.argument("rows", metavar="ROWS", type=click.Path(path_type=Path))
@targets_option
@click.option(
    "-o", "--output", metavar="OUT", type=click.Path(path_type=Path), required=True, help="Table to write, .csv."
)
@click.option("--by-group", is_flag=True, help="Leave out groups (config_type) instead of structures.")
@prediction_option
@column_option
@click.option("--largest-residual", type=float, help="Targets beyond are not counted.  [default: all count]")
@click.option(
    "--redundant",
    metavar="SHARE",
    type=float,
    help="Say which structures can go together, so that no variance grows by more than such a share: 0.01, say.",
)
@click.option("--largest-shift", type=float, help="And no prediction moves by more, in eV or eV/Å.")
@click.option(
    "--suspicion",
    type=float,
    default=6.0,
    show_default=True,
    help="Name structures with a label so many times as far off, when it is left out, as is typical of its kind.",
)
@descriptor_option
@reading_options
@log_option
@one_sentence
def influence(rows: Path, **options: Any) -> None:
    """Leave each training structure out, and say what becomes of the predictions for the atoms of the targets.

    ROWS is a file that a fit kept (--keep-rows). Nothing is described anew, and nearly nothing is fitted. OUT gets a
    line for each structure, the most influential first; a .json file beside it has more.
    """
    _influence.influence(rows, _influence.Options(**options))
