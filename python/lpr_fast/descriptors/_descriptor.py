"""Descriptors other than SOAP: arrays of the structures, functions, and objects of the user."""

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
from .._words import counted

#: Maps structures to features of all their atoms: one array (n_atoms, D), or one for each structure.
DescribeFrames: TypeAlias = Callable[[Sequence[Atoms]], "ArrayLike | Sequence[ArrayLike]"]


@runtime_checkable
class Descriptor(Protocol):
    """Interface of descriptors: pass an object with these attributes to a fit, and the model scores structures by it.

    Attributes
    ----------
    cutoff : float or None
        Largest distance of neighbours in Å; None if it is not known.
    species : tuple of int or None
        Atomic numbers that the descriptor supports, ascending; None for all.
    n_features : int or None
        D; None if it is known only from computed features.
    identity : mapping
        Facts that distinguish the descriptor from others, for JSON: a name, and everything that the features depend on.
        The model file contains them, and reading it with a descriptor of another identity or cutoff is an error.
    """

    @property
    def cutoff(self) -> float | None:
        """Radius of the environments in Å."""
        ...

    @property
    def species(self) -> tuple[int, ...] | None:
        """Atomic numbers that the descriptor supports."""
        ...

    @property
    def n_features(self) -> int | None:
        """D, the number of features of an environment."""
        ...

    @property
    def identity(self) -> Mapping[str, Any]:
        """Facts that distinguish the descriptor from others."""
        ...

    def features(self, frames: Sequence[Atoms]) -> ArrayLike | Sequence[ArrayLike]:
        """Return the features of all atoms: one array (n_atoms, D), or one array for each structure.

        It is called with one structure at a time, so that results do not depend on batches of structures.

        Parameters
        ----------
        frames : sequence of ase.Atoms
            The structures.

        Returns
        -------
        array_like, shape (n_atoms, D), or a sequence of such arrays
        """
        ...


@dataclass(frozen=True)
class FrameFeatures:
    """Features that come with the structures: ``atoms.arrays[key]``, or a stored result of their calculator.

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
        """Return the features of the structures."""
        return [self._of(frame) for frame in frames]

    def _of(self, frame: Atoms) -> Array:
        found = getattr(frame.calc, "results", {}).get(self.key)
        check_state = getattr(frame.calc, "check_state", None)
        if found is not None and check_state is not None and check_state(frame):
            raise InvalidInputError(f"it was changed after its {self.key!r} was calculated; calculate that again.")
        values = frame.arrays.get(self.key) if found is None else found
        if values is None:
            others = ", ".join(sorted(set(frame.arrays) - {"numbers", "positions"}))
            there = f"but {others}; give the name of its features" if others else "nor any other array of features"
            raise InvalidInputError(f"it has no array {self.key!r}, {there}.")
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
        Name that identifies it in a model file.
    cutoff : float or None
        Radius of the environments in Å, if it is known.
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
        """Return the result of the function."""
        return self.function(frames)


def checked_descriptor(given: Any) -> Descriptor:
    """Check a descriptor, or make one from a function.

    Raises
    ------
    InvalidInputError
        For other types, and for invalid attributes.
    """
    if isinstance(given, type):
        raise InvalidInputError("the descriptor is a class; give an instance of it.")
    if isinstance(given, Descriptor):
        descriptor = given
    elif callable(given):
        name = getattr(given, "__qualname__", type(given).__qualname__)
        descriptor = FunctionDescriptor(
            given, f"{getattr(given, '__module__', '?')}:{name}", getattr(given, "cutoff", None)
        )
    else:
        raise InvalidInputError(
            f"the descriptor is a {type(given).__name__}; give the name of an array of the structures, a function of "
            "structures, an object with cutoff, species, n_features, identity and features, or where to import one "
            "from (file.py:name)."
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
    """Return the facts for a model file about a descriptor that is not the core's: kind, identity and cutoff.

    Raises
    ------
    InvalidInputError
        For an identity that JSON cannot represent, or that has reserved names.
    """
    try:
        plain = json.loads(json.dumps(dict(descriptor.identity), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(
            f"the identity of the descriptor cannot be written as JSON ({error}); give a dictionary of numbers and "
            "strings."
        ) from error
    kind = "array" if isinstance(descriptor, FrameFeatures) else "external"
    reserved = [word for word in ("kind", "cutoff") if word in plain]
    if reserved:
        raise InvalidInputError(
            f"the identity of the descriptor has an entry {reserved[0]!r}, which is reserved in model files; give it "
            "another name."
        )
    if not isinstance(plain.get("name"), str):
        raise InvalidInputError("the identity of the descriptor has no name; give it one, such as {'name': 'ACE'}.")
    cutoff = None if descriptor.cutoff is None else as_number("cutoff of the descriptor", descriptor.cutoff)
    if cutoff is not None and not 0.0 < cutoff < float("inf"):
        raise InvalidInputError(f"cutoff of the descriptor is {cutoff:g}; it must be positive, or None.")
    return {"kind": kind, **plain, "cutoff": cutoff}


def described(descriptor: Descriptor, frame: Atoms, name: str, n_features: int | None = None) -> Array:
    """Return the checked features of all atoms of a structure: (n_atoms, D).

    The descriptor gets a copy of the structure, with its calculator, so that it cannot change the structure.

    Raises
    ------
    InvalidInputError
        For a wrong number of rows or features, for numbers that are not finite, and for exceptions of the descriptor.
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
            f"the descriptor returned an array of shape {array.shape} and dtype {array.dtype} for {name}, which has "
            f"{counted(len(frame), 'atom')}; it must return one row of real numbers for each atom."
        )
    if not array.shape[1] or n_features not in (None, array.shape[1]):
        raise InvalidInputError(
            f"the descriptor returned {counted(array.shape[1], 'feature')} for {name}, not "
            f"{n_features or 'one or more'}; it must return the same number for all structures."
        )
    features = np.ascontiguousarray(array, dtype=np.float64)
    wrong = np.flatnonzero(~(np.abs(features) <= LARGEST_ENTRY).all(axis=1))
    if wrong.size:
        raise InvalidInputError(
            f"a feature of atom {wrong[0]} of {name} is NaN, infinite or above {LARGEST_ENTRY:g}; correct or remove it."
        )
    return features


def _of_one(found: Any) -> NDArray[Any]:
    """Return the features of a structure, which may be the only item of a list."""
    if isinstance(found, list | tuple) and len(found) == 1 and np.ndim(found[0]) == 2:
        found = found[0]
    if isinstance(found, np.ma.MaskedArray):
        raise InvalidInputError("its features are a masked array; give a plain one.")
    return np.asarray(found)
