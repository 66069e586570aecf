"""Chemical symbols and atomic numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
from ase.data import atomic_numbers, chemical_symbols

from .._errors import InvalidInputError

Value = TypeVar("Value")


def symbol(number: int) -> str:
    """Return the chemical symbol of an atomic number, X for 0; the number itself if there is none."""
    return str(chemical_symbols[number]) if 0 <= number < len(chemical_symbols) else str(number)


def symbols(numbers: Iterable[int]) -> str:
    """Return chemical symbols for a message."""
    return ", ".join(symbol(number) for number in numbers)


def atomic_number(name: Any) -> int:
    """Return the atomic number of a symbol such as "Si"; numbers are returned unchanged."""
    if isinstance(name, str) and name in atomic_numbers:
        return int(atomic_numbers[name])
    if isinstance(name, int | np.integer) and not isinstance(name, bool) and 0 <= name < len(chemical_symbols):
        return int(name)
    raise InvalidInputError(f"{name!r} is not a chemical element; give a symbol such as 'Si', or an atomic number.")


def by_atomic_number(name: str, values: Mapping[Any, Value]) -> dict[int, Value]:
    """Return a dictionary of elements with atomic numbers as keys."""
    numbers = [atomic_number(key) for key in values]
    if len(set(numbers)) < len(numbers):
        raise InvalidInputError(f"{name} has an element twice ({', '.join(map(str, values))}); give each once.")
    return dict(zip(numbers, values.values(), strict=True))
