"""Predictions for structures as rows of phi: local energies, totals, or components of forces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from ..._arrays import Array
from ..._errors import InvalidInputError
from ...models._scores import LocalScores
from .._model import StructureModel
from ._described import Described, Indices, Mask, described

if TYPE_CHECKING:
    from ase import Atoms

#: Kinds of predictions: local energies of all atoms, total energies, or components of forces.
Prediction: TypeAlias = Literal["local", "total", "force"]
PREDICTIONS: tuple[Prediction, ...] = ("local", "total", "force")

#: Returns which atoms are too far from the active set.
Blind: TypeAlias = Callable[[LocalScores], Mask]


@dataclass(frozen=True)
class Predicted:
    """Rows of some predictions.

    Attributes
    ----------
    phi : numpy.ndarray, shape (n, M)
        Rows of phi.
    place : numpy.ndarray of int, shape (n,)
        Number of each prediction among those of all frames.
    frame, atom : numpy.ndarray of int, shape (n,)
        Frame and atom of each prediction; -1 for the atom of a total. Components x, y, z of a force are adjacent.
    species : numpy.ndarray of int, shape (n,)
        Species of the atom; zero for totals.
    blind : numpy.ndarray of bool, shape (n,)
        Whether it depends on an atom too far from the active set: for a force, the atom or one within the cutoff.
    n_together : numpy.ndarray of int, shape (n,)
        Number of predictions of its frame.
    """

    phi: Array
    place: Indices
    frame: Indices
    atom: Indices
    species: Indices
    blind: Mask
    n_together: Indices


def as_prediction(given: Prediction) -> Prediction:
    """Check the kind of prediction.

    Raises
    ------
    InvalidInputError
        For an unknown kind.
    """
    if given not in PREDICTIONS:
        raise InvalidInputError(f"prediction is {given!r}; it must be one of {', '.join(PREDICTIONS)}.")
    return given


def predicted(
    model: StructureModel, frames: Iterable[Atoms], prediction: Prediction, is_blind: Blind, n_threads: int
) -> Iterator[Predicted]:
    """Yield the rows of predictions for targets, piece by piece."""
    if prediction == "local":
        for part in described(model, frames, "targets", n_threads):
            scores = part.scores
            blind = is_blind(scores)
            yield Predicted(part.phi, part.place, scores.frame, scores.atom, part.numbers, blind, part.n_together)
        return
    of_whole = _total if prediction == "total" else _force
    start = 0
    for number, whole in enumerate(_wholes(model, frames, is_blind, n_threads)):
        found = of_whole(model, whole, number, start, n_threads)
        start += len(found.phi)
        yield found


@dataclass
class _Whole:
    """A structure: phi summed over its atoms, and which atoms are blind."""

    frame: Atoms
    phi: Array
    blind: Mask
    n_seen: int = 0


def _wholes(model: StructureModel, frames: Iterable[Atoms], is_blind: Blind, n_threads: int) -> Iterator[_Whole]:
    """Yield structures, each when all its atoms are described."""
    waiting: list[_Whole] = []

    def remembered() -> Iterator[Atoms]:
        for frame in frames:
            waiting.append(_Whole(frame, np.zeros(model.rigidity.size), np.zeros(len(frame), dtype=bool)))
            yield frame

    for part in described(model, remembered(), "targets", n_threads):
        blind = is_blind(part.scores)
        for number in np.unique(part.scores.frame).tolist():
            _add(waiting[0], part, part.scores.frame == number, blind)
            if waiting[0].n_seen == len(waiting[0].frame):
                yield waiting.pop(0)


def _add(whole: _Whole, part: Described, chosen: Mask, blind: Mask) -> None:
    whole.phi += part.phi[chosen].sum(axis=0)
    whole.blind[part.scores.atom[chosen]] = blind[chosen]
    whole.n_seen += int(np.count_nonzero(chosen))


def _total(model: StructureModel, whole: _Whole, number: int, start: int, n_threads: int) -> Predicted:  # noqa: ARG001
    one = np.ones(1, dtype=np.int64)
    blind = np.array([whole.blind.any()])
    return Predicted(whole.phi[None, :], one * start, one * number, -one, 0 * one, blind, one)


def _force(model: StructureModel, whole: _Whole, number: int, start: int, n_threads: int) -> Predicted:
    from ase.neighborlist import neighbor_list

    rows = model.gradient_rows(whole.frame, n_threads=n_threads).forces
    blind = whole.blind.copy()
    if blind.any():
        seen_by, seen = neighbor_list("ij", whole.frame, model.cutoff)  # type: ignore[no-untyped-call]
        blind[seen_by[whole.blind[seen]]] = True
    count = len(rows)
    atom = np.repeat(np.arange(len(whole.frame)), 3)
    return Predicted(
        rows,
        start + np.arange(count),
        np.full(count, number),
        atom,
        np.asarray(whole.frame.numbers, dtype=np.int64)[atom],
        blind[atom],
        np.full(count, count),
    )
