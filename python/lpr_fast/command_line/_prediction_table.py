"""Errors of predictions as a table: of all frames, of each group, and of the forces on each species."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .._species import symbol
from ..atoms.predictions._prediction_errors import UNITS, Errors, PredictionErrors

# Largest number of groups in the table, and the range of the width of their names.
_MOST_GROUPS = 30
_NARROWEST, _WIDEST = 10, 40


def lines_of(errors: PredictionErrors) -> Iterator[str]:
    """Lines of the table."""
    kinds = [kind for kind in UNITS if errors.of_all[kind].count]
    if not kinds:
        yield "errors    none: the structures have no labels to compare with"
        return
    lines = list(_lines(errors))
    width = min(max(_NARROWEST, *(len(name) + 1 for name, _ in lines)), _WIDEST)
    yield f"{'errors':{width}}" + "".join(f"{f'{kind} ({UNITS[kind]})':>28}" for kind in kinds)
    yield " " * width + "".join(f"{'RMSE':>18}{'MAE':>10}" for _ in kinds)
    for name, found in lines:
        yield f"{name[: width - 1]:{width}}" + _numbers(found, kinds)
    if len(errors.of_groups) > _MOST_GROUPS:
        yield f"          {len(errors.of_groups) - _MOST_GROUPS} more groups, with fewer labels, are not shown"
    if errors.stress_is_reversed:
        yield (
            "stress    labels and predictions have opposite signs; check the convention: ASE's stress is positive "
            "under "
            "tension, a virial is positive under compression"
        )


def _n_labels(errors: Mapping[str, Errors]) -> int:
    return sum(each.count for each in errors.values())


def _lines(errors: PredictionErrors) -> Iterator[tuple[str, Mapping[str, Errors]]]:
    """Names and errors of the lines: all frames, the groups with most labels, the species."""
    yield "all", errors.of_all
    if len(errors.of_groups) > 1:
        largest = sorted(errors.of_groups, key=lambda group: -_n_labels(errors.of_groups[group]))
        yield from ((group or "(none)", errors.of_groups[group]) for group in largest[:_MOST_GROUPS])
    if len(errors.of_species) > 1:
        yield from ((symbol(s), {"forces": of_species}) for s, of_species in errors.of_species.items())


def _numbers(errors: Mapping[str, Errors], kinds: list[str]) -> str:
    found = [errors.get(kind, Errors()) for kind in kinds]
    return "".join(f"{each.rmse:18.4g}{each.mae:10.3g}" if each.count else " " * 27 + "-" for each in found)
