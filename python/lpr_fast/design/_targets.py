"""Targets of a suggestion: their ranking, weights and rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from .._arrays import Array
from .._errors import InvalidInputError
from .._whitening import Moments, Whitening
from .._words import agreeing, counted
from ..atoms._model import StructureModel
from ..atoms.predictions._described import Indices, Mask, blind
from ..atoms.predictions._predicted import Prediction, predicted
from ._greedy import Objective

if TYPE_CHECKING:
    from ase import Atoms

#: Weights of target atoms: the same sum for each species, or for each frame.
Sharing: TypeAlias = Literal["species", "frame"]

#: Largest number of targets of objectives that are not linear in the variances.
MOST_ROWS = 10_000

# Largest number of targets whose rigidity is reported.
_SAMPLED = 4096

# Rows that are copied at once.
_CHUNK = 4096


@dataclass(frozen=True)
class Part:
    """Some targets.

    Attributes
    ----------
    phi : numpy.ndarray, shape (n, M)
        Rows.
    place : numpy.ndarray of int, shape (n,)
        Number among all targets.
    weight : numpy.ndarray, shape (n,)
        Weight within its group.
    group : numpy.ndarray of int, shape (n,)
        Number of the group; all groups have the same weight.
    blind : numpy.ndarray of bool, shape (n,)
        Whether it is unlike the active set.
    """

    phi: Array
    place: Indices
    weight: Array
    group: Indices
    blind: Mask

    def taken(self, chosen: Indices | Mask | slice) -> Part:
        """Some of the targets; all of them without a copy."""
        if isinstance(chosen, np.ndarray) and chosen.dtype == bool and chosen.all():
            return self
        return Part(self.phi[chosen], self.place[chosen], self.weight[chosen], self.group[chosen], self.blind[chosen])


@dataclass(frozen=True)
class Targets:
    """What a suggestion needs of the targets.

    Attributes
    ----------
    weights : numpy.ndarray, shape (n,)
        Weights of all targets in order, with sum 1; zero for targets that are not ranked.
    blind : numpy.ndarray of bool, shape (n,)
        Targets that are unlike the active set.
    moments : numpy.ndarray, shape (r, r), or None
        Weighted sum of z z^T; None for an objective that needs the rows.
    rows : numpy.ndarray, shape (m, r)
        z of all ranked targets, or of a uniform sample.
    of_rows : numpy.ndarray of int, shape (m,)
        Their numbers among all targets.
    """

    weights: Array
    blind: Mask
    moments: Array | None
    rows: Array
    of_rows: Indices


def of_frames(
    model: StructureModel,
    frames: Iterable[Atoms],
    prediction: Prediction,
    weights: Array | Sharing | None,
    largest_residual: float | None,
    n_threads: int,
) -> Iterator[Part]:
    """Targets: all predictions of one kind for some frames."""
    for part in predicted(model, frames, prediction, lambda scores: blind(scores, largest_residual), n_threads):
        weight, group = np.ones(len(part.place)), np.zeros_like(part.place)
        if weights is not None and not isinstance(weights, str):
            weight = _given(weights, part.place)
        elif weights == "frame":
            weight /= part.n_together
        elif weights == "species":
            group = part.species
        yield Part(part.phi, part.place, weight, group, part.blind)


def of_rows(phi: Array, weights: Array | None) -> Iterator[Part]:
    """Targets: rows."""
    for first in range(0, len(phi), _CHUNK):
        rows = phi[first : first + _CHUNK]
        places = np.arange(first, first + len(rows))
        weight = np.ones(len(rows)) if weights is None else _given(weights, places)
        yield Part(rows, places, weight, np.zeros_like(places), np.zeros(len(rows), dtype=bool))


def _given(weights: Array, places: Indices) -> Array:
    if len(places) and places.max() >= len(weights):
        raise InvalidInputError(f"target_weights has {len(weights)} entries; give one for each target.")
    return weights[places]


def gathered(parts: Iterable[Part], whitening: Whitening, objective: Objective, loosest: int | None) -> Targets:
    """Gather all targets in one pass.

    Raises
    ------
    InvalidInputError
        If no target can be ranked, and for too many targets of an objective that is not linear.
    """
    seen = [_EMPTY]
    kept = _Kept(whitening, objective, loosest) if loosest or objective != "mean" else _Summed(whitening)
    for part in parts:
        seen.append(replace(part, phi=part.phi[:, :0]))
        kept.add(part.taken(~part.blind & (part.weight > 0.0)))
    whole = _joined(seen)
    whole = whole.taken(np.argsort(whole.place))
    ranked = kept.ranked(~whole.blind & (whole.weight > 0.0))
    if not ranked.any():
        raise InvalidInputError(_nothing_to_rank(whole.blind))
    weights = np.zeros(len(ranked))
    weights[ranked] = _shares(whole.taken(ranked))
    found = kept.targets(whole, weights)
    if found.moments is not None and not np.trace(found.moments) > 0.0:
        raise InvalidInputError(_nothing_to_rank(np.zeros(0, dtype=bool)))
    return found


def _nothing_to_rank(blind: Mask) -> str:
    if not blind.any():
        return "there are no targets that could be more rigid; give structures with atoms and weights above zero."
    return (
        f"{np.count_nonzero(blind)} of {counted(len(blind), 'target')} {agreeing(int(blind.sum()), 'is', 'are')} "
        "unlike the active set, and no other can be ranked; fit again with an active set from targets and candidates "
        "too (active_from, fit --active-from)."
    )


_NONE = np.zeros(0, dtype=np.int64)
_EMPTY = Part(np.zeros((0, 0)), _NONE, np.zeros(0), _NONE, _NONE.astype(bool))


def _joined(parts: list[Part]) -> Part:
    return Part(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Part)))


def _shares(ranked: Part) -> Array:
    """Weights with sum 1, and the same sum for every group."""
    groups, of_target = np.unique(ranked.group, return_inverse=True)
    sums = np.bincount(of_target, ranked.weight, minlength=len(groups))
    shares: Array = ranked.weight / (sums[of_target] * len(groups))
    return shares


class _Summed:
    """Second moments of each group, and a sample of every k-th target, k a power of two."""

    def __init__(self, whitening: Whitening) -> None:
        self._whitening = whitening
        self._moments: dict[int, Moments] = {}
        self._sample: list[Part] = []
        self._every, self._n_seen = 1, 0

    def add(self, part: Part) -> None:
        """Add targets that are ranked."""
        for group in np.unique(part.group).tolist():
            of_group = part.taken(part.group == group)
            moments = self._moments.setdefault(group, self._whitening.moments())
            moments.add(of_group.phi, of_group.weight)
        self._sample.append(part.taken((self._n_seen + np.arange(len(part.place))) % self._every == 0))
        self._n_seen += len(part.place)
        while sum(len(each.place) for each in self._sample) > _SAMPLED:
            self._every *= 2
            self._sample = [_joined(self._sample).taken(slice(None, None, 2))]

    def ranked(self, could_be: Mask) -> Mask:
        """See `_Kept.ranked`; all targets that can be."""
        return could_be

    def targets(self, whole: Part, weights: Array) -> Targets:
        """The targets that were added."""
        parts = []
        for group, moments in sorted(self._moments.items()):
            first = np.flatnonzero((whole.group == group) & (weights > 0.0))[0]
            parts.append(moments.total() * (weights[first] / whole.weight[first]))
        total: Array = np.add.reduce(parts)
        sample = _joined(self._sample)
        return Targets(weights, whole.blind, total, self._whitening.rows(sample.phi), sample.place)


class _Kept:
    """Rows of the loosest targets, or of all."""

    def __init__(self, whitening: Whitening, objective: Objective, loosest: int | None) -> None:
        self._whitening = whitening
        self._objective = objective
        self._loosest = loosest
        self._kept = _EMPTY
        self._forms = np.zeros(0)

    def add(self, part: Part) -> None:
        """Add ranked targets; of equal ones the first is kept."""
        forms = self._whitening.forms(part.phi)
        self._kept = _joined([self._kept, part]) if len(self._forms) else part
        self._forms = np.concatenate([self._forms, forms])
        if self._loosest is not None:
            order = np.lexsort((self._kept.place, -self._forms))[: self._loosest]
            self._kept, self._forms = self._kept.taken(order), self._forms[order]
        if self._objective != "mean" and len(self._forms) > MOST_ROWS:
            raise InvalidInputError(
                f"the objective {self._objective!r} allows at most {MOST_ROWS} targets, and there are more; use the "
                "loosest of them (loosest, --loosest), or the objective 'mean'."
            )

    def ranked(self, could_be: Mask) -> Mask:
        """Targets that are kept and could be more rigid."""
        self._kept = self._kept.taken(self._forms > 0.0)
        self._kept = self._kept.taken(np.argsort(self._kept.place))
        return could_be & np.isin(np.arange(len(could_be)), self._kept.place)

    def targets(self, whole: Part, weights: Array) -> Targets:
        """The targets that are kept."""
        rows, places = self._whitening.rows(self._kept.phi), self._kept.place
        moments = None
        if self._objective == "mean":
            sums = self._whitening.moments()
            sums.add(self._kept.phi, weights[places])
            moments = sums.total()
        return Targets(weights, whole.blind, moments, rows, places)
