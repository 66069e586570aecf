"""Frames out of files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import ase.io
from ase import Atoms
from ase.io.formats import parse_filename

from .._errors import InvalidInputError


def path_of(source: str) -> Path:
    """The file that ``file@selection`` names."""
    return Path(parse_filename(source)[0])  # type: ignore[no-untyped-call]


def read(source: str) -> Iterator[Atoms]:
    """Frames of a file, one at a time.

    Raises
    ------
    InvalidInputError
        Naming the frame at which reading failed.
    """
    path = path_of(source)
    if path.is_dir():
        raise InvalidInputError(f"{path} is a folder; give a file of structures.")
    number = 0
    try:
        for frame in ase.io.iread(source):
            yield frame
            number += 1
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(".: ")
        raise InvalidInputError(
            f"cannot read frame {number} of {path} ({reason}); give a file that ASE reads, such as extended XYZ."
        ) from error
    if number == 0:
        raise InvalidInputError(f"{source} holds no structures; give a file, and a selection, that has some.")


def count_atoms(source: str) -> int | None:
    """How many atoms will come, where that is quickly found: all of a plain XYZ file."""
    path = path_of(source)
    if source != str(path) or path.suffix not in (".xyz", ".extxyz"):
        return None
    total = 0
    try:
        with path.open("rb") as file:
            while line := file.readline().strip():
                total += int(line)
                for _ in range(int(line) + 1):
                    file.readline()
    except (OSError, ValueError):
        return None
    return total
