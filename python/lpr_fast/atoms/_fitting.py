"""From training structures to a fitted model, batch by batch."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._accumulator import HessianAccumulator
from .._arrays import Array, as_count, as_number, as_pairs
from .._errors import InvalidInputError, LprWarning, NotPositiveDefiniteError
from .._rigidity import Rigidity
from ..models import _active_set
from ..models._basis import Basis, SparseKernelBasis, normalised
from ..models._local_model import LocalModel, Loss
from ..models._training import fit_baseline, structure_rows
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
        of_species = _baseline_of(training, baseline)
        facts = _facts_of(training, energy_key, provenance)
        return cls(Soap(hypers, training.species), training, mu, loss, of_species, facts, threads, progress)


def fit_local_model(basis: Basis, problem: Problem, further_facts: dict[str, Any]) -> LocalModel:
    """Accumulate the rows of all structures, factorise, and make what scoring needs."""
    soap, training, n_threads, progress = problem.soap, problem.training, problem.n_threads, problem.progress
    targets = _targets(training, problem.baseline)
    accumulator = HessianAccumulator(basis.size, labelled=targets is not None)
    for first, batch in _frames.batches(training.frames, soap.n_features):
        features = basis.prepare(soap.compute(batch))
        chosen = slice(first, first + len(batch))
        progress("rows: descriptors", int(training.first[chosen.stop]), int(training.first[-1]))
        sizes = [len(frame) for frame in batch]
        of_frames = np.split(features, np.cumsum(sizes)[:-1])
        rows = structure_rows(basis, of_frames, [frame.numbers for frame in batch], n_threads)
        accumulator.add(
            rows, training.weights[chosen], targets=None if targets is None else targets[chosen], n_threads=n_threads
        )
        progress("rows: kernels and sums", int(training.first[chosen.stop]), int(training.first[-1]))
    progress("factorising", 0, 1)
    prior = basis.prior(n_threads)
    try:
        rigidity = Rigidity._build(accumulator, prior, problem.regularizer, n_threads, stacklevel=4)
    except NotPositiveDefiniteError as error:
        if isinstance(basis, SparseKernelBasis) and not basis.zeta.is_integer():
            raise InvalidInputError(
                f"with zeta = {basis.zeta:g} the kernel is not positive definite on these environments; use an integer."
            ) from error
        raise
    local = LocalModel.assemble(
        basis,
        rigidity,
        prior,
        baseline=problem.baseline,
        loss=problem.loss,
        provenance=problem.provenance | further_facts,
        n_threads=n_threads,
    )
    progress("factorising", 1, 1)
    return local


def _targets(training: TrainingSet, baseline: dict[int, float] | None) -> Array | None:
    """What is left of the energies without the baseline."""
    if training.energies is None or baseline is None:
        return None
    of_species = np.array([baseline[s] for s in training.species])
    targets: Array = training.energies - (training.counts * of_species).sum(axis=1)
    return targets


def _baseline_of(training: TrainingSet, given: Mapping[Any, float] | None) -> dict[int, float] | None:
    """Energy of each species to be taken off first; None without energies."""
    from ..descriptors._elements import by_atomic_number, symbols

    if training.energies is None:
        if given is not None:
            raise InvalidInputError("a baseline was given, but the frames have no energies; leave it out.")
        return None
    if given is None:
        fitted = fit_baseline(training.counts, training.energies, training.weights)
        return dict(zip(training.species, map(float, fitted), strict=True))
    if not isinstance(given, Mapping):
        raise InvalidInputError(f"baseline is a {type(given).__name__}; give a dictionary such as {{'Si': -158.5}}.")
    values = {s: as_number("baseline", energy) for s, energy in by_atomic_number("baseline", given).items()}
    if set(values) != set(training.species) or not np.isfinite(list(values.values())).all():
        raise InvalidInputError(
            f"the baseline is {dict(given)}; give one finite energy for each of {symbols(training.species)}, "
            "and for no other."
        )
    return {s: values[s] for s in training.species}


def sampled_active_set(
    problem: Problem, n_active: int | Mapping[Any, int], seed: int
) -> tuple[dict[int, Array], dict[str, Any]]:
    """Active features of each species by farthest-point sampling, and the facts for the provenance."""
    from ..descriptors._elements import symbol

    training = problem.training
    asked, wanted = _wanted_counts(training, n_active)
    pools = {
        s: _active_set.draw(np.flatnonzero(training.numbers == s), _active_set.pool_size(count), seed)
        for s, count in wanted.items()
    }
    pool = np.sort(np.concatenate(list(pools.values())))
    features, numbers = _features_of(problem, pool), training.numbers[pool]
    active = {}
    for s, count in wanted.items():
        of_species = features[numbers == s]
        active[s] = of_species[_active_set.choose(of_species, count, problem.n_threads)]
        problem.progress("active set: farthest points", sum(map(len, active.values())), asked)
    found = sum(map(len, active.values()))
    if found < asked:
        message = f"the active set has {found} environments, not {asked}: no others in the pool differ from these."
        warnings.warn(message, LprWarning, stacklevel=3)
    facts = {
        "active_set": "farthest points",
        "n_active_asked": asked,
        "pool": {symbol(s): len(pool) for s, pool in pools.items()},
        "seed": seed,
    }
    return active, facts


def _wanted_counts(training: TrainingSet, n_active: int | Mapping[Any, int]) -> tuple[int, dict[int, int]]:
    """How many active environments are asked for, and how many of each species to look for."""
    from ..descriptors._elements import by_atomic_number, symbols

    available = {s: int(np.count_nonzero(training.numbers == s)) for s in training.species}
    if not isinstance(n_active, Mapping):
        count = as_count("n_active", n_active)
        if count < 1:
            raise InvalidInputError(f"n_active is {count}; it must be positive.")
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
    for start, batch in _frames.batches([training.frames[a] for a in with_any], soap.n_features):
        numbers = with_any[start : start + len(batch)]
        parts.append(normalised(soap.compute(batch, [atoms[a] for a in numbers])))
        problem.progress("active set: descriptors", int(bounds[numbers[-1] + 1]), len(environments))
    return np.concatenate(parts)


def refuse_empty(basis: SparseKernelBasis) -> None:
    """Throw when there is no active environment at all."""
    if basis.size == 0:
        raise InvalidInputError(
            "no training environment has any features, because all atoms are isolated; check cells and units, or "
            "increase the cutoff."
        )


def as_positive(name: str, value: Any) -> float:
    """A finite positive number."""
    number = as_number(name, value)
    if not (np.isfinite(number) and number > 0.0):
        raise InvalidInputError(f"{name} is {number:g}; it must be finite and positive.")
    return number


def as_seed(seed: Any) -> int:
    """A number that a pool can be drawn by."""
    value = as_count("seed", seed)
    if value < 0:
        raise InvalidInputError(f"seed is {value}; it must not be negative.")
    return value


def _facts_of(training: TrainingSet, energy_key: str | None, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """What every provenance says, after what the caller wants it to say."""
    import featomic

    from .._core import __version__

    if given is not None and not isinstance(given, Mapping):
        raise InvalidInputError(f"provenance is a {type(given).__name__}; give a dictionary.")
    try:
        facts = dict(json.loads(json.dumps(dict(given or {}), allow_nan=False)))
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"provenance cannot be written as JSON ({error}); use numbers and text.") from error
    return facts | {
        "lpr_fast_version": __version__,
        "featomic_version": featomic.__version__,
        "n_structures": len(training.frames),
        "n_environments": len(training.numbers),
        "energy_key": None if training.energies is None else energy_key,
    }
