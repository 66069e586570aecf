"""Commands that fit a model and choose its settings, and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..atoms._frames import DEFAULT_ENERGY_KEY
from ._help import Command, titled
from ._mistakes import one_sentence
from ._noise_options import noise_options
from ._options import (
    PICTURES,
    group_key_option,
    log_option,
    memory_option,
    model_output_option,
    output_option,
    reading_options,
    rows_argument,
    seed_option,
    worker_options,
)

_output_options = (
    model_output_option,
    click.option(
        "--keep-rows",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Also write the training rows, for `lpr-fast tune`, `committee` and `influence`.",
    ),
    click.option(
        "--calibrate",
        metavar="FILE",
        help="Held-out structures with energies: also calibrate, as `lpr-fast calibrate` does.",
    ),
)

_descriptor_options = (
    click.option("--cutoff", type=float, help="Radius of the environments in Å.  [default: 5]"),
    click.option(
        "--max-radial", type=int, help="Radial basis functions minus one (featomic's max_radial).  [default: 7]"
    ),
    click.option("--max-angular", type=int, help="Largest angular momentum.  [default: 6]"),
    click.option("--width", type=float, help="Width of the atomic Gaussians in Å.  [default: 0.4]"),
    click.option(
        "--hypers",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="JSON or YAML file with all arguments of featomic's SoapPowerSpectrum, instead of the four options above.",
    ),
    click.option("--features", metavar="KEY", help="Instead of SOAP: the array in TRAIN that holds the features."),
    click.option(
        "--descriptor",
        metavar="MODULE:NAME",
        help="Instead of SOAP: a Python function that computes the features, package.module:name or file.py:name.",
    ),
)

_model_options = (
    click.option(
        "--model",
        type=click.Choice(["kernel", "linear"]),
        default="kernel",
        show_default=True,
        help="Sparse kernel model with an active set, or linear model of the features.",
    ),
    click.option("--zeta", type=float, default=4, show_default=True, help="Exponent of the kernel (x . x')^zeta."),
    click.option("--n-active", type=int, help="Size M of the active set.  [default: 500]"),
    click.option(
        "--active-set",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Use this active set: a model file, or a text file with a structure number and an atom number (both from "
        "0) in each line.",
    ),
    click.option(
        "--active-from",
        metavar="FILE",
        type=str,
        multiple=True,
        help="Further structures from which the active set is chosen too; they need no energies. Repeat for more.",
    ),
    click.option(
        "--regularizer",
        metavar="MU",
        default="auto",
        show_default=True,
        help="Regularizer mu > 0, or auto: chosen by leave-one-out error.",
    ),
    click.option(
        "--loss",
        type=click.Choice(["total", "per_atom"]),
        default="total",
        show_default=True,
        help="Squared errors of total energies, or of energies per atom. This sets the scale of the LPR.",
    ),
    click.option(
        "--hold",
        metavar="FILE",
        type=str,
        help="Structures whose mean prediction is held fixed in lpr_held, as the mean of each species is.",
    ),
    seed_option("the random pool from which the active set is chosen"),
)

_label_options = (
    click.option(
        "--energy-key",
        metavar="KEY",
        default=DEFAULT_ENERGY_KEY,
        show_default=True,
        help="Name of the total energies in TRAIN.",
    ),
    click.option(
        "--no-energies", is_flag=True, help="Ignore energies: the LPR is the same, but nothing can be predicted."
    ),
    click.option(
        "--baseline",
        metavar="ENERGIES",
        help="Energy per atom of each element to subtract, for example Si=-158.5,O=-430.2; or isolated: the energies "
        "of the isolated atoms in TRAIN.  [default: fitted]",
    ),
    click.option("--weights", metavar="KEY", help="Name of the weights of structures in TRAIN."),
    click.option(
        "--sigmas",
        metavar="KEY",
        help="Name of standard deviations of structures in TRAIN, for example energy_sigma: weight = 1 / sigma^2.",
    ),
    group_key_option,
)


@click.command(
    cls=Command,
    examples=(
        "lpr-fast fit train.xyz -o model.lpr",
        "lpr-fast fit train.xyz@:1000 more.xyz -o model.lpr --cutoff 6 --n-active 2000 --workers 8",
        "lpr-fast fit train.xyz -o model.lpr --sigma-energy 0.01 --sigma-force 0.1",
    ),
)
@click.argument("train", metavar="TRAIN...", type=str, nargs=-1)
@titled("Output", *_output_options)
@titled("Descriptor (SOAP power spectrum)", *_descriptor_options)
@titled("Model", *_model_options)
@titled("Energies and weights", *_label_options)
@noise_options
@titled(
    "gap_fit",
    click.option(
        "--gap-fit",
        metavar="COMMAND",
        help="A gap_fit command, or a file that holds one: sets the model, and TRAIN unless that is given.",
    ),
)
@reading_options
@worker_options
@memory_option("Limit on memory, for example 2GB.")
@log_option
@one_sentence
def fit(train: tuple[str, ...], output: Path, **options: Any) -> None:
    """Fit a model to training structures.

    TRAIN is one or several files that ASE reads, compressed or not. Select structures as in ASE: train.xyz@:1000 or
    train.xyz@::10.

    A killed run resumes when the same command is given again.
    """
    from . import _fit
    from ._gap_fit import with_gap_fit

    named, given = with_gap_fit(train, _fit.Options(**options))
    _fit.fit(named, output, given)


@click.command(cls=Command, examples=("lpr-fast tune train.rows",))
@rows_argument
@output_option(f"Picture to write, {PICTURES}.  [default: .tune.png beside ROWS]")
@log_option
@one_sentence
def tune(rows: Path, output: Path | None) -> None:
    """Show which regularizer and active set size suit the data.

    ROWS is a file that `lpr-fast fit --keep-rows` wrote. Errors are leave-one-out errors of structures.
    """
    from . import _tune

    _tune.tune(rows, output)
