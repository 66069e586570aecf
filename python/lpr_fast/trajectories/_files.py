"""Frames out of one file."""

from __future__ import annotations

import io
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TypeVar, cast

import ase.io
from ase import Atoms
from ase.io.formats import get_compression, open_with_compression, parse_filename

from .._errors import InvalidInputError
from . import _chemfiles
from ._sources import path_of

T = TypeVar("T")

_EXTENDED_XYZ = (".xyz", ".extxyz")


def frames_of(specification: str, start: int = 0, topology: Atoms | None = None) -> Iterator[Atoms | InvalidInputError]:
    """Frames of ``file@selection`` from number `start` of the selection on, with the species of a topology if given.

    Extended XYZ, compressed or not, is read frame by frame, and what is not wanted is skipped without being parsed;
    everything else is ASE's. In the place of a frame that cannot be read stands the exception that names it.

    Raises
    ------
    InvalidInputError
        For folders, and files that hold no species without a topology.
    """
    path = path_of(specification)
    frames = _found(specification, path, start, topology)
    return frames if topology is None else (_with_species(frame, topology, path) for frame in frames)


def _found(specification: str, path: Path, start: int, topology: Atoms | None) -> Iterator[Atoms | InvalidInputError]:
    wanted = _wanted(specification)
    if _is_binary(path, topology):
        if topology is None:
            raise InvalidInputError(
                f"{path} holds no species; give a structure with the same atoms in the same order (topology, "
                "--topology)."
            )
        chosen = _steps(specification, path)[start:]
        return named(_chemfiles.frames_of(path, chosen), str(path))
    if wanted is None:
        found = itertools.islice(ase.io.iread(specification), start, None)
        return named(enumerate(found, start), str(path))
    return named(_opened(path, wanted[start:]), str(path))


def _is_binary(path: Path, topology: Atoms | None) -> bool:
    """Whether chemfiles is to read a file; without a topology, ASE may know the species of one kind of them."""
    return path.suffix in _chemfiles.SUFFIXES and (topology is not None or path.suffix != ".nc")


def _steps(specification: str, path: Path) -> range:
    index = parse_filename(specification)[1]  # type: ignore[no-untyped-call]
    if isinstance(index, int):
        index = slice(index, index + 1 or None)
    return range(_chemfiles.n_steps(path))[index or slice(None)]


def _with_species(frame: Atoms | InvalidInputError, topology: Atoms, path: Path) -> Atoms | InvalidInputError:
    if isinstance(frame, InvalidInputError):
        return frame
    if len(frame) != len(topology):
        return InvalidInputError(
            f"a frame of {path} has {len(frame)} atoms, but the topology has {len(topology)}; give one that fits."
        )
    frame.numbers = topology.numbers
    return frame


def n_frames_of(specification: str, topology: Atoms | None = None) -> int:
    """Frames of ``file@selection``, by reading all of it; extended XYZ is not parsed for that."""
    if _is_binary(path_of(specification), topology):
        return len(_steps(specification, path_of(specification)))
    wanted = _wanted(specification)
    if wanted is None:
        return sum(1 for _ in frames_of(specification))
    n_frames = _count_frames(path_of(specification))
    return sum(1 for number in wanted[:n_frames] if number < n_frames)


def count_atoms(specification: str) -> int | None:
    """Atoms of a plain XYZ file that is read as a whole; None for everything else.

    Raises
    ------
    InvalidInputError
        For a file that ends within a frame: better now than after hours.
    """
    path = path_of(specification)
    if specification != str(path) or path.suffix not in _EXTENDED_XYZ or not path.is_file():
        return None
    with path.open("rb") as file:
        return sum(_sizes(file, str(path)))


def extended_xyz(
    file: IO[bytes], name: str, wanted: range | None = None
) -> Iterator[tuple[int, Atoms | InvalidInputError]]:
    """Numbers and frames of extended XYZ, as they come; exceptions in the place of frames that cannot be parsed.

    Raises
    ------
    InvalidInputError
        For a file that ends within a frame.
    """
    wanted = range(sys.maxsize) if wanted is None else wanted
    for number, n_atoms, lines in _texts(file, name, wanted):
        if lines is not None:
            try:
                text = io.StringIO(f"{n_atoms}\n" + b"".join(lines).decode())
                yield number, cast(Atoms, ase.io.read(text, format="extxyz", index=0))
            except Exception as error:
                yield number, _unreadable(number, name, error)


def named(frames: Iterator[tuple[int, T]], name: str) -> Iterator[T | InvalidInputError]:
    """The frames; where reading fails for good, an exception that tells the number of the frame and the file."""
    number = -1
    try:
        for number, frame in frames:  # noqa: B007
            yield frame
    except InvalidInputError as error:
        yield error
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        yield _unreadable(number + 1, name, error)


def _unreadable(number: int, name: str, error: Exception) -> InvalidInputError:
    reason = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(".: ")
    return InvalidInputError(
        f"cannot read frame {number} of {name} ({reason}); give a file that ASE reads, such as extended XYZ."
    )


def _wanted(specification: str) -> range | None:
    """Numbers of the frames that a selection in an extended XYZ file means; None for other files."""
    name, index = parse_filename(specification)  # type: ignore[no-untyped-call]
    if index is None:
        index = slice(None)
    stem, _ = get_compression(name)
    if Path(stem).suffix not in _EXTENDED_XYZ or not isinstance(index, int | slice):
        return None
    if isinstance(index, int):
        index = slice(index, index + 1 or None)
    bounds = (index.start or 0, 0 if index.stop is None else index.stop, (index.step or 1) - 1)
    if min(bounds) >= 0:
        return range(sys.maxsize)[index]
    return range(_count_frames(Path(name)))[index]  # counted from the end


def _count_frames(path: Path) -> int:
    with open_with_compression(str(path), "rb") as file:
        return len(list(_sizes(file, str(path))))


def _opened(path: Path, wanted: range) -> Iterator[tuple[int, Atoms | InvalidInputError]]:
    if wanted.step < 0:
        found = {}
        with open_with_compression(str(path), "rb") as file:
            found = dict(extended_xyz(file, str(path), wanted))
        yield from sorted(found.items(), reverse=True)
        return
    with open_with_compression(str(path), "rb") as file:
        yield from extended_xyz(file, str(path), wanted)


def _sizes(file: IO[bytes], name: str) -> Iterator[int]:
    return (n_atoms for _, n_atoms, _ in _texts(file, name, range(0)))


def _texts(file: IO[bytes], name: str, wanted: range) -> Iterator[tuple[int, int, list[bytes] | None]]:
    """Number, atoms, and the lines after the first of every frame; no lines for those that are not wanted."""
    last = max(wanted[0], wanted[-1]) if wanted else sys.maxsize
    line = file.readline()
    for number in itertools.count():
        if not line.strip() or number > last:
            return
        try:
            n_atoms = int(line)
        except ValueError as error:
            raise _unreadable(number, name, error) from error
        lines: list[bytes] | None = None
        if number in wanted:
            lines = list(itertools.islice(file, n_atoms + 1))
            n_lines = len(lines)
        else:
            n_lines = sum(1 for _ in itertools.islice(file, n_atoms + 1))
        if n_lines < n_atoms + 1:
            raise InvalidInputError(
                f"{name} ends within frame {number}, which should have {n_atoms} atoms; it is truncated or damaged."
            )
        line = file.readline()
        while line.lstrip().startswith(b"VEC"):  # cell vectors, as some programs write them
            if lines is not None:
                lines.append(line)
            line = file.readline()
        yield number, n_atoms, lines
