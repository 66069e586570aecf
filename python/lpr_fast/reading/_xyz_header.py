"""Comment lines of XYZ files of several programs, translated into extended XYZ."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from ase.cell import Cell
from ase.units import Bohr
from numpy.typing import NDArray

from .._errors import InvalidInputError

# Keys that some programs write in any case.
_KEYS = {key.lower(): key for key in ("Lattice", "Properties", "pbc")}
_KEY = re.compile(r"(?i)(?<!\S)(lattice|properties|pbc)(?=\s*=)")
_PROPERTIES = re.compile(r"""(?<!\S)Properties\s*=\s*["']?([^\s"']+)""")
_COLUMNS = {"species": "species", "pos": "pos", "z": "Z"}

# i-PI: three lengths and three angles, a matrix whose columns are the vectors, or one whose rows are.
_IPI = re.compile(r"CELL[(\[{](abcABC|H|GENH)[)\]}]:([-+0-9.Ee\s]*)")
_IPI_QUANTITY = re.compile(r"(\w+)\{(\w+)\}")
_IPI_UNITS = {"angstrom": 1.0, "ase": 1.0, "atomic_unit": Bohr, "nanometer": 10.0, "picometer": 0.01}
_IPI_POSITIONS = {"positions", "position", "x_centroid"}

# Numbers, three at least, behind a word for a cell: not "cubic cell of 8 atoms".
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?"
_CELL = re.compile(
    rf"(?i)(?<![a-z])(?:unit_?|super_?|sim_?)?(?:cell|lattice|box|pbc|abc)[\w()\[\]{{}}.]*\s*[:=]?[\s\[({{\"']*"
    rf"{_NUMBER}(?:[\s,;\])\[(]+{_NUMBER}){{2}}"
)


class Header(NamedTuple):
    """A comment line in extended XYZ, and the unit of positions in Å."""

    text: str
    scale: float = 1.0


def understood(comment: str) -> Header:
    """Translate a comment line into extended XYZ.

    Raises
    ------
    InvalidInputError
        For cells without a unit, and files of other quantities than positions.
    """
    ipi = _IPI.search(comment)
    if ipi is not None:
        return _of_ipi(ipi, comment)
    if "Lattice=" in comment and "Properties=" in comment:
        return Header(comment)
    return Header(_PROPERTIES.sub(_usual_columns, _KEY.sub(lambda key: _KEYS[key[1].lower()], comment)))


def has_unknown_cell(comment: str) -> bool:
    """Whether a comment line without ``Lattice`` seems to have a cell."""
    return _CELL.search(comment) is not None


def _usual_columns(properties: re.Match[str]) -> str:
    words = properties[1].split(":")
    words[::3] = [_COLUMNS.get(word.lower(), word) for word in words[::3]]
    return properties[0].replace(properties[1], ":".join(words))


def _of_ipi(found: re.Match[str], comment: str) -> Header:
    units = dict(_IPI_QUANTITY.findall(comment.replace(found[0], " ")))
    cell_unit = units.pop("cell", None)
    quantity, unit = next(iter(units.items()), ("positions", None))
    if quantity not in _IPI_POSITIONS:
        raise InvalidInputError(f"it holds {quantity}, by its comment line; give the file of positions.")
    if cell_unit not in _IPI_UNITS or unit not in _IPI_UNITS:
        raise InvalidInputError(
            "its comment line is i-PI's, but gives no known units of length; write, for instance, cell{angstrom} and "
            "positions{angstrom} (or atomic_unit) behind the cell."
        )
    vectors = _ipi_vectors(found[1], found[2]) * _IPI_UNITS[cell_unit]
    lattice = " ".join(map(repr, vectors.ravel().tolist()))
    return Header(f'Lattice="{lattice}" Properties=species:S:1:pos:R:3 pbc="T T T"', _IPI_UNITS[unit])


def _ipi_vectors(kind: str, text: str) -> NDArray[np.float64]:
    """Cell vectors as rows."""
    words = text.split()
    if len(words) < (6 if kind == "abcABC" else 9):
        raise InvalidInputError(f"its comment line gives {len(words)} numbers as CELL({kind}); correct it.")
    numbers = np.array([float(word) for word in words[:9]])
    if kind == "abcABC":
        return np.asarray(Cell.new(numbers[:6]).array)  # type: ignore[no-untyped-call]
    matrix = numbers[:9].reshape(3, 3)
    if kind == "GENH":
        return matrix
    if np.tril(matrix, -1).any():
        raise InvalidInputError("the matrix of its CELL(H) is not upper triangular; write it as CELL(GENH).")
    return matrix.T
