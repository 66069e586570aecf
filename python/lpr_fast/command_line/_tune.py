"""``lpr-fast tune``, and the lines about a chosen regularizer that ``lpr-fast fit`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..atoms.rows._training_rows import TrainingRows
from ..models._regularizer import RegularizerChoice
from ..models._rows import FORCE
from ..writing._tuning_plot import plot_choice
from ._terminal import tell

# Lines of the table: one for every so many values of mu, over so many of these on both sides.
_EVERY, _AROUND = 2, 6


def choice_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """What a model's provenance says of the choice of its regularizer."""
    choice = facts.get("regularizer_choice", {})
    if "grid" not in choice:
        return
    low, high = choice["grid"]
    yield (
        f"chosen    mu = {choice['regularizer']:.3g} by leave-one-out error, of {low:.1g} to {high:.1g}; the evidence "
        f"takes {choice['evidence']:.3g}"
    )
    yield (
        f"errors    {_error(choice['training_rmse_per_atom'])} training, "
        f"{_error(choice['leave_one_out_rmse_per_atom'])} left out, per atom in the unit of the energies, which spread "
        f"by {_error(choice['spread_per_atom'])} about their baseline"
    )
    if choice["n_determined"]:
        yield f"alone     {choice['n_determined']} structures cannot be left out: only they know what they know"


def size_line(facts: Mapping[str, Any]) -> str | None:
    """How the error falls with the size of the active set, if that is known, and what to do about it."""
    choice = facts.get("regularizer_choice", {})
    sizes, errors = choice.get("sizes", []), choice.get("error_of_size", [])
    if len(sizes) < 2:
        return None
    steps = ", ".join(f"{_error(error)} at {size}" for size, error in zip(sizes, errors, strict=True))
    if choice["still_falls"] and sizes[-1] >= sum(facts.get("pool", {}).values()) > 0:
        return f"size      left-out error still falls with M: {steps}; all environments are active, so add structures"
    if choice["still_falls"]:
        return f"size      left-out error still falls with M: {steps}; a larger --n-active would help"
    return f"size      left-out error with M: {steps}; a larger --n-active would hardly help"


def tune(rows: Path, output: Path | None) -> None:
    """Print the curve around the best regularizer, and draw it all."""
    target = rows.with_suffix(".tune.png") if output is None else output
    kept = TrainingRows(rows)
    choice = kept.choose_regularizer()
    for line in _table(choice):
        tell(line)
    if kept.has_noise:
        by_error, by_evidence = choice.regularizer**-0.5, choice.evidence**-0.5
        tell(
            f"delta     mu = 1 / delta^2: delta = {by_error:.3g} eV by leave-one-out error, {by_evidence:.3g} eV by "
            "the evidence, which is what a fit takes"
        )
    facts = {"regularizer_choice": choice.facts()}
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
