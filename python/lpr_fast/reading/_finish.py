"""Last step of reading a frame: elements, topology, cell, and ignored atoms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import atomic_numbers, chemical_symbols

from .._errors import InvalidInputError
from .._words import counted
from ._labels import LEFT_OUT, Found, Numbers, numbers_of
from ._options import ReadOptions

_OF_ATOMS = ("forces", "energies", "stresses", "charges", "magmoms")


def finished(found: Found, options: ReadOptions, topology: Atoms | None) -> Atoms:
    """A frame with elements from labels or a topology, with a cell, and without ignored atoms.

    Raises
    ------
    InvalidInputError
        For labels that are not elements, and for topologies and cells that contradict the frame.
    """
    frame = identified(found, options, topology)
    results = dict(getattr(frame.calc, "results", {}))
    if options.cell is not None or topology is not None:
        _give_cell(frame, options, topology)
    kept = frame.numbers != LEFT_OUT
    if not kept.all():
        frame = frame[kept]
        results = {name: value[kept] if name in _OF_ATOMS else value for name, value in results.items()}
    if results and (options != ReadOptions() or found.labels is not None):  # they hold for the frame as it is now
        frame.calc = SinglePointCalculator(frame, **results)  # type: ignore[no-untyped-call]
    return frame


def identified(found: Found, options: ReadOptions, topology: Atoms | None = None) -> Atoms:
    """Atomic numbers of a frame; `LEFT_OUT` for ignored atoms."""
    frame = found.frame
    if topology is not None:
        frame.numbers = _of_topology(found, options, topology)
    elif found.labels is not None:
        frame.numbers = numbers_of(found.labels, options, are_names=found.are_names)
    return frame


def _of_topology(found: Found, options: ReadOptions, topology: Atoms) -> Numbers:
    frame = found.frame
    if len(frame) != len(topology):
        raise InvalidInputError(
            f"it has {counted(len(frame), 'atom')}, but the topology has {len(topology)}; give one that fits."
        )
    for name in ("id", "type"):
        if name in frame.arrays and name in topology.arrays:
            _refuse_difference(name, frame.arrays[name], topology.arrays[name])
    labels = list(frame.symbols) if found.labels is None else found.labels
    _check_labels(labels, options, topology, are_names=found.are_names)
    numbers: Numbers = topology.numbers.copy()
    numbers[[label in options.ignore for label in labels]] = LEFT_OUT
    return numbers


def _refuse_difference(name: str, here: Numbers, there: Numbers) -> None:
    atoms = np.flatnonzero(here != there)
    if atoms.size:
        raise InvalidInputError(
            f"its atom {atoms[0]} has the {name} {here[atoms[0]]}, but {there[atoms[0]]} in the topology, which is of "
            "other atoms, or in another order."
        )


def _check_labels(labels: Sequence[str], options: ReadOptions, topology: Atoms, *, are_names: bool) -> None:
    """Refuse labels with other elements than in the topology, or with several elements."""
    known = dict(options.species)
    meaning: dict[str, int] = {}
    for atom, (label, number) in enumerate(zip(labels, topology.numbers.tolist(), strict=True)):
        if label == "X" or number == LEFT_OUT:
            continue
        expected = known.get(label, None if are_names else atomic_numbers.get(label.capitalize()))
        if expected is None:
            expected = meaning.setdefault(label, number)
        if expected != number:
            raise InvalidInputError(
                f"its atom {atom} is called {label}, and {chemical_symbols[number]} in the topology, but {label} is "
                f"{chemical_symbols[expected]} elsewhere; give a topology with the same atoms in the same order."
            )


def _give_cell(frame: Atoms, options: ReadOptions, topology: Atoms | None) -> None:
    """Give a frame without a cell the cell of the caller, or of the topology."""
    if frame.cell.rank > 0:
        if options.cell is not None:
            raise InvalidInputError("it has a cell of its own; leave out the other (cell, --cell).")
        return
    periodic = frame.pbc.copy()
    if options.cell is not None:
        frame.cell, frame.pbc = np.reshape(options.cell, (3, 3)), True
    elif topology is not None and topology.cell.rank > 0:
        frame.cell, frame.pbc = topology.cell, topology.pbc
    if periodic.any():
        frame.pbc = periodic
