"""Lines of a file, many of them at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

# Read at a time; of a pipe, what is there.
_BLOCK = 1 << 18

_NEWLINE = ord("\n")


class Lines:
    """Takes lines from a file that is open in binary mode, in their order.

    Attributes
    ----------
    byte : int
        Where the next line begins, if the first one begins at the `byte` that was given.
    """

    def __init__(self, file: IO[bytes], byte: int = 0) -> None:
        # Whatever is opened for reading bytes has it, except to those who wrote the types.
        self._read = cast(Any, file).read1
        self.byte = byte
        self._block = b""
        self._ends: NDArray[np.int64] = np.zeros(0, dtype=np.int64)  # behind each line of the block
        self._next = 0  # line of the block
        self._first = 0  # where it begins

    def one(self) -> bytes:
        """The next line; nothing at the end of the file."""
        return self.some(1)[0]

    def some(self, count: int) -> tuple[bytes, int]:
        """The next `count` lines together, and how many of them there are not any more."""
        parts: list[bytes] = []
        missing = count
        for start, end, n_lines in self._spans(count):
            parts.append(self._block[start:end])
            missing -= n_lines
        return parts[0] if len(parts) == 1 else b"".join(parts), missing

    def skip(self, count: int) -> int:
        """Leave out `count` lines; return how many of them there are not any more."""
        return count - sum(n_lines for _, _, n_lines in self._spans(count))

    def are_blank(self) -> bool:
        """Whether nothing but blank lines is left; these are gone then."""
        while self._next < len(self._ends) or self._fill():
            (line,) = (self._block[start:end] for start, end, _ in self._spans(len(self._ends) - self._next))
            if line.strip():
                return False
        return True

    def _spans(self, count: int) -> Iterator[tuple[int, int, int]]:
        """Where the next `count` lines stand in the block, and how many these are, block after block."""
        while count > 0 and (self._next < len(self._ends) or self._fill()):
            n_lines = min(count, len(self._ends) - self._next)
            start, self._next = self._first, self._next + n_lines
            self._first = int(self._ends[self._next - 1])
            self.byte += self._first - start
            count -= n_lines
            yield start, self._first, n_lines

    def _fill(self) -> bool:
        """Read the next whole lines; return whether there are any."""
        parts = [self._block[self._first :]]
        while read := self._read(_BLOCK):
            parts.append(read)
            if b"\n" in read:
                break
        self._block, self._next, self._first = b"".join(parts), 0, 0
        self._ends = np.flatnonzero(np.frombuffer(self._block, np.uint8) == _NEWLINE) + 1
        if not read and self._block:  # the last line has no end of its own
            self._ends = np.array([len(self._block)])
        return len(self._ends) > 0
