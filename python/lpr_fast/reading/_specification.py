"""The meaning of ``file@selection``: a file and a selection of its frames."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from .._errors import InvalidInputError

# A selection after the last @: a number, or a slice with a nonzero step.
_FRAMES = re.compile(r"-?\d+|-?\d*:-?\d*(:(-?0*[1-9]\d*)?)?")

# Databases, which also allow a query.
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
        The selected frames; all for a query.
    query : str or None
        Query of a database.
    """

    path: Path
    frames: slice = field(default_factory=lambda: slice(None))
    query: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether every frame is selected."""
        return self.frames == slice(None) and self.query is None


def parsed(specification: str) -> Specification:
    """The parts of ``file@selection``.

    Raises
    ------
    InvalidInputError
        For folders, and selections without a meaning.
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
            f"{specification} selects no frames by {selection!r}; give for example {stem}@100: or {stem}@::10."
        )
    if found.path.is_dir():
        raise InvalidInputError(f"{found.path} is a folder; give a file of structures.")
    return found


def path_of(specification: str) -> Path:
    """The file of ``file@selection``."""
    return parsed(specification).path


def without_mark(line: bytes) -> bytes:
    """The first line of a file, without a byte order mark."""
    return line.removeprefix(_BYTE_ORDER_MARK)


def _slice_of(selection: str) -> slice:
    if ":" not in selection:
        number = int(selection)
        return slice(number, number + 1 or None)
    return slice(*(int(bound) if bound else None for bound in selection.split(":")))
