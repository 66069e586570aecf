"""LAMMPS data files: by ASE, with elements from labels, comments and masses."""

from __future__ import annotations

import io
import re
from collections import defaultdict
from typing import cast

import ase.io
from ase import Atoms
from ase.data import atomic_numbers

from .._errors import InvalidInputError
from ._labels import Found, symbol_of_mass
from ._options import ReadOptions

_UNITS = re.compile(r"\bunits = (\w+)")
_SECTION = re.compile(r"(?m)^[ \t]*(Masses|Atom[ ]Type[ ]Labels)[^\n]*\n(.*?)(?=^[ \t]*[A-Z]|\Z)", re.DOTALL)
_ENTRY = re.compile(r"(?m)^[ \t]*(\d+)[ \t]+(\S+)[ \t]*(?:#[ \t]*(\S+))?")


def found_in(text: str, options: ReadOptions) -> Found:
    """The structure, with the element of each type if it is known, else the number of the type.

    Raises
    ------
    InvalidInputError
        For units without Å, and types whose name and mass are of different elements.
    """
    units = _UNITS.search(text.partition("\n")[0])
    if units and units[1] not in ("metal", "real"):
        raise InvalidInputError(f"it is in units {units[1]}; convert it to metal or real, for lengths in Å.")
    elements = _elements_of(text)
    any_element = defaultdict(int, {0: 0})
    frame = cast(Atoms, ase.io.read(io.StringIO(text), format="lammps-data", Z_of_type=any_element))
    known = dict(options.species)
    labels = [str(kind) for kind in frame.arrays["type"].tolist()]
    return Found(frame, [label if label in known else elements.get(label, label) for label in labels])


def _elements_of(text: str) -> dict[str, str]:
    """Elements of types, as far as the file has them."""
    names: dict[str, str] = {}
    masses: dict[str, float] = {}
    for section, entries in _SECTION.findall(text):
        for kind, value, comment in _ENTRY.findall(entries):
            if section == "Masses":
                masses[kind] = float(value)
                names.setdefault(kind, comment)
            else:
                names[kind] = value
    if set(masses.values()) == {1.0}:
        masses = {}  # not masses of elements: placeholders
    elements = {}
    for kind in names.keys() | masses.keys():
        name = names.get(kind, "") if names.get(kind, "") in atomic_numbers else None
        by_mass = symbol_of_mass(masses[kind]) if kind in masses else None
        if name and kind in masses and by_mass != name:
            raise InvalidInputError(
                f"its type {kind} is called {name}, but has the mass {masses[kind]:g}; say which elements the types "
                "are (species='In,P', --species In,P)."
            )
        if name or by_mass:
            elements[kind] = str(name or by_mass)
    return elements
