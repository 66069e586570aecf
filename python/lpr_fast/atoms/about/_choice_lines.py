"""Lines about the choice of the regularizer, from the provenance of a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..._words import counted

# Ratio of the regularizers of smallest error and of maximum evidence that makes the model suspect.
_FAR_APART = 100.0


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
            "structures do not determine their energies at all"
        )


def regularizer_text(choice: Mapping[str, Any]) -> str:
    """How the regularizer was chosen; empty if it was given."""
    if "grid" not in choice:
        return ""
    chosen, evidence = choice["regularizer"], choice["evidence"]
    text = f"maximum evidence: {evidence:.3g}"
    if max(chosen, evidence) > _FAR_APART * min(chosen, evidence):
        text += ", far apart: too few active environments, or structures that are nearly copies of one another"
    return f" by leave-one-out error ({text})"


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
        return f"{line}; it still falls: use a larger active set (n_active, --n-active)"
    return f"{line}; for the error, a larger active set would hardly help"


def _error(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}"
