"""Commands about what a model predicts, and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ._mistakes import one_sentence
from ._options import log_option, model_argument, reading_options, trajectory_argument


@click.command()
@model_argument
@trajectory_argument
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="Extended XYZ to write, with all digits: energy, energies, forces and stress under ASE's names; labels that "
    "TRAJECTORY has under these are called label_energy, label_forces, label_stress there.",
)
@click.option("--energy-key", help="Name of the total energies in TRAJECTORY.  [default: as in the fit]")
@click.option("--force-key", help="Name of its forces.  [default: as in the fit, or forces]")
@click.option("--virial-key", help="Name of its virials or stresses.  [default: as in the fit, or virial and stress]")
@click.option(
    "--group-key", default="config_type", show_default=True, help="Name of what says what kind of structure it is."
)
@click.option("--no-forces", is_flag=True, help="Predict energies alone, in a fraction of the time.")
@click.option("--descriptor", metavar="MODULE:NAME", help="As of `lpr-fast score`.")
@click.option("--quiet", is_flag=True, help="Say nothing unless something is wrong.")
@reading_options
@log_option
@one_sentence
def predict(model: Path, trajectory: tuple[str, ...], **options: Any) -> None:
    """Predict energies, forces and stress of TRAJECTORY, and say how far they are from its labels, if it has any.

    TRAJECTORY is read as by `lpr-fast score`. Errors are those of energies per atom and of components of forces and
    stress: of all frames, of each kind of structure, and of the forces on each species.
    """
    from . import _predict

    _predict.predict(model, trajectory, _predict.Options(**options))


@click.command()
@model_argument
@click.option(
    "-o", "--output", metavar="OUT", type=click.Path(path_type=Path), required=True, help="Model file to write."
)
@click.option("--members", metavar="N", type=int, default=20, show_default=True, help="Number of members.")
@click.option("--alpha", type=float, default=1.0, show_default=True, help="Factor of their spread.")
@click.option("--seed", type=int, default=0, show_default=True, help="Draws them.")
@click.option("--descriptor", metavar="MODULE:NAME", help="As of `lpr-fast score`.")
@log_option
@one_sentence
def ensemble(model: Path, output: Path, **options: Any) -> None:
    """Give MODEL members drawn from the posterior of its weights: whatever it predicts has a spread then.

    `lpr-fast score` writes the spread of local energies, `lpr-fast predict` that of energies and forces.
    """
    from . import _ensemble

    _ensemble.ensemble(model, output, **options)
