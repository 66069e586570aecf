"""The commands and their options; what they do stands in the other files of this folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from .. import __version__
from .._files import refuse_output
from ..atoms._frames import DEFAULT_ENERGY_KEY
from ..atoms._load import load_model
from ..writing._plots import plot_scores
from . import _calibrate, _fit, _info, _reliability, _score, _tune
from ._comparing_commands import committee, compare
from ._crystal_commands import prototypes
from ._design_commands import influence, suggest
from ._gap_fit import with_gap_fit
from ._looking_commands import map_of_environments
from ._mistakes import one_sentence
from ._noise_options import noise_options
from ._options import log_option, model_argument, reading_options, trajectory_argument, worker_options
from ._predicting_commands import ensemble, predict

T = TypeVar("T")


# Exit code of a run that is whole but for frames that could not be read or scored.
_SKIPPED = 3


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, package_name="lpr-fast")
def lpr_fast() -> None:
    """How firmly training data pin down each atom's prediction: local prediction rigidity (LPR)."""


@lpr_fast.command()
@click.argument("train", metavar="TRAIN...", type=str, nargs=-1)
@click.option(
    "-o", "--output", metavar="MODEL", type=click.Path(path_type=Path), required=True, help="Model file to write."
)
@click.option("--cutoff", type=float, help="Radius of the environments in Å.  [default: 5]")
@click.option("--max-radial", type=int, help="featomic's max_radial, radial functions less one.  [default: 7]")
@click.option("--max-angular", type=int, help="Largest angular momentum.  [default: 6]")
@click.option("--width", type=float, help="Width of the atoms' Gaussian densities in Å.  [default: 0.4]")
@click.option(
    "--hypers",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="JSON or YAML with all arguments of featomic's SoapPowerSpectrum, in place of the four options above.",
)
@click.option(
    "--features", metavar="KEY", help="Instead of SOAP, the array of TRAIN's atoms that holds features, of any kind."
)
@click.option(
    "--descriptor",
    metavar="MODULE:NAME",
    help="Instead of SOAP, a function that gives features of structures: package.module:name or file.py:name.",
)
@click.option(
    "--model",
    type=click.Choice(["kernel", "linear"]),
    default="kernel",
    show_default=True,
    help="Kernels to an active set, or a linear model of the features.",
)
@click.option("--zeta", type=float, default=4, show_default=True, help="Power of the kernel.")
@click.option("--n-active", type=int, help="Size of the active set, M.  [default: 500]")
@click.option(
    "--active-set",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="In place of --n-active, the active set: that of a model, or a text whose lines have a structure's number in "
    "TRAIN and an atom's, from 0.",
)
@click.option(
    "--active-from",
    metavar="FILE",
    type=str,
    multiple=True,
    help="Further structures, without energies if need be, from whose environments the active set is chosen too; may "
    "be given again.",
)
@click.option(
    "--regularizer",
    metavar="MU",
    default="auto",
    show_default=True,
    help="mu > 0, or auto: that of least leave-one-out error.",
)
@click.option(
    "--loss",
    type=click.Choice(["total", "per_atom"]),
    default="total",
    show_default=True,
    help="Square errors of total energies, or of energies per atom. Sets the scale of the LPR.",
)
@click.option(
    "--energy-key", default=DEFAULT_ENERGY_KEY, show_default=True, help="Name of the total energies in TRAIN."
)
@click.option("--no-energies", is_flag=True, help="Fit to structures alone: rigidities are the same.")
@click.option("--weights", metavar="KEY", help="Name of a structure's weight in TRAIN.")
@click.option("--sigmas", metavar="KEY", help="Name of its standard deviation, such as energy_sigma: 1 / weight^0.5.")
@noise_options
@click.option(
    "--baseline",
    metavar="ENERGIES",
    help="Energy of an atom of each element, such as Si=-158.5,O=-430.2, or isolated: that of the isolated atoms in "
    "TRAIN.  [default: fitted]",
)
@click.option(
    "--hold",
    metavar="FILE",
    type=str,
    help="Structures whose mean prediction is held fixed in lpr_held, beside those of the species.",
)
@click.option(
    "--group-key", default="config_type", show_default=True, help="Name of what says what kind of structure it is."
)
@click.option(
    "--keep-rows", metavar="FILE", type=click.Path(path_type=Path), help="Keep the training rows for other fits."
)
@click.option(
    "--calibrate", metavar="FILE", help="Held-out structures with energies, by whose errors MODEL gets a sigma."
)
@click.option("--memory", metavar="SIZE", help="Cap on memory, for instance 2GB.")
@click.option("--seed", type=int, default=0, show_default=True, help="Draws the pool of the active set.")
@click.option(
    "--gap-fit",
    metavar="COMMAND",
    help="A command of gap_fit, or a file with one: it says what the model is, and what TRAIN is unless that is given.",
)
@reading_options
@worker_options
@log_option
@one_sentence
def fit(train: tuple[str, ...], output: Path, **options: Any) -> None:
    """Fit a model to the structures in TRAIN.

    TRAIN is anything that ASE reads, compressed or not; several files are read one after the other. Structures are
    chosen as ASE does it, for instance train.xyz@:1000 or train.xyz@::10.

    A run that was interrupted, or killed, goes on where it stopped when the same command is given again.
    """
    named, given = with_gap_fit(train, _fit.Options(**options))
    _fit.fit(named, output, given)


@lpr_fast.command()
@model_argument
@trajectory_argument
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    type=click.Path(path_type=Path),
    multiple=True,
    help="File to write, may be repeated: HDF5 (.h5), a table of frames (.csv), extended XYZ (.xyz, .extxyz), NumPy "
    "arrays (.npz), a map of some environments (.chemiscope.json.gz).  [default: .lpr.h5 and .lpr.csv beside "
    "TRAJECTORY]",
)
@click.option(
    "--least-rigid",
    metavar="K",
    type=int,
    default=0,
    help="Write the K least rigid environments that differ too, with what is around them, to OUT.least-rigid.extxyz.",
)
@click.option(
    "--groups",
    metavar="KEY",
    help="Name of labels of atoms, or of frames, in TRAJECTORY: score their groups as wholes too, into OUT.groups.csv.",
)
@click.option(
    "--force-sigma",
    is_flag=True,
    help="Write how well the force on each atom is known too, as force_variance, force_sigma and force_residual; that "
    "takes many times as long.",
)
@click.option(
    "--unknown-species",
    type=click.Choice(["error", "nan"]),
    default="error",
    show_default=True,
    help="Stop at atoms of species that MODEL does not know, or write NaN for them and their neighbours.",
)
@click.option(
    "--on-error",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="Stop at a frame that cannot be read or scored, or leave it out, list it in the summary, and end with code 3.",
)
@reading_options
@click.option(
    "--descriptor",
    metavar="MODULE:NAME",
    help="The function that MODEL was fitted with, if it was: package.module:name or file.py:name.",
)
@click.option(
    "--shard",
    metavar="I/N",
    help="Score only range I of N equal ranges of frames, for job arrays; `lpr-fast merge` makes the outputs.",
)
@worker_options
@click.option("--memory", metavar="SIZE", help="Cap on memory, for instance 2GB; of each worker if there are any.")
@click.option("--quiet", is_flag=True, help="Say nothing unless something is wrong.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@log_option
@one_sentence
def score(model: Path, trajectory: tuple[str, ...], **options: Any) -> None:
    """Score every atom of TRAJECTORY: LPR, variance, residual and local energy.

    TRAJECTORY is anything that ASE reads, compressed or not; several files are read one after the other, and - is
    extended XYZ from standard input. Frames are chosen as ASE does it, for instance md.xyz@::10.

    A run that was interrupted, or killed, goes on where it stopped when the same command is given again.
    """
    if _score.score(model, trajectory, _score.Options(**options)):
        raise click.exceptions.Exit(_SKIPPED)


@lpr_fast.command()
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@log_option
@one_sentence
def merge(output: Path) -> None:
    """Make the outputs of a run that was scored with --shard; OUT is the first of them.

    The files are the same bytes as those of one run without shards.
    """
    _score.merge(output)


@lpr_fast.command()
@click.argument("scores", metavar="SCORES.h5", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="Picture to write, .png, .pdf or .svg.  [default: .png beside SCORES.h5]",
)
@one_sentence
def plot(scores: Path, output: Path | None) -> None:
    """Draw what `lpr-fast score` wrote: LPR by species, along the run, and against the residual."""
    print(f"written   {plot_scores(scores, output)}")


def _held_out(command: Callable[..., T]) -> Callable[..., T]:
    """Add a model, structures that it was not fitted to, and how these are read."""
    options = [
        model_argument,
        click.argument("structures", metavar="STRUCTURES...", type=str, nargs=-1, required=True),
        click.option("--energy-key", help="Name of the total energies in STRUCTURES.  [default: as in the fit]"),
        click.option("--force-key", help="Name of the forces in STRUCTURES.  [default: as in the fit, or forces]"),
        click.option("--descriptor", metavar="MODULE:NAME", help="As of `lpr-fast score`."),
    ]
    command = reading_options(command)
    for option in reversed(options):
        command = option(command)
    return command


@lpr_fast.command()
@_held_out
@click.option(
    "-o", "--output", metavar="OUT", type=click.Path(path_type=Path), required=True, help="Model file to write."
)
@click.option(
    "--variance",
    type=click.Choice(["pp", "sr"]),
    help="Variance of the projected process, with the residual, or of the subset of regressors.  [default: pp; linear "
    "models: sr]",
)
@click.option("--forces", is_flag=True, help="Calibrate forces too, by those that STRUCTURES have.")
@click.option(
    "--largest-residual",
    metavar="R",
    type=float,
    help="Leave out forces that depend on environments of a larger residual.  [default: that of 99.9 % of the training "
    "set]",
)
@click.option(
    "--coverage",
    metavar="SHARE",
    type=float,
    help="Such as 0.9: intervals that hold so large a share of the errors of new structures.",
)
@click.option(
    "--group-key", metavar="KEY", help="Name of what kind of structure it is: each kind gets intervals of its own."
)
@one_sentence
def calibrate(model: Path, structures: tuple[str, ...], output: Path, **options: Any) -> None:
    """Give MODEL a standard deviation, sigma, for every atom and total, by its errors for STRUCTURES.

    STRUCTURES have total energies, and are not those that MODEL was fitted to.
    """
    _calibrate.calibrate(model, structures, output, **options)


@lpr_fast.command()
@_held_out
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="Picture to write, .png, .pdf or .svg.  [default: .reliability.png beside MODEL]",
)
@one_sentence
def reliability(model: Path, structures: tuple[str, ...], output: Path | None, **options: Any) -> None:
    """Compare the errors of a calibrated MODEL for STRUCTURES with its sigma: a reliability diagram."""
    _reliability.reliability(model, structures, output, **options)


@lpr_fast.command()
@click.argument("rows", metavar="ROWS", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="Picture to write, .png, .pdf or .svg.  [default: .tune.png beside ROWS]",
)
@log_option
@one_sentence
def tune(rows: Path, output: Path | None) -> None:
    """Say which regularizer and which size of the active set suit the training rows in ROWS.

    ROWS is a file that `lpr-fast fit --keep-rows` wrote. Errors are those of structures that are left out.
    """
    _tune.tune(rows, output)


@lpr_fast.command()
@model_argument
@one_sentence
def info(model: Path) -> None:
    """Say what MODEL is and where it comes from."""
    _info.info(model)


@lpr_fast.command()
@click.argument("old", metavar="OLD", type=click.Path(path_type=Path))
@click.argument("new", metavar="NEW", type=click.Path(path_type=Path))
@one_sentence
def upgrade(old: Path, new: Path) -> None:
    """Write the model in OLD to NEW, in the current version of the format.

    A file of version 1 holds no radial integrals: featomic samples them here. Programs in C++ and C, and LAMMPS, score
    structures with NEW alone.
    """
    refuse_output(new, [old])
    load_model(old).save(new)
    print(f"written   {new}")


@lpr_fast.command("demo")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path), default=Path("lpr-fast-demo"))
@one_sentence
def run_demo(folder: Path) -> None:
    """Fit, score and draw: silicon that melts, in FOLDER (default: lpr-fast-demo)."""
    from ._demo import demo  # loads matplotlib

    demo(folder)


lpr_fast.add_command(suggest)
lpr_fast.add_command(influence)
lpr_fast.add_command(committee)
lpr_fast.add_command(predict)
lpr_fast.add_command(ensemble)
lpr_fast.add_command(compare)
lpr_fast.add_command(prototypes)
lpr_fast.add_command(map_of_environments)
