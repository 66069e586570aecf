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
from .._accumulator import HessianAccumulator
from .._arrays import Array
from ..models._basis import Basis
from ..models._fit import adding
from ..models._training import structure_rows
from . import _frames
from ._training_set import TrainingSet, counted_again

if TYPE_CHECKING:
    from ase import Atoms

    from ..descriptors._soap import Soap

Indices = NDArray[np.int64]


# Structures that are handed to another process together: what is lost when it dies.
LARGEST_RANGE = 256


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


@dataclass(frozen=True)
class Labelled:
    """Structures that follow one another, with the weights and targets of their rows; `first` and `counts` as above."""

    first: int
    counts: Indices
    weights: Array
    targets: Array | None

    @classmethod
    def among(cls, training: TrainingSet, targets: Array | None, start: int, stop: int) -> Labelled:
        """Structures from `start` to before `stop` of all."""
        chosen = slice(start, stop)
        return cls(
            start, training.counts[chosen], training.weights[chosen], None if targets is None else targets[chosen]
        )


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


def sum_of(
    labelled: Labelled,
    source: _frames.Rereadable,
    soap: Soap,
    basis: Basis,
    report: Callable[[str, int], None] = ignore,
) -> HessianAccumulator:
    """The rows of a range in an accumulator of their own, to be merged with those of the others in order."""
    accumulator = HessianAccumulator(basis.size, labelled=labelled.targets is not None)
    frames = counted_again(source, soap.species, labelled.counts, labelled.first)
    rows = rows_of(frames, soap, basis, 0, report)
    for _ in adding(accumulator, rows, labelled.weights, labelled.targets, 0):
        pass
    return accumulator


def in_ranges(start: int, stop: int, largest: int = LARGEST_RANGE) -> list[range]:
    """Structures from `start` to before `stop` in ranges of a limited size."""
    return [range(first, min(first + largest, stop)) for first in range(start, stop, largest)]


def leaves(start: int, stop: int, leaf_rows: int, largest: int = LARGEST_RANGE) -> Iterator[list[range]]:
    """The same ranges, but cut at the leaves of the tree; those of each leaf together.

    The states of a leaf's ranges, merged in order, and leaves merged in order into an accumulator of the rows before
    `start`, make the bits of one accumulator that takes row by row: rows wait as they are until a leaf is full.
    """
    while start < stop:
        end = min(stop, (start // leaf_rows + 1) * leaf_rows)
        yield in_ranges(start, end, largest)
        start = end


def merged(*states: HessianAccumulator) -> HessianAccumulator:
    """States of ranges that follow one another as one; they are left as they are."""
    whole = HessianAccumulator(states[0].size, labelled=states[0].is_labelled)
    for state in states:
        whole.merge(state)
    return whole
