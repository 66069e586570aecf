"""The command that writes crystals, and its options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ._help import Command
from ._mistakes import one_sentence
from ._options import descriptor_option, output_option, reading_options, seed_option


@click.command(
    cls=Command,
    examples=(
        "lpr-fast prototypes --list Ga,As",
        "lpr-fast prototypes 'diamond C' 'zincblende GaAs' -o crystals.xyz",
    ),
)
@click.argument("prototype", metavar="PROTOTYPE...", type=str, nargs=-1)
@output_option("Extended XYZ file to write.")
@click.option("-n", "n", type=int, default=10, show_default=True, help="Number of strained cells of each prototype.")
@click.option("--max-strain", type=float, default=0.1, show_default=True, help="Largest principal strain.")
@click.option(
    "--n-atoms", type=int, help="Repeat cells up to this number of atoms.  [default: the primitive cell, or the file's]"
)
@click.option(
    "--nearly", is_flag=True, help="Accept prototypes in which the atoms of a species are not all equivalent."
)
@click.option(
    "--model",
    metavar="MODEL",
    type=click.Path(path_type=Path),
    help="Model whose features decide which atoms are equivalent.  [default: the SOAP of `lpr-fast fit`]",
)
@descriptor_option
@seed_option("the random strains")
@click.option("--list", "elements", metavar="ELEMENTS", help="Only list the prototypes of C, or of Ga,As.")
@reading_options
@one_sentence
def prototypes(prototype: tuple[str, ...], elements: str | None, **options: Any) -> None:
    """Write strained crystals for training sets.

    All atoms of a species are equivalent in these crystals, so that total energies determine their local energies.
    PROTOTYPE is a name with a space, 'diamond C', or a file of crystals.
    """
    from . import _prototypes

    if elements is not None:
        _prototypes.list_names(elements)
    else:
        _prototypes.write(prototype, _prototypes.Options(**options))
