"""What describes atoms: SOAP, features that structures carry, or anybody's function."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from ase import Atoms
from numpy.typing import ArrayLike, NDArray

from .._arrays import LARGEST_ENTRY, Array, as_count, as_integers, as_number
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
        What tells it from others, as JSON can hold it: a name, and whatever its features depend on. It is kept in the
        model file, which is refused when it is read together with a descriptor of another identity or cutoff.
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
        return {"name": self.key}

    def features(self, frames: Sequence[Atoms]) -> list[Array]:
        """What the structures carry."""
        return [self._of(frame) for frame in frames]

    def _of(self, frame: Atoms) -> Array:
        found = getattr(frame.calc, "results", {}).get(self.key)
        check_state = getattr(frame.calc, "check_state", None)
        if found is not None and check_state is not None and check_state(frame):
            raise InvalidInputError(f"it was changed after its {self.key!r} was calculated; calculate them again.")
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

    @property
    def identity(self) -> Mapping[str, Any]:
        """The name."""
        return {"name": self.name}

    def features(self, frames: Sequence[Atoms]) -> ArrayLike | Sequence[ArrayLike]:
        """What the function gives."""
        return self.function(frames)


def checked_descriptor(given: Any) -> Descriptor:
    """A descriptor from an object or a function.

    Raises
    ------
    InvalidInputError
        For anything else, and attributes that cannot be meant.
    """
    if isinstance(given, type):
        raise InvalidInputError("the descriptor is a class; give an object of it.")
    if isinstance(given, Descriptor):
        descriptor = given
    elif callable(given):
        name = getattr(given, "__qualname__", type(given).__qualname__)
        descriptor = FunctionDescriptor(
            given, f"{getattr(given, '__module__', '?')}:{name}", getattr(given, "cutoff", None)
        )
    else:
        raise InvalidInputError(
            "the descriptor has to be the name of an array that structures carry, a function of structures, an object "
            "with cutoff, species, n_features, identity and features, or where to import one from (file.py:name)."
        )
    descriptor_facts(descriptor)
    _check_attributes(descriptor)
    return descriptor


def _check_attributes(descriptor: Descriptor) -> None:
    n_features, species = descriptor.n_features, descriptor.species
    if n_features is not None and as_count("n_features of the descriptor", n_features) < 1:
        raise InvalidInputError(f"n_features of the descriptor is {n_features}; it must be positive.")
    if species is not None:
        as_integers("species of the descriptor", species)


def descriptor_facts(descriptor: Descriptor) -> dict[str, Any]:
    """What a model file says of a descriptor that is not the core's: its kind, its identity and its cutoff.

    Raises
    ------
    InvalidInputError
        If JSON cannot hold it, or its words mean something else in a model file.
    """
    try:
        plain = json.loads(json.dumps(dict(descriptor.identity), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(
            "the identity of the descriptor has to be a dictionary of numbers and texts, as JSON can hold it."
        ) from error
    kind = "array" if isinstance(descriptor, FrameFeatures) else "external"
    reserved = [word for word in ("kind", "cutoff") if word in plain]
    if reserved:
        raise InvalidInputError(
            f"the identity of the descriptor has an entry {reserved[0]!r}, which means something else in a model file; "
            "give it another name."
        )
    if not isinstance(plain.get("name"), str):
        raise InvalidInputError("the identity of the descriptor has no name; give it one, such as {'name': 'ACE'}.")
    cutoff = None if descriptor.cutoff is None else as_number("cutoff of the descriptor", descriptor.cutoff)
    if cutoff is not None and not 0.0 < cutoff < float("inf"):
        raise InvalidInputError(f"cutoff of the descriptor is {cutoff:g}; it must be positive, or None.")
    return {"kind": kind, **plain, "cutoff": cutoff}


def described(descriptor: Descriptor, frame: Atoms, name: str, n_features: int | None = None) -> Array:
    """Features of all atoms of a structure, checked: (n_atoms, D).

    The descriptor sees a copy, with the results that the structure came with: whatever it does to it, the structure
    stays as it is.

    Raises
    ------
    InvalidInputError
        For another number of rows or features, numbers that are not finite, and what goes wrong in the descriptor.
    """
    seen = frame.copy()  # type: ignore[no-untyped-call]
    seen.calc = frame.calc
    try:
        found = descriptor.features([seen])
        array = _of_one(found)
    except MemoryError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise InvalidInputError(f"{name} cannot be described: {reason}.") from error
    if array.ndim != 2 or len(array) != len(frame) or not np.can_cast(array.dtype, np.float64, "safe"):
        raise InvalidInputError(
            f"the descriptor gave an array of shape {array.shape} and dtype {array.dtype} for {name}, which has "
            f"{len(frame)} atoms; it has to give one row of real numbers for each atom."
        )
    if not array.shape[1] or n_features not in (None, array.shape[1]):
        raise InvalidInputError(
            f"the descriptor gave {array.shape[1]} features for {name}, not {n_features or 'one or more'}; it has to "
            "give the same number for all structures."
        )
    features = np.ascontiguousarray(array, dtype=np.float64)
    wrong = np.flatnonzero(~(np.abs(features) <= LARGEST_ENTRY).all(axis=1))
    if wrong.size:
        raise InvalidInputError(
            f"a feature of atom {wrong[0]} of {name} is NaN, infinite or above {LARGEST_ENTRY:g}; mend or remove it."
        )
    return features


def _of_one(found: Any) -> NDArray[Any]:
    """The features of a structure, which may stand in a list by themselves."""
    if isinstance(found, list | tuple) and len(found) == 1 and np.ndim(found[0]) == 2:
        found = found[0]
    if isinstance(found, np.ma.MaskedArray):
        raise InvalidInputError("its features are a masked array; give a plain one.")
    return np.asarray(found)
