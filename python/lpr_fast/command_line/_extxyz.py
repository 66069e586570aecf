"""Extended XYZ with all digits."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from ase import Atoms
from ase.calculators.calculator import all_properties
from ase.constraints import FixAtoms
from ase.data import chemical_symbols
from ase.io.extxyz import key_val_dict_to_str
from ase.stress import voigt_6_to_full_3x3_stress
from numpy.typing import NDArray

from .._arrays import Array

Columns = dict[str, NDArray[np.generic]]

# The format knows no word for infinity, but a number that overflows is read as it. It has nothing for NaN: files with
# NaN are read by ASE, not by the extxyz package.
_WORDS = {"inf": "1e999", "-inf": "-1e999"}

_TYPES = {"f": "R", "i": "I", "u": "I", "b": "L", "U": "S"}


def write_frame(file: BinaryIO, frame: Atoms, scores: dict[str, Array]) -> None:
    """Append a frame with everything that ASE has read of it, and columns of scores.

    Reals are written with as many digits as they have (ASE writes eight decimals, with which an LPR of 1e-9 is lost).
    """
    columns = {**_columns_of(frame), **{name: values[:, None] for name, values in scores.items()}}
    texts = [text for values in columns.values() for text in _as_texts(values)]
    lines = "\n".join(" ".join(line) for line in zip(*texts, strict=True))
    file.write(f"{len(frame)}\n{_header(frame, columns)}\n{lines}\n".encode())


def _columns_of(frame: Atoms) -> Columns:
    columns: Columns = {
        "species": np.array([chemical_symbols[number] for number in frame.numbers]),
        "pos": frame.positions,
    }
    columns |= {name: a for name, a in frame.arrays.items() if name not in ("numbers", "positions", "species", "pos")}
    for name, value in _results_of(frame).items():
        if isinstance(value, np.ndarray) and value.ndim and len(value) == len(frame) and name != "stress":
            columns[name] = value
    for constraint in frame.constraints:
        if isinstance(constraint, FixAtoms):
            columns["move_mask"] = ~np.isin(np.arange(len(frame)), constraint.index)
    return {name: np.asarray(values).reshape(len(frame), -1) for name, values in columns.items()}


def _results_of(frame: Atoms) -> dict[str, object]:
    results = getattr(frame.calc, "results", {})
    return {name: value for name, value in results.items() if name in all_properties and value is not None}


def _header(frame: Atoms, columns: Columns) -> str:
    kinds = {name: f"{_TYPES[values.dtype.kind]}:{values.shape[1]}" for name, values in columns.items()}
    properties = ":".join(f"{name}:{kind}" for name, kind in kinds.items())
    info = dict(frame.info)
    for name, value in _results_of(frame).items():
        if name not in columns:
            info[name] = value
    if np.shape(info.get("stress", ())) == (6,):
        info["stress"] = voigt_6_to_full_3x3_stress(info["stress"])  # type: ignore[no-untyped-call]
    info["pbc"] = frame.pbc
    lattice = ""
    if frame.cell.any():
        lattice = 'Lattice="' + " ".join(str(float(x)) for x in frame.cell.array.ravel()) + '" '
    return f"{lattice}Properties={properties} {key_val_dict_to_str(info)}"  # type: ignore[no-untyped-call]


def _as_texts(values: NDArray[np.generic]) -> list[list[str]]:
    """Each column of an array as texts; a real has the fewest digits that read back as itself."""
    if values.dtype.kind == "b":
        values = np.where(values, "T", "F")
    return [[_WORDS.get(text := str(value), text) for value in column.tolist()] for column in values.T]
