"""What ``file@selection`` means: a file, and which of its frames."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from .._errors import InvalidInputError

# What may follow the last @ of a file's name: a number, or a slice whose step is not zero.
_FRAMES = re.compile(r"-?\d+|-?\d*:-?\d*(:(-?0*[1-9]\d*)?)?")

# Data bases, of which frames can also be chosen by a query.
_DATA_BASES = (".db", ".json", ".aselmdb")

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Specification:
    """A file and a selection.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    frames : slice
        Which frames; all of them where there is a query.
    query : str or None
        What a data base is asked for.
    """

    path: Path
    frames: slice = field(default_factory=lambda: slice(None))
    query: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether every frame is wanted."""
        return self.frames == slice(None) and self.query is None


def parsed(specification: str) -> Specification:
    """The parts of ``file@selection``.

    Raises
    ------
    InvalidInputError
        For folders, and selections that select nothing.
    """
    folder, name = Path(specification).parent, Path(specification).name
    stem, at, selection = name.rpartition("@")
    if not at or Path(specification).is_file():
        found = Specification(Path(specification))
    elif _FRAMES.fullmatch(selection):
        found = Specification(folder / stem, _slice_of(selection))
    elif selection and stem.endswith(_DATA_BASES):
        found = Specification(folder / stem, query=selection)
    else:
        raise InvalidInputError(
            f"{specification} selects no frames by {selection!r}; give for instance {stem}@100: or {stem}@::10."
        )
    if found.path.is_dir():
        raise InvalidInputError(f"{found.path} is a folder; give a file of structures.")
    return found


def path_of(specification: str) -> Path:
    """The file that ``file@selection`` names."""
    return parsed(specification).path


def without_mark(line: bytes) -> bytes:
    """The first line of a file, without the mark that some editors put before it."""
    return line.removeprefix(_BYTE_ORDER_MARK)


def _slice_of(selection: str) -> slice:
    if ":" not in selection:
        number = int(selection)
        return slice(number, number + 1 or None)
    return slice(*(int(bound) if bound else None for bound in selection.split(":")))
