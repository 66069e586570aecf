"""The problem of a fit, and its passes: the active set, the rows, and the scores of the training environments."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import Array
from .._errors import InvalidInputError, LprWarning
from .._progress import Progress
from . import _active_set
from ._active_set import ActiveFeatures, Pool
from ._basis import Basis, LinearBasis, SparseKernelBasis
from ._batches import Batch, rows_of
from ._fit import ModelFacts, adding, solved, sums_of, warn_of_labels
from ._held import holding, mean_rows
from ._leave_one_out import Blocks
from ._memory import check_memory, largest_pool, needed, pool_bytes
from ._reference import UNLIKE_PERCENT, Reference, reference_of, with_reference
from ._regularizer import needs_rows, with_chosen_regularizer
from ._row_sums import RowSums
from ._rows import Rows
from ._rows_file import spooled_rows
from ._settings import FitSettings
from ._structures import Structures

Indices = NDArray[np.int64]

# A limit of residuals that rises by a larger factor with another training set is worth a warning, unless it stays below
# a hundredth of the prior variance: the active set sees such environments.
_LARGEST_RISE = 2.0
_SEEN = 0.01


class Environments(Protocol):
    """Source of the features of training environments, which are numbered in the order of the structures."""

    @property
    def n_features(self) -> int:
        """D."""
        ...

    def features(self, environments: Indices) -> Iterator[Array]:
        """Yield batches of features of environments, given in ascending order."""
        ...

    def batches(self, start: int, report: Callable[[str, int], None]) -> Iterator[Batch]:
        """Yield batches of structures from number `start` on.

        `report` is called with the name of the stage and the number of structures done.
        """
        ...

    def species(self, environments: Indices) -> Indices:
        """Return the species of the centres."""
        ...

    def name(self, environment: int) -> str:
        """Return the name of an environment in messages."""
        ...

    def label(self, species: int) -> str:
        """Return the name of a species in messages and files."""
        ...


# Yields batches of features of some environments, given in ascending order.
Describe: TypeAlias = Callable[[Environments, Indices], Iterator[Array]]


def described_here(environments: Environments, chosen: Indices) -> Iterator[Array]:
    """Yield batches of features of some environments, computed in this process."""
    return environments.features(chosen)


@dataclass(frozen=True)
class Elsewhere:
    """Structures that are not fitted to, but whose environments are in the pool."""

    structures: Structures
    environments: Environments


@dataclass(frozen=True)
class Problem:
    """Structures and settings of a fit, checked, before anything is described.

    Attributes
    ----------
    pool : Pool or None
        Environments to choose the active set from: of the structures, followed by those of `elsewhere`.
    given : numpy.ndarray of int, or None
        The active set, ascending, if the caller gave it.
    held : sequence of (numpy.ndarray, numpy.ndarray)
        Features and species of structures whose mean of phi is held, in addition to the means of the species.
    elsewhere : Elsewhere or None
        Further structures whose environments are in the pool, numbered after those of the training set.
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
        """Numbers of environments of each species that may become active."""
        of_fit = self.structures.available
        of_others = {} if self.elsewhere is None else self.elsewhere.structures.available
        return {s: count + of_others.get(s, 0) for s, count in of_fit.items()}

    def features(self, describe: Describe, environments: Indices) -> Iterator[Array]:
        """Yield batches of features of environments, given in ascending order."""
        own, others = np.split(environments, [np.searchsorted(environments, self.structures.n_environments)])
        if len(own):
            yield from describe(self.environments, own)
        if len(others):
            assert self.elsewhere is not None
            yield from describe(self.elsewhere.environments, others - self.structures.n_environments)

    def places(self, environments: Indices) -> Indices:
        """Return structure and atom of each environment, (n, 2); structure k of `elsewhere` has number -1 - k."""
        if self.elsewhere is None:
            return self.structures.places(environments)
        places = np.empty((len(environments), 2), dtype=np.int64)
        is_own = environments < self.structures.n_environments
        places[is_own] = self.structures.places(environments[is_own])
        others = self.elsewhere.structures.places(environments[~is_own] - self.structures.n_environments)
        places[~is_own] = others * [-1, 1] - [1, 0]
        return places


def fit(problem: Problem, *, stacklevel: int) -> _core.Model:
    """Fit the model, in all passes; warnings point `stacklevel` calls up."""
    warn_of_labels(problem.structures, is_fitted=problem.settings.baseline is None, stacklevel=stacklevel)
    basis, facts = basis_of(problem, described_here, stacklevel=stacklevel + 1)
    sums = sums_of(basis, problem.facts)
    with spooled_rows(basis, is_needed=needs_rows(problem.settings, problem.facts)) as spool:
        for rows in adding(sums, rows_from(0, basis, problem), problem.facts, problem.settings.n_threads):
            spool.write(rows)
        model = finished(problem, basis, sums, facts, spool.blocks, stacklevel=stacklevel + 1)
    return referenced(problem, model, stacklevel=stacklevel + 1)


def finished(
    problem: Problem,
    basis: Basis,
    sums: RowSums,
    further: Mapping[str, Any],
    blocks: Blocks,
    *,
    stacklevel: int,
) -> _core.Model:
    """Return the model from the sums of all rows; `blocks` yields the rows again to choose the regularizer."""
    is_chosen = needs_rows(problem.settings, problem.facts)
    if is_chosen:
        problem.progress("choosing the regularizer", 0, 1)
    settings, facts = with_chosen_regularizer(
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


def referenced(problem: Problem, model: _core.Model, *, stacklevel: int) -> _core.Model:
    """Return the model with the scores of its training environments as reference; warnings as for `fit`."""
    reference = Reference()
    for part, _ in references_from(0, problem, model):
        reference.merge(part)
    warn_of_risen_limits(problem, reference, stacklevel=stacklevel)
    return with_reference(model, reference)


def warn_of_risen_limits(problem: Problem, reference: Reference, *, stacklevel: int) -> None:
    """Warn if the training set has environments that the active set, of another model, misses.

    Their residuals raise the limit of ``unlike``, so that atoms pass for pinned whose residuals have not changed.
    """
    active = problem.settings.active_set
    if not isinstance(active, ActiveFeatures):
        return
    now = reference.unlike_limits(UNLIKE_PERCENT)
    risen = [
        f"from {before:.3g} to {now[s]:.3g} ({problem.environments.label(s)})"
        for s, before in sorted(active.unlike_limits.items())
        if s in now and now[s] > max(_LARGEST_RISE * before, _SEEN)
    ]
    if risen:
        warnings.warn(
            f"the residual above which an atom is 'unlike' rose {', '.join(risen)}: the new structures are in the "
            "training set, but the active set does not see them; choose active environments from them too "
            "(n_active, --n-active, in place of that active set).",
            LprWarning,
            stacklevel=stacklevel + 1,
        )


def references_from(start: int, problem: Problem, model: _core.Model) -> Iterator[tuple[Reference, int]]:
    """Yield the reference of each batch from structure `start` on, and the number of the next structure."""
    for batch in problem.environments.batches(start, _no_report):
        weights = problem.structures.weights[start : start + len(batch)]
        start += len(batch)
        yield reference_of(model, batch.features, batch.species, weights, problem.settings.n_threads), start
        report_scored(problem, start)


def report_scored(problem: Problem, n_structures: int) -> None:
    """Report that the environments of `n_structures` structures are scored."""
    structures = problem.structures
    problem.progress("training environments: scored", int(structures.first[n_structures]), structures.n_environments)


def _no_report(stage: str, done: int) -> None:
    """Report nothing."""


def rows_from(start: int, basis: Basis, problem: Problem) -> Iterator[Rows]:
    """Yield blocks of rows of structures from number `start` on."""
    first, n_environments = problem.structures.first, problem.structures.n_environments

    def report(stage: str, n_structures: int) -> None:
        problem.progress(stage, int(first[n_structures]), n_environments)

    for batch in problem.environments.batches(start, report):
        for rows in rows_of(basis, batch, problem.structures, start, problem.settings.n_threads):
            yield rows
            report("rows: kernels and sums", rows.reached)
        start += len(batch)


def basis_of(problem: Problem, describe: Describe, *, stacklevel: int) -> tuple[Basis, dict[str, Any]]:
    """Return the basis, and facts for the provenance; `describe` describes the active set."""
    settings = problem.settings
    size, wanted = expected(problem)
    check_memory(settings.memory, wanted, size, problem.environments.n_features, stacklevel=stacklevel)
    if settings.kind == "linear":
        return LinearBasis(problem.structures.species, problem.environments.n_features), {}
    basis, facts = _active_basis(problem, describe, stacklevel + 1)
    if basis.size == 0:
        raise InvalidInputError(
            "the features of all training environments are zero, as for atoms without neighbours; check cells and "
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
    """Return the number of weights that the fit will have, and the bytes that it will need."""
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
    """Choose the active set of each species by farthest-point sampling from the pool."""
    assert problem.pool is not None
    asked, wanted = _wanted_counts(problem)
    _active_set.warn_of_few(sum(wanted.values()), asked, stacklevel=stacklevel)
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
    _active_set.warn_of_equal(sample.size, sum(wanted.values()), stacklevel=stacklevel)
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
    """Return the requested number of active environments, and the number to choose of each species."""
    n_active, available = problem.settings.n_active, problem.available
    if not isinstance(n_active, Mapping):
        assert n_active is not None
        return n_active, _active_set.share_out(n_active, available)
    if set(n_active) != set(available) or min(n_active.values()) < 1:
        shown, there = (", ".join(map(problem.environments.label, names)) for names in (n_active, available))
        raise InvalidInputError(
            f"n_active has numbers for {shown}; give a positive number for each of {there}, and for no others."
        )
    return sum(n_active.values()), {s: min(n_active[s], available[s]) for s in problem.structures.species}


def _taken(problem: Problem, active: ActiveFeatures) -> _Chosen:
    """Return the basis with the active set of another model, which is of unknown structures."""
    descriptor = problem.facts.descriptor
    facts, environments = None if descriptor is None else descriptor.facts, problem.environments
    active.refuse_others(problem.structures.species, environments.n_features, facts, environments.label)
    nowhere = np.full((active.size, 2), -1, dtype=np.int64)
    basis = SparseKernelBasis(dict(active.of_species), float(problem.settings.zeta), nowhere)
    return basis, {"active_set": "of another model", "n_active_asked": active.size}


def _given(problem: Problem, given: Indices, describe: Describe) -> _Chosen:
    """Return the basis with the active set that the caller gave."""
    found = np.concatenate(list(describe(problem.environments, given)))
    features = _core.normalised(found, problem.settings.n_threads)
    without = np.flatnonzero(~features.any(axis=1))
    if without.size:
        name = problem.environments.name(int(given[without[0]]))
        raise InvalidInputError(f"active_set has {name}, whose features are zero; leave it out.")
    species = problem.environments.species(given)
    active = {s: features[species == s] for s in problem.structures.species}
    places = problem.places(given[np.argsort(species, kind="stable")])
    facts = {"active_set": "given", "n_active_asked": len(given)}
    return SparseKernelBasis(active, float(problem.settings.zeta), places), facts
