"""``lpr-fast tune``, and lines about the choice of the regularizer that other commands print too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .._words import counted
from ..atoms.rows._training_rows import TrainingRows
from ..models._regularizer import RegularizerChoice
from ..models._rows import FORCE
from ..writing._tuning_plot import plot_choice
from ._terminal import tell

# The table has a line for every second value of mu, six on either side of the best one.
_EVERY, _AROUND = 2, 6


def choice_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """Errors of the chosen model, from the provenance; no lines if the regularizer was given."""
    choice = facts.get("regularizer_choice", {})
    if "grid" not in choice:
        return
    yield (
        f"errors    RMSE per atom, in the unit of the energies: {_error(choice['training_rmse_per_atom'])} training, "
        f"{_error(choice['leave_one_out_rmse_per_atom'])} leave-one-out; {_error(choice['spread_per_atom'])} for the "
        "baseline alone"
    )
    if choice["n_determined"]:
        yield (
            f"ignored   {counted(choice['n_determined'], 'structure')} in the leave-one-out error: the other "
            "structures "
            "do not determine their energies at all"
        )


def regularizer_text(choice: Mapping[str, Any]) -> str:
    """How the regularizer was chosen; empty if it was given."""
    if "grid" not in choice:
        return ""
    return f" by leave-one-out error (maximum evidence: {choice['evidence']:.3g})"


def size_line(facts: Mapping[str, Any]) -> str | None:
    """Leave-one-out error for smaller active sets, and whether a larger one would help; None if unknown."""
    choice = facts.get("regularizer_choice", {})
    sizes, errors = choice.get("sizes", []), choice.get("error_of_size", [])
    if len(sizes) < 2:
        return None
    steps = ", ".join(f"{_error(error)} (M = {size})" for size, error in zip(sizes, errors, strict=True))
    line = f"size      leave-one-out RMSE by size of the active set: {steps}"
    if choice["still_falls"] and sizes[-1] >= sum(facts.get("pool", {}).values()) > 0:
        return f"{line}; it still falls, but all environments are active: add structures"
    if choice["still_falls"]:
        return f"{line}; it still falls: use a larger --n-active"
    return f"{line}; a larger --n-active would hardly help"


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
            "fit "
            "uses (mu = 1 / delta^2)"
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


def _error(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}"
