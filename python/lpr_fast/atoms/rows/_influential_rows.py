"""Influence of kept rows on predictions for targets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ... import _core
from ..._arrays import Array, as_count, as_names, as_number
from ..._errors import InvalidInputError
from ..._progress import Progress, silent
from ..._rigidity import Rigidity
from ..._whitening import holds
from ..._words import counted
from ...models._basis import SparseKernelBasis
from ...models._fit import ModelFacts, solved
from ...models._influence import Fitted, Influences
from ...models._leave_one_out import whole_structures
from ...models._regularizer import with_chosen_regularizer
from ...models._row_sums import RowSums
from ...models._rows import Rows, concatenated
from ...models._settings import Regularizer
from .._linear_model import LinearModel
from .._model import StructureModel
from .._sparse_kernel_model import SparseKernelModel
from ..predictions._predicted import Prediction, as_prediction
from ._influence import Influence, Redundant
from ._kept_rows import Indices, KeptRows
from ._leaving_out import Block, Prepared, influence_of, redundant_of, targets_of

if TYPE_CHECKING:
    from ase import Atoms


# Stage in reports of progress.
_STAGE = "influence: blocks left out"


class InfluentialRows(KeptRows):
    """Rows of a file, with their influence: see `TrainingRows`."""

    def influence(
        self,
        targets: Iterable[Atoms],
        *,
        groups: ArrayLike | None = None,
        prediction: Prediction = "local",
        column: Literal["lpr", "lpr_held"] | None = None,
        largest_residual: float | None = None,
        structures: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        regularizer: Regularizer | None = None,
        baseline: Mapping[Any, float] | Literal["kept"] | None = None,
        progress: Progress = silent,
        n_threads: int = 0,
    ) -> Influence:
        """Return the changes of predictions for targets when each training structure, or group, is left out.

        Use it to find structures that matter, that are redundant, and labels that may be wrong. Variances and
        predictions are those of refits with the active set, regularizer, baseline and held rows of all chosen
        structures. They follow from k x k matrices for k rows. If these lose digits, because nearly only this block
        determines some parameters, a model of the other structures is fitted.

        Parameters
        ----------
        targets : iterable of ase.Atoms
            Structures with the predictions of interest.
        groups : array_like, shape (n_structures,), optional
            Numbers or strings of the structures to leave out together, such as `group`; by default each structure
            alone.
        prediction : {"local", "total", "force"}
            The predictions: the local energy of every atom, the energy of every structure, or every component of every
            force.
        column : {"lpr", "lpr_held"}, optional
            The rigidity that variances belong to. The default is ``"lpr_held"`` for local energies of a model with held
            rows, otherwise ``"lpr"``. Predictions are not affected.
        largest_residual : float, optional
            Targets of larger residual are blind: they are left out of largest and mean values. No limit by default.
        structures, weights, regularizer, baseline, n_threads
            As for `fit`.
        progress : callable, optional
            As for `SparseKernelModel.fit`.

        Returns
        -------
        Influence

        Raises
        ------
        InvalidInputError
            For targets that cannot be described, for a single block, and as for `fit`.
        """
        names = None if groups is None else as_names("groups", groups, self.n_structures)
        asked = _Asked(prediction, column, largest_residual, as_count("n_threads", n_threads))
        found = self._prepared(targets, names, asked, structures, weights, regularizer, baseline)
        return influence_of(found, lambda done: progress(_STAGE, done, found.n_blocks))

    def redundant(
        self,
        targets: Iterable[Atoms],
        *,
        increase: float = 0.01,
        shift: float | None = None,
        prediction: Prediction = "local",
        column: Literal["lpr", "lpr_held"] | None = None,
        largest_residual: float | None = None,
        structures: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        regularizer: Regularizer | None = None,
        baseline: Mapping[Any, float] | Literal["kept"] | None = None,
        progress: Progress = silent,
        n_threads: int = 0,
    ) -> Redundant:
        """Return training structures that can be left out together without a notable change for any target.

        Structures are left out one by one, beginning with the least influential one; a structure is kept if leaving it
        out, in addition to those before, exceeds a limit for a target. The changes are those of a refit without all of
        them.

        Parameters
        ----------
        targets : iterable of ase.Atoms
            Structures with the predictions of interest.
        increase : float
            Largest relative increase of the variance of a target.
        shift : float, optional
            Largest absolute change of the prediction for a target, in its unit; None for no limit.
        prediction, column, largest_residual, structures, weights, regularizer, baseline, progress, n_threads
            As for `influence`.

        Returns
        -------
        Redundant

        Raises
        ------
        InvalidInputError
            As for `influence`.
        """
        for name, limit in (("increase", increase), ("shift", shift)):
            if limit is not None and not as_number(name, limit) >= 0.0:
                raise InvalidInputError(f"{name} is {limit}; it must not be negative.")
        asked = _Asked(prediction, column, largest_residual, as_count("n_threads", n_threads))
        found = self._prepared(targets, None, asked, structures, weights, regularizer, baseline)
        alone = influence_of(found, lambda done: progress(_STAGE, done, found.n_blocks))
        return redundant_of(
            found,
            alone.redundant(increase=increase, shift=shift),
            (increase, shift),
            lambda structure: concatenated(list(self._blocks(np.array([structure]), self._given(weights)))),
            lambda done, total: progress("influence: structures left out together", done, total),
        )

    def _prepared(
        self,
        targets: Iterable[Atoms],
        names: Any,
        asked: _Asked,
        structures: ArrayLike | None,
        weights: ArrayLike | None,
        regularizer: Regularizer | None,
        baseline: Any,
    ) -> Prepared:
        """Return the model of the chosen rows, and the targets in its coordinates."""
        count, chosen, given = asked.n_threads, self._chosen(structures), self._given(weights)
        n_blocks = len(chosen) if names is None else len(np.unique(names[chosen]))
        asked.check(n_blocks)
        settings = self._settings(regularizer, count)
        facts, blocks = self._facts_and_blocks(structures, weights, baseline)
        sums = self._sums(facts, blocks, count)
        settings, facts = with_chosen_regularizer(
            self._head.basis, sums.accumulator, settings, facts, blocks, stacklevel=3
        )
        model = self._model(sums, settings, facts)
        found = targets_of(model, targets, as_prediction(asked.prediction), asked.largest_residual, count)
        prior, held = self._head.basis.prior(count), asked.held_rows(model.rigidity)

        def fitted(of_others: RowSums) -> Fitted:
            known = _rigidity(of_others.accumulator._core, prior, model.regularizer, count)
            firm = (
                known._with_unlabelled_rows(of_others.unlabelled, count) if of_others.unlabelled.n_weighted else known
            )
            return Fitted(firm if held is None else firm.holding(held), known)

        def without(members: list[int]) -> Fitted:
            others = partial(self._blocks, np.setdiff1d(chosen, members), given)
            return fitted(self._sums(facts, others, count))

        return Prepared(
            Influences(fitted(sums), found.phi, is_held=held is not None, refitted=without, n_threads=count),
            found,
            self._one_by_one(blocks()) if names is None else self._by_group(names, chosen, given),
            n_blocks,
            None if facts.baseline is None else np.array(list(facts.baseline.values())),
            has_noise=self._head.settings.loss == "noise",
        )

    def _one_by_one(self, blocks: Iterable[Rows]) -> Iterator[Block]:
        for rows in whole_structures(blocks):
            numbers = rows.labels["structure"]
            bounds = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(rows)]
            for start, stop in pairwise(bounds):
                part = rows.part(start, stop)
                yield Block(int(numbers[start]), bytes(part.labels["group"][0]).decode(), part)

    def _by_group(self, names: Any, chosen: Indices, given: Array | None) -> Iterator[Block]:
        for name in np.unique(names[chosen]).tolist():
            members = chosen[names[chosen] == name]
            yield Block(name, str(name), concatenated(list(self._blocks(members, given))))

    def _model(self, sums: RowSums, settings: Any, facts: ModelFacts) -> StructureModel:
        kind = SparseKernelModel if isinstance(self._head.basis, SparseKernelBasis) else LinearModel
        core = solved(self._head.basis, sums, settings, facts, stacklevel=3)
        model: StructureModel = kind._of(core, self._outside)
        return model


@dataclass(frozen=True)
class _Asked:
    """Options that select predictions for targets."""

    prediction: Prediction
    column: Literal["lpr", "lpr_held"] | None
    largest_residual: float | None
    n_threads: int

    def check(self, n_blocks: int) -> None:
        """Raise for options that cannot be used."""
        if n_blocks < 2:
            raise InvalidInputError(
                f"there is only {counted(n_blocks, 'block')} to leave out, and nothing would be left; give at least "
                "two structures, or groups of them."
            )
        if self.largest_residual is not None and not as_number("largest_residual", self.largest_residual) >= 0.0:
            raise InvalidInputError(f"largest_residual is {self.largest_residual}; it must not be negative.")
        if self.column not in (None, "lpr", "lpr_held"):
            raise InvalidInputError(f"column is {self.column!r}; it must be 'lpr' or 'lpr_held'.")

    def held_rows(self, rigidity: Rigidity) -> Array | None:
        """Return the held rows if variances are those of `lpr_held`."""
        held = rigidity._factor.held() if holds(rigidity) else None  # type: ignore[union-attr]
        if held is None and self.column == "lpr_held":
            raise InvalidInputError("column is 'lpr_held', but no rows are held; give column='lpr'.")
        is_held = self.prediction == "local" if self.column is None else self.column == "lpr_held"
        return held[0] if held is not None and is_held else None


def _rigidity(accumulator: _core.HessianAccumulator, prior: Array | None, mu: float, n_threads: int) -> Rigidity:
    """Return the rigidity of accumulated rows, with weights if they have targets, without repeating its warnings."""
    factor, weights = _core.fit(accumulator, mu, prior, n_threads)
    return Rigidity._from_factor(factor, mu, accumulator.method, weights=weights if accumulator.is_labelled else None)
