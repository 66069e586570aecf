"""Commands about structures that might join the training set, or leave it, and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..atoms.predictions._predicted import PREDICTIONS
from ..design._greedy import OBJECTIVES
from ._help import Command, Decorator, titled
from ._mistakes import one_sentence
from ._options import (
    descriptor_option,
    log_option,
    model_argument,
    output_option,
    reading_options,
    rows_argument,
    seed_option,
)

_SIGMAS = {
    "energy": "Standard deviation of the energies of candidates in eV",
    "force": "Standard deviation of their force components in eV/Å; without it, no forces",
    "virial": "Standard deviation of their virial components in eV; without it, no virials",
}


def _target_options(*more: Decorator, ignored: str) -> Decorator:
    """What the targets are, and more options about them; `ignored` says which are ignored by default."""
    return titled(
        "Targets",
        click.option(
            "--targets",
            metavar="FILE",
            multiple=True,
            required=True,
            help="Structures whose predictions matter; repeat for more.",
        ),
        click.option(
            "--prediction",
            type=click.Choice(PREDICTIONS),
            default="local",
            show_default=True,
            help="The predictions: local energies of atoms, total energies, or force components.",
        ),
        click.option(
            "--column",
            type=click.Choice(["lpr", "lpr_held"]),
            help="The rigidity.  [default: for local energies lpr_held, where MODEL has it, else lpr]",
        ),
        *more,
        click.option(
            "--largest-residual",
            metavar="R",
            type=float,
            help=f"Ignore targets with a larger residual.  [default: {ignored}]",
        ),
    )


_sigma_options = [
    click.option(f"--sigma-{kind}", metavar="SIGMA", help=f"{text}.  [default: as in the fit]")
    for kind, text in _SIGMAS.items()
]


@click.command(
    cls=Command,
    examples=(
        "lpr-fast suggest model.lpr --targets md.xyz --candidates pool.xyz -o chosen.xyz",
        "lpr-fast suggest model.lpr --targets md.xyz@::10 --prototypes 'diamond C' -o chosen.xyz -n 5",
    ),
)
@model_argument
@output_option("Extended XYZ file to write.", required=True)
@_target_options(
    click.option("--loosest", metavar="K", type=int, help="Use only the K targets with the lowest rigidity."),
    click.option(
        "--target-weights",
        type=click.Choice(["species", "frame"]),
        help="Give each species, or each frame, the same weight.  [default: each target]",
    ),
    ignored="those whose verdict is unlike",
)
@titled(
    "Candidates",
    click.option("--candidates", metavar="FILE", multiple=True, help="Structures to choose from; repeat for more."),
    click.option(
        "--prototypes",
        metavar="NAME",
        multiple=True,
        help="Strained crystals to choose from, as `lpr-fast prototypes NAME` writes them; repeat for more.",
    ),
    *_sigma_options,
    click.option(
        "--source-key",
        metavar="KEY",
        help="Name of the source of a structure, for example config_type.  [default: its file]",
    ),
)
@titled(
    "Choice",
    click.option("-n", "n", type=int, help="Number of structures.  [default: 20, or what --budget-cost allows]"),
    click.option("--budget-cost", type=float, help="Largest sum of costs, in the unit of --cost."),
    click.option(
        "--cost",
        type=click.Choice(["cubic", "atoms"]),
        default="cubic",
        show_default=True,
        help="Cost of a structure of N atoms: N^3 (atoms^3), as in density functional theory, or N (atoms).",
    ),
    click.option("--max-per-source", metavar="N", type=int, help="Largest number from one source."),
    click.option(
        "--objective",
        type=click.Choice(OBJECTIVES),
        default="mean",
        show_default=True,
        help="What to lower: the mean variance of the targets, the mean of its logarithm, or the largest variance.",
    ),
    click.option(
        "--draws",
        "n_draws",
        metavar="N",
        type=int,
        default=20,
        show_default=True,
        help="Number of random choices to compare with.",
    ),
    seed_option("these random choices, and of the strains of --prototypes"),
)
@descriptor_option
@reading_options
@log_option
@one_sentence
def suggest(model: Path, **options: Any) -> None:
    """Choose the structures to compute next, to raise the LPR of targets.

    Nothing is fitted, and no energies are needed. OUT gets the chosen structures, best first. The table beside it
    (.csv) lists all candidates, with the share of the targets' variance that each would remove alone.
    """
    from . import _suggest

    _suggest.suggest(model, _suggest.Options(**options))


@click.command(
    cls=Command,
    examples=("lpr-fast influence train.rows --targets md.xyz@::10 -o influence.csv --redundant 0.01",),
)
@rows_argument
@output_option("Table to write, .csv.", required=True)
@_target_options(ignored="none is ignored")
@titled(
    "What to leave out",
    click.option("--by-group", is_flag=True, help="Leave out whole groups (config_type) instead of single structures."),
    click.option(
        "--redundant",
        metavar="SHARE",
        type=float,
        help="Also list structures that can be left out together so that no variance grows by more than this share, "
        "for example 0.01.",
    ),
    click.option(
        "--largest-shift",
        metavar="SHIFT",
        type=float,
        help="With --redundant: and no prediction changes by more than this, in eV or eV/Å.",
    ),
    click.option(
        "--suspicion",
        metavar="RATIO",
        type=float,
        default=6.0,
        show_default=True,
        help="Name structures with a label whose leave-one-out error is this many times the typical one.",
    ),
)
@descriptor_option
@reading_options
@log_option
@one_sentence
def influence(rows: Path, **options: Any) -> None:
    """Find what each training structure contributes, by leaving it out.

    ROWS is a file that `lpr-fast fit --keep-rows` wrote. OUT has a line for each structure, the most influential
    first; the .json file beside it has more.
    """
    from . import _influence

    _influence.influence(rows, _influence.Options(**options))
