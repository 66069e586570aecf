"""Labels of atoms in files, and their elements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers
from numpy.typing import NDArray

from .._errors import InvalidInputError
from ._options import ReadOptions

Numbers = NDArray[np.int64]

# Atomic number of an ignored atom.
LEFT_OUT = -1

# Masses are written with few digits: 32 for sulphur, but 40 may be argon or calcium.
_MASS_ERROR = 0.065


@dataclass
class Found:
    """A frame of a file.

    Attributes
    ----------
    frame : ase.Atoms
        The frame; its numbers are valid only without labels.
    labels : sequence of str, or None
        Labels of the atoms, if they may differ from elements.
    are_names : bool
        Whether labels are names of atoms, such as CA, which begin with letters of an element.
    """

    frame: Atoms
    labels: Sequence[str] | None = None
    are_names: bool = False


def numbers_of(labels: Sequence[str], options: ReadOptions, *, are_names: bool = False) -> Numbers:
    """Atomic numbers of labels; `LEFT_OUT` for ignored ones.

    Raises
    ------
    InvalidInputError
        For labels that are not elements and not in `options`.
    """
    known = dict(options.species)
    meaning: dict[str, int] = {}
    for atom, label in enumerate(labels):
        if label not in meaning:
            number = _number_of(label, known, options.ignore, are_names=are_names)
            if number is None:
                raise InvalidInputError(_unknown(atom, label, are_names=are_names))
            meaning[label] = number
    return np.array([meaning[label] for label in labels], dtype=np.int64)


def _number_of(label: str, known: dict[str, int], ignore: Sequence[str], *, are_names: bool) -> int | None:
    if label in ignore:
        return LEFT_OUT
    if label in known:
        return known[label]
    symbol = _symbol_of_name(label) if are_names else label.capitalize()
    return LEFT_OUT if symbol in ignore else atomic_numbers.get(symbol)


def _symbol_of_name(name: str) -> str:
    """The element of an unambiguous name: C12, but not CA, which is calcium or the carbon of an amino acid."""
    letters = name.rstrip("0123456789")
    return letters if len(letters) == 1 or letters[1:].islower() else ""


def _unknown(atom: int, label: str, *, are_names: bool) -> str:
    if label.isdigit():
        return (
            f"atom {atom} has the type {label}, which names no element; say which elements the types are "
            "(species='In,P', --species In,P), or give a structure with the same atoms (topology, --topology)."
        )
    what = "may mean several elements" if are_names else "is no element"
    return (
        f"atom {atom} is called {label!r}, which {what}; say which one it is (species='{label}=Si', "
        f"--species {label}=Si, if it is silicon), or leave such atoms out (ignore, --ignore {label})."
    )


def symbol_of_mass(mass: float) -> str | None:
    """The element of a mass in atomic units, if there is exactly one."""
    fitting = np.flatnonzero(np.abs(atomic_masses - mass) <= _MASS_ERROR)
    symbols = [symbol for symbol, number in atomic_numbers.items() if number in fitting.tolist() and number > 0]
    return symbols[0] if len(symbols) == 1 else None
