"""Atoms of structures with features, phi and scores, for targets and candidates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..._arrays import Array
from ..._errors import InvalidInputError
from ...models._scores import VERDICTS, LocalScores, scores_of
from .._model import StructureModel
from .._pieces import Piece
from .._pipeline import Scores

if TYPE_CHECKING:
    from ase import Atoms

Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

_UNLIKE = VERDICTS.index("unlike")


@dataclass(frozen=True)
class Described:
    """Atoms of some frames.

    Attributes
    ----------
    features : numpy.ndarray, shape (n, D)
        Features that environments are compared by.
    phi : numpy.ndarray, shape (n, M)
        See `Rigidity`.
    numbers : numpy.ndarray of int, shape (n,)
        Species.
    scores : Scores
        Scores, frame and atom.
    place : numpy.ndarray of int, shape (n,)
        Number of each atom among those of all frames.
    n_together : numpy.ndarray of int, shape (n,)
        Number of atoms of its frame.
    """

    features: Array
    phi: Array
    numbers: Indices
    scores: Scores
    place: Indices
    n_together: Indices


def described(model: StructureModel, frames: Iterable[Atoms], what: str, n_threads: int) -> Iterator[Described]:
    """Yield the atoms of frames, piece by piece; errors begin with `what`."""
    way, start = model.pipeline, 0
    pieces = way.pieces(frames, "error")
    while (piece := _next_of(pieces, what)) is not None:
        features, numbers = way.features(piece, n_threads), piece.numbers
        phi = way.core.phi(features, numbers.astype(np.int32), n_threads)
        scores = scores_of(way.core, features, numbers, n_threads)
        of_atoms = Scores(**vars(scores), frame=piece.frame, atom=piece.atom)
        sizes = np.array([len(frame) for frame in piece.frames])
        place = start + (np.arange(len(numbers)) if piece.rows is None else piece.rows)
        together = np.full(len(numbers), sizes[0]) if piece.rows is not None else np.repeat(sizes, sizes)
        yield Described(way.comparable(features), phi, numbers, of_atoms, place, together)
        start += int(sizes.sum()) if piece.is_last else 0


def _next_of(pieces: Iterator[Piece], what: str) -> Piece | None:
    try:
        return next(pieces, None)
    except InvalidInputError as error:
        raise InvalidInputError(f"{what}: {error}") from error


def blind(scores: LocalScores, largest_residual: float | None) -> Mask:
    """Return which atoms are too far from the active set: a residual above the limit, by default verdict ``unlike``.

    Raises
    ------
    InvalidInputError
        Without a limit, for a kernel model without a reference.
    """
    if scores.residual is None:
        return np.zeros(len(scores.lpr), dtype=bool)
    if largest_residual is not None:
        return np.asarray(scores.residual > largest_residual)
    if scores.verdict is not None:
        return np.asarray(scores.verdict == _UNLIKE)
    raise InvalidInputError(
        "this model has no scores of its training environments, so it has no limit of the residual of targets; give "
        "largest_residual= (--largest-residual), or the training structures to with_reference."
    )
