"""Greedy choice of candidates, each with all earlier ones in H, and the effect of other choices.

A candidate is a block of rows. When it is taken, all others are conditioned on it (`_conditioning`), which is exact and
costs r operations for each pair of rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import Array
from .._conditioning import Step, quadratic_forms_after
from .._orthonormal import row_products
from .._whitening import squared_norms

Indices = NDArray[np.int64]

#: What to lower: the mean of the variances of the targets, the mean of their logarithms, or the largest variance.
Objective: TypeAlias = Literal["mean", "log", "lowest"]
OBJECTIVES: tuple[Objective, ...] = ("mean", "log", "lowest")

# Largest number of quadratic forms in memory.
_BLOCK_VALUES = 2**22


@dataclass(frozen=True)
class Blocks:
    """Rows of candidates, candidate by candidate.

    Attributes
    ----------
    rows : numpy.ndarray, shape (n_rows, r)
    first : numpy.ndarray of int, shape (n + 1,)
        First row of each candidate, and the number of all rows.
    """

    rows: Array
    first: Indices

    @classmethod
    def single(cls, rows: Array) -> Blocks:
        """Candidates of one row each."""
        return cls(rows, np.arange(len(rows) + 1))

    def __len__(self) -> int:
        """Return the number of candidates."""
        return len(self.first) - 1

    @property
    def sizes(self) -> Indices:
        """Number of rows of each candidate."""
        return np.diff(self.first)

    def of(self, candidate: int) -> slice:
        """The rows of a candidate."""
        return slice(int(self.first[candidate]), int(self.first[candidate + 1]))

    def numbers(self, candidates: Indices) -> Indices:
        """Numbers of the rows of some candidates, candidate by candidate."""
        nothing = np.zeros(0, dtype=np.int64)
        return np.concatenate([nothing, *(np.arange(self.first[c], self.first[c + 1]) for c in candidates.tolist())])

    def only(self, candidates: Indices) -> Blocks:
        """Some of the candidates; a copy."""
        return Blocks(self.rows[self.numbers(candidates)], np.concatenate([[0], np.cumsum(self.sizes[candidates])]))


class State(Protocol):
    """Targets and candidates, with the candidates that were taken so far in H."""

    @property
    def form(self) -> float:
        """The mean of the quadratic forms of the targets, by the objective."""
        ...

    def gains(self) -> Array:
        """By how much each candidate would lower `form`."""
        ...

    def take(self, candidate: int) -> None:
        """Put a candidate into H."""
        ...

    def form_with(self, candidates: list[int]) -> float:
        """The mean with some candidates in H; the state stays as it is."""
        ...

    def only(self, candidates: Indices) -> State:
        """A copy with some of the candidates."""
        ...


@dataclass
class MeanState:
    """The mean of any number of forms, by G = sum w z z^T over the targets.

    Attributes
    ----------
    blocks : Blocks
        Rows z of the candidates.
    y : numpy.ndarray, shape (n_rows, r)
        The same times G.
    moments : numpy.ndarray, shape (r, r)
        G.
    """

    blocks: Blocks
    y: Array
    moments: Array
    n_threads: int

    @classmethod
    def of(cls, blocks: Blocks, moments: Array, n_threads: int) -> MeanState:
        """The state of candidates and G (weights with sum 1), without copies."""
        return cls(blocks, row_products(blocks.rows, moments, n_threads), moments, n_threads)

    @property
    def form(self) -> float:
        """See `State`."""
        return float(np.trace(self.moments))

    def gains(self) -> Array:
        """See `State`: tr K^-1 Z G Z^T, K = 1 + Z Z^T; for a single row z^T G z / (1 + |z|^2)."""
        z, sizes = self.blocks.rows, self.blocks.sizes
        found = np.zeros(len(sizes))
        single = np.flatnonzero(sizes == 1)
        rows = self.blocks.first[:-1][single]
        found[single] = ((z * self.y).sum(axis=1) / (1.0 + squared_norms(z)))[rows]
        for candidate in np.flatnonzero(sizes > 1).tolist():
            of_block = self.blocks.of(candidate)
            factor = _with_one(z[of_block], self.n_threads)
            inverse = factor.whitened(np.eye(len(z[of_block])), self.n_threads)
            known = factor.whitened(row_products(z[of_block], self.y[of_block], self.n_threads), self.n_threads)
            found[candidate] = (inverse * known).sum()
        return found

    def take(self, candidate: int) -> None:
        """See `State`: z becomes T^T z, G becomes T^T G T, and G z becomes T^T G S^-1 z."""
        n = self.n_threads
        step = Step.joining(self.blocks.rows[self.blocks.of(candidate)], n)
        if step is None:
            return
        shrunk = step.shrunk(step.along(self.blocks.rows, n), n)
        self.y -= row_products(shrunk, row_products(self.moments, step.span.rows, n), n)
        step.whiten(self.y, n)
        step.whiten(self.blocks.rows, n)
        self.moments = _moments_after(step, self.moments, n)

    def form_with(self, candidates: list[int]) -> float:
        """See `State`."""
        step = Step.joining(self.blocks.only(np.array(candidates, dtype=np.int64)).rows, self.n_threads)
        return self.form if step is None else float(np.trace(_moments_after(step, self.moments, self.n_threads)))

    def only(self, candidates: Indices) -> MeanState:
        """See `State`."""
        y = self.y[self.blocks.numbers(candidates)]
        return MeanState(self.blocks.only(candidates), y, self.moments.copy(), self.n_threads)


@dataclass
class RowsState:
    """Any mean of the forms of a limited number of targets.

    Attributes
    ----------
    blocks : Blocks
        Rows z of the candidates.
    targets : numpy.ndarray, shape (n_targets, r)
        Rows of the targets.
    along : numpy.ndarray, shape (n_rows, n_targets)
        Products of the two.
    weights : numpy.ndarray, shape (n_targets,)
        Weights of the targets, with sum 1.
    """

    blocks: Blocks
    targets: Array
    along: Array
    weights: Array
    objective: Objective
    n_threads: int

    @classmethod
    def of(cls, blocks: Blocks, targets: Array, weights: Array, objective: Objective, n_threads: int) -> RowsState:
        """The state of candidates and targets (weights with sum 1), without copies."""
        return cls(blocks, targets, row_products(blocks.rows, targets, n_threads), weights, objective, n_threads)

    @property
    def form(self) -> float:
        """See `State`."""
        return float(mean_form(squared_norms(self.targets)[None, :], self.weights, self.objective)[0])

    def gains(self) -> Array:
        """See `State`."""
        z, sizes = self.blocks.rows, self.blocks.sizes
        forms, size = squared_norms(self.targets), max(1, _BLOCK_VALUES // len(self.targets))
        beyond = 1.0 + squared_norms(z)[:, None]
        before, found = self.form, np.zeros(len(sizes))
        single = np.flatnonzero(sizes == 1)
        for some in np.split(single, range(size, len(single), size)):
            rows = self.blocks.first[some]
            after = np.maximum(forms - self.along[rows] ** 2 / beyond[rows], forms / beyond[rows])
            found[some] = before - mean_form(after, self.weights, self.objective)
        for candidate in np.flatnonzero(sizes > 1).tolist():
            of_block = self.blocks.of(candidate)
            along = np.ascontiguousarray(self.along[of_block].T)
            taken = squared_norms(_with_one(z[of_block], self.n_threads).whitened(along, self.n_threads))
            after = np.maximum(forms - taken, forms / (1.0 + (beyond[of_block] - 1.0).sum()))
            found[candidate] = before - mean_form(after[None, :], self.weights, self.objective)[0]
        return found

    def take(self, candidate: int) -> None:
        """See `State`."""
        n = self.n_threads
        step = Step.joining(self.blocks.rows[self.blocks.of(candidate)], n)
        if step is None:
            return
        self.along -= row_products(step.shrunk(step.along(self.blocks.rows, n), n), step.along(self.targets, n), n)
        step.whiten(self.targets, n)
        step.whiten(self.blocks.rows, n)

    def form_with(self, candidates: list[int]) -> float:
        """See `State`."""
        joining = self.blocks.only(np.array(candidates, dtype=np.int64)).rows
        after = quadratic_forms_after(self.targets, joining, self.n_threads)
        return float(mean_form(after[None, :], self.weights, self.objective)[0])

    def only(self, candidates: Indices) -> RowsState:
        """See `State`."""
        return RowsState(
            self.blocks.only(candidates),
            self.targets.copy(),
            self.along[self.blocks.numbers(candidates)],
            self.weights,
            self.objective,
            self.n_threads,
        )


def _moments_after(step: Step, moments: Array, n_threads: int) -> Array:
    """T^T G T."""
    half = moments.copy()
    step.whiten(half, n_threads)
    whole = half.T.copy()
    step.whiten(whole, n_threads)
    return whole


def _with_one(rows: Array, n_threads: int) -> _core.HessianFactor:
    """Factor of K = 1 + Z Z^T."""
    return _core.factorize_hessian(row_products(rows, rows, n_threads), 1.0, n_threads)


def mean_form(forms: Array, weights: Array, objective: Objective) -> Array:
    """The mean that an objective takes of forms, (n, n_targets) -> (n,): its inverse is a mean of the LPR.

    ``"mean"`` is the harmonic mean of the LPR, ``"log"`` the geometric one, ``"lowest"`` the lowest.
    """
    found: Array
    if objective == "lowest":
        found = np.where(weights > 0.0, forms, 0.0).max(axis=1)
    elif objective == "mean":
        found = (forms * weights).sum(axis=1)
    else:
        found = np.exp((np.log(forms) * weights).sum(axis=1))
    return found


@dataclass(frozen=True)
class Budget:
    """Limits on the choice of candidates.

    Attributes
    ----------
    n : int or None
        Largest number of candidates.
    cost : float or None
        Largest sum of costs.
    costs : numpy.ndarray, shape (n_candidates,)
        Costs of the candidates.
    sources : numpy.ndarray of int, shape (n_candidates,)
        Number of the source of each candidate.
    max_per_source : int or None
        Largest number of candidates from one source.
    """

    n: int | None
    cost: float | None
    costs: Array
    sources: Indices
    max_per_source: int | None

    def allows(self, taken: list[int]) -> NDArray[np.bool_]:
        """The candidates that may come next."""
        free = np.ones(len(self.costs), dtype=bool)
        free[taken] = False
        if self.n is not None and len(taken) >= self.n:
            free[:] = False
        if self.cost is not None:
            free &= self.costs <= self.cost - float(self.costs[taken].sum())
        if self.max_per_source is not None:
            full = np.bincount(self.sources[taken], minlength=1) >= self.max_per_source
            free &= ~np.isin(self.sources, np.flatnonzero(full))
        return free

    def first_of(self, order: Indices) -> list[int]:
        """Candidates in an order, without those that the budget does not allow."""
        taken: list[int] = []
        free = self.allows(taken)
        for candidate in order.tolist():
            if free[candidate]:
                taken.append(candidate)
                free = self.allows(taken)
                if not free.any():
                    break
        return taken


def choose(state: State, budget: Budget) -> tuple[list[int], list[float]]:
    """Choose the best candidate, then the best one with it in H, and so on; also return `form` after each step.

    The first of equal candidates is chosen. With a budget of costs, the best has the largest gain per cost. The choice
    ends early if no candidate has a gain.
    """
    taken: list[int] = []
    forms = [state.form]
    while (allowed := budget.allows(taken)).any():
        worth = state.gains() if budget.cost is None else state.gains() / budget.costs
        best = int(np.argmax(np.where(allowed, worth, -np.inf)))
        if not worth[best] > 0.0:
            break
        state.take(best)
        taken.append(best)
        forms.append(state.form)
    return taken, forms
