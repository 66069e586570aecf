"""Candidates of a suggestion: their rows, where they come from, and what they cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from .. import _core
from .._arrays import Array, as_number, as_vector
from .._errors import InvalidInputError
from ..atoms._model import StructureModel
from ._described import Indices, described

if TYPE_CHECKING:
    from ase import Atoms

#: What a candidate costs: a function of it, or an array.
Costs: TypeAlias = "Callable[[Atoms], float] | ArrayLike"

#: Where a candidate comes from: the key of `Atoms.info` that says so, or a list of names.
Sources: TypeAlias = str | Sequence[Any]


@dataclass(frozen=True)
class Pool:
    """Candidates.

    Attributes
    ----------
    rows : numpy.ndarray, shape (n, M)
        What each adds to the data, times the root of its weight.
    points : numpy.ndarray, shape (n, D)
        What tells how far apart two are: mean features of their atoms.
    costs : numpy.ndarray, shape (n,)
        What each costs.
    sources : list of str
        Where each comes from.
    """

    rows: Array
    points: Array
    costs: Array
    sources: list[str]

    @property
    def source_numbers(self) -> Indices:
        """The same source, the same number."""
        return np.unique(np.array(self.sources), return_inverse=True)[1]

    def farthest_order(self, n_threads: int, count: int) -> Indices:
        """Farthest points, from the one that is farthest from the mean of all."""
        middle = self.points - self.points.mean(axis=0)
        first = int(np.argmax((middle * middle).sum(axis=1)))
        return np.array(_core.farthest_points(self.points, count, first, 0.0, n_threads), dtype=np.int64)


def pool_of_frames(
    model: StructureModel,
    frames: list[Atoms],
    weights: ArrayLike | None,
    costs: Costs | None,
    sources: Sources | None,
    n_threads: int,
) -> Pool:
    """Structures, of which each adds a row for its energy."""
    rows, points = energy_rows(model, frames, n_threads)
    if costs is None:
        costs = np.array([float(len(frame)) ** 3 for frame in frames])
    elif callable(costs):
        costs = np.array([as_number("the cost of a candidate", costs(frame)) for frame in frames])
    if isinstance(sources, str):
        sources = [frame.info.get(sources, "") for frame in frames]
    return pool_of_rows(rows, weights, costs, sources, points)


def pool_of_rows(
    rows: Array, weights: ArrayLike | None, costs: ArrayLike | None, sources: Sequence[Any] | None, points: Array
) -> Pool:
    """Rows, one for each candidate.

    Raises
    ------
    InvalidInputError
        For weights, costs and sources that do not fit.
    """
    count = len(rows)
    names = [""] * count if sources is None else [str(name) for name in sources]
    if isinstance(sources, str) or len(names) != count:
        raise InvalidInputError(f"there are {len(names)} sources for {count} candidates; name one for each.")
    roots = np.sqrt(positive("weights", np.ones(count) if weights is None else weights, count, least=0.0))
    prices = positive("costs", np.ones(count) if costs is None else costs, count)
    return Pool(rows * roots[:, None], points, prices, names)


def positive(name: str, given: ArrayLike, count: int, least: float = np.nextafter(0.0, 1.0)) -> Array:
    """A finite number, at least `least`, for each candidate."""
    values = as_vector(name, given)
    if values.shape != (count,) or not (np.isfinite(values) & (values >= least)).all():
        what = "not negative" if least == 0.0 else "positive"
        raise InvalidInputError(
            f"{name} has shape {values.shape}; give one finite number, {what}, for each of the {count} candidates."
        )
    return values


def energy_rows(model: StructureModel, frames: Iterable[Atoms], n_threads: int) -> tuple[Array, Array]:
    """Rows of the energies of structures as the model's loss takes them, (n, M), and mean features, (n, D)."""
    phi: list[Array] = []
    features: list[Array] = []
    for part in described(model, frames, "candidates", n_threads):
        bounds = np.flatnonzero(np.diff(part.scores.frame, prepend=-1, append=-1))
        for first, last in pairwise(bounds.tolist()):
            size = int(part.n_together[first])
            unit = size if model.loss == "per_atom" else 1
            if part.scores.frame[first] == len(phi):
                phi.append(np.zeros(part.phi.shape[1]))
                features.append(np.zeros(part.features.shape[1]))
            phi[-1] += part.phi[first:last].sum(axis=0) / unit
            features[-1] += part.features[first:last].sum(axis=0) / size
    return np.array(phi).reshape(len(phi), model.rigidity.size), np.array(features).reshape(len(phi), model.n_features)
