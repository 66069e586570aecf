"""From training structures to a fitted model, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from .._arrays import Array, as_count, as_number, as_pairs
from .._errors import InvalidInputError
from ..models import _active_set
from ..models._active_set import Pool
from ..models._basis import Basis, SparseKernelBasis
from ..models._fit import Terms, as_positive, fit, provenance_of, refuse_empty
from ..models._scores import Loss
from ._frames import Rereadable
from ._ranges import Chosen, features_of, rows_of
from ._soap_part import soap_part
from ._training_set import TrainingSet, counted_again, ignore

if TYPE_CHECKING:
    from ase import Atoms

    from ..descriptors._soap import Soap

Indices = NDArray[np.int64]

# Active features of each species, and the facts for the provenance.
ActiveSet: TypeAlias = tuple[dict[int, Array], dict[str, Any]]

#: Called when a piece of work is done, with the name of its kind, and how many of how many atoms are done.
Progress = Callable[[str, int, int], None]


def no_progress(stage: str, done: int, total: int | None) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Problem:
    """What is to be fitted, and how, as far as all models have it in common: checked, and before any descriptor."""

    soap: Soap
    training: TrainingSet
    terms: Terms
    progress: Progress

    @classmethod
    def checked(
        cls,
        frames: Iterable[Atoms] | Rereadable | TrainingSet,
        *,
        hypers: Mapping[str, Any],
        regularizer: float,
        loss: Loss,
        weights: ArrayLike | None,
        energy_key: str | None,
        baseline: Mapping[Any, float] | None,
        provenance: Mapping[str, Any] | None,
        n_threads: int,
        progress: Progress,
        pool: Pool | None = None,
        seen: Callable[[int], None] = ignore,
    ) -> Problem:
        """Arguments of `fit`, as they were given; the frames are looked through, unless that has been done.

        `pool` and `seen` are told of every frame: see `TrainingSet.from_frames`.
        """
        from ..descriptors._hypers import checked_hypers
        from ..descriptors._soap import Soap

        threads, mu = as_count("n_threads", n_threads), as_positive("regularizer", regularizer)
        cutoff = checked_hypers(hypers)["cutoff"]["radius"]
        training = (
            frames
            if isinstance(frames, TrainingSet)
            else TrainingSet.from_frames(
                frames, cutoff=cutoff, weights=weights, loss=loss, energy_key=energy_key, pool=pool, seen=seen
            )
        )
        of_species = training.baseline(_by_species(baseline), baseline)
        facts = _facts_of(training, energy_key, provenance)
        soap = Soap.from_hypers(hypers, training.species)
        return cls(soap, training, Terms(mu, loss, of_species, facts, threads, soap_part(soap)), progress)


def fitted(basis: Basis, problem: Problem, further_facts: dict[str, Any]) -> _core.Model:
    """Accumulate the rows of all structures, factorise, and make what scoring needs."""
    terms = problem.terms.with_facts(further_facts)
    model = fit(basis, rows_from(0, basis, problem), problem.training, terms)
    problem.progress("factorising", 1, 1)
    return model


def rows_from(start: int, basis: Basis, problem: Problem) -> Iterator[Array]:
    """Rows X_A from one structure on, a batch of structures at a time; after the last one, factorising begins."""
    training = problem.training

    def report(stage: str, n_structures: int) -> None:
        problem.progress(stage, int(training.first[start + n_structures]), training.n_environments)

    frames = counted_again(training.source, training.species, training.counts[start:], start)
    yield from rows_of(frames, problem.soap, basis, problem.terms.n_threads, report)
    problem.progress("factorising", 0, 1)


def _by_species(given: Mapping[Any, float] | None) -> dict[int, float] | None:
    """A baseline by atomic numbers."""
    from ..descriptors._elements import by_atomic_number

    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise InvalidInputError(f"baseline is a {type(given).__name__}; give a dictionary such as {{'Si': -158.5}}.")
    return {s: as_number("baseline", energy) for s, energy in by_atomic_number("baseline", given).items()}


def kernel_basis(active: Mapping[int, Array], zeta: float) -> SparseKernelBasis:
    """Kernels to an active set, which must not be empty."""
    basis = SparseKernelBasis(dict(active), zeta)
    refuse_empty(basis, "all atoms are isolated; check cells and units, or increase the cutoff")
    return basis


def pool_for(n_active: int | Mapping[Any, int], seed: int) -> Pool:
    """An empty pool with room for what so many active environments may be chosen from."""
    counts = n_active.values() if isinstance(n_active, Mapping) else [_active_set.as_size(n_active)]
    largest = max((as_count("n_active", count) for count in counts), default=0)
    return Pool(_active_set.pool_size(largest), seed)


def sampled_active_set(
    problem: Problem,
    n_active: int | Mapping[Any, int],
    pool: Pool,
    features_of: Callable[[Indices], Array] | None = None,
    *,
    stacklevel: int = 3,
) -> ActiveSet:
    """Active features of each species by farthest-point sampling from a pool, and the facts for the provenance.

    `features_of` describes environments, given in ascending order; by default this process does it.
    """
    from ..descriptors._elements import symbol

    asked, wanted = _wanted_counts(problem.training, n_active)
    describe = features_of or partial(_features_of, problem)
    sample = _active_set.sampled(pool.drawn(wanted), wanted, describe, problem.terms.n_threads)
    problem.progress("active set: farthest points", sample.size, asked)
    _active_set.note_fewer(sample.size, asked, stacklevel=stacklevel)
    facts = {
        "active_set": "farthest points",
        "n_active_asked": asked,
        "pool": {symbol(s): size for s, size in sample.pool.items()},
        "seed": pool.seed,
    }
    return sample.active, facts


def _wanted_counts(training: TrainingSet, n_active: int | Mapping[Any, int]) -> tuple[int, dict[int, int]]:
    """How many active environments are asked for, and how many of each species to look for."""
    from ..descriptors._elements import by_atomic_number, symbols

    available = training.available
    if not isinstance(n_active, Mapping):
        count = _active_set.as_size(n_active)
        return count, _active_set.share_out(count, available)
    given = {s: as_count("n_active", count) for s, count in by_atomic_number("n_active", n_active).items()}
    if set(given) != set(available) or min(given.values()) < 1:
        raise InvalidInputError(
            f"n_active is {dict(n_active)}; give a positive number for each of {symbols(available)}, and for no other."
        )
    return sum(given.values()), {s: min(given[s], available[s]) for s in training.species}


def given_active_set(problem: Problem, pairs: ArrayLike) -> ActiveSet:
    """Active features of the environments that the caller names by structure and atom."""
    training = problem.training
    chosen = as_pairs("active_set", pairs)
    sizes = np.diff(training.first)
    for a, i in chosen.tolist():
        if not (0 <= a < len(sizes) and 0 <= i < sizes[a]):
            raise InvalidInputError(f"active_set names atom {i} of frame {a}, which the training set does not have.")
    environments = training.first[chosen[:, 0]] + chosen[:, 1]
    if len(np.unique(environments)) < len(environments):
        raise InvalidInputError("active_set names an environment twice; name each once.")
    ascending = np.sort(environments)
    features = _features_of(problem, ascending)
    without = np.flatnonzero(~features.any(axis=1))
    if without.size:
        a = int(np.searchsorted(training.first, ascending[without[0]], side="right")) - 1
        atom = int(ascending[without[0]] - training.first[a])
        raise InvalidInputError(f"active_set names atom {atom} of frame {a}, which has no neighbours and no features.")
    numbers = _species_of(training, ascending)
    active = {s: features[numbers == s] for s in training.species}
    return active, {"active_set": "given", "n_active_asked": len(environments)}


def _features_of(problem: Problem, environments: Indices) -> Array:
    return np.concatenate(list(features_from(problem, environments)))


def features_from(problem: Problem, environments: Indices) -> Iterator[Array]:
    """Normalised features of chosen environments, given in ascending order, a batch of structures at a time."""

    def report(stage: str, done: int) -> None:
        problem.progress(stage, done, len(environments))

    return features_of(_chosen(problem.training, environments), problem.training.source, problem.soap, report)


def _species_of(training: TrainingSet, environments: Indices) -> Indices:
    """Their centres, by looking again: only chosen environments' are ever needed."""
    chosen = _chosen(training, environments)
    frames = counted_again(training.source, training.species, chosen.counts, chosen.first)
    return np.concatenate([f.numbers[chosen.atoms[place]] for place, f in enumerate(frames) if place in chosen.atoms])


def _chosen(training: TrainingSet, environments: Indices) -> Chosen:
    start, last = np.searchsorted(training.first, environments[[0, -1]], side="right") - 1
    return Chosen.among(training, environments, int(start), int(last) + 1)


def _facts_of(training: TrainingSet, energy_key: str | None, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """What every provenance says, after what the caller wants it to say."""
    import featomic

    return provenance_of(training, given) | {
        "featomic_version": featomic.__version__,
        "energy_key": None if training.energies is None else energy_key,
        "periodic": training.periodic,
    }
