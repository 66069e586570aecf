"""Lines of a file, many at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

# Bytes to read at once; fewer from a pipe.
_BLOCK = 1 << 18

_NEWLINE = ord("\n")


class Lines:
    """Reads lines of a file that is open in binary mode.

    Attributes
    ----------
    byte : int
        Byte of the next line, if the first one begins at the given `byte`.
    """

    def __init__(self, file: IO[bytes], byte: int = 0) -> None:
        # Whatever is opened for reading bytes has it, except to those who wrote the types.
        self._read = cast(Any, file).read1
        self.byte = byte
        self._block = b""
        self._ends: NDArray[np.int64] = np.zeros(0, dtype=np.int64)  # end of each line of the block
        self._next = 0  # line of the block
        self._first = 0  # its first byte

    def one(self) -> bytes:
        """The next line; empty at the end of the file."""
        return self.some(1)[0]

    def some(self, count: int) -> tuple[bytes, int]:
        """The next `count` lines as one text, and the number of missing lines."""
        parts: list[bytes] = []
        missing = count
        for start, end, n_lines in self._spans(count):
            parts.append(self._block[start:end])
            missing -= n_lines
        return parts[0] if len(parts) == 1 else b"".join(parts), missing

    def skip(self, count: int) -> int:
        """Skip `count` lines; return the number of missing lines."""
        return count - sum(n_lines for _, _, n_lines in self._spans(count))

    def are_blank(self) -> bool:
        """Whether only blank lines are left; they are consumed."""
        while self._next < len(self._ends) or self._fill():
            (line,) = (self._block[start:end] for start, end, _ in self._spans(len(self._ends) - self._next))
            if line.strip():
                return False
        return True

    def _spans(self, count: int) -> Iterator[tuple[int, int, int]]:
        """Ranges of the next `count` lines in the blocks, and their numbers of lines."""
        while count > 0 and (self._next < len(self._ends) or self._fill()):
            n_lines = min(count, len(self._ends) - self._next)
            start, self._next = self._first, self._next + n_lines
            self._first = int(self._ends[self._next - 1])
            self.byte += self._first - start
            count -= n_lines
            yield start, self._first, n_lines

    def _fill(self) -> bool:
        """Read the next complete lines; return whether there are any."""
        parts = [self._block[self._first :]]
        while read := self._read(_BLOCK):
            parts.append(read)
            if b"\n" in read:
                break
        self._block, self._next, self._first = b"".join(parts), 0, 0
        self._ends = np.flatnonzero(np.frombuffer(self._block, np.uint8) == _NEWLINE) + 1
        if not read and self._block:  # the last line may have no newline
            self._ends = np.array([len(self._block)])
        return len(self._ends) > 0
