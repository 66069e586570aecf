"""The chosen candidates, and their expected effect."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from .._arrays import Array, as_count, as_environments
from .._errors import InvalidInputError
from .._rigidity import Rigidity
from .._words import counted
from ..atoms._model import StructureModel
from ..atoms.predictions._described import Indices, Mask
from ._greedy import Objective, mean_form
from ._report import report

if TYPE_CHECKING:
    from ase import Atoms

#: The rigidity of the targets.
Column: TypeAlias = Literal["lpr", "lpr_held"]


@dataclass(frozen=True)
class Choice:
    """A choice within the budget.

    Attributes
    ----------
    candidates : numpy.ndarray of int
        Candidates, in order of choice.
    lpr : float
        Mean LPR of the targets after all of them joined.
    """

    candidates: Indices
    lpr: float


@dataclass(frozen=True, repr=False)
class Suggestion:
    """Candidates to add to the training set, and their effect at the same active set.

    ``print(suggestion)`` prints a summary.

    Attributes
    ----------
    chosen : numpy.ndarray of int, shape (n,)
        Candidates in the order of choice.
    lpr : numpy.ndarray, shape (n + 1,)
        Mean LPR of the ranked targets now, and after each step: the harmonic mean for the objective ``"mean"`` (the
        mean variance is mu over it), the geometric one for ``"log"``, the lowest LPR for ``"lowest"``.
    alone : numpy.ndarray, shape (n_candidates,)
        Share of the targets' variance that each candidate would remove alone.
    objective : {"mean", "log", "lowest"}
        The kind of mean.
    column : {"lpr", "lpr_held"}
        The rigidity.
    farthest : Choice
        Farthest-point sampling of the candidates, for the same budget.
    random : tuple of Choice
        Random choices, for the same budget.
    costs, sources : numpy.ndarray, list of str
        Costs and sources of all candidates.
    cost_unit : str
        Unit of the costs: ``"atoms^3"`` by default, ``"atoms"`` for ``costs=len``, empty for other costs and for rows.
    blind : numpy.ndarray of bool, shape (n_targets,)
        Targets that are unlike the active set: they gain nothing, and are not ranked.
    target_weights : numpy.ndarray, shape (n_targets,)
        Weights of the targets, with sum 1; zero for targets that are not ranked.
    followed : numpy.ndarray of int, shape (m,)
        Targets whose LPR is given below: all ranked ones, or a uniform sample of them.
    followed_now, followed_after : numpy.ndarray, shape (m,)
        Their LPR now, and after all chosen candidates joined.
    """

    chosen: Indices
    lpr: Array
    alone: Array
    objective: Objective
    column: Column
    farthest: Choice
    random: tuple[Choice, ...]
    costs: Array
    cost_unit: str
    sources: list[str]
    blind: Mask
    target_weights: Array
    followed: Indices
    followed_now: Array
    followed_after: Array
    candidates: list[Atoms] | None

    @property
    def gain(self) -> Array:
        """Share of the targets' present variance (1 / `lpr`) that each step removes: (n,)."""
        gains: Array = -np.diff(self.lpr[0] / self.lpr)
        return gains

    def share_removed(self, choice: Choice) -> float:
        """Share of the targets' present variance that a choice removes."""
        return float(1.0 - self.lpr[0] / choice.lpr)

    def frames(self) -> list[Atoms]:
        """Copies of the chosen structures, in order, with four entries in ``info``.

        These are ``suggest_rank`` (from 1), ``suggest_gain`` (see `gain`), ``suggest_number`` (of the candidate, from
        0) and ``suggest_source``.

        Raises
        ------
        InvalidInputError
            For candidates that were given as rows.
        """
        if self.candidates is None:
            raise InvalidInputError("the candidates were rows, not structures; use their numbers in `chosen`.")
        frames = []
        for k, number in enumerate(self.chosen.tolist()):
            frame = self.candidates[number].copy()
            frame.calc = self.candidates[number].calc
            frame.info |= {
                "suggest_rank": k + 1,
                "suggest_gain": float(self.gain[k]),
                "suggest_number": number,
                "suggest_source": self.sources[number],
            }
            frames.append(frame)
        return frames

    def measured(
        self, model: StructureModel | Rigidity, targets: Iterable[Any] | ArrayLike, n_threads: int = 0
    ) -> float:
        """The mean LPR of the ranked targets under another model, to compare with ``lpr[-1]``.

        A refit with the chosen structures and the same active set, regularizer and held rows has that LPR, up to
        rounding. A new active set or another regularizer gives a different one.

        Parameters
        ----------
        model : SparseKernelModel, LinearModel or Rigidity
            For example the refitted model.
        targets : as for `suggest`
            The same targets.

        Raises
        ------
        InvalidInputError
            If the number of targets differs.
        """
        count = as_count("n_threads", n_threads)
        if isinstance(model, Rigidity):
            phi = as_environments("targets", targets)  # type: ignore[arg-type]
            lpr = getattr(model, self.column)(phi, n_threads=count)
        else:
            lpr = getattr(model.score(targets, n_threads=count), self.column)  # type: ignore[arg-type]
        if lpr is None or len(lpr) != len(self.target_weights):
            raise InvalidInputError(
                f"the suggestion has {counted(len(self.target_weights), 'target')} and their {self.column}; give the "
                f"same targets, and a model with {self.column}."
            )
        ranked = self.target_weights > 0.0
        forms = 1.0 / lpr[ranked]
        return float(1.0 / mean_form(forms[None, :], self.target_weights[ranked], self.objective)[0])

    def __str__(self) -> str:
        return "\n".join(report(self))

    def __repr__(self) -> str:
        return f"Suggestion(chosen={self.chosen.tolist()}, objective={self.objective!r}, column={self.column!r})"
