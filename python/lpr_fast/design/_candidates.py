"""Candidates of a suggestion: their rows, sources and costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from .. import _core
from .._arrays import Array, as_number, as_vector
from .._errors import InvalidInputError
from .._whitening import Whitening
from .._words import counted
from ..atoms._model import StructureModel
from ..atoms.predictions._described import Indices
from ._greedy import Blocks
from ._label_rows import Labels, described_totals

if TYPE_CHECKING:
    from ase import Atoms

#: Costs of candidates: a function of a structure, or an array.
Costs: TypeAlias = "Callable[[Atoms], float] | ArrayLike"

#: Sources of candidates: a key of `Atoms.info`, or a list of names.
Sources: TypeAlias = str | Sequence[Any]


def unit_of(costs: Costs | None) -> str:
    """Unit of the costs of structures; empty for costs that only the caller knows the unit of."""
    if costs is None:
        return "atoms^3"
    return "atoms" if costs is len else ""


@dataclass(frozen=True)
class Pool:
    """Candidates.

    Attributes
    ----------
    blocks : Blocks
        Whitened rows of each, times the roots of their weights.
    points : numpy.ndarray, shape (n, D)
        Points for farthest-point sampling: mean features of the atoms.
    costs : numpy.ndarray, shape (n,)
        Costs.
    cost_unit : str
        Their unit: see `unit_of`.
    sources : list of str
        Sources.
    """

    blocks: Blocks
    points: Array
    costs: Array
    cost_unit: str
    sources: list[str]

    @property
    def source_numbers(self) -> Indices:
        """Number of the source of each candidate."""
        return np.unique(np.array(self.sources), return_inverse=True)[1]

    def farthest_order(self, n_threads: int, count: int) -> Indices:
        """Candidates in farthest-point order, beginning with the one that is farthest from the mean."""
        middle = self.points - self.points.mean(axis=0)
        first = int(np.argmax((middle * middle).sum(axis=1)))
        return np.array(_core.farthest_points(self.points, count, first, 0.0, n_threads), dtype=np.int64)


def pool_of_frames(
    whitening: Whitening,
    model: StructureModel,
    frames: list[Atoms],
    labels: Labels,
    weights: ArrayLike | None,
    costs: Costs | None,
    sources: Sources | None,
) -> Pool:
    """Candidates from structures, each with a row for every label.

    Raises
    ------
    InvalidInputError
        For structures, weights, costs and sources that cannot be used.
    """
    unit = unit_of(costs)
    if costs is None:
        costs = np.array([float(len(frame)) ** 3 for frame in frames])
    elif callable(costs):
        costs = np.array([as_number("the cost of a candidate", costs(frame)) for frame in frames])
    if isinstance(sources, str):
        sources = [frame.info.get(sources, "") for frame in frames]
    roots, prices, names = _checked(len(frames), weights, costs, sources)
    totals, points = described_totals(model, frames, "candidates", whitening.n_threads)
    z = [np.zeros((0, whitening.rows(totals[:0]).shape[1]))]
    for frame, total, root in zip(frames, totals, roots.tolist(), strict=True):
        z.append(root * whitening.rows(labels.rows(frame, total)))
    first = np.cumsum([len(rows) for rows in z])
    return Pool(Blocks(np.concatenate(z), first), points, prices, unit, names)


def pool_of_rows(
    whitening: Whitening,
    blocks: list[Array],
    weights: ArrayLike | None,
    costs: ArrayLike | None,
    sources: Sequence[Any] | None,
) -> Pool:
    """Candidates from rows, one or more for each; their points are the sums of their rows.

    Raises
    ------
    InvalidInputError
        For weights, costs and sources that do not fit.
    """
    roots, prices, names = _checked(len(blocks), weights, np.ones(len(blocks)) if costs is None else costs, sources)
    rows = np.concatenate([root * block for root, block in zip(roots.tolist(), blocks, strict=True)])
    first = np.cumsum([0, *map(len, blocks)])
    points = np.stack([block.sum(axis=0) for block in blocks])
    return Pool(Blocks(whitening.rows(rows), first), points, prices, "", names)


def _checked(
    count: int, weights: ArrayLike | None, costs: ArrayLike, sources: Sequence[Any] | None
) -> tuple[Array, Array, list[str]]:
    """Roots of the weights, costs, and names of sources."""
    names = [""] * count if sources is None else [str(source) for source in sources]
    if isinstance(sources, str) or len(names) != count:
        raise InvalidInputError(
            f"got {counted(len(names), 'source')} for {counted(count, 'candidate')}; name one for each."
        )
    roots = np.ones(count) if weights is None else np.sqrt(positive("weights", weights, count, least=0.0))
    return roots, positive("costs", costs, count), names


def positive(name: str, given: ArrayLike, count: int, least: float = np.nextafter(0.0, 1.0)) -> Array:
    """A finite number, at least `least`, for each candidate."""
    values = as_vector(name, given)
    if values.shape != (count,) or not (np.isfinite(values) & (values >= least)).all():
        what = "not negative" if least == 0.0 else "positive"
        raise InvalidInputError(
            f"{name} has shape {values.shape}; give one finite number, {what}, for each of the {count} candidates."
        )
    return values
