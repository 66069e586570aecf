"""From features of any origin to a fitted model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from .._arrays import LARGEST_ENTRY, Array, as_count, as_integers, as_matrix, as_number, as_rows, as_vector
from .._errors import InvalidInputError
from . import _active_set
from ._basis import Basis
from ._fit import Terms, as_positive, fit, provenance_of
from ._scores import Loss
from ._structures import Structures, checked_weights, counted
from ._training import CHUNK_ROWS, structure_rows

Indices = NDArray[np.int64]

_LARGEST_SPECIES = 2**24


@dataclass(frozen=True)
class ArrayProblem:
    """What is to be fitted, and how; environments stand structure by structure, as `order` found them in the input."""

    features: Array
    numbers: Indices
    order: Indices
    structures: Structures
    terms: Terms

    @classmethod
    def checked(
        cls,
        X: ArrayLike,
        species: ArrayLike,
        structure: ArrayLike,
        *,
        regularizer: float,
        loss: Loss,
        weights: ArrayLike | None,
        energies: ArrayLike | None,
        baseline: Mapping[int, float] | None,
        provenance: Mapping[str, Any] | None,
        n_threads: int,
    ) -> ArrayProblem:
        """Arguments of `from_arrays`, as they were given."""
        threads, mu = as_count("n_threads", n_threads), as_positive("regularizer", regularizer)
        features, numbers = checked_features(as_rows("X", X), species)
        labels = as_integers("structure", structure, len(features))
        order = np.argsort(labels, kind="stable")
        sizes = np.unique(labels, return_counts=True)[1]
        of_loss = checked_weights(weights, sizes, loss, "structure")
        totals = None if energies is None else _checked_energies(energies, len(sizes))
        structures = Structures(*counted(numbers[order], sizes), of_loss, totals)
        of_species = structures.baseline(_as_baseline(baseline), baseline)
        terms = Terms(mu, loss, of_species, provenance_of(structures, provenance), threads)
        return cls(features[order], numbers[order], order, structures, terms)

    def sampled_active_set(self, n_active: Any, seed: int) -> tuple[dict[int, Array], dict[str, Any]]:
        """Active features of each species by farthest-point sampling, and the facts for the provenance."""
        count = _active_set.as_size(n_active)
        wanted = _active_set.share_out(count, self.structures.available)
        pool = _active_set.Pool(_active_set.pool_size(count), seed)
        pool.add(self.numbers)
        sample = _active_set.sampled(pool.drawn(wanted), wanted, self._normalised, self.terms.n_threads)
        _active_set.note_fewer(sample.size, count, stacklevel=3)
        sizes = {str(s): size for s, size in sample.pool.items()}
        facts = {"active_set": "farthest points", "n_active_asked": count, "pool": sizes, "seed": seed}
        return sample.active, facts

    def given_active_set(self, rows: ArrayLike) -> tuple[dict[int, Array], dict[str, Any]]:
        """Active features of the rows that the caller names."""
        chosen = as_integers("active_set", rows)
        wrong = chosen[(chosen < 0) | (chosen >= len(self.features))]
        if wrong.size or not chosen.size or len(np.unique(chosen)) < len(chosen):
            what = f"row {wrong[0]}, which X does not have" if wrong.size else "no row, or one twice"
            raise InvalidInputError(f"active_set names {what}; name rows of X, each once.")
        places = np.argsort(self.order)[np.sort(chosen)]
        features, numbers = self._normalised(places), self.numbers[places]
        without = np.flatnonzero(~features.any(axis=1))
        if without.size:
            raise InvalidInputError(f"active_set names row {np.sort(chosen)[without[0]]} of X, which is all zeros.")
        active = {s: features[numbers == s] for s in self.structures.species}
        return active, {"active_set": "given", "n_active_asked": len(chosen)}

    def fitted(self, basis: Basis, further_facts: dict[str, Any]) -> _core.Model:
        """Accumulate the rows of all structures, factorise, and make what scoring needs."""
        return fit(basis, self._rows(basis), self.structures, self.terms.with_facts(further_facts))

    def _normalised(self, environments: Indices) -> Array:
        return _core.normalised(self.features[environments], self.terms.n_threads)

    def _rows(self, basis: Basis) -> Iterator[Array]:
        """Rows X_A of so many structures at a time that their environments fill a chunk."""
        first = self.structures.first
        start = 0
        while start < len(self.structures):
            stop = max(start + 1, int(np.searchsorted(first, first[start] + CHUNK_ROWS, side="right")) - 1)
            inner = first[start + 1 : stop] - first[start]
            chosen = slice(first[start], first[stop])
            features = np.split(basis.prepare(self.features[chosen]), inner)
            yield structure_rows(basis, features, np.split(self.numbers[chosen], inner), self.terms.n_threads)
            start = stop


def checked_features(X: ArrayLike, species: ArrayLike) -> tuple[Array, Indices]:
    """Features, and the species of their centres."""
    features = as_matrix("X", X)
    numbers = as_integers("species", species, len(features))
    wrong = np.flatnonzero(~(np.abs(features) <= LARGEST_ENTRY).all(axis=1))
    if wrong.size:
        raise InvalidInputError(
            f"row {wrong[0]} of X holds NaN, infinity or an entry above {LARGEST_ENTRY:g}; remove or recompute that "
            "environment."
        )
    strange = numbers[(numbers < 0) | (numbers > _LARGEST_SPECIES)]
    if strange.size:
        raise InvalidInputError(f"species holds {strange[0]}; numbers of species go from 0 to {_LARGEST_SPECIES}.")
    return features, numbers


def _checked_energies(given: ArrayLike, n_structures: int) -> Array:
    energies = as_vector("energies", given)
    if len(energies) != n_structures:
        raise InvalidInputError(
            f"energies holds {len(energies)} numbers for {n_structures} structures; give one for each."
        )
    wrong = np.flatnonzero(~(np.abs(energies) <= LARGEST_ENTRY))
    if wrong.size:
        raise InvalidInputError(
            f"the energy of structure {wrong[0]} is {energies[wrong[0]]}; it must be finite and at most "
            f"{LARGEST_ENTRY:g}."
        )
    return energies


def _as_baseline(given: Mapping[int, float] | None) -> dict[int, float] | None:
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise InvalidInputError(f"baseline is a {type(given).__name__}; give a dictionary such as {{14: -158.5}}.")
    return {
        as_count("a species of the baseline", s): as_number(f"the baseline of species {s}", energy)
        for s, energy in given.items()
    }
