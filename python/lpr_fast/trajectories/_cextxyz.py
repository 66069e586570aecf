"""Frames of extended XYZ, their columns read by the C reader of the extxyz package."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from ase.io.extxyz import key_val_str_to_dict, parse_properties, set_calc_and_arrays
from numpy.typing import NDArray

_DEFAULT_COLUMNS = "species:S:1:pos:R:3"

# The C reader has 32 bits for integers, and does not say when they are too few.
_INTEGERS = "I"

# Where C ends a text or a field and Python does not, or the other way round; numbers that are hexadecimal or Fortran's.
_UNUSUAL = re.compile(rb"[\0\x0b\x0c\x1c-\x1f]|[0-9.][xXdDpP]")


def parsed(n_atoms: int, lines: list[bytes]) -> Atoms | None:
    """A frame, from its lines without the first, as ASE reads it; None where ASE had better read it itself.

    The header is ASE's to read. Columns of a large frame take a fifth of the time, and of the memory, that they take
    there; everything that is unusual, or wrong, is left to it, and so are its messages.
    """
    if _reader() is None or n_atoms < 1 or len(lines) != n_atoms + 1:  # of no atoms it dies
        return None
    try:
        return _parsed(n_atoms, lines)
    except Exception:  # whatever it is, ASE says it better
        return None


def _parsed(n_atoms: int, lines: list[bytes]) -> Atoms | None:
    header = lines[0].decode().strip()
    info: dict[str, Any] = key_val_str_to_dict(header) if header else {}  # type: ignore[no-untyped-call]
    columns = info.pop("Properties", _DEFAULT_COLUMNS)
    properties, _, kind, _ = parse_properties(columns)  # type: ignore[no-untyped-call]
    if "move_mask" in properties or _INTEGERS in columns.split(":")[1::3]:
        return None
    lattice = info.pop("Lattice", None)
    pbc = info.pop("pbc", None if lattice is None else (True, True, True))
    found = _columns(n_atoms, lines[1:], columns)
    names = dict(zip(columns.split(":")[::3], properties.values(), strict=True))
    arrays = {name: found[column].astype(_kind(kind, column)) for column, (name, _) in names.items()}
    atoms = Atoms(
        numbers=_numbers_of(arrays.pop("symbols")),
        positions=arrays.pop("positions", None),
        charges=arrays.pop("initial_charges", None),
        cell=None if lattice is None else lattice.T,
        pbc=pbc,
        info=info,
    )
    set_calc_and_arrays(atoms, arrays)  # type: ignore[no-untyped-call]
    return atoms


def _kind(kind: np.dtype[Any], column: str) -> np.dtype[Any]:
    names = kind.names or ()
    return kind[column if column in names else column + "0"]


def _numbers_of(symbols: NDArray[Any]) -> NDArray[np.int64]:
    different, which = np.unique(symbols.astype(str), return_inverse=True)
    return np.array([atomic_numbers[symbol.capitalize()] for symbol in different])[which]


def _columns(n_atoms: int, lines: list[bytes], columns: str) -> dict[str, NDArray[Any]]:
    text = b"%d\n\n%b" % (n_atoms, b"".join(lines))
    if not text.isascii() or _UNUSUAL.search(text):
        raise ValueError("something that is read otherwise in C")
    with _as_file(text) as file:
        found: dict[str, NDArray[Any]] = _reader().read_frame_dicts(file, comment=f"Properties={columns}")[2]
    return found


@contextmanager
def _as_file(text: bytes) -> Iterator[ctypes.c_void_p]:
    """What C takes for an open file."""
    library = _c_library()
    file = library.fmemopen(text, len(text), b"r")
    try:
        yield ctypes.c_void_p(file)
    finally:
        library.fclose(file)


@cache
def _c_library() -> Any:
    library = ctypes.CDLL(None)
    library.fmemopen.restype = ctypes.c_void_p
    library.fmemopen.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p]
    library.fclose.argtypes = [ctypes.c_void_p]
    return library


@cache
def _reader() -> Any:
    """The C reader, where the package is installed and the C library can do what is needed."""
    try:
        from extxyz import cextxyz

        _c_library()
    except (ImportError, AttributeError, OSError):
        return None
    return cextxyz
