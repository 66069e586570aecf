"""Commands that compare a model with structures that it was not fitted to, and their options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ._help import Command, titled
from ._mistakes import one_sentence
from ._options import (
    PICTURES,
    descriptor_option,
    files_argument,
    model_argument,
    model_output_option,
    output_option,
    reading_options,
)

_held_out = files_argument("structures", "STRUCTURES")


def _label_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the names of the labels of STRUCTURES, and how these are read."""
    options = [
        click.option(
            "--energy-key", metavar="KEY", help="Name of the total energies in STRUCTURES.  [default: as in the fit]"
        ),
        click.option(
            "--force-key", metavar="KEY", help="Name of the forces in STRUCTURES.  [default: as in the fit, or forces]"
        ),
        descriptor_option,
    ]
    return titled("Labels", *options)(reading_options(command))


@click.command(
    cls=Command,
    examples=(
        "lpr-fast calibrate model.lpr heldout.xyz -o calibrated.lpr",
        "lpr-fast calibrate model.lpr heldout.xyz -o calibrated.lpr --forces --coverage 0.9",
    ),
)
@model_argument
@_held_out
@model_output_option
@click.option(
    "--variance",
    type=click.Choice(["pp", "sr"]),
    help="Variance to scale: of the projected process (pp, includes the residual) or of the subset of regressors "
    "(sr).  [default: pp; linear models: sr]",
)
@click.option("--forces", is_flag=True, help="Calibrate forces too; STRUCTURES must have them.")
@click.option(
    "--largest-residual",
    metavar="R",
    type=float,
    help="Ignore forces that depend on environments with a larger residual.  [default: the 99.9 % quantile of the "
    "training set]",
)
@click.option(
    "--coverage",
    metavar="SHARE",
    type=float,
    help="Also find intervals that contain this share of the errors of new structures, for example 0.9.",
)
@click.option(
    "--group-key", metavar="KEY", help="With --coverage: name of the group; each group gets its own intervals."
)
@_label_options
@one_sentence
def calibrate(model: Path, structures: tuple[str, ...], output: Path, **options: Any) -> None:
    """Turn variances into standard deviations, by held-out errors.

    STRUCTURES have total energies and were not used in the fit. OUT is MODEL with a standard deviation, sigma, for
    every atom and total energy.
    """
    from . import _calibrate

    _calibrate.calibrate(model, structures, output, **options)


@click.command(cls=Command, examples=("lpr-fast reliability calibrated.lpr test.xyz",))
@model_argument
@_held_out
@output_option(f"Picture to write, {PICTURES}.  [default: .reliability.png beside MODEL]")
@_label_options
@one_sentence
def reliability(model: Path, structures: tuple[str, ...], output: Path | None, **options: Any) -> None:
    """Compare errors of a calibrated model with its sigma.

    Prints how many errors fall into the intervals that sigma promises, and draws a reliability diagram.
    """
    from . import _reliability

    _reliability.reliability(model, structures, output, **options)
