"""Commands about crystals to compute, and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ._mistakes import one_sentence
from ._options import reading_options


@click.command()
@click.argument("prototype", metavar="PROTOTYPE...", type=str, nargs=-1)
@click.option("-o", "--output", metavar="OUT", type=click.Path(path_type=Path), help="Extended XYZ file to write.")
@click.option("-n", "n", type=int, default=10, show_default=True, help="Cells of each prototype.")
@click.option("--max-strain", type=float, default=0.1, show_default=True, help="Largest principal strain.")
@click.option(
    "--n-atoms", type=int, help="Repeat cells to at most so many atoms.  [default: the primitive cell, or the file's]"
)
@click.option("--nearly", is_flag=True, help="Take prototypes too whose atoms are not all equivalent.")
@click.option(
    "--model",
    metavar="MODEL",
    type=click.Path(path_type=Path),
    help="Whose features the check uses.  [default: the SOAP of `lpr-fast fit`]",
)
@click.option("--descriptor", metavar="MODULE:NAME", help="As of `lpr-fast score`.")
@click.option("--seed", type=int, default=0, show_default=True, help="Draws the strains.")
@click.option("--list", "elements", metavar="ELEMENTS", help="Say which prototypes there are of C, or of Ga,As.")
@reading_options
@one_sentence
def prototypes(prototype: tuple[str, ...], elements: str | None, **options: Any) -> None:
    """Write strained crystals in which all atoms of a species are equivalent, for training sets.

    PROTOTYPE is a name such as 'diamond C' or 'zincblende GaAs', with its space, or a file of crystals.
    """
    from . import _prototypes

    if elements is not None:
        _prototypes.told(elements)
    else:
        _prototypes.write(prototype, _prototypes.Options(**options))
