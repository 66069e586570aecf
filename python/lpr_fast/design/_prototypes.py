"""Crystals by name: elements and compounds in which all atoms of a species are equivalent, and graphite."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.data import atomic_numbers, covalent_radii, reference_states
from ase.formula import Formula
from ase.neighborlist import neighbor_list

from .._errors import InvalidInputError
from .._species import atomic_number, symbol

_OF_ELEMENTS = ("fcc", "bcc", "hcp", "diamond", "sc")

# Atoms of the first and of the second element in a formula.
_OF_COMPOUNDS = {
    "zincblende": (1, 1),
    "wurtzite": (1, 1),
    "rocksalt": (1, 1),
    "cesiumchloride": (1, 1),
    "fluorite": (1, 2),
}

# Lattice constant of a layer of graphite, and distance of layers, in Å.
_GRAPHENE, _BETWEEN_LAYERS = 2.461, 3.354

# Smallest covalent radius in Å: solid hydrogen and helium have no bonds.
_SMALLEST_RADIUS = 0.5

# Reference crystals of elements with more atoms in the primitive cell have inequivalent ones (samarium).
_MOST_EQUIVALENT = 2

# The atoms of each layer of a cell, and where the cell above begins, in steps from a site of the honeycomb to the next.
_LAYERS: dict[str, tuple[tuple[tuple[int, int], ...], int]] = {
    "graphene": (((0, 1),), 0),
    "graphite-AA": (((0, 1),), 0),
    "graphite-ABC": (((0, 1),), 1),
    "graphite-AB": (((0, 1), (1, 2)), 0),
}


def prototypes(*elements: str | int) -> list[str]:
    """Names that `single_environment` knows for an element, or for a compound of two.

    Parameters
    ----------
    *elements : str or int
        One or two symbols, or atomic numbers.

    Returns
    -------
    list of str
        Names such as ``"diamond C"``; ``"graphite-AB C"``, which has two environments, is the last one.

    Raises
    ------
    InvalidInputError
        For unknown elements, and more than two.
    """
    symbols = [symbol(atomic_number(element)) for element in elements]
    if len(symbols) == 1:
        return [f"{structure} {symbols[0]}" for structure in _structures_of(symbols[0])]
    if len(symbols) != 2 or symbols[0] == symbols[1]:
        raise InvalidInputError(f"{len(symbols)} elements were given; give one, or two different ones.")
    return [
        f"{structure} {a}{b}{n_b if n_b > 1 else ''}"
        for structure, (_, n_b) in _OF_COMPOUNDS.items()
        for a, b in ((symbols, symbols[::-1]) if structure == "fluorite" else (symbols,))
    ]


def crystal(name: str) -> Atoms:
    """The primitive cell of a crystal with a name such as "diamond C" or "zincblende GaAs".

    Elements have the volume per atom of ASE's reference crystal or, if that has no coordinates, of a diamond crystal
    with bonds of two covalent radii. Compounds have bonds of the sum of covalent radii, except cesiumchloride, which
    has the sum of the volumes of the elements if both have reference crystals. Layers are not periodic in the third
    direction.

    Raises
    ------
    InvalidInputError
        For unknown names.
    """
    structure, _, formula = name.partition(" ")
    counts = _composition(name, formula)
    if len(counts) == 1 and structure in _structures_of(next(iter(counts))):
        return _of_element(structure, next(iter(counts)))
    if structure in _OF_COMPOUNDS and tuple(counts.values()) == _OF_COMPOUNDS[structure]:
        return _of_compound(structure, formula, list(counts))
    offered = ", ".join(repr(known) for known in _all_for(list(counts)))
    raise InvalidInputError(
        f"there is no prototype {name!r}; " + (f"take one of {offered}." if offered else "give structures of your own.")
    )


def _composition(name: str, formula: str) -> dict[str, int]:
    try:
        counts: dict[str, int] = Formula(formula).count()
    except ValueError:
        counts = {}
    if not counts or not set(counts) <= set(atomic_numbers):
        raise InvalidInputError(f"{name!r} is no prototype; give a structure and a formula, such as 'diamond C'.")
    return counts


def _all_for(elements: list[str]) -> list[str]:
    return prototypes(*elements) if len(elements) in (1, 2) else []


def _structures_of(element: str) -> list[str]:
    """Names of an element's structures; none where neither a crystal nor the radius tells a volume."""
    reference = _reference(element)
    if reference is None and _radius(element) < _SMALLEST_RADIUS:
        return []
    has_own = reference is not None and reference[0] not in _OF_ELEMENTS and len(reference[1]) <= _MOST_EQUIVALENT
    own = [reference[0]] if reference is not None and has_own else []
    return [*_OF_ELEMENTS, *own, *(_LAYERS if element == "C" else ())]


def _reference(element: str) -> tuple[str, Atoms] | None:
    """Name and primitive cell of the crystal that ASE knows; None where it has no coordinates."""
    state: Any = reference_states[atomic_numbers[element]]
    try:
        found = bulk(element)
    except (ValueError, RuntimeError):  # molecules, and crystals without a basis
        return None
    return state["symmetry"], found


def _of_element(structure: str, element: str) -> Atoms:
    if structure in _LAYERS:
        return _layers(structure)
    reference = _reference(element)
    if reference is not None and reference[0] == structure:
        return reference[1]
    known = _loose(element) if reference is None else reference[1]
    found = bulk(element, structure, a=1.0)
    return _with_volume(found, len(found) * _volume_of_atom(known))


def _loose(element: str) -> Atoms:
    """Diamond with distances of covalent radii: about as dense as elements are that make bonds."""
    return _with_distance(bulk(element, "diamond", a=1.0), 2.0 * _radius(element))


def _of_compound(structure: str, formula: str, elements: list[str]) -> Atoms:
    found = bulk(formula, structure, a=1.0)
    references = [_reference(element) for element in elements]
    if structure == "cesiumchloride" and None not in references:
        return _with_volume(found, sum(_volume_of_atom(known[1]) for known in references if known is not None))
    return _with_distance(found, sum(_radius(element) for element in elements))


def _layers(structure: str) -> Atoms:
    """Honeycombs of carbon upon each other, or one alone."""
    layers, shift = _LAYERS[structure]
    a, b = _GRAPHENE * np.array([[1.0, 0.0, 0.0], [-0.5, np.sqrt(0.75), 0.0]])
    step, up = (2.0 * a + b) / 3.0, np.array([0.0, 0.0, _BETWEEN_LAYERS])
    positions = [site * step + level * up for level, sites in enumerate(layers) for site in sites]
    cell = [a, b, len(layers) * up + shift * step]
    return Atoms("C" * len(positions), positions, cell=cell, pbc=(True, True, structure != "graphene"))


def _volume_of_atom(cell: Atoms) -> float:
    return float(cell.get_volume()) / len(cell)  # type: ignore[no-untyped-call]


def _radius(element: str) -> float:
    return float(covalent_radii[atomic_numbers[element]])


def _with_distance(cell: Atoms, distance: float) -> Atoms:
    """The same crystal with its nearest neighbours so far apart; its lattice constant is 1."""
    nearest: Any = neighbor_list("d", cell, 1.01).min()  # type: ignore[no-untyped-call]
    return _scaled(cell, distance / nearest)


def _with_volume(cell: Atoms, volume: float) -> Atoms:
    return _scaled(cell, (volume / cell.get_volume()) ** (1.0 / 3.0))  # type: ignore[no-untyped-call]


def _scaled(cell: Atoms, factor: float) -> Atoms:
    cell.set_cell(cell.cell.array * factor, scale_atoms=True)  # type: ignore[no-untyped-call]
    return cell
