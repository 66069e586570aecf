"""Descriptors as the pipeline uses them: they check each frame when it comes, and describe several together."""

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

# Atoms of a structure to describe: these, a range in the order of the bins, or all.
Chosen: TypeAlias = "Indices | tuple[int, int] | None"


@dataclass(frozen=True)
class Ready:
    """A checked frame, with the results of the checks that are used later.

    Attributes
    ----------
    frame : ase.Atoms
        The frame.
    name : str
        Its name in messages.
    structure : Structure or None
        Its atoms in bins, if the cutoff is known.
    features : numpy.ndarray or None
        Features of all its atoms, if the check needed them.
    """

    frame: Atoms
    name: str
    structure: _core.Structure | None
    features: Array | None = None

    def __len__(self) -> int:
        """Return the number of atoms."""
        return len(self.frame)


class Describer(Protocol):
    """Interface of a descriptor to reading, fitting and scoring."""

    @property
    def cutoff(self) -> float | None:
        """Radius of the environments in Å, if it is known."""
        ...

    @property
    def is_local(self) -> bool:
        """Whether some atoms of a structure can be described without the others."""
        ...

    def ready(self, frame: Atoms, name: str) -> Ready:
        """Return the checked frame; errors use the name."""
        ...

    def check_and_describe(self, frame: Atoms, name: str) -> Ready:
        """Return the checked frame, and raise if its features cannot be computed, so that it can be skipped."""
        ...

    def features(self, batch: Sequence[Ready], chosen: Sequence[Chosen], n_threads: int) -> Array:
        """Return the features of chosen atoms of frames: (n, D)."""
        ...


@dataclass(frozen=True)
class Bins:
    """Checks that sort the atoms of frames into bins for a cutoff."""

    cutoff: float
    species: tuple[int, ...] = ()

    def ready(self, frame: Atoms, name: str) -> Ready:
        """See `Describer`."""
        from ..descriptors._structures import structure_of

        return Ready(frame, name, structure_of(frame, self.cutoff, self.species, name))


@dataclass(frozen=True)
class SoapDescriber(Bins):
    """The SOAP descriptor of the core."""

    core: _core.Soap | None = None
    soap: Soap | None = None

    @classmethod
    def of(cls, core: _core.Soap, species: tuple[int, ...]) -> SoapDescriber:
        """Return the descriptor of a model."""
        return cls(float(core.cutoff), species, core)

    @classmethod
    def of_soap(cls, soap: Soap) -> SoapDescriber:
        """Return the descriptor of a fit, which can be pickled for workers."""
        return cls(soap.cutoff, soap.species, soap.core, soap)

    def __reduce__(self) -> tuple[object, ...]:
        assert self.soap is not None
        return SoapDescriber.of_soap, (self.soap,)

    @property
    def is_local(self) -> bool:
        """See `Describer`."""
        return True

    def check_and_describe(self, frame: Atoms, name: str) -> Ready:
        """See `Describer`: every frame that can be sorted into bins can be described."""
        return self.ready(frame, name)

    def features(self, batch: Sequence[Ready], chosen: Sequence[Chosen], n_threads: int) -> Array:
        """See `Describer`."""
        assert self.core is not None
        return self.core.features([ready.structure for ready in batch], list(chosen), n_threads)  # type: ignore[misc]


@dataclass(frozen=True)
class OtherDescriber:
    """Any other descriptor: structures are described one by one, so that bits do not depend on the batch.

    Attributes
    ----------
    n_features : int or None
        D, if it is known.
    """

    descriptor: Descriptor
    n_features: int | None = None

    @property
    def cutoff(self) -> float | None:
        """See `Describer`."""
        return self.descriptor.cutoff

    @property
    def is_local(self) -> bool:
        """See `Describer`."""
        return False

    def ready(self, frame: Atoms, name: str) -> Ready:
        """See `Describer`."""
        from ..descriptors._structures import checked_structure, structure_of

        if self.cutoff is None:
            checked_structure(frame, name)
            return Ready(frame, name, None)
        return Ready(frame, name, structure_of(frame, self.cutoff, (), name))

    def check_and_describe(self, frame: Atoms, name: str) -> Ready:
        """See `Describer`: the frame is described here, because there is no other check."""
        ready = self.ready(frame, name)
        return replace(ready, features=self._described(ready))

    def features(self, batch: Sequence[Ready], chosen: Sequence[Chosen], n_threads: int) -> Array:  # noqa: ARG002
        """See `Describer`."""
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


def other_describer(facts: Mapping[str, Any], outside: Descriptor | None, n_features: int, what: str) -> Describer:
    """Return a descriptor that is not the core's, from the facts in the file of `what`.

    Raises
    ------
    InvalidInputError
        If the descriptor is missing: the file contains its identity only.
    """
    from ..descriptors._descriptor import FrameFeatures

    if facts["kind"] == "array":
        return OtherDescriber(FrameFeatures(facts["name"], facts["cutoff"]), n_features)
    if outside is None:
        raise InvalidInputError(
            f"{what} made with the descriptor {facts['name']!r}, which is not in the file; give it (descriptor=, "
            "--descriptor)."
        )
    return OtherDescriber(outside, n_features)


def _some(features: Array, atoms: Chosen) -> Array:
    """Return the rows of chosen atoms."""
    if atoms is None:
        return features
    return features[atoms if isinstance(atoms, np.ndarray) else slice(*atoms)]
