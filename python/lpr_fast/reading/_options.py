"""Options for reading files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from .._arrays import Array
from .._errors import InvalidInputError
from .._species import atomic_number

#: Elements of the types 1, 2, ... (``"In,P"``), or of labels (``"Si1=Si,OW=O"``), as text, list or dictionary; atomic
#: numbers in place of symbols will do.
SpeciesOption: TypeAlias = "str | Iterable[str | int] | Mapping[Any, str | int] | None"

_CELL = "give three lengths, three lengths and three angles, or the nine numbers of three vectors, in Å and degrees"


@dataclass(frozen=True)
class ReadOptions:
    """Options for reading files; `of` checks them.

    Attributes
    ----------
    format : str or None
        Format of all files; None: from names and contents.
    topology : str or None
        File with the atoms of every frame, in the same order.
    species : tuple of (str, int)
        Atomic numbers of the labels in the files.
    cell : tuple of nine float, or None
        Cell vectors of frames without a cell, flattened.
    ignore : tuple of str
        Labels and elements of ignored atoms.
    """

    format: str | None = None
    topology: str | None = None
    species: tuple[tuple[str, int], ...] = ()
    cell: tuple[float, ...] | None = None
    ignore: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        *,
        format: str | None = None,  # noqa: A002 (ASE's name for it)
        topology: str | PathLike[str] | None = None,
        species: SpeciesOption = None,
        cell: str | ArrayLike | None = None,
        ignore: str | Iterable[str] = (),
    ) -> ReadOptions:
        """Checked options.

        Raises
        ------
        InvalidInputError
            For names that are no elements, and cells that span no volume.
        """
        if format is not None and not isinstance(format, str):
            raise InvalidInputError(f"format is {format!r}; give a name such as 'extxyz'.")
        return cls(
            format,
            None if topology is None else str(topology),
            _species_of(species),
            None if cell is None else _cell_of(cell),
            tuple(sorted(set(_words("ignore", ignore)))),
        )

    @property
    def for_topology(self) -> ReadOptions:
        """Options for the topology: the same labels, but its own format and cell."""
        return ReadOptions(species=self.species, ignore=self.ignore)

    def facts(self) -> dict[str, Any]:
        """The options except the topology, for JSON."""
        given = {
            "format": self.format,
            "species": dict(self.species),
            "cell": None if self.cell is None else list(self.cell),
            "ignore": list(self.ignore),
        }
        return {name: value for name, value in given.items() if value}


def _words(name: str, given: Any) -> list[str]:
    words = given.split(",") if isinstance(given, str) else given
    listed = list(words) if isinstance(words, Iterable) else [None]
    if not all(isinstance(word, str) for word in listed):
        raise InvalidInputError(f"{name} is {given!r}; give text such as 'In,P'.")
    return [word.strip() for word in map(str, listed) if word.strip()]


def _species_of(given: SpeciesOption) -> tuple[tuple[str, int], ...]:
    if given is None:
        return ()
    if isinstance(given, Mapping):
        pairs = [(str(label), str(element)) for label, element in given.items()]
    else:
        plain = isinstance(given, str) or not isinstance(given, Iterable)
        words = _words("species", given if plain else [str(one) if type(one) is int else one for one in given])
        named = [word for word in words if "=" in word]
        if named and len(named) < len(words):
            raise InvalidInputError(
                f"species is {','.join(words)}; give elements of the types 1, 2, ... (In,P), or of labels (OW=O,HW=H), "
                "not both."
            )
        if named:
            pairs = [(label.strip(), element.strip()) for label, _, element in (word.rpartition("=") for word in words)]
        else:
            pairs = [(str(number), element) for number, element in enumerate(words, start=1)]
    labels = [label for label, _ in pairs]
    if len(set(labels)) < len(labels) or "" in labels:
        raise InvalidInputError(f"species names the labels {', '.join(labels)}; name each of them once.")
    return tuple(sorted((label, _number_of(element)) for label, element in pairs))


def _number_of(element: str) -> int:
    try:
        number = atomic_number(int(element) if element.isdecimal() else element)
    except InvalidInputError:
        number = 0
    if number == 0:
        raise InvalidInputError(
            f"species names {element!r}, which is not a chemical element; give a symbol such as Si, or its number."
        )
    return number


def _cell_of(given: Any) -> tuple[float, ...]:
    try:
        if isinstance(given, str):
            given = [float(word) for word in re.split(r"[\s,]+", given.strip())]
        numbers = np.asarray(given, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        raise InvalidInputError(f"cell is {given!r}; {_CELL}.") from None
    if numbers.size not in (3, 6, 9) or not np.isfinite(numbers).all():
        raise InvalidInputError(f"cell is {given!r}; {_CELL}.")
    vectors = numbers.reshape(3, 3) if numbers.size == 9 else _vectors_of(numbers)
    volume = abs(np.linalg.det(vectors)) if np.isfinite(vectors).all() else 0.0
    lengths = np.linalg.norm(vectors, axis=1).prod() if volume else 0.0
    if not volume > 1e-9 * lengths:
        raise InvalidInputError(f"cell is {given!r}, which spans no volume; {_CELL}.")
    return tuple(vectors.ravel().tolist())


def _vectors_of(parameters: Array) -> Array:
    """Cell vectors from three lengths, perhaps with three angles, or from nine numbers."""
    from ase.cell import Cell

    if parameters.min() <= 0.0:
        return np.zeros((3, 3))
    try:
        vectors: Array = Cell.new(parameters).array  # type: ignore[no-untyped-call]
    except AssertionError:  # angles that go beyond a full circle, or leave no space
        return np.zeros((3, 3))
    return vectors
