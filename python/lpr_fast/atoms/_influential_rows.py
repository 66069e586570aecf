"""Kept rows, some of which are left out: what that does to predictions for targets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from .. import _core
from .._arrays import Array, as_count, as_names, as_number
from .._errors import InvalidInputError
from .._progress import Progress, silent
from .._rigidity import Rigidity
from .._whitening import holds
from ..models._basis import SparseKernelBasis
from ..models._fit import ModelFacts, solved
from ..models._influence import Fitted, Influences
from ..models._leave_one_out import whole_structures
from ..models._regularizer import settled
from ..models._row_sums import RowSums
from ..models._rows import Rows, concatenated
from ..models._settings import Regularizer
from ._influence import Block, Influence, influence_of, targets_of
from ._kept_rows import Indices, KeptRows
from ._linear_model import LinearModel
from ._model import StructureModel
from ._predicted import Prediction, as_prediction
from ._sparse_kernel_model import SparseKernelModel

if TYPE_CHECKING:
    from ase import Atoms


class InfluentialRows(KeptRows):
    """Rows of a file, and what each does: see `TrainingRows`."""

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
        """What becomes of predictions for targets when each training structure, or group of them, is left out.

        Variances and predictions are those of refits with the active set, regularizer, baseline and held rows of all
        chosen structures. They follow from the rows, by k x k matrices for k rows; where these lose digits, because a
        block alone determines what it determines, the others are fitted anew.

        Parameters
        ----------
        targets : iterable of ase.Atoms
            Structures.
        groups : array_like, shape (n_structures,), optional
            What is left out together, numbers or texts, such as `group`; by default each structure by itself.
        prediction : {"local", "total", "force"}
            What of these is a target: the local energy of every atom, the energy of every structure, or every component
            of every force.
        column : {"lpr", "lpr_held"}, optional
            Of which rigidity variances are; the default is `lpr_held` where the model holds something. Predictions are
            those of the model itself.
        largest_residual : float, optional
            Targets of larger residual count as blind, and no largest or mean value is over them; by default all count.
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
            For targets that cannot be described, a single block, and what `fit` refuses.
        """
        count = as_count("n_threads", n_threads)
        chosen, given = self._chosen(structures), self._given(weights)
        names = None if groups is None else as_names("groups", groups, self.n_structures)
        n_blocks = len(chosen) if names is None else len(np.unique(names[chosen]))
        if n_blocks < 2:
            raise InvalidInputError(
                f"there is {n_blocks} block to leave out, and nothing would be left; give at least two structures, or "
                "groups of them."
            )
        if largest_residual is not None and not as_number("largest_residual", largest_residual) >= 0.0:
            raise InvalidInputError(f"largest_residual is {largest_residual}; it must not be negative.")
        settings = self._settings(regularizer, count)
        facts, blocks = self._asked(structures, weights, baseline)
        sums = self._sums(facts, blocks, count)
        settings, facts = settled(self._head.basis, sums.accumulator, settings, facts, blocks, stacklevel=2)
        model = self._model(sums, settings, facts)
        found = targets_of(model, targets, as_prediction(prediction), largest_residual, count)
        prior = self._head.basis.prior(count)
        held = _held_rows(model.rigidity)
        if column not in (None, "lpr", "lpr_held") or (column == "lpr_held" and held is None):
            what = "nothing is held" if column == "lpr_held" else f"column is {column!r}"
            raise InvalidInputError(f"{what}; column must be 'lpr', or 'lpr_held' where the model holds something.")

        def fitted(of_others: RowSums) -> Fitted:
            known = _rigidity(of_others.accumulator._core, prior, model.regularizer, count)
            firm = known._knowing(of_others.unlabelled, count) if of_others.unlabelled.n_weighted else known
            return Fitted(firm if held is None else firm.holding(held), known)

        def without(members: list[int]) -> Fitted:
            others = partial(self._blocks, np.setdiff1d(chosen, members), given)
            return fitted(self._sums(facts, others, count))

        influences = Influences(
            fitted(sums),
            found.phi,
            is_held=held is not None and column != "lpr",
            refitted=without,
            n_threads=count,
        )
        of_blocks = self._structures_one_by_one(blocks()) if names is None else self._by_group(names, chosen, given)
        return influence_of(
            influences,
            of_blocks,
            found,
            None if facts.baseline is None else np.array(list(facts.baseline.values())),
            lambda done: progress("influence: blocks left out", done, n_blocks),
        )

    def _structures_one_by_one(self, blocks: Iterable[Rows]) -> Iterator[Block]:
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


def _held_rows(rigidity: Rigidity) -> Array | None:
    if not holds(rigidity):
        return None
    held = rigidity._factor.held()  # type: ignore[union-attr]
    return None if held is None else held[0]


def _rigidity(accumulator: _core.HessianAccumulator, prior: Array | None, mu: float, n_threads: int) -> Rigidity:
    """That of accumulated rows, with the weights that follow from their targets; what it warns of was said before."""
    factor, weights = _core.fit(accumulator, mu, prior, n_threads)
    return Rigidity._from_factor(factor, mu, accumulator.method, weights=weights if accumulator.is_labelled else None)
