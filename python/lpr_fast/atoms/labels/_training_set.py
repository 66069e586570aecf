"""Training structures: facts about all of them, and the structures themselves whenever they are needed again."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..._errors import InvalidInputError
from ...models._active_set import Pool
from ...models._settings import FitSettings
from ...models._structures import Structures
from .. import _frames
from ._labels import Labels

if TYPE_CHECKING:
    from ase import Atoms

Indices = NDArray[np.int64]


def ignore(_: object) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class TrainingSet:
    """What one look through the structures has found, and where they come from."""

    structures: Structures
    source: _frames.Rereadable


def looked_through(
    frames: Iterable[Atoms] | _frames.Rereadable,
    ready: _frames.GetReady,
    settings: FitSettings,
    *,
    pool: Pool | None,
    seen: Callable[[int], None],
    may_lack_energies: bool = False,
) -> TrainingSet:
    """Check everything that can be checked before structures are described.

    Frames that can be run through again are not kept: memory is that of some numbers for each. `pool` is told of all
    environments, `seen` after each frame of how many atoms there were so far. Frames without energies are taken where
    others have some; that none has any, unless the key is the default, only if they `may_lack_energies`.
    """
    labels = Labels(settings)
    counts, source = _counted(frames, ready, labels.add, pool, seen)
    if not counts.n_structures:
        raise InvalidInputError("there are no training structures; give at least one.")
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


def looked_through_elsewhere(
    frames: Iterable[Atoms] | _frames.Rereadable, ready: _frames.GetReady, pool: Pool
) -> TrainingSet:
    """Structures that only `pool` is told of: nobody asks for their labels."""
    try:
        counts, source = _counted(frames, ready, ignore, pool, ignore)
    except InvalidInputError as error:
        raise InvalidInputError(f"of the structures that the active set is drawn from (active_from), {error}") from None
    if not counts.n_structures:
        raise InvalidInputError("active_from has no structures; give at least one, or leave it out.")
    return TrainingSet(Structures.without_labels(*counts.table()), source)


def as_before(structures: Structures, species: tuple[int, ...], *, is_labelled: bool) -> Structures:
    """Structures as those of a fit with these species: with its columns, and NaN for energies that there are not.

    Raises
    ------
    InvalidInputError
        For other species, and for energies where the fit had none.
    """
    from ...descriptors._elements import symbols

    if unknown := tuple(sorted(set(structures.species) - set(species))):
        raise InvalidInputError(
            f"the structures have {symbols(unknown)}, but the rows know only {symbols(species)}; fit again with all of "
            "them."
        )
    energies = structures.energies
    if energies is not None and not is_labelled:
        raise InvalidInputError("the structures have energies, but the rows have none; leave them out, or fit again.")
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
    """Atoms of checked frames, and where the frames come from again."""
    is_kept = isinstance(frames, Iterator)
    kept: list[Atoms] = []
    counts = _Counts()
    given = frames.frames() if isinstance(frames, _frames.Rereadable) else frames
    for frame in _frames.checked(given, ready):
        counts.add(frame.numbers)
        look(frame)
        if pool is not None:
            pool.add(frame.numbers)
        if is_kept:
            kept.append(frame)
        seen(counts.n_atoms)
    return counts, _source(kept if is_kept else frames)


def counted_again(source: _frames.Rereadable, species: tuple[int, ...], counts: Indices, start: int) -> Iterator[Atoms]:
    """So many frames from number `start` on, as long as their atoms are those that were counted.

    Raises
    ------
    InvalidInputError
        For a frame that is not there any more, or has other atoms.
    """
    frames = source.frames(start)
    for number, expected in enumerate(counts, start):
        frame = next(frames, None)
        if frame is None or not _has(frame, species, expected):
            raise changed(number)
        yield frame


def changed(number: int) -> InvalidInputError:
    """What to say of a frame that is another one now."""
    return InvalidInputError(
        f"frame {number} is not what it was when the training set was looked through; leave the frames as they are "
        "while a model is fitted."
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
    """Atoms of each species in each structure, in eight bytes for each."""

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
        """Species, ascending, and their counts, structure by structure."""
        species = tuple(sorted(self.of_species))
        return species, np.column_stack([np.array(self.of_species[s], dtype=np.int64) for s in species])
