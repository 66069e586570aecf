"""Training structures: facts about all of them, and access to the structures for later passes."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..._errors import InvalidInputError
from ..._species import symbols
from ...models._active_set import Pool
from ...models._settings import FitSettings
from ...models._structures import Structures
from .. import _frames
from ._labels import Labels

if TYPE_CHECKING:
    from ase import Atoms

Indices = NDArray[np.int64]


def ignore(_: object) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class TrainingSet:
    """Facts from the first pass over the structures, and their source."""

    structures: Structures
    source: _frames.Rereadable


def check_training_set(
    frames: Iterable[Atoms] | _frames.Rereadable,
    ready: _frames.GetReady,
    settings: FitSettings,
    *,
    pool: Pool | None,
    seen: Callable[[int], None],
    may_lack_energies: bool = False,
) -> TrainingSet:
    """Check all frames and collect their labels, before structures are described.

    Frames are kept only if they come from an iterator. All environments are added to `pool`; `seen` is called after
    each frame with the number of atoms so far. Frames without energies are allowed if others have one. If none has
    one, this raises, unless the key is the default or they `may_lack_energies`.
    """
    labels = Labels(settings)
    counts, source = _counted(frames, ready, labels.add, pool, seen)
    if not counts.n_structures:
        raise InvalidInputError("the training set is empty; give at least one structure.")
    species, table = counts.table()
    structures = Structures(
        species,
        table,
        labels.weights(len(table)),
        settings.loss,
        labels.energies(optional=may_lack_energies),
        labels.groups(),
        labels.isolated,
        labels.facts(),
        **labels.of_noise(),
    )
    return TrainingSet(structures, source)


def check_pool_structures(
    frames: Iterable[Atoms] | _frames.Rereadable, ready: _frames.GetReady, pool: Pool
) -> TrainingSet:
    """Check all frames and add their environments to `pool`; their labels are ignored."""
    try:
        counts, source = _counted(frames, ready, ignore, pool, ignore)
    except InvalidInputError as error:
        raise InvalidInputError(f"in active_from, {error}") from None
    if not counts.n_structures:
        raise InvalidInputError("active_from has no structures; give at least one, or leave it out.")
    return TrainingSet(Structures.without_labels(*counts.table()), source)


def aligned_structures(structures: Structures, species: tuple[int, ...], *, is_labelled: bool) -> Structures:
    """Return structures with the columns of a fit with these species, and NaN for missing energies.

    Raises
    ------
    InvalidInputError
        For other species, and for energies if the fit had none.
    """
    if unknown := tuple(sorted(set(structures.species) - set(species))):
        raise InvalidInputError(
            f"the structures have {symbols(unknown)}, but the rows know only {symbols(species)}; fit again with all "
            "structures."
        )
    energies = structures.energies
    if energies is not None and not is_labelled:
        raise InvalidInputError(
            "the structures have energies, but the rows have none; remove the energies, or fit again with energies."
        )
    if energies is None and is_labelled:
        energies = np.full(len(structures), np.nan)
    counts = np.zeros((len(structures), len(species)), dtype=np.int64)
    for column, s in enumerate(structures.species):
        counts[:, species.index(s)] = structures.counts[:, column]
    return replace(structures, species=species, counts=counts, energies=energies)


def _counted(
    frames: Iterable[Atoms] | _frames.Rereadable,
    ready: _frames.GetReady,
    look: Callable[[Atoms], None],
    pool: Pool | None,
    seen: Callable[[int], None],
) -> tuple[_Counts, _frames.Rereadable]:
    """Count the atoms of all frames, check these, and return a source of the frames for later passes."""
    is_kept = isinstance(frames, Iterator)
    kept: list[Atoms] = []
    counts = _Counts()
    given = frames.frames() if isinstance(frames, _frames.Rereadable) else frames
    for frame in _frames.training_frames(given, ready):
        counts.add(frame.numbers)
        look(frame)
        if pool is not None:
            pool.add(frame.numbers)
        if is_kept:
            kept.append(frame)
        seen(counts.n_atoms)
    return counts, _source(kept if is_kept else frames)


def unchanged_frames(
    source: _frames.Rereadable, species: tuple[int, ...], counts: Indices, start: int
) -> Iterator[Atoms]:
    """Yield the frames from number `start` on for which `counts` are given.

    Raises
    ------
    InvalidInputError
        For a frame that is missing now, or has other atoms than were counted.
    """
    frames = source.frames(start)
    for number, expected in enumerate(counts, start):
        frame = next(frames, None)
        if frame is None or not _has(frame, species, expected):
            raise frame_changed(number)
        yield frame


def frame_changed(number: int) -> InvalidInputError:
    """Return the error for a frame that has changed."""
    return InvalidInputError(
        f"frame {number} has changed since the training set was checked; do not change the frames while a model is "
        "fitted."
    )


def _has(frame: Atoms, species: tuple[int, ...], expected: Indices) -> bool:
    found = np.array([np.count_nonzero(frame.numbers == s) for s in species])
    return len(frame) == found.sum() and np.array_equal(found, expected)


def _source(frames: Iterable[Atoms] | _frames.Rereadable) -> _frames.Rereadable:
    from ase import Atoms

    if isinstance(frames, _frames.Rereadable):
        return frames
    return _frames.Kept([frames] if isinstance(frames, Atoms) else frames)


@dataclass
class _Counts:
    """Numbers of atoms of each species in each structure, in eight bytes each."""

    n_structures: int = 0
    n_atoms: int = 0
    of_species: dict[int, array[int]] = field(default_factory=dict)

    def add(self, numbers: Indices) -> None:
        found, counts = np.unique(numbers, return_counts=True)
        here = dict(zip(found.tolist(), counts.tolist(), strict=True))
        for s in here:
            self.of_species.setdefault(s, array("q", bytes(8 * self.n_structures)))
        for s, column in self.of_species.items():
            column.append(here.get(s, 0))
        self.n_structures += 1
        self.n_atoms += len(numbers)

    def table(self) -> tuple[tuple[int, ...], Indices]:
        """Return the species, ascending, and their counts, (n_structures, n_species)."""
        species = tuple(sorted(self.of_species))
        return species, np.column_stack([np.array(self.of_species[s], dtype=np.int64) for s in species])
