"""Training environments of structures, described batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..._arrays import Array
from ..._species import symbol
from ...models._basis import Basis
from ...models._batches import Batch, Derivatives
from ...models._structures import Structures
from .. import _frames
from .._describer import Describer, Ready, SoapDescriber
from ..labels._noisy_labels import LabelSource
from ..labels._training_set import TrainingSet, frame_changed, unchanged_frames
from ._gradient_rows import GradientBasis

if TYPE_CHECKING:
    from ase import Atoms

Indices = NDArray[np.int64]


def ignore(stage: str, done: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class FrameEnvironments:
    """Environments of structures that are read again for each pass; see `Environments`."""

    training: TrainingSet
    describer: Describer
    n_features: int
    n_threads: int
    labels: LabelSource | None = None

    @property
    def structures(self) -> Structures:
        """Facts about the structures."""
        return self.training.structures

    def features(self, environments: Indices) -> Iterator[Array]:
        """See `Environments`."""
        first = self.structures.first
        start, last = np.searchsorted(first, environments[[0, -1]], side="right") - 1
        bounds = np.searchsorted(environments, first[start : last + 2])
        atoms = {
            int(a): environments[bounds[a] : bounds[a + 1]] - first[start + a]
            for a in np.flatnonzero(np.diff(bounds)).tolist()
        }
        numbers = list(atoms)
        wanted = (frame for a, frame in enumerate(self._frames(int(start), int(last) + 1)) if a in atoms)
        for done, batch in _frames.batches(wanted, _frames.batch_limit(self.n_features)):
            ready = self._ready(batch, numbers[done : done + len(batch)], int(start))
            chosen = [atoms[a] for a in numbers[done : done + len(batch)]]
            yield self.describer.features(ready, chosen, self.n_threads)

    def batches(
        self, start: int, report: Callable[[str, int], None] = ignore, stop: int | None = None
    ) -> Iterator[Batch]:
        """See `Environments`; with `stop`, only structures before that number."""
        end = len(self.structures) if stop is None else stop
        for first, batch in _frames.batches(self._frames(start, end), _frames.batch_limit(self.n_features), start):
            ready = self._ready(batch, range(len(batch)), first)
            features = self.describer.features(ready, [None] * len(ready), self.n_threads)
            report("rows: descriptors", first + len(batch))
            derivatives = (
                [self._derivatives(one, first + k) for k, one in enumerate(ready)] if self._has_derivatives else []
            )
            yield Batch(features, [frame.numbers for frame in batch], derivatives)

    def species(self, environments: Indices) -> Indices:
        """See `Environments`; reads the structures again, because only species of few environments are needed."""
        first = self.structures.first
        owners = np.searchsorted(first, environments, side="right") - 1
        frames = self._frames(int(owners[0]), int(owners[-1]) + 1)
        of_owner = {
            a: frame.numbers[environments[owners == a] - first[a]]
            for a, frame in enumerate(frames, int(owners[0]))
            if a in set(owners.tolist())
        }
        return np.concatenate(list(of_owner.values()))

    def name(self, environment: int) -> str:
        """See `Environments`."""
        first = self.structures.first
        a = int(np.searchsorted(first, environment, side="right")) - 1
        return f"atom {environment - first[a]} of frame {a}"

    def label(self, species: int) -> str:
        """See `Environments`."""
        return symbol(species)

    @property
    def _has_derivatives(self) -> bool:
        """Whether forces or virials are labels of any structure."""
        n_derivatives = self.structures.n_derivatives
        return n_derivatives is not None and bool(n_derivatives.any())

    def _derivatives(self, ready: Ready, number: int) -> Derivatives:
        """Return forces and virial of a structure that are labels."""
        assert self.labels is not None
        assert self.structures.n_derivatives is not None
        used = self.labels.of_frame(ready.frame, ready.name, has_energy=False).derivatives
        if len(used) != self.structures.n_derivatives[number]:
            raise frame_changed(number)
        return Derivatives(used.kinds, used.targets, used.sigmas, partial(self._rows, ready, used.places))

    def _rows(self, ready: Ready, places: Indices, basis: Basis, n_threads: int) -> Iterator[Array]:
        """Yield rows of components of forces and virial of a structure; `places` are their numbers among all."""
        assert isinstance(self.describer, SoapDescriber)
        assert self.describer.core is not None
        assert ready.structure is not None
        return GradientBasis(basis, self.describer.core).parts(ready.structure, places, n_threads)

    def _frames(self, start: int, stop: int) -> Iterator[Atoms]:
        structures = self.structures
        return unchanged_frames(self.training.source, structures.species, structures.counts[start:stop], start)

    def _ready(self, frames: list[Atoms], places: range | list[int], start: int) -> list[Ready]:
        return [
            self.describer.ready(frame, f"frame {start + place}") for place, frame in zip(places, frames, strict=True)
        ]
