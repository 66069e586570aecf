"""Preparation of a fit to features from any source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import (
    LARGEST_ENTRY,
    Array,
    as_count,
    as_integers,
    as_matrix,
    as_number,
    as_rows,
    as_vector,
    refuse_unusable,
)
from .._errors import InvalidInputError
from .._progress import Progress
from .._species import as_species, keyed_by_species
from .._words import counted
from ._active_set import ActiveFeatures, Pool, pool_size
from ._batches import Batch
from ._fit import ModelFacts, provenance_of
from ._problem import Problem
from ._settings import FitSettings
from ._structures import Groups, Structures, checked_weights, species_counts, weights_of_deviations
from ._training import CHUNK_ROWS

Indices = NDArray[np.int64]

_LARGEST_SPECIES = 2**24


@dataclass(frozen=True)
class ArrayEnvironments:
    """Environments in memory, ordered by structure; `order` are their rows in the input."""

    values: Array
    numbers: Indices
    order: Indices
    first: Indices

    @property
    def n_features(self) -> int:
        """See `Environments`."""
        return int(self.values.shape[1])

    def features(self, environments: Indices) -> Iterator[Array]:
        """See `Environments`."""
        for start in range(0, len(environments), CHUNK_ROWS):
            yield self.values[environments[start : start + CHUNK_ROWS]]

    def batches(self, start: int, report: Callable[[str, int], None]) -> Iterator[Batch]:  # noqa: ARG002
        """See `Environments`: each batch has the structures that fill a chunk."""
        first = self.first
        while start < len(first) - 1:
            stop = max(start + 1, int(np.searchsorted(first, first[start] + CHUNK_ROWS, side="right")) - 1)
            chosen = slice(first[start], first[stop])
            inner = first[start + 1 : stop] - first[start]
            yield Batch(self.values[chosen], np.split(self.numbers[chosen], inner))
            start = stop

    def species(self, environments: Indices) -> Indices:
        """See `Environments`."""
        return self.numbers[environments]

    def name(self, environment: int) -> str:
        """See `Environments`."""
        return f"row {self.order[environment]} of X"

    def label(self, species: int) -> str:
        """See `Environments`."""
        return str(species)


def array_problem(
    X: ArrayLike,
    species: ArrayLike,
    structure: ArrayLike,
    energies: ArrayLike | None,
    settings: FitSettings,
    progress: Progress,
) -> Problem:
    """Check the arguments of `from_arrays` and return the problem to fit."""
    if isinstance(settings.n_active, Mapping):
        by_number = keyed_by_species("n_active", settings.n_active)
        settings = replace(settings, n_active={s: as_count("n_active", n) for s, n in by_number.items()})
    features, numbers = checked_features(as_rows("X", X), species)
    labels = as_integers("structure", structure, len(features))
    order = np.argsort(labels, kind="stable")
    sizes = np.unique(labels, return_counts=True)[1]
    totals = None if energies is None else _checked_energies(energies, len(sizes))
    weights = given_weights(settings, len(sizes), "structure", of="arrays")
    structures = Structures(
        *species_counts(numbers[order], sizes), weights, settings.loss, totals, Groups.none(len(sizes))
    )
    structures.refuse_weightless(str)
    baseline = structures.baseline(_as_baseline(settings.baseline), settings.baseline, str)
    facts = ModelFacts(baseline, provenance_of(structures, settings.provenance))
    environments = ArrayEnvironments(features[order], numbers[order], order, structures.first)
    pool = None
    if settings.n_active is not None:
        pool = Pool(pool_size(settings.largest_active), settings.seed)
        pool.add(environments.numbers)
    active = settings.active_set
    given = None if active is None or isinstance(active, ActiveFeatures) else _places(active, order)
    return Problem(structures, environments, settings, facts, progress, pool, given)


def given_weights(settings: FitSettings, count: int, what: str, *, of: str) -> Array:
    """Return the weights of `count` structures or rows, called `what` in messages."""
    if isinstance(settings.weights, str) or isinstance(settings.sigmas, str):
        raise InvalidInputError(
            f"weights or sigmas of {of} is a string, but {of} have no names; give an array, one number for each {what}."
        )
    if settings.sigmas is not None:
        return weights_of_deviations(settings.sigmas, count, what)
    return checked_weights(settings.weights, count, what)


def _places(rows: ArrayLike, order: Indices) -> Indices:
    """Return the environments of rows of the input, ascending."""
    chosen = as_integers("active_set", rows)
    wrong = chosen[(chosen < 0) | (chosen >= len(order))]
    if wrong.size or not chosen.size or len(np.unique(chosen)) < len(chosen):
        what = f"row {wrong[0]}, which X does not have" if wrong.size else "no row, or one twice"
        raise InvalidInputError(f"active_set has {what}; give rows of X, each once.")
    return np.sort(np.argsort(order)[chosen])


def checked_features(X: ArrayLike, species: ArrayLike) -> tuple[Array, Indices]:
    """Check features and the species of their centres."""
    features = as_matrix("X", X)
    numbers = as_species("species", species, len(features))
    refuse_unusable("X", features)
    strange = numbers[(numbers < 0) | (numbers > _LARGEST_SPECIES)]
    if strange.size:
        raise InvalidInputError(f"species has {strange[0]}; numbers of species must be from 0 to {_LARGEST_SPECIES}.")
    return features, numbers


def _checked_energies(given: ArrayLike, n_structures: int) -> Array:
    energies = as_vector("energies", given)
    if len(energies) != n_structures:
        raise InvalidInputError(
            f"energies has {counted(len(energies), 'number')} for {counted(n_structures, 'structure')}; give one for "
            "each."
        )
    wrong = np.flatnonzero(np.abs(energies) > LARGEST_ENTRY)
    if wrong.size:
        raise InvalidInputError(
            f"the energy of structure {wrong[0]} is {energies[wrong[0]]}; it must be at most "
            f"{LARGEST_ENTRY:g}, or NaN for a structure without an energy."
        )
    return energies


def _as_baseline(given: Any) -> dict[int, float] | str | None:
    if given is None or isinstance(given, str):
        return given
    if not isinstance(given, Mapping):
        raise InvalidInputError("the baseline is not a dictionary; give one such as {14: -158.5}.")
    return {
        as_count("a species of the baseline", s): as_number(f"the baseline of species {s}", energy)
        for s, energy in keyed_by_species("the baseline", given).items()
    }
