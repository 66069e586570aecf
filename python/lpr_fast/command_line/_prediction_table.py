"""Errors of predictions as lines: of all frames, of each group, and of the forces on each species."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..atoms._prediction_errors import UNITS, Errors, PredictionErrors
from ..descriptors._elements import symbol

# Groups that the table has.
_MOST_GROUPS = 30


def lines_of(errors: PredictionErrors) -> Iterator[str]:
    """The errors as a table; none, if there are no labels."""
    kinds = [kind for kind in UNITS if errors.of_all[kind].count]
    if not kinds:
        yield "errors    none: TRAJECTORY has no labels to compare with"
        return
    yield "errors    " + "".join(f"{f'{kind} ({UNITS[kind]})':>28}" for kind in kinds)
    yield "          " + "".join(f"{'RMSE':>18}{'MAE':>10}" for _ in kinds)
    yield _line("all", errors.of_all, kinds)
    if len(errors.of_groups) > 1:
        largest = sorted(errors.of_groups, key=lambda group: -_n_labels(errors.of_groups[group]))
        for group in largest[:_MOST_GROUPS]:
            yield _line(group or "(none)", errors.of_groups[group], kinds)
        if len(largest) > _MOST_GROUPS:
            yield f"          and {len(largest) - _MOST_GROUPS} groups with fewer labels"
    if len(errors.of_species) > 1:
        for s, of_species in errors.of_species.items():
            yield _line(symbol(s), {"forces": of_species}, kinds)
    if errors.stress_is_reversed:
        yield (
            "stress    the labels have the opposite sign of what is predicted: ASE's stress is positive under tension, "
            "a virial where the structure wants to expand"
        )


def _n_labels(errors: Mapping[str, Errors]) -> int:
    return sum(each.count for each in errors.values())


def _line(name: str, errors: Mapping[str, Errors], kinds: list[str]) -> str:
    found = [errors.get(kind, Errors()) for kind in kinds]
    numbers = [f"{each.rmse:18.4g}{each.mae:10.3g}" if each.count else " " * 27 + "-" for each in found]
    return f"{name[:9]:10}" + "".join(numbers)
