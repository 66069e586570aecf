"""Sinks, which write scored frames to files: the protocol, and the text formats."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from .._arrays import Array
from .._files import publish
from .._species import symbol
from ..atoms._frames import known_energy
from ..atoms._pipeline import Scores
from ..atoms.sums._totals import TOTAL_COLUMNS, Totals
from ..models._columns import FORCE_COLUMNS, prefixed_columns_of
from ..models._scores import VERDICTS
from . import _extxyz
from ._spool import SUFFIX, Spool, beside
from ._verdicts import verdict_counts

# Usual name of the group of a frame in data sets.
GROUP_KEY = "config_type"


@dataclass(frozen=True)
class About:
    """Facts about the model, for files; nothing that changes from run to run."""

    model_sha256: str
    loss: str
    regularizer: float
    cutoff: float | None
    species: tuple[int, ...]
    energy_key: str
    columns: tuple[str, ...]
    versions: dict[str, str]
    verdict_limits: dict[str, float] | None = None
    totals: tuple[str, ...] = ()
    zeta: float = 1.0


class Sink(Protocol):
    """Takes scored frames batch by batch, and makes one file of them (docs/guides/sinks.md)."""

    output: Path

    def open(self, length: int | None) -> None:
        """Start (`length` is None), or resume after the checkpoint that returned `length`."""
        ...

    def add(self, first: int, frames: list[Atoms], scores: Scores, totals: Totals | None = None) -> None:
        """Take a batch of frames; `first` is the number of the first one."""
        ...

    def complete(self) -> None:
        """Called when all frames of this run, or of this shard, were taken."""
        ...

    def checkpoint(self) -> int:
        """Write everything to disk; return a number for `open`."""
        ...

    def absorb(self, tag: str) -> None:
        """Take the files of the next shard."""
        ...

    def assemble(self) -> None:
        """Make the whole file, under another name, from the files on disk."""
        ...

    def publish(self) -> None:
        """Give the file its name; called again if the process was killed in between."""
        ...

    def close(self) -> None:
        """Close files, and keep them."""
        ...

    def remove(self) -> None:
        """Remove all files but the output."""
        ...


class Spooled:
    """A sink that appends to a spool, which gets the name of the output at the end."""

    def __init__(self, output: Path, tag: str) -> None:
        self.output = output
        self._spool = Spool(output, tag)

    def complete(self) -> None:
        """See `Sink`."""

    def publish(self) -> None:
        """See `Sink`."""
        publish(self._spool.path, self.output)

    def close(self) -> None:
        """See `Sink`."""
        self._spool.close()

    def remove(self) -> None:
        """See `Sink`."""
        self._spool.remove()


class Text(Spooled):
    """A file that is complete when the last frame has been appended."""

    def __init__(self, output: Path, about: About, tag: str = "") -> None:
        super().__init__(output, tag)
        self._about = about

    def open(self, length: int | None) -> None:
        """See `Sink`."""
        self._spool.open(length)
        if not length:
            self._spool.write(self._heading())

    def checkpoint(self) -> int:
        """See `Sink`."""
        return self._spool.checkpoint()

    def absorb(self, tag: str) -> None:
        """See `Sink`."""
        self._spool.append(beside(self.output, tag + SUFFIX), len(self._heading()))

    def assemble(self) -> None:
        """See `Sink`."""
        self._spool.close()

    def _heading(self) -> bytes:
        """The beginning of the file; shards have it too."""
        return b""


class ExtendedXYZ(Text):
    """The frames with columns of scores."""

    def add(self, first: int, frames: list[Atoms], scores: Scores, totals: Totals | None = None) -> None:  # noqa: ARG002
        """Append the frames."""
        _extxyz.write_frames(self._spool, frames, prefixed_columns_of(scores))


class Table(Text):
    """Comma-separated values, a line for each frame."""

    def add(self, first: int, frames: list[Atoms], scores: Scores, totals: Totals | None = None) -> None:
        """Append the lines."""
        start = 0
        of_totals = total_columns(totals)
        lines = io.StringIO()
        writer = csv.writer(lines, lineterminator="\n")
        for number, frame in enumerate(frames, start=first):
            of_frame = scores.select(slice(start, start + len(frame)))
            start += len(frame)
            line = self._line(number, frame, of_frame)
            writer.writerow([*line, *(real(of_totals[name][number - first]) for name in self._about.totals)])
        self._spool.write(lines.getvalue().encode())

    def _heading(self) -> bytes:
        names = ["frame", GROUP_KEY, "atoms", "scored", "lpr_lowest", "lpr_lowest_atom", "lpr_lowest_species"]
        names += ["lpr_5", "lpr_50", "lpr_95", *(f"lpr_lowest_{symbol(s)}" for s in self._about.species)]
        if "lpr_held" in self._about.columns:
            names += ["lpr_held_lowest", "lpr_held_5", "lpr_held_50", "lpr_held_95"]
        names += ["variance_mean"]
        if "residual" in self._about.columns:
            names += ["residual_largest", "residual_largest_atom"]
        if "local_energy" in self._about.columns:
            names += ["local_energy_mean", "energy_error_per_atom"]
        if "verdict" in self._about.columns:
            names += ["percentile_lowest", "share_loose", "share_unlike"]
        if "spread" in self._about.columns:
            names += ["spread_mean", "spread_largest"]
        names += [name for column in self._force_columns for name in (f"{column}_largest", f"{column}_largest_atom")]
        names += self._about.totals
        return (",".join(names) + "\n").encode()

    def _line(self, number: int, frame: Atoms, scores: Scores) -> list[str]:
        known: slice | NDArray[np.int64] = slice(None)
        numbers, lpr = frame.numbers, scores.lpr
        if np.isnan(lpr).any():
            known = np.flatnonzero(~np.isnan(lpr))
            numbers, lpr = numbers[known], lpr[known]
        line = [str(number), group_of(frame) or "", str(len(frame)), str(len(lpr))]
        if len(lpr):
            lowest = int(lpr.argmin())
            atom = _atom(known, lowest)
            line += [real(lpr[lowest]), str(atom), symbol(int(frame.numbers[atom]))]
            line += [real(value) for value in quantiles(lpr, (0.05, 0.5, 0.95))]
        else:
            line += [""] * 6
        line += [real(lpr[numbers == s].min() if s in numbers else np.nan) for s in self._about.species]
        if scores.lpr_held is not None:
            line += _held_columns(scores.lpr_held[known])
        line.append(_mean(scores.variance[known]))
        if scores.residual is not None:
            residual = scores.residual[known]
            largest = int(residual.argmax()) if len(residual) else 0
            line += [real(residual[largest]), str(_atom(known, largest))] if len(residual) else ["", ""]
        if scores.local_energy is not None:
            line += [_mean(scores.local_energy[known])]
            line += [real(error_per_atom(frame, scores.local_energy, self._about.energy_key))]
        if scores.percentile is not None and scores.verdict is not None:
            line += _verdict_columns(scores.percentile[known], scores.verdict[known])
        if scores.spread is not None:
            spread = scores.spread[known]
            line += [_mean(spread), real(spread.max(initial=0.0))] if len(spread) else ["", ""]
        for column in self._force_columns:
            line += _largest(getattr(scores, column))
        return line

    @property
    def _force_columns(self) -> list[str]:
        return [column.name for column in FORCE_COLUMNS if column.name in self._about.columns]


def _held_columns(lpr: Array) -> list[str]:
    if not len(lpr):
        return [""] * 4
    return [real(value) for value in (lpr.min(), *quantiles(lpr, (0.05, 0.5, 0.95)))]


def _largest(values: Array) -> list[str]:
    """The largest value and its atom; empty if all are NaN."""
    if np.isnan(values).all():
        return ["", ""]
    atom = int(np.nanargmax(values))
    return [real(values[atom]), str(atom)]


def _verdict_columns(percentile: Array, verdict: Array) -> list[str]:
    if not len(verdict):
        return [""] * 3
    counts = verdict_counts(verdict)
    shares = (counts[VERDICTS.index(name)] / len(verdict) for name in ("loose", "unlike"))
    return [real(percentile.min()), *map(real, shares)]


def total_columns(totals: Totals | None) -> dict[str, Array]:
    """Columns of totals, by name."""
    if totals is None:
        return {}
    return {name: totals[column] for name, column in TOTAL_COLUMNS.items() if column in totals}


def _atom(known: slice | NDArray[np.int64], index: int) -> int:
    """Number in the frame of a known atom."""
    return index if isinstance(known, slice) else int(known[index])


def group_of(frame: Atoms) -> str | None:
    """The group of a frame, or None."""
    name = frame.info.get(GROUP_KEY)
    return None if name is None else " ".join(str(name).split())


def quantiles(values: Array, shares: tuple[float, ...]) -> list[float]:
    """Quantiles of values; each one is a value that occurs."""
    ordered = np.sort(values)
    return [float(ordered[round(share * (len(ordered) - 1))]) for share in shares]


def error_per_atom(frame: Atoms, local_energy: Array, key: str) -> float:
    """Error of the predicted energy per atom; NaN for frames without energy."""
    known = known_energy(frame, key)
    return float("nan") if known is None else (float(local_energy.sum()) - known) / len(frame)


def real(value: Any) -> str:
    """A number with all digits; empty for NaN, which readers of tables take for a missing value."""
    number = float(value)
    return "" if math.isnan(number) else repr(number)


def _mean(values: Array) -> str:
    return real(values.mean()) if len(values) else ""
