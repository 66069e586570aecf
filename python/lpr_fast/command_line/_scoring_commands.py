"""Commands that score trajectories, and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ._help import Command, titled
from ._mistakes import one_sentence
from ._options import (
    PICTURES,
    descriptor_option,
    file_argument,
    log_option,
    memory_option,
    model_argument,
    output_option,
    quiet_option,
    reading_options,
    trajectory_argument,
    worker_options,
)

# Exit code of a run that left out frames it could not read or score.
_SKIPPED = 3


@click.command(
    cls=Command,
    examples=(
        "lpr-fast score model.lpr md.xyz",
        "lpr-fast score model.lpr md.xyz@::10 -o scores.h5 -o scores.xyz --least-rigid 20",
        "lpr-fast score model.lpr run.dcd --topology start.xyz --workers 8",
    ),
)
@model_argument
@trajectory_argument
@output_option(
    "File to write; repeat for more: all atoms (.h5, .npz, .xyz, .extxyz), a table of frames (.csv), a map for "
    "chemiscope (.chemiscope.json.gz).  [default: .lpr.h5 and .lpr.csv beside TRAJECTORY]",
    multiple=True,
)
@titled(
    "Scores",
    click.option(
        "--least-rigid",
        metavar="K",
        type=int,
        default=0,
        help="Also write the K least rigid environments, all different, to OUT.least-rigid.extxyz.",
    ),
    click.option(
        "--groups",
        metavar="KEY",
        help="Also score groups of atoms as wholes, into OUT.groups.csv. KEY names the labels of atoms or frames in "
        "TRAJECTORY.",
    ),
    click.option(
        "--force-sigma",
        is_flag=True,
        help="Also write the uncertainty of the forces: force_variance, force_sigma, force_residual. Takes many times "
        "as long.",
    ),
    click.option(
        "--unknown-species",
        type=click.Choice(["error", "nan"]),
        default="error",
        show_default=True,
        help="For species that MODEL does not know: stop, or write NaN for these atoms and their neighbours.",
    ),
    click.option(
        "--on-error",
        type=click.Choice(["stop", "skip"]),
        default="stop",
        show_default=True,
        help="At a frame that cannot be read or scored: stop, or skip it, list it in the summary and exit with code 3.",
    ),
    descriptor_option,
)
@reading_options
@titled(
    "Running",
    click.option(
        "--shard",
        metavar="I/N",
        help="Score only part I of N of the frames (for job arrays); `lpr-fast merge` joins the parts.",
    ),
)
@worker_options
@memory_option("Limit on memory, for example 2GB; with workers, of each worker.")
@quiet_option
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@log_option
@one_sentence
def score(model: Path, trajectory: tuple[str, ...], **options: Any) -> None:
    """Score every atom of a trajectory: LPR, verdict, residual, energy.

    TRAJECTORY is one or several files that ASE reads, compressed or not, or - for extended XYZ from standard input.
    Select frames as in ASE: md.xyz@::10.

    A killed run resumes when the same command is given again.
    """
    from . import _score

    if _score.score(model, trajectory, _score.Options(**options)):
        raise click.exceptions.Exit(_SKIPPED)


@click.command(cls=Command, examples=("lpr-fast merge md.lpr.h5",))
@file_argument("output", "OUT")
@log_option
@one_sentence
def merge(output: Path) -> None:
    """Join the parts of a run that was scored with --shard.

    OUT is the first output file of the run. The result has the same bytes as a run without shards.
    """
    from . import _score

    _score.merge(output)


@click.command(cls=Command, examples=("lpr-fast plot md.lpr.h5",))
@file_argument("scores", "SCORES.h5")
@output_option(f"Picture to write, {PICTURES}.  [default: .png beside SCORES.h5]")
@one_sentence
def plot(scores: Path, output: Path | None) -> None:
    """Draw the scores of a run: by species, along the run, by residual.

    SCORES.h5 is a file that `lpr-fast score` wrote.
    """
    from ..writing._plots import plot_scores

    print(f"written   {plot_scores(scores, output)}")
