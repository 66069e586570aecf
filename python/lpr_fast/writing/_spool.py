"""Files that grow during a run, and get their final names at its end."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from .._errors import InvalidInputError
from .._files import named_errors

SUFFIX = ".unfinished"

# Suffix of the file with facts about the run, beside the first output.
FACTS = ".json"

_BLOCK = 1 << 20


class Spool:
    """A file beside the output to which scored frames are appended.

    Parameters
    ----------
    output : pathlib.Path
        The output file.
    tag : str
        Part of the name of the spool of a shard.
    """

    def __init__(self, output: Path, tag: str = "") -> None:
        self.path = beside(output, tag + SUFFIX)
        self._file: BinaryIO | None = None

    def open(self, length: int | None) -> None:
        """Start (`length` is None), or resume after `length` bytes.

        Raises
        ------
        InvalidInputError
            If the file is shorter.
        """
        file = self.path.open("ab")
        found = file.tell()
        if found < (length or 0):
            file.close()
            raise InvalidInputError(
                f"{self.path} has {found} bytes, but {length} were written; delete the journal to start anew."
            )
        file.truncate(length or 0)
        file.seek(0, os.SEEK_END)  # truncate does not move the position
        self._file = file

    def write(self, content: bytes) -> None:
        """Append."""
        assert self._file is not None
        with named_errors(self.path):
            self._file.write(content)

    def append(self, other: Path, start: int) -> None:
        """Append the bytes of another file, from `start` on."""
        with other.open("rb") as file:
            file.seek(start)
            while block := file.read(_BLOCK):
                self.write(block)

    def checkpoint(self) -> int:
        """Write everything to disk; return the number of bytes."""
        assert self._file is not None
        with named_errors(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """Close the file; bytes that cannot be written any more are not needed."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None

    def remove(self) -> None:
        """Remove the file."""
        self.close()
        self.path.unlink(missing_ok=True)


def beside(output: Path, suffix: str) -> Path:
    """A file in the folder of `output`, or of the file that it links to."""
    target = output.resolve()
    return target.with_name(target.name + suffix)
