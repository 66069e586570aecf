"""Choosing candidates one by one, each with those before it in H, and what any other choice would do.

When a row is taken, all others are conditioned on it (`_conditioning`): that is exact, and costs r operations for each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._arrays import Array
from ._conditioning import Direction
from ._whitening import products, squares

Indices = NDArray[np.int64]

#: What is made smaller of the variances of the targets: their mean, that of their logarithms, or the largest.
Objective: TypeAlias = Literal["mean", "log", "lowest"]
OBJECTIVES: tuple[Objective, ...] = ("mean", "log", "lowest")

# Hypothetical forms that exist at a time.
_BLOCK_VALUES = 2**22


class State(Protocol):
    """Targets and candidates, with the candidates in H that were taken so far."""

    @property
    def form(self) -> float:
        """The mean that the objective takes of the targets' forms."""
        ...

    def gains(self) -> Array:
        """How much smaller each candidate would make it."""
        ...

    def take(self, candidate: int) -> None:
        """Put a candidate into H."""
        ...

    def only(self, candidates: Indices) -> State:
        """The same targets, and some of the candidates."""
        ...


@dataclass
class MeanState:
    """The mean of any number of forms, by G = sum w z z^T over the targets.

    Attributes
    ----------
    z : numpy.ndarray, shape (n, r)
        Rows of the candidates.
    y : numpy.ndarray, shape (n, r)
        The same times G.
    form : float
        Trace of G.
    """

    z: Array
    y: Array
    form: float
    n_threads: int

    @classmethod
    def of(cls, z: Array, moments: Array, n_threads: int) -> MeanState:
        """Candidates, and G, whose weights add up to one."""
        return cls(z, products(z, moments, n_threads), float(np.trace(moments)), n_threads)

    def gains(self) -> Array:
        """See `State`: z^T G z / (1 + |z|^2)."""
        found: Array = (self.z * self.y).sum(axis=1) / (1.0 + squares(self.z))
        return found

    def take(self, candidate: int) -> None:
        """See `State`."""
        z, y = self.z[candidate].copy(), self.y[candidate].copy()
        step = Direction.of(z)
        if step is None:
            return
        self.form -= float((z * y).sum()) / (1.0 + step.square)
        self.y -= step.beta * step.along(self.z, self.n_threads) * (y / math.sqrt(step.square))
        step.whiten(self.y, self.n_threads)
        step.whiten(self.z, self.n_threads)

    def only(self, candidates: Indices) -> MeanState:
        """See `State`."""
        return MeanState(self.z[candidates], self.y[candidates], self.form, self.n_threads)


@dataclass
class RowsState:
    """Any mean of the forms of not too many targets.

    Attributes
    ----------
    z : numpy.ndarray, shape (n, r)
        Rows of the candidates.
    targets : numpy.ndarray, shape (n_targets, r)
        Rows of the targets.
    along : numpy.ndarray, shape (n, n_targets)
        Products of the two.
    weights : numpy.ndarray, shape (n_targets,)
        Of the targets, one in all.
    """

    z: Array
    targets: Array
    along: Array
    weights: Array
    objective: Objective
    n_threads: int

    @classmethod
    def of(cls, z: Array, targets: Array, weights: Array, objective: Objective, n_threads: int) -> RowsState:
        """Candidates, and targets, whose weights add up to one."""
        return cls(z, targets.copy(), products(z, targets, n_threads), weights, objective, n_threads)

    @property
    def form(self) -> float:
        """See `State`."""
        return float(mean_form(squares(self.targets)[None, :], self.weights, self.objective)[0])

    def gains(self) -> Array:
        """See `State`."""
        forms, size = squares(self.targets), max(1, _BLOCK_VALUES // len(self.targets))
        beyond = 1.0 + squares(self.z)[:, None]
        before, found = self.form, [np.zeros(0)]
        for first in range(0, len(self.z), size):
            block = slice(first, first + size)
            after = np.maximum(forms - self.along[block] ** 2 / beyond[block], forms / beyond[block])
            found.append(before - mean_form(after, self.weights, self.objective))
        return np.concatenate(found)

    def take(self, candidate: int) -> None:
        """See `State`."""
        z, along = self.z[candidate].copy(), self.along[candidate].copy()
        step = Direction.of(z)
        if step is None:
            return
        self.along -= step.beta * step.along(self.z, self.n_threads) * (along / math.sqrt(step.square))
        step.whiten(self.targets, self.n_threads)
        step.whiten(self.z, self.n_threads)

    def only(self, candidates: Indices) -> RowsState:
        """See `State`."""
        return RowsState(
            self.z[candidates],
            self.targets.copy(),
            self.along[candidates],
            self.weights,
            self.objective,
            self.n_threads,
        )


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
    """How many candidates may be chosen.

    Attributes
    ----------
    n : int or None
        So many.
    cost : float or None
        So many that their costs add up to no more.
    costs : numpy.ndarray, shape (n_candidates,)
        What each costs.
    sources : numpy.ndarray of int, shape (n_candidates,)
        Where each comes from.
    max_per_source : int or None
        So many of each source.
    """

    n: int | None
    cost: float | None
    costs: Array
    sources: Indices
    max_per_source: int | None

    def allows(self, taken: list[int]) -> NDArray[np.bool_]:
        """Which candidates may come next."""
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
        """Candidates in an order, those left out that the budget does not allow."""
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
    """The best candidate, the best one with it in H, and so on; of equal ones the first. And the forms after each step.

    With a budget of costs, the best is what gains most for its cost. Ends before the budget does where nothing gains.
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


def form_with(state: State, candidates: list[int]) -> float:
    """The form with given candidates in H; the state stays as it is."""
    small = state.only(np.array(candidates, dtype=np.int64))
    for k in range(len(candidates)):
        small.take(k)
    return small.form
