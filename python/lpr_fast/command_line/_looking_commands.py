"""Commands that show where environments lie, and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ._mistakes import one_sentence
from ._options import model_argument, reading_options


@click.command("map")
@model_argument
@click.argument("structures", metavar="TRAJECTORY...", type=str, nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="File to write, may be repeated: .png, .pdf, .svg, .chemiscope.json or .chemiscope.json.gz.",
)
@click.option(
    "--colour",
    metavar="COLUMN",
    help="A column of scores, coordination, 'similarity NAME' of a prototype, or an array that TRAJECTORY has.  "
    "[default: lpr, or lpr_held where MODEL has it]",
)
@click.option("--prototypes", metavar="FILE", help="Structures that environments are compared with.")
@click.option("--n-environments", type=int, default=2000, show_default=True, help="How many are laid out.")
@click.option(
    "--radius",
    type=float,
    help="Coordination counts neighbours up to so many Å.  [default: 1.25 times the sum of covalent radii]",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Draws them.")
@click.option("--descriptor", metavar="MODULE:NAME", help="As of `lpr-fast score`.")
@reading_options
@one_sentence
def map_of_environments(model: Path, structures: tuple[str, ...], **options: Any) -> None:
    """Lay out the environments of TRAJECTORY by how like they are, in the colours of their LPR or of a column."""
    from . import _map

    _map.lay_out(model, structures, _map.Options(**options))
