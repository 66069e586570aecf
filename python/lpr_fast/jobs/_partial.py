"""An unfinished large frame, which is scored piece by piece; finished pieces survive a crash."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..atoms._pipeline import Scores, joined, of_whole_frame
from ..writing._spool import Spool

if TYPE_CHECKING:
    from ..atoms._pieces import Piece

_NAMES = tuple(Scores.__dataclass_fields__)


class Partial:
    """Scores of some atoms of a large frame: in memory, and on disk up to the last checkpoint.

    Parameters
    ----------
    output : pathlib.Path
        The first output; the file is beside it.
    tag : str
        Part of the name of the file of a shard.
    """

    def __init__(self, output: Path, tag: str = "") -> None:
        self._spool = Spool(output, tag + ".frame")
        self._parts: list[Scores] = []
        self._n_written = 0
        self._has: tuple[str, ...] = ()
        self.n_atoms = 0

    def open(self, state: dict[str, Any] | None) -> None:
        """Start, or resume from the checkpoint that returned `state`."""
        if state and state["atoms"]:
            self._spool.open(state["length"])
            self._has = tuple(state["columns"])
            records = np.fromfile(self._spool.path, self._record)
            columns: dict[str, Any] = {name: records[name] if name in self._has else None for name in _NAMES}
            self._keep(Scores(**columns))
            self._n_written = 1

    def add(self, piece: Piece, scores: Scores) -> Scores | None:
        """Take a piece; return the scores of its frames if it is the last piece."""
        if piece.rows is None:
            return scores
        self._keep(scores)
        if not piece.is_last:
            return None
        whole = of_whole_frame(self._parts)
        self._spool.close()
        self._parts, self._n_written, self.n_atoms = [], 0, 0
        return whole

    def checkpoint(self) -> dict[str, Any]:
        """Write everything to disk.

        A checkpoint is due when a large frame is complete: the journal then no longer refers to this file, which the
        next large frame overwrites.
        """
        if not self.n_atoms:
            return {"atoms": 0}
        if not self._n_written:
            self._spool.open(0)
        if self._n_written < len(self._parts):
            self._write(joined(self._parts[self._n_written :]))
            self._n_written = len(self._parts)
        return {"atoms": self.n_atoms, "columns": self._has, "length": self._spool.checkpoint()}

    def close(self) -> None:
        """Close the file, and keep it."""
        self._spool.close()

    def remove(self) -> None:
        """Remove the file."""
        self._spool.remove()

    def _keep(self, scores: Scores) -> None:
        self._has = tuple(name for name in _NAMES if getattr(scores, name) is not None)
        self._parts.append(scores)
        self.n_atoms += len(scores)

    def _write(self, scores: Scores) -> None:
        records = np.empty(len(scores), self._record)
        for name in self._has:
            records[name] = getattr(scores, name)
        self._spool.write(records.tobytes())

    @property
    def _record(self) -> np.dtype[Any]:
        return np.dtype([(name, "<i8" if name in ("frame", "atom") else "<f8") for name in self._has])
