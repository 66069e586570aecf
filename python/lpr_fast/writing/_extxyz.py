"""Extended XYZ with all digits."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
from ase import Atoms
from ase.calculators.calculator import all_properties
from ase.constraints import FixAtoms, FixCartesian
from ase.data import chemical_symbols
from ase.io.extxyz import key_val_dict_to_str
from ase.stress import voigt_6_to_full_3x3_stress
from numpy.typing import NDArray

from .._errors import LprWarning


class Writable(Protocol):
    """A file, or another object that takes bytes."""

    def write(self, content: bytes, /) -> Any:
        """Append."""
        ...


Columns = dict[str, NDArray[Any]]

# The format has no word for infinity, but a number that overflows is read as infinity. It has none for NaN: ASE reads
# files with NaN, the extxyz package does not.
_WORDS = {"inf": "1e999", "-inf": "-1e999"}

_TYPES = {"f": "R", "i": "I", "b": "L", "U": "S"}

_LINES = 8192

_RESULTS_OF_ATOMS = {"forces", "energies", "stresses", "charges", "magmoms"}
_WRITTEN_OTHERWISE = {"numbers", "positions", "species", "pos", "symbols", "move_mask"}


def write_frame(file: Writable, frame: Atoms, scores: Mapping[str, NDArray[Any]]) -> None:
    """Append a frame with everything that ASE has read, and columns of scores.

    Numbers are written with all digits (ASE writes eight decimals, which would lose an LPR of 1e-9). A warning names
    what the format cannot hold.
    """
    columns = {
        "species": np.array(chemical_symbols)[frame.numbers][:, None],
        "pos": frame.positions,
        **_further_columns(frame, set(scores)),
        **{name: values[:, None] for name, values in scores.items()},
    }
    file.write(f"{len(frame)}\n{_header(frame, columns)}\n".encode())
    for first in range(0, len(frame), _LINES):  # text needs ten times the memory of numbers
        texts = [text for values in columns.values() for text in _as_texts(values[first : first + _LINES])]
        file.write("".join(" ".join(line) + "\n" for line in zip(*texts, strict=True)).encode())


def write_frames(file: Writable, frames: Iterable[Atoms], scores: Mapping[str, NDArray[Any]]) -> None:
    """Append frames; the columns hold the atoms of all of them, frame by frame."""
    start = 0
    for frame in frames:
        chosen = slice(start, start + len(frame))
        write_frame(file, frame, {name: values[chosen] for name, values in scores.items()})
        start += len(frame)


def _further_columns(frame: Atoms, replaced: set[str]) -> Columns:
    """Arrays, results per atom and constraints of the frame, as two-dimensional arrays."""
    arrays = {**frame.arrays, **{n: v for n, v in _results_of(frame).items() if n in _RESULTS_OF_ATOMS}}
    columns = {}
    for name, array in arrays.items():
        if name in _WRITTEN_OTHERWISE or name in replaced:
            continue
        values = _plain(np.asarray(array)).reshape(len(frame), -1)
        if _can_be_written(name, values):
            columns[name] = values
        else:
            warnings.warn(f"extended XYZ cannot hold the array {name!r}; it is left out.", LprWarning, stacklevel=3)
    if frame.constraints:
        columns["move_mask"] = _move_mask(frame)
    return columns


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """Strings, which ASE reads as objects, as an array of strings."""
    if array.dtype.kind == "O" and all(isinstance(value, str) for value in array.ravel().tolist()):
        return array.astype(np.str_)
    return array


def _can_be_written(name: str, values: NDArray[Any]) -> bool:
    if values.dtype.kind not in _TYPES or not values.shape[1] or not re.fullmatch(r"[^\s:=\"]+", name):
        return False
    return values.dtype.kind != "U" or all(re.fullmatch(r"\S+", text) for text in values.ravel().tolist())


def _move_mask(frame: Atoms) -> NDArray[np.bool_]:
    """Free coordinates: one column, or three if some constraints fix single coordinates."""
    free = np.ones((len(frame), 3), dtype=bool)
    for constraint in frame.constraints:
        if isinstance(constraint, FixAtoms):
            free[constraint.index] = False
        elif isinstance(constraint, FixCartesian):
            free[constraint.index] &= ~np.asarray(constraint.mask, dtype=bool)
        else:
            kind = type(constraint).__name__
            warnings.warn(f"extended XYZ cannot hold the constraint {kind}; it is left out.", LprWarning, stacklevel=4)
    return free[:, :1] if (free == free[:, :1]).all() else free


def _results_of(frame: Atoms) -> dict[str, Any]:
    results = getattr(frame.calc, "results", {})
    return {name: value for name, value in results.items() if name in all_properties and value is not None}


def _header(frame: Atoms, columns: Columns) -> str:
    kinds = {name: f"{_TYPES[values.dtype.kind]}:{values.shape[1]}" for name, values in columns.items()}
    properties = ":".join(f"{name}:{kind}" for name, kind in kinds.items())
    info = {**frame.info, **{n: v for n, v in _results_of(frame).items() if n not in _RESULTS_OF_ATOMS}}
    info = {
        name: " ".join(value.splitlines()) if isinstance(value, str) else value
        for name, value in info.items()
        if name not in ("Properties", "Lattice", "pbc")
    }
    if np.shape(info.get("stress", ())) == (6,):
        info["stress"] = voigt_6_to_full_3x3_stress(info["stress"])  # type: ignore[no-untyped-call]
    info["pbc"] = frame.pbc
    lattice = ""
    if frame.cell.any():
        lattice = 'Lattice="' + " ".join(str(float(x)) for x in frame.cell.array.ravel()) + '" '
    facts = key_val_dict_to_str(info)  # type: ignore[no-untyped-call]
    return f"{lattice}Properties={properties} {' '.join(facts.splitlines())}"


def _as_texts(values: NDArray[Any]) -> list[list[str]]:
    """Each column of an array as strings; a number has the fewest digits that give the same number."""
    if values.dtype.kind == "b":
        values = np.where(values, "T", "F")
    return [[_WORDS.get(text := str(value), text) for value in column.tolist()] for column in values.T]
