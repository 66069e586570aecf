"""What was chosen, and what it is expected to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from .._arrays import Array, as_count, as_environments
from .._errors import InvalidInputError
from .._rigidity import Rigidity
from ..atoms._model import StructureModel
from ..atoms.predictions._described import Indices, Mask
from ._greedy import Objective, mean_form
from ._report import report

if TYPE_CHECKING:
    from ase import Atoms

#: Which rigidity of the targets is to rise.
Column: TypeAlias = Literal["lpr", "lpr_held"]


@dataclass(frozen=True)
class Choice:
    """One way to spend the budget.

    Attributes
    ----------
    candidates : numpy.ndarray of int
        Which candidates, in the order in which they were taken.
    lpr : float
        Mean LPR of the targets with all of them.
    """

    candidates: Indices
    lpr: float


@dataclass(frozen=True, repr=False)
class Suggestion:
    """Which candidates to add to the training set, and what they are expected to do at the same active set.

    ``print(suggestion)`` says it in words.

    Attributes
    ----------
    chosen : numpy.ndarray of int, shape (n,)
        Candidates in the order of choice.
    lpr : numpy.ndarray, shape (n + 1,)
        Mean LPR of the ranked targets now, and after each step: the harmonic mean for the objective ``"mean"`` (the
        mean variance is mu over it), the geometric one for ``"log"``, the lowest LPR for ``"lowest"``.
    alone : numpy.ndarray, shape (n_candidates,)
        Share of the targets' variance that each candidate would take away alone, before any is chosen.
    objective : {"mean", "log", "lowest"}
        What the mean is.
    column : {"lpr", "lpr_held"}
        Of which rigidity.
    farthest : Choice
        Farthest points among the candidates, for the same budget.
    random : tuple of Choice
        Draws of candidates, for the same budget.
    costs, sources : numpy.ndarray, list of str
        Of all candidates.
    blind : numpy.ndarray of bool, shape (n_targets,)
        Targets that the active set does not see: they gain nothing at this active set, and are not ranked.
    target_weights : numpy.ndarray, shape (n_targets,)
        Weights of the targets, one in all; zero for those that are not ranked.
    followed : numpy.ndarray of int, shape (m,)
        Targets whose LPR is given below: all that are ranked, or a fair sample of them.
    followed_now, followed_after : numpy.ndarray, shape (m,)
        Their LPR now, and with all that is chosen.
    """

    chosen: Indices
    lpr: Array
    alone: Array
    objective: Objective
    column: Column
    farthest: Choice
    random: tuple[Choice, ...]
    costs: Array
    sources: list[str]
    blind: Mask
    target_weights: Array
    followed: Indices
    followed_now: Array
    followed_after: Array
    candidates: list[Atoms] | None

    @property
    def gain(self) -> Array:
        """Share of the targets' variance (1 / `lpr`) now that each step takes away: (n,)."""
        gains: Array = -np.diff(self.lpr[0] / self.lpr)
        return gains

    def share_removed(self, choice: Choice) -> float:
        """Share of the targets' variance now that a choice takes away."""
        return float(1.0 - self.lpr[0] / choice.lpr)

    def frames(self) -> list[Atoms]:
        """The chosen structures in order, copies with all that they came with, and in ``info`` why they are there.

        ``suggest_rank`` (from 1), ``suggest_gain`` (see `gain`), ``suggest_number`` (among the candidates, from 0) and
        ``suggest_source``.

        Raises
        ------
        InvalidInputError
            For candidates that were given as rows.
        """
        if self.candidates is None:
            raise InvalidInputError("the candidates were rows, not structures; take those that chosen names.")
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
        """The same mean LPR of the same ranked targets under another model, to set beside ``lpr[-1]``.

        A model of all rows and those of the chosen structures, of the same active set, regularizer and held rows, has
        that LPR to rounding. A new active set, or another regularizer, gives another.

        Parameters
        ----------
        model : SparseKernelModel, LinearModel or Rigidity
            For instance that of a refit.
        targets : as for `suggest`
            The same.

        Raises
        ------
        InvalidInputError
            If these are not as many targets.
        """
        count = as_count("n_threads", n_threads)
        if isinstance(model, Rigidity):
            phi = as_environments("targets", targets)  # type: ignore[arg-type]
            lpr = getattr(model, self.column)(phi, n_threads=count)
        else:
            lpr = getattr(model.score(targets, n_threads=count), self.column)  # type: ignore[arg-type]
        if lpr is None or len(lpr) != len(self.target_weights):
            raise InvalidInputError(
                f"there were {len(self.target_weights)} targets, of which {self.column} is wanted; give the same ones, "
                "and a model that has it."
            )
        ranked = self.target_weights > 0.0
        forms = 1.0 / lpr[ranked]
        return float(1.0 / mean_form(forms[None, :], self.target_weights[ranked], self.objective)[0])

    def __str__(self) -> str:
        return "\n".join(report(self))

    def __repr__(self) -> str:
        return f"Suggestion(chosen={self.chosen.tolist()}, objective={self.objective!r}, column={self.column!r})"
