"""From training structures to a fitted model, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import Array, as_count, as_number, as_pairs
from .._errors import InvalidInputError
from ..models import _active_set
from ..models._basis import Basis, normalised
from ..models._fit import as_positive, fit, provenance_of
from ..models._local_model import LocalModel, Loss
from ..models._training import structure_rows
from . import _frames
from ._training_set import TrainingSet

if TYPE_CHECKING:
    from ase import Atoms

    from ..descriptors._soap import Soap

Indices = NDArray[np.int64]

#: Called when a piece of work is done, with the name of its kind, and how many of how many atoms are done.
Progress = Callable[[str, int, int], None]


def no_progress(stage: str, done: int, total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Problem:
    """What is to be fitted, and how, as far as all models have it in common: checked, and before any descriptor."""

    soap: Soap
    training: TrainingSet
    regularizer: float
    loss: Loss
    baseline: dict[int, float] | None
    provenance: dict[str, Any]
    n_threads: int
    progress: Progress

    @classmethod
    def checked(
        cls,
        frames: Iterable[Atoms],
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
    ) -> Problem:
        """Arguments of `fit`, as they were given."""
        from ..descriptors._hypers import checked_hypers
        from ..descriptors._soap import Soap

        threads, mu = as_count("n_threads", n_threads), as_positive("regularizer", regularizer)
        cutoff = checked_hypers(hypers)["cutoff"]["radius"]
        training = TrainingSet.from_frames(frames, cutoff=cutoff, weights=weights, loss=loss, energy_key=energy_key)
        of_species = training.baseline(_by_species(baseline), baseline)
        facts = _facts_of(training, energy_key, provenance)
        return cls(Soap(hypers, training.species), training, mu, loss, of_species, facts, threads, progress)


def fit_local_model(basis: Basis, problem: Problem, further_facts: dict[str, Any]) -> LocalModel:
    """Accumulate the rows of all structures, factorise, and make what scoring needs."""
    local = fit(
        basis,
        _rows(basis, problem),
        problem.training,
        regularizer=problem.regularizer,
        loss=problem.loss,
        baseline=problem.baseline,
        provenance=problem.provenance | further_facts,
        n_threads=problem.n_threads,
    )
    problem.progress("factorising", 1, 1)
    return local


def _rows(basis: Basis, problem: Problem) -> Iterator[Array]:
    """Rows X_A, a batch of structures at a time; when the last one was taken, factorising begins."""
    soap, training, progress = problem.soap, problem.training, problem.progress
    for first, batch in _frames.batches(training.frames, _frames.batch_limit(soap.n_features)):
        done, total = int(training.first[first + len(batch)]), int(training.first[-1])
        features = basis.prepare(soap.compute(batch))
        progress("rows: descriptors", done, total)
        sizes = [len(frame) for frame in batch]
        of_frames = np.split(features, np.cumsum(sizes)[:-1])
        yield structure_rows(basis, of_frames, [frame.numbers for frame in batch], problem.n_threads)
        progress("rows: kernels and sums", done, total)
    progress("factorising", 0, 1)


def _by_species(given: Mapping[Any, float] | None) -> dict[int, float] | None:
    """A baseline by atomic numbers."""
    from ..descriptors._elements import by_atomic_number

    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise InvalidInputError(f"baseline is a {type(given).__name__}; give a dictionary such as {{'Si': -158.5}}.")
    return {s: as_number("baseline", energy) for s, energy in by_atomic_number("baseline", given).items()}


def sampled_active_set(
    problem: Problem, n_active: int | Mapping[Any, int], seed: int
) -> tuple[dict[int, Array], dict[str, Any]]:
    """Active features of each species by farthest-point sampling, and the facts for the provenance."""
    from ..descriptors._elements import symbol

    training = problem.training
    asked, wanted = _wanted_counts(training, n_active)
    sample = _active_set.sampled(training.numbers, wanted, partial(_features_of, problem), seed, problem.n_threads)
    problem.progress("active set: farthest points", sample.size, asked)
    _active_set.note_fewer(sample.size, asked, stacklevel=3)
    facts = {
        "active_set": "farthest points",
        "n_active_asked": asked,
        "pool": {symbol(s): size for s, size in sample.pool.items()},
        "seed": seed,
    }
    return sample.active, facts


def _wanted_counts(training: TrainingSet, n_active: int | Mapping[Any, int]) -> tuple[int, dict[int, int]]:
    """How many active environments are asked for, and how many of each species to look for."""
    from ..descriptors._elements import by_atomic_number, symbols

    available = {s: int(np.count_nonzero(training.numbers == s)) for s in training.species}
    if not isinstance(n_active, Mapping):
        count = _active_set.as_size(n_active)
        return count, _active_set.share_out(count, available)
    given = {s: as_count("n_active", count) for s, count in by_atomic_number("n_active", n_active).items()}
    if set(given) != set(available) or min(given.values()) < 1:
        raise InvalidInputError(
            f"n_active is {dict(n_active)}; give a positive number for each of {symbols(available)}, and for no other."
        )
    return sum(given.values()), {s: min(given[s], available[s]) for s in training.species}


def given_active_set(problem: Problem, pairs: ArrayLike) -> tuple[dict[int, Array], dict[str, Any]]:
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
    numbers = training.numbers[ascending]
    without = np.flatnonzero(~features.any(axis=1))
    if without.size:
        a = int(np.searchsorted(training.first, ascending[without[0]], side="right")) - 1
        atom = int(ascending[without[0]] - training.first[a])
        raise InvalidInputError(f"active_set names atom {atom} of frame {a}, which has no neighbours and no features.")
    active = {s: features[numbers == s] for s in training.species}
    return active, {"active_set": "given", "n_active_asked": len(environments)}


def _features_of(problem: Problem, environments: Indices) -> Array:
    """Normalised features of chosen environments, given in ascending order."""
    soap, training = problem.soap, problem.training
    bounds = np.searchsorted(environments, training.first)
    atoms = {
        int(a): environments[bounds[a] : bounds[a + 1]] - training.first[a] for a in np.flatnonzero(np.diff(bounds))
    }
    with_any = list(atoms)
    parts: list[Array] = []
    limit = _frames.batch_limit(soap.n_features)
    for start, batch in _frames.batches([training.frames[a] for a in with_any], limit):
        numbers = with_any[start : start + len(batch)]
        parts.append(normalised(soap.compute(batch, [atoms[a] for a in numbers])))
        problem.progress("active set: descriptors", int(bounds[numbers[-1] + 1]), len(environments))
    return np.concatenate(parts)


def _facts_of(training: TrainingSet, energy_key: str | None, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """What every provenance says, after what the caller wants it to say."""
    import featomic

    return provenance_of(training, given) | {
        "featomic_version": featomic.__version__,
        "energy_key": None if training.energies is None else energy_key,
    }
