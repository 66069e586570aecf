"""Chemical symbols and atomic numbers; species as users give them, which may be any numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._arrays import as_array, as_integers
from ._errors import InvalidInputError

Value = TypeVar("Value")

# By atomic number, as in ASE, which models of arrays do not need; X is a site without an element.
_SYMBOLS = """
    X H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br
    Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er
    Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md
    No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
""".split()  # noqa: SIM905 (a table that can be read)

_NUMBERS = {name: number for number, name in enumerate(_SYMBOLS)}


def symbol(number: int) -> str:
    """Return the chemical symbol of an atomic number, X for 0; the number itself if there is none."""
    return _SYMBOLS[number] if 0 <= number < len(_SYMBOLS) else str(number)


def symbols(numbers: Iterable[int]) -> str:
    """Return chemical symbols for a message."""
    return ", ".join(symbol(number) for number in numbers)


def atomic_number(name: Any) -> int:
    """Return the atomic number of a symbol such as "Si"; numbers are returned unchanged."""
    if isinstance(name, str) and name in _NUMBERS:
        return _NUMBERS[name]
    if isinstance(name, int | np.integer) and not isinstance(name, bool) and 0 <= name < len(_SYMBOLS):
        return int(name)
    raise InvalidInputError(f"{name!r} is not a chemical element; give a symbol such as 'Si', or an atomic number.")


def by_atomic_number(name: str, values: Mapping[Any, Value]) -> dict[int, Value]:
    """Return a dictionary of elements with atomic numbers as keys."""
    numbers = [atomic_number(key) for key in values]
    if len(set(numbers)) < len(numbers):
        raise InvalidInputError(f"{name} has an element twice ({', '.join(map(str, values))}); give each once.")
    return dict(zip(numbers, values.values(), strict=True))


def as_species(name: str, given: ArrayLike, length: int | None = None) -> NDArray[np.int64]:
    """Convert numbers or chemical symbols to a one-dimensional array of numbers, of the given length if there is one.

    Raises
    ------
    InvalidInputError
        For other values, and for texts that are not chemical symbols.
    """
    array = as_array(name, given)
    if array.size and array.dtype.kind in "UO" and all(isinstance(one, str) for one in array.flat):
        given = _numbers_of(array.astype(str))
    return as_integers(name, given, length)


def _numbers_of(symbols: NDArray[np.str_]) -> NDArray[np.int64]:
    different, places = np.unique(symbols, return_inverse=True)
    numbers = np.array([atomic_number(symbol) for symbol in different.tolist()], dtype=np.int64)
    return numbers[places].reshape(symbols.shape)


def keyed_by_species(name: str, given: Any) -> Any:
    """Replace chemical symbols among the keys of a dictionary by atomic numbers; other values are returned unchanged.

    Raises
    ------
    InvalidInputError
        As for `as_species`, and if an element is there twice.
    """
    if not isinstance(given, Mapping) or not any(isinstance(key, str) for key in given):
        return given
    return by_atomic_number(name, given)
