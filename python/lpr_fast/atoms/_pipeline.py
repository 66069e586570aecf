"""Pipeline of frames through a model: check -> describe -> score."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import Array
from .._errors import InvalidInputError
from ..models._scores import LocalScores, all_columns, core_scores, scores_of
from . import _frames
from ._describer import Describer, Ready
from ._pieces import Piece, pieces

if TYPE_CHECKING:
    from ase import Atoms

Indices = NDArray[np.int64]
UnknownSpecies = Literal["error", "nan"]
AnyScores = TypeVar("AnyScores", bound="Scores")


@dataclass(frozen=True)
class Scores(LocalScores):
    """Scores of each atom of frames, all of shape (n_atoms,): those of `LocalScores`, and frame and atom.

    Attributes
    ----------
    frame, atom : numpy.ndarray of int
        Number of the frame, and of the atom within it, counted from 0.
    force_variance, force_sigma, force_residual : numpy.ndarray or None
        Variance, standard deviation and residual of the force on the atom, if requested: ``variance``, ``sigma`` and
        ``residual`` of `ForceRigidity`.
    """

    frame: Indices
    atom: Indices
    force_variance: Array | None = field(default=None, kw_only=True)
    force_sigma: Array | None = field(default=None, kw_only=True)
    force_residual: Array | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Pipeline:
    """A model and the descriptor of its structures.

    Attributes
    ----------
    core : Model
        The model of features.
    describer : Describer
        The descriptor.
    scorer : SoapScorer or None
        Describes and scores at once, if the descriptor is the core's.
    species : tuple of int
        Atomic numbers that the model knows.
    n_features : int
        D.
    are_normalised : bool
        Whether features are normalised before environments are compared, as in kernel models.
    """

    core: _core.Model
    describer: Describer
    scorer: _core.SoapScorer | None
    species: tuple[int, ...]
    n_features: int
    are_normalised: bool

    def pieces(
        self,
        frames: Iterable[Atoms],
        unknown_species: UnknownSpecies,
        limit: int | None = None,
        start: int = 0,
        skip: Callable[[int, str], None] | None = None,
        first_atom: int = 0,
    ) -> Iterator[Piece]:
        """Yield checked frames, numbered from `start`, in pieces of up to `limit` atoms where possible.

        If the first frame is large, its first `first_atom` atoms are left out.
        """
        if unknown_species not in ("error", "nan"):
            raise InvalidInputError(f"unknown_species is {unknown_species!r}; it must be 'error' or 'nan'.")
        refuses, describer = unknown_species == "error", self.describer
        ready = describer.ready if skip is None else describer.check_and_describe
        checked_frames = _frames.checked_frames(
            frames, ready, self.species, refuses_unknown=refuses, start=start, skip=skip
        )
        most = limit or _frames.BATCH_ATOMS
        if not describer.is_local:
            most = min(most, _frames.batch_limit(self.n_features))
        return pieces(checked_frames, most, start=start, first_atom=first_atom, is_local=describer.is_local)

    def features(self, piece: Piece, n_threads: int = 0) -> Array:
        """Return the features of the descriptor."""
        return self.describer.features(piece.batch, piece.chosen, n_threads)

    def features_of(self, frame: Atoms, atoms: Indices) -> Array:
        """Return comparable features of some atoms of a frame; the atoms are in ascending order."""
        ready = self.describer.ready(frame, "the structure")
        return self.comparable(self.describer.features([ready], [atoms], 0))

    def comparable(self, features: Array) -> Array:
        """Return the features that environments are compared by: normalised ones for kernel models."""
        return _core.normalised(features, 0) if self.are_normalised else features

    def scores(self, piece: Piece, unknown_species: UnknownSpecies, n_threads: int) -> Scores:
        """Return the scores of the atoms of a piece, in its order."""
        found = all_columns(self.found(piece, unknown_species, n_threads))
        return Scores(**found, frame=piece.frame, atom=piece.atom)

    def found(
        self, piece: Piece, unknown_species: UnknownSpecies, n_threads: int, *, members: bool = False
    ) -> dict[str, Array]:
        """Return the core's scores of the atoms of a piece, by name: see `core_scores`."""
        marks = unknown_species == "nan"
        if self.scorer is not None:
            return self.scorer.score(piece.structures, piece.chosen, marks, n_threads, members)
        features = self.features(piece, n_threads)
        if marks:
            features[np.concatenate([_sees_others(ready, self.species) for ready in piece.batch])] = np.nan
        return core_scores(self.core, features, piece.numbers, n_threads, members=members)

    def empty_scores(self) -> Scores:
        """Return empty scores, with the columns of the model."""
        none = np.zeros(0, dtype=np.int64)
        return Scores(**vars(scores_of(self.core, np.zeros((0, self.n_features)), none, 1)), frame=none, atom=none)


def _sees_others(ready: Ready, known: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which atoms are of unknown species, or have one within the cutoff if that is known."""
    marked = ~np.isin(ready.frame.numbers, known)
    if ready.structure is not None:
        for atom in np.flatnonzero(marked & (ready.frame.numbers != 0)).tolist():  # sites are no atoms
            marked[ready.structure.neighbours(atom)[0]] = True
    return marked


def stacked(parts: Iterable[tuple[Piece, Array]], width: int) -> Array:
    """Return the rows of all pieces, in the order of the atoms."""
    found = [np.zeros((0, width))]
    for piece, rows in parts:
        if piece.rows is None:
            found.append(rows)
            continue
        if piece.is_first:
            found.append(np.empty((len(piece.frames[0]), width)))
        found[-1][piece.rows] = rows
    return np.concatenate(found)


def whole_frames(parts: Iterable[tuple[Piece, AnyScores]]) -> Iterator[tuple[list[Atoms], AnyScores]]:
    """Yield frames with their scores, from pieces with theirs; the pieces of a large frame are joined."""
    waiting: list[AnyScores] = []
    for piece, scores in parts:
        waiting.append(scores)
        if not piece.is_last:
            continue
        yield piece.frames, scores if piece.rows is None else of_whole_frame(waiting)
        waiting = []


def of_whole_frame(parts: list[AnyScores]) -> AnyScores:
    """Return the scores of a frame, in the order of its atoms, from those of its pieces."""
    together = joined(parts)
    return together.select(np.argsort(together.atom))


def joined(parts: list[AnyScores]) -> AnyScores:
    """Return all scores as one object of the class of the first."""

    def join(name: str) -> Any:
        values = [getattr(part, name) for part in parts]
        return None if values[0] is None else np.concatenate(values)

    return type(parts[0])(**{each.name: join(each.name) for each in fields(parts[0])})
