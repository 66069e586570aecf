"""Frames of extended XYZ: the core reads the columns, this module the headers."""

from __future__ import annotations

import copy
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import ase.io
import numpy as np
from ase import Atoms
from ase.io.extxyz import key_val_str_to_dict, parse_properties, set_calc_and_arrays
from numpy.typing import NDArray

from .. import _core
from .._errors import InvalidInputError
from ._labels import Found, numbers_of
from ._options import ReadOptions
from ._xyz_header import has_unknown_cell, understood

_DEFAULT_COLUMNS = "species:S:1:pos:R:3"

# A fact of a header that means the same whatever stands beside it, and a header of nothing else.
_FACT = r"""[^\s"'\\{}\[\]=]+=(?:"[^"\\]+"|[^\s"'\\{}\[\]=]+)"""
_FACTS = re.compile(_FACT)
_HEADER = re.compile(rf"(?:{_FACT}(?:\s+|$))+")

# A number as most programs write it, and names whose values are something else all the same.
_NUMBER = re.compile(r"-?\d{1,18}(\.\d*(?:[eE][-+]?\d+)?)?", re.ASCII)
_NO_NUMBERS = {"lattice", "virial", "stress", "uid"}

# Headers repeat themselves: so many different facts, and lists of columns, are remembered.
_REMEMBERED = 1024

# What ASE makes of words that are no reals, and the type of their array.
_VALUES: dict[str, tuple[Callable[[str], object], Any]] = {
    "S": (str, object),
    "I": (int, "i"),
    "L": ({"T", "True"}.__contains__, bool),
}


def found_in(n_atoms: int, text: bytes, options: ReadOptions) -> Found:
    """A frame, from its text after the first line, with its labels if they are not just elements.

    Raises
    ------
    InvalidInputError
        For cells in unknown notation, and labels that are not elements.
    """
    comment, newline, lines = text.partition(b"\n")
    header = understood(comment.decode().strip())
    text = header.text.encode() + newline + lines
    if not (options.species or options.ignore or options.topology) and (frame := parsed(n_atoms, text)) is not None:
        found = Found(frame)
    else:
        found = _with_labels(n_atoms, text, header.text, options)
    has_cell = found.frame.cell.rank > 0 or options.cell is not None or options.topology is not None
    if not has_cell and has_unknown_cell(header.text):
        raise InvalidInputError(
            "its comment line speaks of a cell, but not as extended XYZ does; write it as "
            'Lattice="ax ay az bx by bz cx cy cz", or give the cell (cell, --cell).'
        )
    if header.scale != 1.0:
        found.frame.positions *= header.scale
    return found


def _with_labels(n_atoms: int, text: bytes, header: str, options: ReadOptions) -> Found:
    """A frame with labels, read line by line; ASE reads other unusual frames."""
    columns = _facts(header).get("Properties", _DEFAULT_COLUMNS).split(":")
    names = columns[::3]
    if "Z" in names:
        return Found(_frame(n_atoms, text))
    if "species" not in names:
        if options.topology is None:
            raise InvalidInputError("its Properties have no species; give a structure that has (topology, --topology).")
        return Found(_frame(n_atoms, text), ["X"] * n_atoms)
    place = sum(int(width) for width in columns[2 : 3 * names.index("species") : 3])
    rows = text.split(b"\n")
    words = [row.split() for row in rows[1 : n_atoms + 1]]
    if any(len(row) <= place for row in words):
        raise InvalidInputError("a line has fewer columns than its comment line says; it is damaged.")
    labels = [row[place].decode() for row in words]
    if options.topology is None:
        numbers_of(labels, options)  # for the message, before ASE has its own
    for row in words:
        row[place] = b"X"
    return Found(_frame(n_atoms, b"\n".join([rows[0], *map(b" ".join, words), *rows[n_atoms + 1 :]])), labels)


def _frame(n_atoms: int, text: bytes) -> Atoms:
    frame = parsed(n_atoms, text)
    return _by_ase(n_atoms, text) if frame is None else frame


def _by_ase(n_atoms: int, text: bytes) -> Atoms:
    file = io.StringIO(f"{n_atoms}\n" + text.decode())
    return cast(Atoms, ase.io.read(file, format="extxyz", index=0))


def parsed(n_atoms: int, text: bytes) -> Atoms | None:
    """A frame, from its text after the first line, as ASE would read it; None if ASE has to read it.

    ASE reads everything unusual or wrong, so that its messages apply.
    """
    if n_atoms < 1:
        return None
    try:
        return _parsed(n_atoms, text)
    except Exception:  # ASE has the better message
        return None


def _parsed(n_atoms: int, text: bytes) -> Atoms | None:
    start = text.index(b"\n") + 1
    info = _facts(text[:start].decode().strip())
    layout = _Layout.of(info.pop("Properties", _DEFAULT_COLUMNS))
    lattice = info.pop("Lattice", None)
    pbc = info.pop("pbc", None if lattice is None else (True, True, True))
    found = _core.read_atom_lines(text, start, n_atoms, layout.kinds, 0)
    if found is None:
        return None
    numbers, reals = found
    words = text[start:].decode().split() if layout.has_words else []
    arrays = {name: layout.array(column, reals, words) for name, column in layout.columns.items()}
    atoms = Atoms(
        numbers=arrays.pop("numbers", numbers[:, 0]),
        positions=arrays.pop("positions", None),
        charges=arrays.pop("initial_charges", None),
        cell=None if lattice is None else lattice.T,
        pbc=pbc,
        info=info,
    )
    set_calc_and_arrays(atoms, arrays)  # type: ignore[no-untyped-call]
    return atoms


def _facts(header: str) -> dict[str, Any]:
    """ASE's reading of a header; repeated parts are cached."""
    if not _HEADER.fullmatch(header):
        return dict(key_val_str_to_dict(header)) if header else {}  # type: ignore[no-untyped-call]
    return dict(map(_fact, _FACTS.findall(header)))


def _fact(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    number = _NUMBER.fullmatch(value)
    if number and name.lower() not in _NO_NUMBERS:
        return name, np.float64(value) if number[1] else np.int64(value)
    name, value = _fact_by_ase(text)
    return name, copy.deepcopy(value)


@lru_cache(_REMEMBERED)
def _fact_by_ase(text: str) -> tuple[str, Any]:
    ((name, value),) = key_val_str_to_dict(text).items()  # type: ignore[no-untyped-call]
    return name, value


@dataclass(frozen=True)
class _Column:
    """An array of ASE: type, first word in a line, first number, and number of columns."""

    kind: str
    word: int
    real: int
    width: int


@dataclass(frozen=True)
class _Layout:
    """The words of a line, a letter for each, for the core; and the arrays except symbols."""

    kinds: str
    columns: dict[str, _Column]
    has_words: bool

    @classmethod
    @lru_cache(_REMEMBERED)
    def of(cls, properties: str) -> _Layout:
        """The layout of the columns in the header; raises for columns that the core cannot read."""
        names = parse_properties(properties)[0]  # type: ignore[no-untyped-call]
        kinds, columns = "", {}
        for (name, width), kind in zip(names.values(), properties.split(":")[1::3], strict=True):
            if width < 1 or name == "move_mask" or (name == "symbols" and (kind, width) != ("S", 1)):
                raise ValueError(name)
            if name != "symbols":
                columns[name] = _Column(kind, len(kinds), kinds.count("R"), width)
            kinds += (kind if name == "symbols" or kind == "R" else "-") * width
        if kinds.count("S") != 1:
            raise ValueError(properties)
        return cls(kinds, columns, "-" in kinds)

    def array(self, column: _Column, reals: NDArray[np.float64], words: list[str]) -> NDArray[Any]:
        """An array, from the words of all lines and the numbers."""
        if column.kind == "R":
            values: NDArray[Any] = reals[:, column.real : column.real + column.width]
        else:
            value, kind = _VALUES[column.kind]
            places = range(column.word, column.word + column.width)
            values = np.array([[value(word) for word in words[k :: len(self.kinds)]] for k in places], kind).T
        return values[:, 0] if column.width == 1 else values
