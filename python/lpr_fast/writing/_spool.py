"""Files that grow while a run goes on, and take their final names when it is over."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from .._errors import InvalidInputError
from .._files import named_errors

SUFFIX = ".unfinished"

# What the file with facts about the run adds to the name of the first output.
FACTS = ".json"

_BLOCK = 1 << 20


class Spool:
    """A file beside the output to which scored frames are appended; `checkpoint` says up to where it is on the disk.

    Parameters
    ----------
    output : pathlib.Path
        The file that is to be written in the end.
    tag : str
        What tells the spools of shards apart.
    """

    def __init__(self, output: Path, tag: str = "") -> None:
        self.path = beside(output, tag + SUFFIX)
        self._file: BinaryIO | None = None

    def open(self, length: int | None) -> None:
        """Begin, or go on after a number of bytes.

        Raises
        ------
        InvalidInputError
            If less is left of it than there should be.
        """
        file = self.path.open("ab")
        found = file.tell()
        if found < (length or 0):
            file.close()
            raise InvalidInputError(
                f"{self.path} has {found} bytes, but {length} were written; delete the journal to start afresh."
            )
        file.truncate(length or 0)
        file.seek(0, os.SEEK_END)  # truncating leaves the position, and with it what `checkpoint` returns
        self._file = file

    def write(self, content: bytes) -> None:
        """Append."""
        assert self._file is not None
        with named_errors(self.path):
            self._file.write(content)

    def append(self, other: Path, start: int) -> None:
        """Append what another file holds from `start` on."""
        with other.open("rb") as file:
            file.seek(start)
            while block := file.read(_BLOCK):
                self.write(block)

    def checkpoint(self) -> int:
        """Bring everything to the disk; return the number of bytes."""
        assert self._file is not None
        with named_errors(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """Let others have the file; what could not be written any more is not missed."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None

    def remove(self) -> None:
        """Leave nothing behind."""
        self.close()
        self.path.unlink(missing_ok=True)


def beside(output: Path, suffix: str) -> Path:
    """A file in the folder where `output`, or what it links to, is."""
    target = output.resolve()
    return target.with_name(target.name + suffix)
