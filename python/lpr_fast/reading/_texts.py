"""Begin and end of frames in text files; parsing comes later."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple, TypeAlias

from .._errors import InvalidInputError
from .._words import counted
from ._lines import Lines
from ._specification import without_mark


class Place(NamedTuple):
    """Position of a frame in its file."""

    number: int
    byte: int


BEGINNING = Place(0, 0)


class Text(NamedTuple):
    """An unparsed frame: number, position, number of atoms, and its lines if the frame is wanted."""

    number: int
    start: int
    n_atoms: int
    text: bytes | None


#: Frames of a file from its present position up to a last number; only wanted frames have lines.
Splitter: TypeAlias = "Callable[..., Iterator[Text]]"


def _begun(file: IO[bytes], place: Place) -> tuple[Lines, int, bytes]:
    """Lines from a position on, the byte of the first line, and that line without a byte order mark."""
    lines = Lines(file, place.byte)
    start, line = lines.byte, lines.one()
    return lines, start, without_mark(line) if start == 0 else line


def of_xyz(
    file: IO[bytes], name: str, wanted: range, *, last: int = sys.maxsize, place: Place = BEGINNING
) -> Iterator[Text]:
    """Frames of XYZ; their text begins after the number of atoms."""
    lines, start, line = _begun(file, place)
    for number in itertools.count(place.number):
        if number > last:
            return
        if _is_over(line, lines, name, number):
            return
        n_atoms = _count_of(line, name, number)
        text, n_missing = lines.some(n_atoms + 1) if number in wanted else (None, lines.skip(n_atoms + 1))
        if n_missing > 0:
            raise _truncated(name, number, n_atoms)
        end, line = lines.byte, lines.one()
        while line.lstrip().startswith(b"VEC"):  # cell vectors, as some programs write them
            text = None if text is None else text + line
            end, line = lines.byte, lines.one()
        yield Text(number, start, n_atoms, text)
        start = end


def of_dump(
    file: IO[bytes], name: str, wanted: range, *, last: int = sys.maxsize, place: Place = BEGINNING
) -> Iterator[Text]:
    """Frames of a LAMMPS dump; their text begins with the first ``ITEM``."""
    lines, start, line = _begun(file, place)
    for number in itertools.count(place.number):
        if number > last or _is_over(line, lines, name, number):
            return
        header, n_atoms = _dump_header(line, lines, name, number)
        text, n_missing = lines.some(n_atoms) if number in wanted else (None, lines.skip(n_atoms))
        if n_missing > 0:
            raise _truncated(name, number, n_atoms)
        yield Text(number, start, n_atoms, None if text is None else header + text)
        start, line = lines.byte, lines.one()


def _dump_header(line: bytes, lines: Lines, name: str, number: int) -> tuple[bytes, int]:
    """The lines of a frame before its atoms, and its number of atoms."""
    header, n_atoms = [line], None
    if not line.startswith(b"ITEM:"):
        raise InvalidInputError(
            f"{name} has {_shown(line)!r} where frame {number} should begin with ITEM: TIMESTEP; it is damaged, or no "
            "dump of LAMMPS."
        )
    while not line.startswith(b"ITEM: ATOMS"):
        is_count = line.startswith(b"ITEM: NUMBER OF ATOMS")
        line = lines.one()
        if not line:
            raise InvalidInputError(f"{name} ends within frame {number}; it is truncated or damaged.")
        if is_count:
            n_atoms = _count_of(line, name, number)
        header.append(line)
    if n_atoms is None:
        raise InvalidInputError(f"frame {number} of {name} does not say its number of atoms; it is damaged.")
    return b"".join(header), n_atoms


def _is_over(line: bytes, lines: Lines, name: str, number: int) -> bool:
    if line.strip():
        return False
    if lines.are_blank():
        return True
    raise InvalidInputError(
        f"{name} has a blank line where frame {number} should begin, and more behind it; remove the line."
    )


def _count_of(line: bytes, name: str, number: int) -> int:
    words = line.split()
    if len(words) == 1 and words[0].isdigit():
        return int(words[0])
    raise InvalidInputError(
        f"cannot read frame {number} of {name} ({_shown(line)!r} stands where its number of atoms should be); give a "
        "file that ASE reads, such as extended XYZ, or say which format it has (format, --format)."
    )


def _truncated(name: str, number: int, n_atoms: int) -> InvalidInputError:
    return InvalidInputError(
        f"{name} ends within frame {number}, which should have {counted(n_atoms, 'atom')}; it is truncated or damaged."
    )


def _shown(line: bytes) -> str:
    return line[:40].decode(errors="replace").strip()
