"""The two passes of a fit over ranges of structures: what one process does from end to end, or several share out.

Everything here can be pickled. What comes of a range depends on its structures alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import Array
from ..models._basis import Basis
from ..models._training import structure_rows
from . import _frames
from ._training_set import TrainingSet, counted_again

if TYPE_CHECKING:
    from ase import Atoms

    from ..descriptors._soap import Soap

Indices = NDArray[np.int64]


def ignore(stage: str, done: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Chosen:
    """Structures that follow one another, and which of their atoms are wanted.

    Attributes
    ----------
    first : int
        Number of the first structure.
    counts : numpy.ndarray of int, shape (n, n_species)
        What the structures are made of, to know them again.
    atoms : dict of int to numpy.ndarray of int
        Atoms of those that have wanted ones, by their places in the range, ascending.
    """

    first: int
    counts: Indices
    atoms: dict[int, Indices]

    @classmethod
    def among(cls, training: TrainingSet, environments: Indices, start: int, stop: int) -> Chosen:
        """Those of the environments, ascending, that belong to structures from `start` to before `stop`."""
        bounds = np.searchsorted(environments, training.first[start : stop + 1])
        atoms = {
            a: environments[bounds[a] : bounds[a + 1]] - training.first[start + a]
            for a in np.flatnonzero(np.diff(bounds)).tolist()
        }
        return cls(start, training.counts[start:stop], atoms)


def features_of(
    chosen: Chosen,
    source: _frames.Rereadable,
    soap: Soap,
    report: Callable[[str, int], None] = ignore,
) -> Iterator[Array]:
    """Normalised features of the wanted atoms, a batch at a time; `report` is told how many of them are done."""
    frames = counted_again(source, soap.species, chosen.counts, chosen.first)
    wanted = (frame for place, frame in enumerate(frames) if place in chosen.atoms)
    places = list(chosen.atoms)
    done = 0
    for start, batch in _frames.batches(wanted, _frames.batch_limit(soap.n_features)):
        atoms = [chosen.atoms[place] for place in places[start : start + len(batch)]]
        features = _core.normalised(soap.compute(_in_bins(batch, soap), atoms), 0)
        done += len(features)
        report("active set: descriptors", done)
        yield features


def rows_of(
    frames: Iterable[Atoms],
    soap: Soap,
    basis: Basis,
    n_threads: int,
    report: Callable[[str, int], None] = ignore,
) -> Iterator[Array]:
    """Rows X_A, a batch of structures at a time; `report` is told how many structures are done."""
    for first, batch in _frames.batches(frames, _frames.batch_limit(soap.n_features)):
        features = basis.prepare(soap.compute(_in_bins(batch, soap), n_threads=n_threads))
        report("rows: descriptors", first + len(batch))
        of_frames = np.split(features, np.cumsum([len(frame) for frame in batch])[:-1])
        yield structure_rows(basis, of_frames, [frame.numbers for frame in batch], n_threads)
        report("rows: kernels and sums", first + len(batch))


def _in_bins(frames: list[Atoms], soap: Soap) -> list[_core.Structure]:
    from ..descriptors._structures import structure_of

    return [structure_of(frame, soap.cutoff, soap.species) for frame in frames]
