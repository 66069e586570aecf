"""Frames out of files."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import ase.io
from ase import Atoms
from ase.io.formats import parse_filename

from .._errors import InvalidInputError


def path_of(source: str) -> Path:
    """The file that ``file@selection`` names."""
    return Path(parse_filename(source)[0])  # type: ignore[no-untyped-call]


def read(source: str) -> tuple[int | None, Iterator[Atoms]]:
    """How many atoms will come, where that is quickly found, and the frames of a file, one at a time.

    Raises
    ------
    InvalidInputError
        For folders and truncated files; while frames come, naming the one at which reading failed.
    """
    path = path_of(source)
    if path.is_dir():
        raise InvalidInputError(f"{path} is a folder; give a file of structures.")
    return _count_atoms(source, path), _frames_of(source, path)


def _frames_of(source: str, path: Path) -> Iterator[Atoms]:
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


def _count_atoms(source: str, path: Path) -> int | None:
    """Atoms of a plain XYZ file that is read as a whole; None for everything else.

    Raises
    ------
    InvalidInputError
        For a file that ends within a frame: readers may look for the rest for a very long time.
    """
    if source != str(path) or path.suffix not in (".xyz", ".extxyz") or not path.is_file():
        return None
    total = 0
    with path.open("rb") as file:
        for number in itertools.count():
            line = file.readline().strip()
            if not line:
                return total
            if not line.isdigit():
                return None
            n_atoms = int(line)
            if sum(1 for _ in itertools.islice(file, n_atoms + 1)) < n_atoms + 1:
                raise InvalidInputError(
                    f"{path} ends within frame {number}, which should have {n_atoms} atoms; it is truncated or damaged."
                )
            total += n_atoms
    return None
