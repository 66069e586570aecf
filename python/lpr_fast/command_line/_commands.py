"""The command ``lpr-fast``: its commands, by task."""

from __future__ import annotations

import click

from .. import __version__
from .._answers import ANSWERS
from ._calibration_commands import calibrate, reliability
from ._comparing_commands import committee, compare
from ._crystal_commands import prototypes
from ._design_commands import influence, suggest
from ._file_commands import info, run_demo, upgrade
from ._fitting_commands import fit, tune
from ._help import Decorator, Group
from ._looking_commands import map_of_environments
from ._predicting_commands import ensemble, predict
from ._scoring_commands import merge, plot, score


def answering(option: str, text: str) -> Decorator:
    """An option that prints an answer and ends the command."""

    def answer(context: click.Context, _: click.Parameter, wanted: object) -> None:
        if wanted and not context.resilient_parsing:
            click.echo(ANSWERS[option]())
            context.exit()

    return click.option(option, is_flag=True, is_eager=True, expose_value=False, callback=answer, help=text)


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    examples=(
        "lpr-fast demo                           fit, score and draw silicon",
        "lpr-fast fit train.xyz -o model.lpr     fit a model to your structures",
        "lpr-fast score model.lpr md.xyz         score every atom of a trajectory",
        "lpr-fast plot md.lpr.h5                 draw the scores",
    ),
)
@click.version_option(__version__, package_name="lpr-fast")
@answering("--versions", "Show what a bug report names and exit.")
@answering("--cmake-dir", "Show the folder of the CMake package (lpr_fast_DIR) and exit.")
@answering("--include-dir", "Show the folder of the C++, C and Fortran sources and exit.")
def lpr_fast() -> None:
    """Local prediction rigidity (LPR): how firmly the training data determine each atom's predicted energy."""


lpr_fast.add_under("Start", run_demo)
lpr_fast.add_under("Fit a model", fit, tune, calibrate, reliability, committee, ensemble, info, upgrade)
lpr_fast.add_under("Score and predict", score, merge, plot, map_of_environments, predict)
lpr_fast.add_under("Choose training structures", suggest, influence, prototypes, compare)
