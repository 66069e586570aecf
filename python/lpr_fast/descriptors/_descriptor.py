"""What describes atoms: SOAP, features that structures carry, or anybody's function."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from ase import Atoms
from numpy.typing import ArrayLike

from .._arrays import LARGEST_ENTRY, Array
from .._errors import InvalidInputError

#: Structures in, features of all their atoms out: one array (n_atoms, D), or one for each structure.
DescribeFrames: TypeAlias = Callable[[Sequence[Atoms]], "ArrayLike | Sequence[ArrayLike]"]


@runtime_checkable
class Descriptor(Protocol):
    """What turns structures into features: give one to a fit, and the model uses it wherever it scores structures.

    Attributes
    ----------
    cutoff : float or None
        Atoms farther apart (in Å) do not see each other; None if that is not known.
    species : tuple of int or None
        Atomic numbers that it can describe, ascending; None for all.
    n_features : int or None
        D; None if only its features tell.
    identity : mapping
        What tells it from others, as JSON can hold it. It is kept in the model file, which is refused when it is read
        together with a descriptor of another identity.
    """

    @property
    def cutoff(self) -> float | None:
        """Range of the environments in Å."""
        ...

    @property
    def species(self) -> tuple[int, ...] | None:
        """Atomic numbers that it can describe."""
        ...

    @property
    def n_features(self) -> int | None:
        """D, the number of features of an environment."""
        ...

    @property
    def identity(self) -> Mapping[str, Any]:
        """What tells it from others."""
        ...

    def features(self, frames: Sequence[Atoms]) -> ArrayLike | Sequence[ArrayLike]:
        """Features of all atoms: (n_atoms, D), structure by structure, or one array for each structure.

        It is called with one structure at a time, so that results do not depend on how structures are put together.
        """
        ...


@dataclass(frozen=True)
class FrameFeatures:
    """Features that structures carry: ``atoms.arrays[key]``, or a result of that name that their calculator holds.

    Attributes
    ----------
    key : str
        Name of an array of shape (n_atoms, D).
    """

    key: str
    cutoff: float | None = None
    species: tuple[int, ...] | None = None
    n_features: int | None = None

    @property
    def identity(self) -> Mapping[str, Any]:
        """The name of the array."""
        return {"kind": "array", "name": self.key}

    def features(self, frames: Sequence[Atoms]) -> list[Array]:
        """What the structures carry."""
        return [self._of(frame) for frame in frames]

    def _of(self, frame: Atoms) -> Array:
        found = getattr(frame.calc, "results", {}).get(self.key)
        values = frame.arrays.get(self.key) if found is None else found
        if values is None:
            there = ", ".join(sorted(set(frame.arrays) - {"numbers", "positions"})) or "no other array"
            raise InvalidInputError(f"it has no array {self.key!r}, but {there}; give the name of its features.")
        array = np.asarray(values)
        return array[:, None] if array.ndim == 1 else array


@dataclass(frozen=True)
class FunctionDescriptor:
    """A function of structures as a descriptor.

    Attributes
    ----------
    function : callable
        Takes a list of structures; returns features of all their atoms.
    name : str
        What identifies it in a model file.
    cutoff : float or None
        Range of the environments in Å, if it is known.
    """

    function: DescribeFrames
    name: str
    cutoff: float | None = None
    species: tuple[int, ...] | None = None
    n_features: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> Mapping[str, Any]:
        """Name and further facts."""
        return {"kind": "external", "name": self.name, **self.facts}

    def features(self, frames: Sequence[Atoms]) -> ArrayLike | Sequence[ArrayLike]:
        """What the function gives."""
        return self.function(frames)


@dataclass(frozen=True)
class _Imported:
    """A descriptor by the name under which it can be imported, so that another process finds it."""

    place: str
    name: str
    digest: str | None

    def __call__(self, frames: Sequence[Atoms]) -> ArrayLike | Sequence[ArrayLike]:
        return _found(self.place, self.name)(frames)  # type: ignore[no-any-return]


def as_descriptor(given: Any) -> Descriptor:
    """A descriptor from what a caller passed: one, the name of an array, or a function.

    Raises
    ------
    InvalidInputError
        For anything else.
    """
    if isinstance(given, str):
        return FrameFeatures(given)
    if isinstance(given, Descriptor):
        check_identity(given)
        return given
    if callable(given):
        name = getattr(given, "__qualname__", type(given).__qualname__)
        return FunctionDescriptor(given, f"{getattr(given, '__module__', '?')}:{name}", getattr(given, "cutoff", None))
    raise InvalidInputError(
        "the descriptor has to be the name of an array that structures carry, a function of structures, or an object "
        "with cutoff, species, n_features, identity and features."
    )


def imported(specification: str) -> Descriptor:
    """The descriptor that ``package.module:name`` or ``file.py:name`` means.

    Raises
    ------
    InvalidInputError
        For what cannot be imported, or is no descriptor.
    """
    place, colon, name = specification.rpartition(":")
    if not colon or not place or not name:
        raise InvalidInputError(
            f"the descriptor is {specification!r}; give package.module:name or file.py:name, the name of a function or "
            "a descriptor there."
        )
    found = _found(place, name)
    if isinstance(found, Descriptor):
        return found
    if not callable(found):
        raise InvalidInputError(f"{specification} is no function of structures and no descriptor; give one.")
    digest = _digest(Path(place)) if place.endswith(".py") else None
    facts = {} if digest is None else {"sha256": digest}
    shown = f"{Path(place).name if digest else place}:{name}"
    path = str(Path(place).resolve()) if digest else place
    return FunctionDescriptor(_Imported(path, name, digest), shown, getattr(found, "cutoff", None), facts=facts)


def _found(place: str, name: str) -> Any:
    try:
        module = _module_of_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except ImportError as error:
        raise InvalidInputError(f"{place} cannot be imported ({error}); give a module that is installed.") from error
    if not hasattr(module, name):
        raise InvalidInputError(f"{place} has no {name}; give the name of a function or a descriptor in it.")
    return getattr(module, name)


def _module_of_file(path: Path) -> Any:
    if not path.is_file():
        raise InvalidInputError(f"{path} is no file; give a Python file with the descriptor.")
    name = f"lpr_fast_descriptor_{_digest(path)[:16]}"
    if name not in sys.modules:
        specification = importlib.util.spec_from_file_location(name, path)
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        sys.modules[name] = module
        try:
            specification.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_identity(descriptor: Descriptor) -> dict[str, Any]:
    """What a model file says of a descriptor; its kind is "external" unless it names one.

    Raises
    ------
    InvalidInputError
        If JSON cannot hold it.
    """
    try:
        plain = json.loads(json.dumps(dict(descriptor.identity), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(
            "the identity of the descriptor has to be a dictionary of numbers and texts, as JSON can hold it."
        ) from error
    facts: dict[str, Any] = {"kind": "external", **plain}
    if not isinstance(facts.get("name"), str) and facts["kind"] != "soap":
        raise InvalidInputError("the identity of the descriptor has no name; give it one, such as {'name': 'ACE'}.")
    return facts


def described(descriptor: Descriptor, frame: Atoms, name: str) -> Array:
    """Features of all atoms of a structure, checked: (n_atoms, D).

    Raises
    ------
    InvalidInputError
        For another number of rows, numbers that are not finite, and what the descriptor refuses.
    """
    try:
        found = descriptor.features([frame])
    except InvalidInputError as error:
        raise InvalidInputError(f"{name} cannot be described: {error}") from error
    is_one_for_each = isinstance(found, list | tuple) and len(found) == 1
    array = np.asarray(found[0] if is_one_for_each else found)  # type: ignore[index]
    if array.ndim != 2 or len(array) != len(frame) or not np.can_cast(array.dtype, np.float64, "safe"):
        raise InvalidInputError(
            f"the descriptor gave an array of shape {array.shape} and dtype {array.dtype} for {name}, which has "
            f"{len(frame)} atoms; it has to give one row of real numbers for each atom."
        )
    wrong = np.flatnonzero(~(np.abs(array) <= LARGEST_ENTRY).all(axis=1))
    if wrong.size:
        raise InvalidInputError(
            f"a feature of atom {wrong[0]} of {name} is NaN, infinite or above {LARGEST_ENTRY:g}; mend or remove it."
        )
    return np.ascontiguousarray(array, dtype=np.float64)
