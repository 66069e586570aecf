"""Files of training structures, which are read several times and must not change meanwhile."""

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

# Frames are read in batches of this many atoms.
_READ_TOGETHER = 4096


def reread_files(given: Any, options: ReadOptions) -> Files:
    """The files that a caller named, with options for reading.

    Raises
    ------
    InvalidInputError
        For sources that can be read only once, and for frames in memory.
    """
    found = source_of(given, options)
    if not isinstance(found, Files):
        raise InvalidInputError(
            f"{found.name} can be read only once, but a fit reads it several times; give files (or use "
            "SparseKernelModel.fit for structures in memory)."
        )
    return found


@dataclass(frozen=True)
class TrainingFiles(_frames.Rereadable):
    """Files, and their identity at the beginning of the fit; a thread reads them ahead."""

    files: Files
    identity: Any

    @classmethod
    def of(cls, files: Files) -> TrainingFiles:
        """Files as they are now; truncated and empty files are refused."""
        identity = files.identity()
        return cls(files.read_through(only_quick=True), identity)

    def frames(self, start: int = 0) -> Iterator[Atoms]:
        """The frames from number `start` on."""
        with Stream() as stream:
            for _, batch in stream.ahead(_frames.batches(readable(self.files, start), _READ_TOGETHER)):
                yield from batch

    def read_through(self) -> TrainingFiles:
        """The same files with known positions of all frames, so that many processes can start anywhere."""
        return replace(self, files=self.files.read_through())

    def seen_from(self, folder: Path) -> TrainingFiles:
        """The same files for a worker; see `Files.seen_from`."""
        return replace(self, files=self.files.seen_from(folder, self.identity))

    def refuse_changes(self) -> None:
        """Throw where a file is not what it was in the beginning."""
        if self.files.identity() != self.identity:
            raise InvalidInputError(
                f"{self.files.name} changed during the fit; fit again when no program writes to it any more."
            )
