"""Commands about what a model predicts, and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ._help import Command, titled
from ._mistakes import one_sentence
from ._options import (
    descriptor_option,
    group_key_option,
    log_option,
    model_argument,
    model_output_option,
    output_option,
    quiet_option,
    reading_options,
    seed_option,
    trajectory_argument,
)


@click.command(
    cls=Command,
    examples=("lpr-fast predict model.lpr test.xyz", "lpr-fast predict model.lpr md.xyz -o predicted.xyz --no-forces"),
)
@model_argument
@trajectory_argument
@output_option(
    "Extended XYZ file to write: energy, energies, forces and stress under ASE's names. Labels of TRAJECTORY with "
    "these names become label_energy, label_forces, label_stress."
)
@click.option("--no-forces", is_flag=True, help="Predict energies only, which is much faster.")
@titled(
    "Labels to compare with",
    click.option(
        "--energy-key", metavar="KEY", help="Name of the total energies in TRAJECTORY.  [default: as in the fit]"
    ),
    click.option(
        "--force-key", metavar="KEY", help="Name of the forces in TRAJECTORY.  [default: as in the fit, or forces]"
    ),
    click.option(
        "--virial-key",
        metavar="KEY",
        help="Name of the virials or stresses in TRAJECTORY.  [default: as in the fit, or virial and stress]",
    ),
    group_key_option,
)
@descriptor_option
@quiet_option
@reading_options
@log_option
@one_sentence
def predict(model: Path, trajectory: tuple[str, ...], **options: Any) -> None:
    """Predict energies, forces and stress, and their errors.

    TRAJECTORY is read as by `lpr-fast score`. If it has labels, the errors of energies per atom, forces and stress are
    printed: of all frames, by group, and by species.
    """
    from . import _predict

    _predict.predict(model, trajectory, _predict.Options(**options))


@click.command(cls=Command, examples=("lpr-fast ensemble model.lpr -o ensemble.lpr",))
@model_argument
@model_output_option
@click.option("--members", metavar="N", type=int, default=20, show_default=True, help="Number of members.")
@click.option("--alpha", type=float, default=1.0, show_default=True, help="Factor on the spread of the members.")
@seed_option("the random members")
@descriptor_option
@log_option
@one_sentence
def ensemble(model: Path, output: Path, **options: Any) -> None:
    """Draw an ensemble of models from the posterior of the weights.

    OUT is MODEL with the members. `lpr-fast score` then writes the spread of local energies, `lpr-fast predict` the
    spread of energies and forces.
    """
    from . import _ensemble

    _ensemble.ensemble(model, output, **options)
