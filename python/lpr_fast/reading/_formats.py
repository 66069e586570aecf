"""Frames out of one file."""

from __future__ import annotations

import io
import itertools
import sys
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple, TypeVar, cast

import ase.io
from ase import Atoms
from ase.io.formats import get_compression, open_with_compression, parse_filename

from .._errors import InvalidInputError
from . import _chemfiles, _read_xyz
from ._lines import Lines
from ._sources import path_of

T = TypeVar("T")

_EXTENDED_XYZ = (".xyz", ".extxyz")

# Bytes between the places that are remembered: reading on from there is quick, and a terabyte has a million of them.
_BETWEEN_PLACES = 1 << 20


class Place(NamedTuple):
    """Where a frame begins in its file."""

    number: int
    byte: int


_BEGINNING = Place(0, 0)


@dataclass(frozen=True)
class Contents:
    """What reading ``file@selection`` once has found.

    Attributes
    ----------
    n_frames, n_atoms : int
        Of the selection; what cannot be read counts as a frame without atoms.
    wanted : range or None
        Numbers of the selected frames in an extended XYZ file.
    places : list of Place
        Where some of its frames begin; none where one cannot go to a byte directly.
    error : InvalidInputError or None
        The first thing that is wrong with the file.
    """

    n_frames: int
    n_atoms: int
    wanted: range | None = None
    places: tuple[Place, ...] = ()
    error: InvalidInputError | None = None

    def place_before(self, number: int) -> Place:
        """The last place that is known from which frame `number` will come."""
        index = bisect_right(self.places, number, key=lambda place: place.number)
        return self.places[index - 1] if index else _BEGINNING


def frames_of(
    specification: str, start: int = 0, topology: Atoms | None = None, contents: Contents | None = None
) -> Iterator[Atoms | InvalidInputError]:
    """Frames of ``file@selection`` from number `start` of the selection on, with the species of a topology if given.

    Extended XYZ, compressed or not, is read frame by frame, and what is not wanted is skipped without being parsed;
    everything else is ASE's. In the place of a frame that cannot be read stands the exception that names it.

    Raises
    ------
    InvalidInputError
        For folders, and files that hold no species without a topology.
    """
    path = path_of(specification)
    frames = _found(specification, path, start, topology, contents)
    return frames if topology is None else (_with_species(frame, topology, path) for frame in frames)


def _found(
    specification: str, path: Path, start: int, topology: Atoms | None, contents: Contents | None
) -> Iterator[Atoms | InvalidInputError]:
    wanted = contents.wanted if contents else _wanted(specification)
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
    chosen = wanted[start:]
    place = contents.place_before(chosen[0]) if contents and chosen else _BEGINNING
    return named(_opened(path, chosen, place), str(path))


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


def is_quickly_read(specification: str) -> bool:
    """Whether `contents_of` takes little time for what it saves: plain XYZ that is read as a whole."""
    path = path_of(specification)
    return specification == str(path) and path.suffix in _EXTENDED_XYZ and path.is_file()


def contents_of(specification: str, topology: Atoms | None = None) -> Contents:
    """What ``file@selection`` holds, by reading all of it; extended XYZ is not parsed for that."""
    path = path_of(specification)
    if _is_binary(path, topology):
        n_frames = len(_steps(specification, path))
        return Contents(n_frames, n_frames * len(topology or ()))
    wanted = _wanted(specification)
    places: list[Place] = []
    found: Iterator[int | InvalidInputError]
    if wanted is None:
        frames = frames_of(specification)
        found = (frame if isinstance(frame, InvalidInputError) else len(frame) for frame in frames)
    else:
        found = named(_sizes_of(path, wanted, places), str(path))
    n_frames, n_atoms, error = 0, 0, None
    for size in found:
        n_frames += 1
        if isinstance(size, InvalidInputError):
            error = error or size
        else:
            n_atoms += size
    return Contents(n_frames, n_atoms, wanted, tuple(places), error)


def _sizes_of(path: Path, wanted: range, places: list[Place]) -> Iterator[tuple[int, int]]:
    """Numbers and atoms of the wanted frames of extended XYZ; on the way, places are noted."""
    can_seek = get_compression(path.name)[1] is None
    with open_with_compression(str(path), "rb") as file:
        for text in _texts(file, str(path), range(0), last=_last(wanted)):
            if can_seek and text.start >= (places[-1].byte if places else 0) + _BETWEEN_PLACES:
                places.append(Place(text.number, text.start))
            if text.number in wanted:
                yield text.number, text.n_atoms


def extended_xyz(
    file: IO[bytes], name: str, wanted: range | None = None, place: Place = _BEGINNING
) -> Iterator[tuple[int, Atoms | InvalidInputError]]:
    """Numbers and frames of extended XYZ, as they come; exceptions in the place of frames that cannot be parsed.

    The file stands at `place`.

    Raises
    ------
    InvalidInputError
        For a file that ends within a frame.
    """
    wanted = range(sys.maxsize) if wanted is None else wanted
    for number, _, n_atoms, text in _texts(file, name, wanted, last=_last(wanted), place=place):
        if text is not None:
            try:
                yield number, _read_xyz.parsed(n_atoms, text) or _by_ase(n_atoms, text)
            except Exception as error:
                yield number, _unreadable(number, name, error)


def _by_ase(n_atoms: int, text: bytes) -> Atoms:
    file = io.StringIO(f"{n_atoms}\n" + text.decode())
    return cast(Atoms, ase.io.read(file, format="extxyz", index=0))


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


def _opened(path: Path, wanted: range, place: Place) -> Iterator[tuple[int, Atoms | InvalidInputError]]:
    if wanted.step < 0:
        found = {}
        with open_with_compression(str(path), "rb") as file:
            found = dict(extended_xyz(file, str(path), wanted))
        yield from sorted(found.items(), reverse=True)
        return
    with open_with_compression(str(path), "rb") as file:
        if place.byte:
            file.seek(place.byte)
        yield from extended_xyz(file, str(path), wanted, place)


def _sizes(file: IO[bytes], name: str) -> Iterator[int]:
    return (text.n_atoms for text in _texts(file, name, range(0)))


def _last(wanted: range) -> int:
    """The number behind which nothing is wanted."""
    return max(wanted[0], wanted[-1]) if wanted else sys.maxsize


class _Text(NamedTuple):
    """A frame that is not parsed: its number, where it begins, its atoms, and the lines behind the first if wanted."""

    number: int
    start: int
    n_atoms: int
    text: bytes | None


def _texts(
    file: IO[bytes], name: str, wanted: range, *, last: int = sys.maxsize, place: Place = _BEGINNING
) -> Iterator[_Text]:
    """The frames from `place` on, where the file stands, to number `last`."""
    lines = Lines(file, place.byte)
    start, line = lines.byte, lines.one()
    for number in itertools.count(place.number):
        if number > last:
            return
        if not line.strip():
            if lines.are_blank():
                return
            raise InvalidInputError(
                f"{name} has a blank line where frame {number} should begin, and more behind it; remove the line."
            )
        try:
            n_atoms = int(line)
        except ValueError as error:
            raise _unreadable(number, name, error) from error
        text, n_missing = lines.some(n_atoms + 1) if number in wanted else (None, lines.skip(n_atoms + 1))
        if n_missing > 0:
            raise InvalidInputError(
                f"{name} ends within frame {number}, which should have {n_atoms} atoms; it is truncated or damaged."
            )
        end, line = lines.byte, lines.one()
        while line.lstrip().startswith(b"VEC"):  # cell vectors, as some programs write them
            text = None if text is None else text + line
            end, line = lines.byte, lines.one()
        yield _Text(number, start, n_atoms, text)
        start = end


def byte_of(specification: str, number: int, contents: Contents) -> int:
    """Where frame `number` begins in plain XYZ that is read as a whole; the end of the file behind the last frame."""
    place = contents.place_before(number)
    path = path_of(specification)
    with path.open("rb") as file:
        file.seek(place.byte)
        for text in _texts(file, str(path), range(0), last=number, place=place):
            if text.number == number:
                return text.start
        return file.seek(0, io.SEEK_END)
