"""Hashes of the bytes that a run has read, so that it can resume when only later bytes have changed.

A trajectory may grow between two runs, or a damaged frame may be repaired; earlier scores stay valid.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..reading._options import ReadOptions
from ..reading._sources import Files
from ..reading._specification import path_of

if TYPE_CHECKING:
    from ..reading._formats import Contents

_BLOCK = 1 << 20


class ReadSoFar:
    """Hashes of the bytes before a frame, for files that can be read quickly as a whole (None for others).

    Parameters
    ----------
    files : Files
        Files that have been read through.
    first : int
        Number of the first frame of the run; not zero for shards.
    """

    def __init__(self, files: Files, first: int) -> None:
        from ..reading import _formats

        is_known = files.contents and None not in files.contents and files.options.topology is None
        self._is_plain = is_known and all(
            _formats.is_quickly_read(specification, files.options) for specification in files.specifications
        )
        self._parts: list[_Part] = []
        if self._is_plain:
            for specification, contents in zip(files.specifications, files.contents, strict=True):
                assert contents is not None
                self._parts.append(_Part(specification, files.options, contents, first))
                first -= contents.n_frames

    def up_to(self, frame: int) -> list[dict[str, Any]] | None:
        """Range of bytes of each file from the first frame to before `frame`, and their hash, for JSON."""
        if not self._is_plain:
            return None
        found = []
        for part in self._parts:
            found.append(part.up_to(frame))
            frame -= part.n_frames
        return found


class _Part:
    """The same for one file, with a running hash; frames are counted from its beginning."""

    def __init__(self, specification: str, options: ReadOptions, contents: Contents, first: int) -> None:
        self.n_frames = contents.n_frames
        self._specification, self._options, self._contents = specification, options, contents
        self._frame = self._within(first)
        self._start = self._end = self._byte_of(self._frame)
        self._digest = hashlib.sha256()

    def up_to(self, frame: int) -> dict[str, Any]:
        frame = self._within(frame)
        if frame > self._frame:
            end = self._byte_of(frame)
            _add_bytes(self._digest, path_of(self._specification), self._end, end)
            self._frame, self._end = frame, end
        return {"from": self._start, "to": self._end, "sha256": self._digest.hexdigest()}

    def _within(self, frame: int) -> int:
        return min(max(frame, 0), self.n_frames)

    def _byte_of(self, frame: int) -> int:
        from ..reading import _formats

        return _formats.byte_of(self._specification, self._options, frame, self._contents) if frame else 0


def is_unchanged(then: list[dict[str, Any]], now: list[dict[str, Any]], read: list[dict[str, Any]] | None) -> bool:
    """Whether changed files still have the bytes that a run has `read`."""
    if read is None or [_named(file) for file in then] != [_named(file) for file in now]:
        return False
    for before, file, part in zip(then, now, read, strict=True):
        if before != file:
            digest = hashlib.sha256()
            _add_bytes(digest, Path(file["source"]), part["from"], part["to"])
            if digest.hexdigest() != part["sha256"]:
                return False
    return True


def _named(file: dict[str, Any]) -> tuple[Any, ...]:
    return file["source"], file["selection"], file.get("read_as")


def _add_bytes(digest: Any, path: Path, start: int, end: int) -> None:
    """Add the bytes of a file, from `start` to before `end`, to a hash."""
    with path.open("rb") as file:
        file.seek(start)
        while start < end and (block := file.read(min(_BLOCK, end - start))):
            digest.update(block)
            start += len(block)
