"""A descriptor as frames go through it: each is looked at when it comes, and described with others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import Array
from .._errors import InvalidInputError

if TYPE_CHECKING:
    from ase import Atoms

    from ..descriptors._descriptor import Descriptor

Indices = NDArray[np.int64]

# Which atoms of a structure are wanted: these, a range in the order of the bins, or all.
Chosen: TypeAlias = "Indices | tuple[int, int] | None"


@dataclass(frozen=True)
class Ready:
    """A frame that was checked, and its atoms in bins, where the cutoff is known."""

    frame: Atoms
    structure: _core.Structure | None

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
        """A frame that can be described; errors call it by a name."""
        ...

    def features(self, batch: Sequence[Ready], chosen: Sequence[Chosen], n_threads: int, first: int = 0) -> Array:
        """Features of chosen atoms of frames, the first of which has the number `first`: (n, D)."""
        ...


@dataclass(frozen=True)
class Bins:
    """Frames are checked, and sorted into bins for a cutoff."""

    cutoff: float
    species: tuple[int, ...] = ()

    def ready(self, frame: Atoms, name: str) -> Ready:
        """See `Describing`."""
        from ..descriptors._structures import structure_of

        return Ready(frame, structure_of(frame, self.cutoff, self.species, name))


@dataclass(frozen=True)
class SoapDescribing(Bins):
    """Descriptors of the core."""

    core: _core.Soap | None = None

    @classmethod
    def of(cls, core: _core.Soap, species: tuple[int, ...]) -> SoapDescribing:
        """A descriptor of structures of some species."""
        return cls(float(core.cutoff), species, core)

    @property
    def is_local(self) -> bool:
        """See `Describing`."""
        return True

    def features(self, batch: Sequence[Ready], chosen: Sequence[Chosen], n_threads: int, first: int = 0) -> Array:  # noqa: ARG002
        """See `Describing`."""
        assert self.core is not None
        return self.core.features([ready.structure for ready in batch], list(chosen), n_threads)  # type: ignore[misc]


@dataclass(frozen=True)
class OtherDescribing:
    """Any other descriptor: structures are described one by one, so that bits depend on no batch."""

    descriptor: Descriptor

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
            return Ready(frame, None)
        return Ready(frame, structure_of(frame, self.cutoff, (), name))

    def features(self, batch: Sequence[Ready], chosen: Sequence[Chosen], n_threads: int, first: int = 0) -> Array:  # noqa: ARG002
        """See `Describing`."""
        from ..descriptors._descriptor import described

        found = []
        for number, (ready, atoms) in enumerate(zip(batch, chosen, strict=True), first):
            features = described(self.descriptor, ready.frame, f"frame {number}")
            found.append(
                features if atoms is None else features[atoms if isinstance(atoms, np.ndarray) else slice(*atoms)]
            )
        widths = {features.shape[1] for features in found}
        if len(widths) > 1:
            raise InvalidInputError(
                f"the descriptor gave {min(widths)} and {max(widths)} features for frames near {first}; it has to give "
                "the same number for all."
            )
        return np.concatenate(found)
