"""A descriptor as frames go through it: each is looked at when it comes, and described with others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import Array
from .._errors import InvalidInputError

if TYPE_CHECKING:
    from ase import Atoms

    from ..descriptors._descriptor import Descriptor
    from ..descriptors._soap import Soap

Indices = NDArray[np.int64]

# Which atoms of a structure are wanted: these, a range in the order of the bins, or all.
Chosen: TypeAlias = "Indices | tuple[int, int] | None"


@dataclass(frozen=True)
class Ready:
    """A frame that was checked, and what was made of it on the way.

    Attributes
    ----------
    frame : ase.Atoms
        The frame.
    name : str
        What messages call it.
    structure : Structure or None
        Its atoms in bins, where the cutoff is known.
    features : numpy.ndarray or None
        Features of all its atoms, where they had to be looked at first.
    """

    frame: Atoms
    name: str
    structure: _core.Structure | None
    features: Array | None = None

    def __len__(self) -> int:
        """Return the number of atoms."""
        return len(self.frame)


class Describing(Protocol):
    """What reading, fitting and scoring ask of a descriptor."""

    @property
    def cutoff(self) -> float | None:
        """Range of the environments in Å, if it is known."""
        ...

    @property
    def is_local(self) -> bool:
        """Whether some atoms of a structure can be described without the others."""
        ...

    def ready(self, frame: Atoms, name: str) -> Ready:
        """A frame that was checked; errors call it by a name."""
        ...

    def surely_ready(self, frame: Atoms, name: str) -> Ready:
        """A frame that can be described, for those who leave out what cannot."""
        ...

    def features(self, batch: Sequence[Ready], chosen: Sequence[Chosen], n_threads: int) -> Array:
        """Features of chosen atoms of frames: (n, D)."""
        ...


@dataclass(frozen=True)
class Bins:
    """Frames are checked, and sorted into bins for a cutoff."""

    cutoff: float
    species: tuple[int, ...] = ()

    def ready(self, frame: Atoms, name: str) -> Ready:
        """See `Describing`."""
        from ..descriptors._structures import structure_of

        return Ready(frame, name, structure_of(frame, self.cutoff, self.species, name))


@dataclass(frozen=True)
class SoapDescribing(Bins):
    """Descriptors of the core."""

    core: _core.Soap | None = None
    soap: Soap | None = None

    @classmethod
    def of(cls, core: _core.Soap, species: tuple[int, ...]) -> SoapDescribing:
        """The descriptor of a model."""
        return cls(float(core.cutoff), species, core)

    @classmethod
    def of_soap(cls, soap: Soap) -> SoapDescribing:
        """A descriptor that fits use, which workers are sent."""
        return cls(soap.cutoff, soap.species, soap.core, soap)

    def __reduce__(self) -> tuple[object, ...]:
        assert self.soap is not None
        return SoapDescribing.of_soap, (self.soap,)

    @property
    def is_local(self) -> bool:
        """See `Describing`."""
        return True

    def surely_ready(self, frame: Atoms, name: str) -> Ready:
        """See `Describing`: what can be sorted into bins can be described."""
        return self.ready(frame, name)

    def features(self, batch: Sequence[Ready], chosen: Sequence[Chosen], n_threads: int) -> Array:
        """See `Describing`."""
        assert self.core is not None
        return self.core.features([ready.structure for ready in batch], list(chosen), n_threads)  # type: ignore[misc]


@dataclass(frozen=True)
class OtherDescribing:
    """Any other descriptor: structures are described one by one, so that bits depend on no batch.

    Attributes
    ----------
    n_features : int or None
        D, if it is known already.
    """

    descriptor: Descriptor
    n_features: int | None = None

    @property
    def cutoff(self) -> float | None:
        """See `Describing`."""
        return self.descriptor.cutoff

    @property
    def is_local(self) -> bool:
        """See `Describing`."""
        return False

    def ready(self, frame: Atoms, name: str) -> Ready:
        """See `Describing`."""
        from ..descriptors._structures import checked_structure, structure_of

        if self.cutoff is None:
            checked_structure(frame, name)
            return Ready(frame, name, None)
        return Ready(frame, name, structure_of(frame, self.cutoff, (), name))

    def surely_ready(self, frame: Atoms, name: str) -> Ready:
        """See `Describing`: nobody knows before it is done."""
        ready = self.ready(frame, name)
        return replace(ready, features=self._described(ready))

    def features(self, batch: Sequence[Ready], chosen: Sequence[Chosen], n_threads: int) -> Array:  # noqa: ARG002
        """See `Describing`."""
        wanted = zip(batch, chosen, strict=True)
        return np.concatenate([_some(self._described(ready), atoms) for ready, atoms in wanted])

    def _described(self, ready: Ready) -> Array:
        from ..descriptors._descriptor import described

        if ready.features is not None:
            return ready.features
        known = self.descriptor.species
        if known is not None and self.n_features is not None and not np.isin(ready.frame.numbers, known).all():
            return np.full((len(ready), self.n_features), np.nan)
        return described(self.descriptor, ready.frame, ready.name, self.n_features)


def other_describing(facts: Mapping[str, Any], outside: Descriptor | None, n_features: int, what: str) -> Describing:
    """What describes structures outside the core: of `what`, whose file has these facts of its descriptor.

    Raises
    ------
    InvalidInputError
        If it is missing: the file knows its identity only.
    """
    from ..descriptors._descriptor import FrameFeatures

    if facts["kind"] == "array":
        return OtherDescribing(FrameFeatures(facts["name"], facts["cutoff"]), n_features)
    if outside is None:
        raise InvalidInputError(
            f"{what} made with the descriptor {facts['name']!r}, which is not in the file; give it too (descriptor=, "
            "--descriptor)."
        )
    return OtherDescribing(outside, n_features)


def _some(features: Array, atoms: Chosen) -> Array:
    """Rows of chosen atoms."""
    if atoms is None:
        return features
    return features[atoms if isinstance(atoms, np.ndarray) else slice(*atoms)]
