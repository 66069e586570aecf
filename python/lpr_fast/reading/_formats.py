"""Frames of one file."""

from __future__ import annotations

import io
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, TypeAlias, TypeVar

from ase import Atoms
from ase.io.formats import get_compression, open_with_compression

from .._errors import InvalidInputError
from . import _by_ase, _chemfiles, _read_dump, _read_xyz, _texts
from ._finish import finished, identified
from ._format import DUMP, format_of, is_binary, is_text
from ._labels import Found
from ._options import ReadOptions
from ._specification import Specification, parsed
from ._texts import BEGINNING, Place, Text

T = TypeVar("T")

#: A frame, or the exception of a frame that cannot be read.
FoundOrError: TypeAlias = "Found | InvalidInputError"

# Bytes between stored positions of frames: a terabyte has a million of them.
_BETWEEN_PLACES = 1 << 20


@dataclass(frozen=True)
class Contents:
    """Contents of ``file@selection``, from reading it once.

    Attributes
    ----------
    n_frames, n_atoms : int
        Numbers of frames and atoms of the selection; a frame that cannot be read counts as one without atoms.
    wanted : range or None
        Numbers of the selected frames in a file that is read frame by frame.
    places : list of Place
        Positions of some frames; empty for files without random access.
    error : InvalidInputError or None
        The first error in the file.
    """

    n_frames: int
    n_atoms: int
    wanted: range | None = None
    places: tuple[Place, ...] = ()
    error: InvalidInputError | None = None

    def place_before(self, number: int) -> Place:
        """The last stored position before frame `number`."""
        index = bisect_right(self.places, number, key=lambda place: place.number)
        return self.places[index - 1] if index else BEGINNING


def frames_of(
    specification: str,
    options: ReadOptions,
    start: int = 0,
    topology: Atoms | None = None,
    contents: Contents | None = None,
) -> Iterator[Atoms | InvalidInputError]:
    """Frames of ``file@selection`` from number `start` of the selection on.

    Extended XYZ and dumps of LAMMPS, compressed or not, are read frame by frame, and what is not wanted is skipped
    without being parsed; everything else is ASE's. In the place of a frame that cannot be read stands the exception
    that names it.

    Raises
    ------
    InvalidInputError
        For folders, unknown formats, and files without species if there is no topology.
    """
    given = parsed(specification)
    found = _found(given, format_of(given.path, options), options, start, contents)
    return _each(found, partial(finished, options=options, topology=topology), str(given.path))


def topology_of(specification: str, options: ReadOptions) -> Atoms:
    """The first frame of a file with the elements of all its atoms, including ignored ones."""
    given, options = parsed(specification), options.for_topology
    found = _found(given, format_of(given.path, options), options, 0, None)
    first = next(_each(found, partial(identified, options=options), str(given.path)), None)
    if first is None:
        raise InvalidInputError(f"{specification} holds no structures; give a file, and a selection, that has some.")
    if isinstance(first, InvalidInputError):
        raise first
    return first


def _each(
    found: Iterator[tuple[int, FoundOrError]], finish: Callable[[Found], Atoms], name: str
) -> Iterator[Atoms | InvalidInputError]:
    for number, frame in _named(found, name):
        if isinstance(frame, InvalidInputError):
            yield frame
            continue
        try:
            yield finish(frame)
        except InvalidInputError as error:
            yield _unreadable(number, name, error)


def _found(
    given: Specification, format_name: str, options: ReadOptions, start: int, contents: Contents | None
) -> Iterator[tuple[int, FoundOrError]]:
    path = given.path
    if is_binary(format_name):
        if options.topology is None:
            raise InvalidInputError(
                f"{path} holds no species; give a structure with the same atoms in the same order (topology, "
                "--topology)."
            )
        steps = _steps(given, format_name)[start:]
        frames = _chemfiles.frames_of(path, format_name, steps)
        return ((number, Found(frame, ["X"] * len(frame))) for number, frame in frames)
    if not is_text(format_name):
        found = _by_ase.frames_of(given, format_name, options)
        return islice(enumerate(found), start, None)
    wanted = (contents.wanted if contents else None) or _wanted(given, format_name)
    chosen = wanted[start:]
    place = contents.place_before(chosen[0]) if contents and chosen else BEGINNING
    return _parsed(path, format_name, options, chosen, place)


def _steps(given: Specification, format_name: str) -> range:
    return range(_chemfiles.n_steps(given.path, format_name))[given.frames]


def is_quickly_read(specification: str, options: ReadOptions) -> bool:
    """Whether `contents_of` is quick: for uncompressed XYZ files and dumps without a selection."""
    given = parsed(specification)
    if not given.is_whole or not given.path.is_file() or get_compression(given.path.name)[1] is not None:
        return False
    return is_text(format_of(given.path, options))


def contents_of(specification: str, options: ReadOptions, topology: Atoms | None = None) -> Contents:
    """Contents of ``file@selection``, from reading all of it; XYZ files and dumps are not parsed."""
    given = parsed(specification)
    format_name, name = format_of(given.path, options), str(given.path)
    if is_binary(format_name):
        n_frames = len(_steps(given, format_name))
        return Contents(n_frames, n_frames * len(topology or ()))
    wanted: range | None = None
    places: list[Place] = []
    sizes: Iterator[tuple[int, int | InvalidInputError]]
    if is_text(format_name):
        wanted = _wanted(given, format_name)
        sizes = _named(_sizes_of(given.path, format_name, wanted, places), name)
    else:
        frames = enumerate(frames_of(specification, options, topology=topology))
        sizes = ((n, frame if isinstance(frame, InvalidInputError) else len(frame)) for n, frame in frames)
    n_frames, n_atoms, error = 0, 0, None
    for _, size in sizes:
        n_frames += 1
        if isinstance(size, InvalidInputError):
            error = error or size
        else:
            n_atoms += size
    return Contents(n_frames, n_atoms, wanted, tuple(places), error)


def byte_of(specification: str, options: ReadOptions, number: int, contents: Contents) -> int:
    """Byte of frame `number`, for files that are quickly read; after the last frame, the end of the file."""
    path, place = parsed(specification).path, contents.place_before(number)
    split = _splitter(format_of(path, options))
    with path.open("rb") as file:
        file.seek(place.byte)
        for text in split(file, str(path), range(0), last=number, place=place):
            if text.number == number:
                return text.start
        return file.seek(0, io.SEEK_END)


def _splitter(format_name: str) -> _texts.Splitter:
    return _texts.of_dump if format_name == DUMP else _texts.of_xyz


def _sizes_of(path: Path, format_name: str, wanted: range, places: list[Place]) -> Iterator[tuple[int, int]]:
    """Numbers and atoms of the selected frames; positions are collected."""
    can_seek = get_compression(path.name)[1] is None
    with open_with_compression(str(path), "rb") as file:
        for text in _splitter(format_name)(file, str(path), range(0), last=_last(wanted)):
            if can_seek and text.start >= (places[-1].byte if places else 0) + _BETWEEN_PLACES:
                places.append(Place(text.number, text.start))
            if text.number in wanted:
                yield text.number, text.n_atoms


def piped_xyz(file: IO[bytes], name: str, options: ReadOptions, start: int = 0) -> Iterator[Atoms | InvalidInputError]:
    """Frames of extended XYZ from a pipe, from number `start` on."""
    found = _all_parsed(_texts.of_xyz(file, name, range(sys.maxsize)), partial(_of_xyz, options), name)
    return _each(islice(found, start, None), partial(finished, options=options, topology=None), name)


def _of_xyz(options: ReadOptions, text: Text) -> Found:
    return _read_xyz.found_in(text.n_atoms, text.text or b"", options)


def _of_dump(options: ReadOptions, units: str, text: Text) -> Found:
    return _read_dump.found_in(text.n_atoms, text.text or b"", options, units)


def _all_parsed(texts: Iterator[Text], parse: Callable[[Text], Found], name: str) -> Iterator[tuple[int, FoundOrError]]:
    """Numbers and frames; an exception in place of each frame that cannot be parsed."""
    for text in texts:
        if text.text is not None:
            try:
                yield text.number, parse(text)
            except MemoryError:
                raise
            except Exception as error:
                yield text.number, _unreadable(text.number, name, error)


def _named(frames: Iterator[tuple[int, T]], name: str) -> Iterator[tuple[int, T | InvalidInputError]]:
    """The frames; if reading fails, the last item is an exception with the number of the frame and the file."""
    number = -1
    try:
        for number, frame in frames:
            yield number, frame
    except Exception as error:
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None):
            raise
        is_told = isinstance(error, InvalidInputError) and name in str(error)
        yield number + 1, error if is_told else _unreadable(number + 1, name, error)  # type: ignore[misc]


def _unreadable(number: int, name: str, error: Exception) -> InvalidInputError:
    if isinstance(error, InvalidInputError):
        return InvalidInputError(f"cannot read frame {number} of {name}: {error}")
    return InvalidInputError(
        f"cannot read frame {number} of {name} ({_by_ase.in_words(error)}); give a file that ASE reads, such as "
        "extended XYZ."
    )


def _wanted(given: Specification, format_name: str) -> range:
    """Numbers of the selected frames."""
    bounds = (given.frames.start or 0, given.frames.stop or 0, (given.frames.step or 1) - 1)
    if min(bounds) >= 0:
        return range(sys.maxsize)[given.frames]
    with open_with_compression(str(given.path), "rb") as file:  # counted from the end
        n_frames = sum(1 for _ in _splitter(format_name)(file, str(given.path), range(0)))
    return range(n_frames)[given.frames]


def _parsed(
    path: Path, format_name: str, options: ReadOptions, wanted: range, place: Place
) -> Iterator[tuple[int, FoundOrError]]:
    forwards = wanted if wanted.step > 0 else wanted[::-1]
    found = _read_forwards(path, format_name, options, forwards, place if wanted.step > 0 else BEGINNING)
    if wanted.step > 0:
        yield from found
    else:
        yield from reversed(list(found))


def _read_forwards(
    path: Path, format_name: str, options: ReadOptions, wanted: range, place: Place
) -> Iterator[tuple[int, FoundOrError]]:
    name = str(path)
    parse: Callable[[Text], Found] = partial(_of_xyz, options)
    if format_name == DUMP:
        with open_with_compression(name, "rb") as file:
            parse = partial(_of_dump, options, _read_dump.units_of(file))
    with open_with_compression(name, "rb") as file:
        if place.byte:
            file.seek(place.byte)
        texts = _splitter(format_name)(file, name, wanted, last=_last(wanted), place=place)
        yield from _all_parsed(texts, parse, name)


def _last(wanted: range) -> int:
    """One more than the last selected number."""
    return max(wanted[0], wanted[-1]) if wanted else sys.maxsize
