"""Sources of frames: files, standard input, or any iterable."""

from __future__ import annotations

import hashlib
import itertools
import platform
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from .._errors import InvalidInputError
from ._options import ReadOptions
from ._specification import path_of

if TYPE_CHECKING:
    from ase import Atoms

    from ._formats import Contents

STANDARD_INPUT = "-"

# What is hashed of a file's beginning and of its end, to tell it from another one.
_SAMPLE_BYTES = 65536


def refuse_second_reading(specifications: Iterable[str]) -> None:
    """Refuse to read standard input twice."""
    if list(specifications).count(STANDARD_INPUT) > 1:
        raise InvalidInputError("standard input (-) can be read only once; name a file for the others.")


class Source(Protocol):
    """A source of frames."""

    @property
    def name(self) -> str:
        """Its name in messages."""
        ...

    def frames(self, start: int = 0) -> Iterator[Atoms | InvalidInputError]:
        """The frames from number `start` on; an exception in place of each frame that cannot be read."""
        ...

    def identity(self) -> Any:
        """An identifier, for JSON; None for sources that can be read only once."""
        ...

    def n_atoms(self) -> int | None:
        """Number of atoms, if known."""
        ...


def source_of(given: Any, options: ReadOptions = ReadOptions()) -> Source:  # noqa: B008 (it cannot be changed)
    """The source of a path, several paths, "-" for standard input, or an iterable of `ase.Atoms`.

    `options` say how files are to be read.
    """
    if isinstance(given, Files):
        return given
    if isinstance(given, str | PathLike):
        given = [given]
    if isinstance(given, list | tuple) and given and all(isinstance(item, str | PathLike) for item in given):
        names = [str(item) for item in given]
        if STANDARD_INPUT not in names:
            return Files(names, options)
        if len(names) == 1 and options.topology is None and options.format in (None, "xyz", "extxyz"):
            return StandardInput(sys.stdin.buffer, options)
        raise InvalidInputError(
            "standard input (-) is extended XYZ, and cannot be joined with files or a topology; give one or the other."
        )
    if options != ReadOptions():
        raise InvalidInputError(
            "format, topology, species, cell and ignore say how to read files; change frames in memory themselves."
        )
    return InMemory(given)


@dataclass(frozen=True)
class InMemory:
    """Any iterable of `ase.Atoms`; they are checked when they are scored."""

    given: Iterable[Atoms]
    name: str = "frames in memory"

    def frames(self, start: int = 0) -> Iterator[Atoms | InvalidInputError]:
        """The frames; elements of other types are refused when they are scored."""
        from ase import Atoms

        if isinstance(self.given, Atoms):
            return itertools.islice([self.given], start, None)
        if not isinstance(self.given, Iterable) or isinstance(self.given, bytes):
            raise InvalidInputError(
                f"source is a {type(self.given).__name__}; give paths, or ase.Atoms, for example ase.io.iread(file)."
            )
        return itertools.islice(self.given, start, None)

    def identity(self) -> None:
        """None: it can be read only once."""

    def n_atoms(self) -> int | None:
        """Number of atoms of a structure or a list; None for other iterables."""
        from ase import Atoms

        if isinstance(self.given, Atoms):
            return len(self.given)
        if isinstance(self.given, list | tuple) and all(isinstance(frame, Atoms) for frame in self.given):
            return sum(map(len, self.given))
        return None


@dataclass(frozen=True)
class StandardInput:
    """Extended XYZ from a pipe."""

    file: BinaryIO
    options: ReadOptions
    name: str = "standard input"

    def frames(self, start: int = 0) -> Iterator[Atoms | InvalidInputError]:
        """The frames."""
        from . import _formats

        return _formats.piped_xyz(self.file, self.name, self.options, start)

    def identity(self) -> None:
        """None: it can be read only once."""

    def n_atoms(self) -> None:
        """None: unknown."""


@dataclass(frozen=True)
class Files:
    """Files, each perhaps with a selection of frames as in ASE: ``md.xyz@::10``.

    `contents` holds the contents of each file, or None for files that have not been read; it may be empty.
    """

    specifications: list[str]
    options: ReadOptions = field(default_factory=ReadOptions)
    contents: tuple[Contents | None, ...] = ()

    @property
    def name(self) -> str:
        """The files as they were given."""
        return ", ".join(self.specifications)

    @property
    def paths(self) -> list[Path]:
        """Paths of the files and of the topology."""
        return [path_of(specification) for specification in self._given]

    def frames(self, start: int = 0) -> Iterator[Atoms | InvalidInputError]:
        """Frames of all files; an exception in place of each frame that cannot be read.

        Raises
        ------
        InvalidInputError
            For folders, and empty selections.
        """
        from . import _formats

        topology = self._read_topology()
        for specification, contents in zip(self.specifications, self._known(), strict=True):
            if contents and start >= contents.n_frames > 0:
                start -= contents.n_frames
                continue
            number, found = 0, _formats.frames_of(specification, self.options, start, topology, contents)
            for number, frame in enumerate(found, start=1):  # noqa: B007
                yield frame
            if number == 0:
                n_frames = _formats.contents_of(specification, self.options, topology).n_frames if start else 0
                _refuse_none(n_frames, specification)
                start -= n_frames
            else:
                start = 0

    def n_frames(self) -> int:
        """Number of all frames; reads the files if needed."""
        from . import _formats

        topology = self._read_topology()
        return sum(
            (contents or _formats.contents_of(specification, self.options, topology)).n_frames
            for specification, contents in zip(self.specifications, self._known(), strict=True)
        )

    def read_through(self, *, only_quick: bool = False, on_error: str = "stop") -> Files:
        """The same files with their contents.

        With `only_quick`, only files that can be read quickly (`is_quickly_read`) are read.

        Raises
        ------
        InvalidInputError
            For empty files, and for truncated ones unless `on_error` is "skip".
        """
        from . import _formats

        if self.contents and (only_quick or None not in self.contents):
            return self
        topology = self._read_topology()
        found = tuple(
            _formats.contents_of(name, self.options, topology)
            if not only_quick or _formats.is_quickly_read(name, self.options)
            else None
            for name in self.specifications
        )
        for specification, contents in zip(self.specifications, found, strict=True):
            if contents is not None:
                if contents.error and on_error != "skip":
                    raise contents.error
                _refuse_none(contents.n_frames, specification)
        return replace(self, contents=found)

    def seen_from(self, folder: Path, identity: Any) -> Files:
        """The same files for a process on any machine; relative names are relative to `folder`.

        Raises
        ------
        InvalidInputError
            If the process sees other files under these names.
        """
        seen = self
        if Path.cwd() != folder:
            topology = None if self.options.topology is None else str(folder / self.options.topology)
            names = [str(folder / name) for name in self.specifications]
            seen = replace(self, specifications=names, options=replace(self.options, topology=topology))
        if seen.identity() != identity:
            raise InvalidInputError(
                f"a worker on {platform.node()} sees other files as {seen.name}; give files of a file system that all "
                "machines share."
            )
        return seen

    def _known(self) -> tuple[Contents | None, ...]:
        return self.contents or (None,) * len(self.specifications)

    def _read_topology(self) -> Atoms | None:
        from . import _formats

        if self.options.topology is None:
            return None
        return _formats.topology_of(self.options.topology, self.options)

    @property
    def _given(self) -> list[str]:
        """The files and the topology, as given."""
        return [*self.specifications, *([self.options.topology] if self.options.topology else [])]

    def identity(self) -> list[dict[str, Any]]:
        """Names, sizes, modification times and hashes of a sample of bytes of the files, and options for reading."""
        read_as = {"read_as": facts} if (facts := self.options.facts()) else {}
        return [
            {
                "source": str(path.resolve()),
                "selection": specification.removeprefix(str(path)),
                **read_as,
                **_stamp(path),
            }
            for path, specification in zip(self.paths, self._given, strict=True)
        ]

    def n_atoms(self) -> int | None:
        """Number of atoms, for files that have been read through."""
        counts = [contents.n_atoms for contents in self._known() if contents]
        return sum(counts) if len(counts) == len(self.specifications) else None


def _refuse_none(n_frames: int, specification: str) -> None:
    if n_frames == 0:
        raise InvalidInputError(f"{specification} holds no structures; give a file, and a selection, that has some.")


def readable(source: Source, start: int = 0) -> Iterator[Atoms]:
    """The frames of a source from number `start` on; a frame that cannot be read raises its exception."""
    for frame in source.frames(start):
        if isinstance(frame, InvalidInputError):
            raise frame
        yield frame


def _stamp(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        sample = hashlib.sha256()
        for offset in (0, max(0, size - _SAMPLE_BYTES)):
            file.seek(offset)
            sample.update(file.read(_SAMPLE_BYTES))
    return {"bytes": size, "changed": path.stat().st_mtime_ns, "sample_sha256": sample.hexdigest()}
