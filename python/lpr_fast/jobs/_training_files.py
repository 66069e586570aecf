"""Files of training structures, read again and again, and the same each time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._errors import InvalidInputError
from ..atoms import _frames
from ..reading._options import ReadOptions
from ..reading._sources import Files, readable, source_of
from ._stream import Stream

if TYPE_CHECKING:
    from ase import Atoms

# Frames are handed over together when they have so many atoms.
_READ_TOGETHER = 4096


def reread_files(given: Any, options: ReadOptions) -> Files:
    """The files that a caller named, and how to read them.

    Raises
    ------
    InvalidInputError
        For what can be read only once, and frames in memory.
    """
    found = source_of(given, options)
    if not isinstance(found, Files):
        raise InvalidInputError(
            f"{found.name} cannot be read again, as a fit does; give files (structures in memory are for "
            "SparseKernelModel.fit)."
        )
    return found


@dataclass(frozen=True)
class TrainingFiles(_frames.Rereadable):
    """Files, and what told them from others in the beginning; a thread reads them ahead of whoever takes the frames."""

    files: Files
    identity: Any

    @classmethod
    def of(cls, files: Files) -> TrainingFiles:
        """Files as they are now; those that are truncated or hold nothing are refused."""
        identity = files.identity()
        return cls(files.read_through(only_quick=True), identity)

    def frames(self, start: int = 0) -> Iterator[Atoms]:
        """The frames from number `start` on."""
        with Stream() as stream:
            for _, batch in stream.ahead(_frames.batches(readable(self.files, start), _READ_TOGETHER)):
                yield from batch

    def read_through(self) -> TrainingFiles:
        """The same, of which is known where frames are, so that many processes can begin anywhere."""
        return replace(self, files=self.files.read_through())

    def seen_from(self, folder: Path) -> TrainingFiles:
        """The same for a worker; see `Files.seen_from`."""
        return replace(self, files=self.files.seen_from(folder, self.identity))

    def refuse_changes(self) -> None:
        """Throw where a file is not what it was in the beginning."""
        if self.files.identity() != self.identity:
            raise InvalidInputError(
                f"{self.files.name} changed while the model was fitted; begin again when nothing writes there any more."
            )
