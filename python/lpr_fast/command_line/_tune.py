"""``lpr-fast tune``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..atoms.about._choice_lines import choice_lines, regularizer_text, size_line
from ..atoms.rows._training_rows import TrainingRows
from ..models._regularizer import RegularizerChoice
from ..models._rows import FORCE
from ..writing._tuning_plot import plot_choice
from ._terminal import tell

# The table has a line for every second value of mu, six on either side of the best one.
_EVERY, _AROUND = 2, 6


def tune(rows: Path, output: Path | None) -> None:
    """Print the errors around the best regularizer, and draw the whole curve."""
    target = rows.with_suffix(".tune.png") if output is None else output
    kept = TrainingRows(rows)
    choice = kept.choose_regularizer()
    for line in _table(choice):
        tell(line)
    if kept.has_noise:
        by_error, by_evidence = choice.regularizer**-0.5, choice.evidence**-0.5
        tell(
            f"delta     {by_error:.3g} eV by leave-one-out error, {by_evidence:.3g} eV by maximum evidence, which a "
            "fit uses (mu = 1 / delta^2)"
        )
    facts = {"regularizer_choice": choice.facts()}
    tell(f"chosen    mu = {choice.regularizer:.3g}{regularizer_text(choice.facts())}")
    for line in choice_lines(facts):
        tell(line)
    if of_size := size_line(facts):
        tell(of_size)
    tell(f"written   {plot_choice(choice, target, [rows])}")


def _table(choice: RegularizerChoice) -> Iterator[str]:
    found = choice.left_out
    best = choice.index
    evidence = -0.5 * (found.minus_twice_log_evidence - np.nanmin(found.minus_twice_log_evidence))
    forces = found.rmse_of(FORCE)
    has_forces = not np.isnan(forces).all()
    column = f"  {'forces':>10}" if has_forces else ""
    yield f"{'mu':>10}  {'training':>10}  {'left out':>10}{column}  {'log evidence':>12}"
    for g in range(best - _AROUND * _EVERY, best + _AROUND * _EVERY + 1, _EVERY):
        if 0 <= g < len(found.regularizers):
            mark = "  <- chosen" if g == best else ""
            yield (
                f"{found.regularizers[g]:>10.3g}  {found.training_rmse[g]:>10.4g}  {found.rmse[g]:>10.4g}"
                + (f"  {forces[g]:>10.4g}" if has_forces else "")
                + f"  {evidence[g]:>12.2f}{mark}"
            )
