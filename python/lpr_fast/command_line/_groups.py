"""The summary of groups of atoms, as text and as JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..jobs._job import Run
from ..writing._group_table import GroupsOfName, read_groups
from ..writing._outputs import GROUPS
from ._terminal import aligned

# Largest number of names that have a line each.
_MOST_NAMES = 20


@dataclass(frozen=True)
class Groups:
    """The groups of a run, by name."""

    key: str
    parts: list[GroupsOfName]


def groups_of(run: Run, key: str) -> Groups:
    """Read the table of groups that a run wrote."""
    table = next(path for path in run.written if path.name.endswith(GROUPS))
    return Groups(key, read_groups(table, _MOST_NAMES))


def group_facts(groups: Groups) -> dict[str, Any]:
    """Entries of ``--json``."""
    return {
        part.name: {
            "groups": part.count,
            "atoms": part.n_atoms,
            "lpr_of_mean_lowest": part.lpr_of_mean if math.isfinite(part.lpr_of_mean) else None,
            "frame": int(part.lowest["frame"]),
            "group": part.lowest["group"],
            "sigma_per_atom_largest": None if math.isnan(part.sigma_per_atom) else part.sigma_per_atom,
        }
        for part in groups.parts
        if part.lowest is not None
    }


def group_lines(groups: Groups) -> list[str]:
    """Lines to print: the least rigid group, and the groups of each name."""
    if not groups.parts:
        return [f"groups    no group of {groups.key} could be scored: all have species that are not in the model"]
    lowest = groups.parts[0].lowest
    assert lowest is not None
    held = "LPR held" if lowest.get("lpr_held") else "LPR"
    energy = f", its energy {float(lowest['energy']):.6g}" if lowest.get("energy") else ""
    sigma = f" +- {float(lowest['sigma']):.2g}" if lowest.get("sigma") else ""
    where = f"{groups.key} {lowest['group']!r} of frame {lowest['frame']}, {lowest['atoms']} atoms"
    of_mean = f"{held} {groups.parts[0].lpr_of_mean:.3g}"
    line = f"groups    the mean energy of {where}, is least rigid: {of_mean}{energy}{sigma}"
    heads = [groups.key, "groups", "atoms", f"lowest {held} of a mean", "in frame", "largest sigma per atom"]
    rows = [[part.name, str(part.count), str(part.n_atoms), *_extremes(part)] for part in groups.parts]
    return [line, *aligned(heads, rows)]


def _extremes(part: GroupsOfName) -> list[str]:
    assert part.lowest is not None
    sigma = "" if math.isnan(part.sigma_per_atom) else f"{part.sigma_per_atom:.3g}"
    return [f"{part.lpr_of_mean:.3g}", part.lowest["frame"], sigma]
