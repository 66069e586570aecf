"""The table of groups of a run, with a line for each group of each frame, and its summary."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from ..atoms._pipeline import Scores
from ..atoms.sums._totals import Totals
from ._sinks import About, Text, real

#: Columns of the groups of a frame, from its number and which of its atoms have scores.
DescribeGroups: TypeAlias = Callable[[Atoms, int, NDArray[np.bool_]], dict[str, NDArray[Any]]]

# Columns of the table that need a column of the scores of atoms.
_OPTIONAL = {"lpr_held": "lpr_held", "residual": "residual", "energy": "local_energy", "sigma": "sigma"}

_COLUMNS = ("lpr", "lpr_held", "variance", "residual", "energy", "sigma")


class GroupTable(Text):
    """Comma-separated values, a line for each group of each frame.

    Parameters
    ----------
    describe : callable or None
        Scores the groups of a frame; a merge of shards does not need it.
    """

    def __init__(self, output: Path, about: About, describe: DescribeGroups | None, tag: str = "") -> None:
        super().__init__(output, about, tag)
        self._describe = describe
        self._columns = [name for name in _COLUMNS if _OPTIONAL.get(name, "lpr") in about.columns]

    def add(self, first: int, frames: list[Atoms], scores: Scores, totals: Totals | None = None) -> None:  # noqa: ARG002
        """Append the lines."""
        assert self._describe is not None
        lines = io.StringIO()
        writer = csv.writer(lines, lineterminator="\n")
        start = 0
        for number, frame in enumerate(frames, start=first):
            known = ~np.isnan(scores.lpr[start : start + len(frame)])
            start += len(frame)
            found = self._describe(frame, number, known)
            columns = [found[name].tolist() for name in ("group", "atoms", *self._columns)]
            for name, atoms, *values in zip(*columns, strict=True):
                writer.writerow([number, name, atoms, *map(real, values)])
        self._spool.write(lines.getvalue().encode())

    def _heading(self) -> bytes:
        return (",".join(["frame", "group", "atoms", *self._columns]) + "\n").encode()


@dataclass
class GroupsOfName:
    """All groups of one name in a table.

    Attributes
    ----------
    name : str
        Their name.
    count, n_atoms : int
        Number of scored groups, and of their atoms.
    lowest : dict of str to str, or None
        The line of the group whose mean prediction is least rigid.
    lpr_of_mean : float
        Its rigidity: n_atoms^2 times the (held) LPR of the sum.
    sigma_per_atom : float
        Largest standard deviation of a mean; NaN without any.
    """

    name: str
    count: int = 0
    n_atoms: int = 0
    lowest: dict[str, str] | None = None
    lpr_of_mean: float = math.inf
    sigma_per_atom: float = math.nan

    def add(self, line: dict[str, str]) -> None:
        """Add a line."""
        lpr = line.get("lpr_held") or line["lpr"]
        if not lpr:
            return
        size = int(line["atoms"])
        self.count += 1
        self.n_atoms += size
        of_mean = size**2 * float(lpr)
        if self.lowest is None or of_mean < self.lpr_of_mean:
            self.lowest, self.lpr_of_mean = line, of_mean
        if line.get("sigma"):
            self.sigma_per_atom = float(np.fmax(self.sigma_per_atom, float(line["sigma"]) / size))


def read_groups(table: Path, most: int) -> list[GroupsOfName]:
    """Groups of each name, the least rigid first; a single entry for all groups if there are many names."""
    found: dict[str, GroupsOfName] = {}
    whole = GroupsOfName("all")
    with table.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            whole.add(line)
            if len(found) <= most:
                found.setdefault(line["group"], GroupsOfName(line["group"])).add(line)
    parts = [whole] if len(found) > most else list(found.values())
    return sorted((part for part in parts if part.count), key=lambda part: part.lpr_of_mean)
