"""What is to be fitted, and the passes: the active set, the rows, and how the training environments score."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import Array
from .._errors import InvalidInputError
from .._progress import Progress
from . import _active_set
from ._active_set import ActiveFeatures, Pool
from ._basis import Basis, LinearBasis, SparseKernelBasis
from ._batches import Batch, rows_of
from ._fit import ModelFacts, adding, solved, sums_of, warn_of_labels
from ._held import holding, mean_rows
from ._leave_one_out import Blocks
from ._memory import largest_pool, needed, pool_bytes, refuse_too_little
from ._reference import Reference, reference_of, with_reference
from ._regularizer import needs_rows, settled
from ._row_sums import RowSums
from ._rows import Rows
from ._rows_file import spooled_rows
from ._settings import FitSettings
from ._structures import Structures

Indices = NDArray[np.int64]


class Environments(Protocol):
    """Where the features of training environments come from, by numbers that count them structure by structure."""

    @property
    def n_features(self) -> int:
        """D."""
        ...

    def features(self, environments: Indices) -> Iterator[Array]:
        """Features of environments, given in ascending order, a batch at a time."""
        ...

    def batches(self, start: int, report: Callable[[str, int], None]) -> Iterator[Batch]:
        """Structures from number `start` on, a batch at a time.

        `report` is told the name of what is done, and the number of structures that it is done for.
        """
        ...

    def species(self, environments: Indices) -> Indices:
        """Species of the centres."""
        ...

    def name(self, environment: int) -> str:
        """What messages call an environment."""
        ...

    def label(self, species: int) -> str:
        """What messages and files call a species."""
        ...


# Features of some of these environments, given in ascending order, a batch at a time.
Describe: TypeAlias = Callable[[Environments, Indices], Iterator[Array]]


def described_here(environments: Environments, chosen: Indices) -> Iterator[Array]:
    """Features of some of these environments, in this process."""
    return environments.features(chosen)


@dataclass(frozen=True)
class Elsewhere:
    """Structures that are not fitted to, but whose environments may become active."""

    structures: Structures
    environments: Environments


@dataclass(frozen=True)
class Problem:
    """What is to be fitted, and how: checked, and before anything is described.

    Attributes
    ----------
    pool : Pool or None
        Environments that the active set is to be chosen from: of the structures, and then of those elsewhere.
    given : numpy.ndarray of int, or None
        The active set, ascending, if the caller has chosen it.
    held : sequence of (numpy.ndarray, numpy.ndarray)
        Features and species of structures whose mean of phi is held beside those of the species.
    elsewhere : Elsewhere or None
        Further structures whose environments are in the pool; their environments are counted on behind the others.
    """

    structures: Structures
    environments: Environments
    settings: FitSettings
    facts: ModelFacts
    progress: Progress
    pool: Pool | None = None
    given: Indices | None = None
    held: Sequence[tuple[Array, Indices]] = ()
    elsewhere: Elsewhere | None = None

    @property
    def available(self) -> dict[int, int]:
        """Environments of each species that may become active."""
        of_fit = self.structures.available
        of_others = {} if self.elsewhere is None else self.elsewhere.structures.available
        return {s: count + of_others.get(s, 0) for s, count in of_fit.items()}

    def features(self, describe: Describe, environments: Indices) -> Iterator[Array]:
        """Features of environments, ascending, a batch at a time."""
        own, others = np.split(environments, [np.searchsorted(environments, self.structures.n_environments)])
        if len(own):
            yield from describe(self.environments, own)
        if len(others):
            assert self.elsewhere is not None
            yield from describe(self.elsewhere.environments, others - self.structures.n_environments)

    def places(self, environments: Indices) -> Indices:
        """Structure and atom of each environment, (n, 2); structure k of those elsewhere has number -1 - k."""
        if self.elsewhere is None:
            return self.structures.places(environments)
        places = np.empty((len(environments), 2), dtype=np.int64)
        is_own = environments < self.structures.n_environments
        places[is_own] = self.structures.places(environments[is_own])
        others = self.elsewhere.structures.places(environments[~is_own] - self.structures.n_environments)
        places[~is_own] = others * [-1, 1] - [1, 0]
        return places


def fit(problem: Problem, *, stacklevel: int) -> _core.Model:
    """All passes, and what scoring needs; warnings point `stacklevel` calls up."""
    warn_of_labels(problem.structures, is_fitted=problem.settings.baseline is None, stacklevel=stacklevel)
    basis, facts = basis_of(problem, described_here, stacklevel=stacklevel + 1)
    sums = sums_of(basis, problem.facts)
    with spooled_rows(basis, is_needed=needs_rows(problem.settings, problem.facts)) as spool:
        for rows in adding(sums, rows_from(0, basis, problem), problem.facts, problem.settings.n_threads):
            spool.write(rows)
        model = finished(problem, basis, sums, facts, spool.blocks, stacklevel=stacklevel + 1)
    return referenced(problem, model)


def finished(
    problem: Problem,
    basis: Basis,
    sums: RowSums,
    further: Mapping[str, Any],
    blocks: Blocks,
    *,
    stacklevel: int,
) -> _core.Model:
    """The model, when all rows are in; `blocks` runs through them again, where the regularizer is to be chosen."""
    is_chosen = needs_rows(problem.settings, problem.facts)
    if is_chosen:
        problem.progress("choosing the regularizer", 0, 1)
    settings, facts = settled(
        basis,
        sums.accumulator,
        problem.settings,
        problem.facts.with_provenance(further),
        blocks,
        stacklevel=stacklevel + 1,
    )
    if is_chosen:
        problem.progress("choosing the regularizer", 1, 1)
    problem.progress("factorising", 0, 1)
    model = solved(basis, sums, settings, facts, stacklevel=stacklevel + 1)
    if problem.held:
        model = holding(model, mean_rows(basis, problem.held, settings.n_threads), settings.n_threads)
    problem.progress("factorising", 1, 1)
    return model


def referenced(problem: Problem, model: _core.Model) -> _core.Model:
    """The model with how its training environments score."""
    reference = Reference()
    for part, _ in references_from(0, problem, model):
        reference.merge(part)
    return with_reference(model, reference)


def references_from(start: int, problem: Problem, model: _core.Model) -> Iterator[tuple[Reference, int]]:
    """How environments from structure `start` on score, a batch at a time, and the structure that is next."""
    for batch in problem.environments.batches(start, _tell_nobody):
        weights = problem.structures.weights[start : start + len(batch)]
        start += len(batch)
        yield reference_of(model, batch.features, batch.species, weights, problem.settings.n_threads), start
        tell_scored(problem, start)


def tell_scored(problem: Problem, n_structures: int) -> None:
    """Report that the environments of so many structures are scored."""
    structures = problem.structures
    problem.progress("training environments: scored", int(structures.first[n_structures]), structures.n_environments)


def _tell_nobody(stage: str, done: int) -> None:
    """Report nothing."""


def rows_from(start: int, basis: Basis, problem: Problem) -> Iterator[Rows]:
    """Rows of structures from number `start` on, some structures at a time."""
    first, n_environments = problem.structures.first, problem.structures.n_environments

    def report(stage: str, n_structures: int) -> None:
        problem.progress(stage, int(first[n_structures]), n_environments)

    for batch in problem.environments.batches(start, report):
        for rows in rows_of(basis, batch, problem.structures, start, problem.settings.n_threads):
            yield rows
            report("rows: kernels and sums", rows.reached)
        start += len(batch)


def basis_of(problem: Problem, describe: Describe, *, stacklevel: int) -> tuple[Basis, dict[str, Any]]:
    """What the weights multiply, and the facts for the provenance; the active set is described by `describe`."""
    settings = problem.settings
    size, wanted = expected(problem)
    refuse_too_little(settings.memory, wanted, size, problem.environments.n_features)
    if settings.kind == "linear":
        return LinearBasis(problem.structures.species, problem.environments.n_features), {}
    basis, facts = _active_basis(problem, describe, stacklevel + 1)
    if basis.size == 0:
        raise InvalidInputError(
            "no training environment has any features: all are zero, as of atoms without neighbours; check cells and "
            "units, or increase the cutoff."
        )
    return basis, facts


def _active_basis(problem: Problem, describe: Describe, stacklevel: int) -> tuple[SparseKernelBasis, dict[str, Any]]:
    if isinstance(problem.settings.active_set, ActiveFeatures):
        return _taken(problem, problem.settings.active_set)
    if problem.given is not None:
        return _given(problem, problem.given, describe)
    return _sampled(problem, describe, stacklevel + 1)


def expected(problem: Problem) -> tuple[int, int]:
    """The number of weights that a fit is going to have, and the bytes that it is going to take."""
    structures, n_features, active = problem.structures, problem.environments.n_features, problem.settings.active_set
    wanted: dict[int, int] = {}
    if problem.settings.kind == "linear":
        size = n_features * len(structures.species)
    elif isinstance(active, ActiveFeatures):
        size = active.size
    elif problem.given is not None:
        size = len(problem.given)
    else:
        _, wanted = _wanted_counts(problem)
        size = sum(wanted.values())
    of_pool = largest_pool(problem.available, n_features, wanted)
    return size, needed(structures, n_features, size) + of_pool


_Chosen: TypeAlias = tuple[SparseKernelBasis, dict[str, Any]]


def _sampled(problem: Problem, describe: Describe, stacklevel: int) -> _Chosen:
    """Active features of each species by farthest-point sampling from the pool."""
    assert problem.pool is not None
    asked, wanted = _wanted_counts(problem)
    pools = problem.pool.drawn(wanted)
    total = sum(map(len, pools.values()))

    def report(done: int) -> None:
        problem.progress("active set: descriptors", done, total)

    settings, n_features = problem.settings, problem.environments.n_features
    cap = pool_bytes(problem.structures, problem.available, n_features, wanted, settings.memory)
    sample = _active_set.sampled(
        pools, wanted, partial(problem.features, describe), n_features, cap, settings.n_threads, report
    )
    problem.progress("active set: farthest points", sample.size, asked)
    _active_set.note_fewer(sample.size, asked, stacklevel=stacklevel)
    sizes = {problem.environments.label(s): size for s, size in sample.pool.items()}
    facts = {"active_set": "farthest points", "n_active_asked": asked, "pool": sizes, "seed": problem.pool.seed}
    if problem.elsewhere is not None:
        facts["active_from"] = {
            "n_structures": len(problem.elsewhere.structures),
            "n_environments": problem.elsewhere.structures.n_environments,
        }
    places = problem.places(np.concatenate(list(sample.environments.values())))
    return SparseKernelBasis(sample.active, float(settings.zeta), places), facts


def _wanted_counts(problem: Problem) -> tuple[int, dict[int, int]]:
    """How many active environments are asked for, and how many of each species to look for."""
    n_active, available = problem.settings.n_active, problem.available
    if not isinstance(n_active, Mapping):
        assert n_active is not None
        return n_active, _active_set.share_out(n_active, available)
    if set(n_active) != set(available) or min(n_active.values()) < 1:
        shown, there = (", ".join(map(problem.environments.label, names)) for names in (n_active, available))
        raise InvalidInputError(
            f"n_active has numbers for {shown}; give a positive number for each of {there}, and for no other."
        )
    return sum(n_active.values()), {s: min(n_active[s], available[s]) for s in problem.structures.species}


def _taken(problem: Problem, active: ActiveFeatures) -> _Chosen:
    """The active set of another model, of which no structure here is known to have an environment."""
    descriptor = problem.facts.descriptor
    facts, environments = None if descriptor is None else descriptor.facts, problem.environments
    active.refuse_others(problem.structures.species, environments.n_features, facts, environments.label)
    nowhere = np.full((active.size, 2), -1, dtype=np.int64)
    basis = SparseKernelBasis(dict(active.of_species), float(problem.settings.zeta), nowhere)
    return basis, {"active_set": "of another model", "n_active_asked": active.size}


def _given(problem: Problem, given: Indices, describe: Describe) -> _Chosen:
    """Active features of the environments that the caller names."""
    found = np.concatenate(list(describe(problem.environments, given)))
    features = _core.normalised(found, problem.settings.n_threads)
    without = np.flatnonzero(~features.any(axis=1))
    if without.size:
        name = problem.environments.name(int(given[without[0]]))
        raise InvalidInputError(f"active_set names {name}, which has no neighbours and no features.")
    species = problem.environments.species(given)
    active = {s: features[species == s] for s in problem.structures.species}
    places = problem.places(given[np.argsort(species, kind="stable")])
    facts = {"active_set": "given", "n_active_asked": len(given)}
    return SparseKernelBasis(active, float(problem.settings.zeta), places), facts
