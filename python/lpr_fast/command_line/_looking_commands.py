"""The command that draws a map of environments, and its options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ._help import Command
from ._mistakes import one_sentence
from ._options import (
    descriptor_option,
    files_argument,
    model_argument,
    output_option,
    reading_options,
    seed_option,
)


@click.command("map", cls=Command, examples=("lpr-fast map model.lpr md.xyz -o map.png -o map.chemiscope.json.gz",))
@model_argument
@files_argument("structures", "TRAJECTORY")
@output_option(
    "File to write; repeat for more: .png, .pdf, .svg, .chemiscope.json or .chemiscope.json.gz.",
    multiple=True,
    required=True,
)
@click.option(
    "--colour",
    metavar="COLUMN",
    help="Column to colour by: a score, coordination, 'similarity NAME' of a prototype, or an array of TRAJECTORY.  "
    "[default: lpr_held where MODEL has it, else lpr]",
)
@click.option("--prototypes", metavar="FILE", help="Structures to compare environments with.")
@click.option("--n-environments", type=int, default=2000, show_default=True, help="Number of environments on the map.")
@click.option(
    "--radius",
    type=float,
    help="Distance in Å up to which coordination counts neighbours.  [default: 1.25 times the sum of covalent radii]",
)
@seed_option("the random sample of environments")
@descriptor_option
@reading_options
@one_sentence
def map_of_environments(model: Path, structures: tuple[str, ...], **options: Any) -> None:
    """Draw a map of environments (kernel PCA), coloured by LPR.

    Similar environments lie close together.
    """
    from . import _map

    _map.lay_out(model, structures, _map.Options(**options))
