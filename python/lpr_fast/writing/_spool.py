"""Files that grow while a run goes on, and take their final names when it is over."""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from .._errors import InvalidInputError

SUFFIX = ".unfinished"

# What the file with facts about the run adds to the name of the first output.
FACTS = ".json"

_BLOCK = 1 << 20


class InUseError(InvalidInputError):
    """Another process is writing a file."""


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
        InUseError
            If another process writes the file.
        InvalidInputError
            If less is left of it than there should be.
        """
        file = self.path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise InUseError(f"another process is writing {self.path}; wait for it, or give another output.") from error
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
        try:
            self._file.write(content)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def append(self, other: Path, start: int) -> None:
        """Append what another file holds from `start` on."""
        with other.open("rb") as file:
            file.seek(start)
            while block := file.read(_BLOCK):
                self.write(block)

    def checkpoint(self) -> int:
        """Bring everything to the disk; return the number of bytes."""
        assert self._file is not None
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error
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


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file at once. What a kill leaves behind has a fixed name: the next write takes it away."""
    part = _part_of(path)
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error
    part.replace(path)


def remove_whole(path: Path) -> None:
    """Remove a file that `write_whole` wrote, or was about to write."""
    path.unlink(missing_ok=True)
    _part_of(path).unlink(missing_ok=True)


def _part_of(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def publish(staged: Path, output: Path) -> None:
    """Give a file that is complete its final name; nothing is to be done if that has happened before."""
    if not staged.exists():
        return
    target = output.resolve()
    if target.is_file():
        shutil.copymode(target, staged)
    staged.replace(target)
