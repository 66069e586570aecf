"""What both kinds of models of structures have in common."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from .._arrays import Array, as_count
from .._errors import InvalidInputError
from .._files import replacing
from .._rigidity import Rigidity
from ..models import _archive
from ..models._from_arrays import checked_features
from ..models._scores import LocalScores, Loss, scores_of
from . import _frames
from ._load import from_pickle, hypers_of
from ._pieces import Piece, pieces

if TYPE_CHECKING:
    from ase import Atoms

Indices = NDArray[np.int64]
UnknownSpecies = Literal["error", "nan"]
AnyModel = TypeVar("AnyModel", bound="StructureModel")


@dataclass(frozen=True)
class Scores(LocalScores):
    """Numbers for each atom of the frames that were scored, all of shape (n_atoms,): those of `LocalScores`, and where.

    Attributes
    ----------
    frame, atom : numpy.ndarray of int
        Number of the frame, and of the atom within it, counted from 0.
    """

    frame: Indices
    atom: Indices


class StructureModel:
    """A descriptor, and a model of its features. See `SparseKernelModel` and `LinearModel`.

    A model that was built from arrays has no descriptor: it scores features, not structures.

    Objects are immutable, can be pickled, and give the same bits however frames are cut into calls.
    """

    _model: _core.Model

    def __init__(self) -> None:
        raise InvalidInputError(f"{type(self).__name__} is not built directly; use its fit, or load_model.")

    @classmethod
    def _of(cls: type[AnyModel], core: _core.Model) -> AnyModel:
        model = cls.__new__(cls)
        model._model = core
        return model

    def score(
        self, frames: Iterable[Atoms], *, unknown_species: UnknownSpecies = "error", n_threads: int = 0
    ) -> Scores:
        """Rigidity, variance, residual and local energy of every atom.

        Frames are taken as they come: memory does not grow with their number, beyond that of the results.

        Parameters
        ----------
        frames : iterable of ase.Atoms
            Any iterable, for instance ``ase.io.iread(file)``; a single structure too.
        unknown_species : {"error", "nan"}
            What to do about atoms of species that the model does not know. "nan" gives NaN for them, and for atoms
            that have one of them within the cutoff.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        Scores

        Raises
        ------
        InvalidInputError
            For frames that cannot be scored, naming frame, atom and element.
        """
        parts = [scores for _, scores in self._scored_batches(frames, unknown_species, n_threads)]
        return joined([self._scores_of_nothing(), *parts])

    def score_features(self, X: ArrayLike, species: ArrayLike, *, n_threads: int = 0) -> LocalScores:
        """Rigidity, variance, residual and local energy of environments from their features.

        Parameters
        ----------
        X : array_like, shape (n, D)
            Features as the model was fitted to: those of `features`, or of the arrays that it was built from.
        species : array_like of int, shape (n,)
            Species of the centres.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        LocalScores
            Named arrays of shape (n,), as in `Scores`.

        Raises
        ------
        InvalidInputError
            For arrays that do not fit the model, and unknown species.
        """
        count = as_count("n_threads", n_threads)
        features, numbers = checked_features(X, species)
        if features.shape[1] != self.n_features:
            raise InvalidInputError(f"X has {features.shape[1]} columns, but the model has {self.n_features} features.")
        unknown = np.flatnonzero(~np.isin(numbers, self.species))
        if unknown.size:
            known = ", ".join(map(str, self.species))
            raise InvalidInputError(
                f"row {unknown[0]} is of species {numbers[unknown[0]]}, but the model knows only {known}."
            )
        return scores_of(self._model, features, numbers, count)

    def predict(self, frames: Iterable[Atoms], *, n_threads: int = 0) -> Array:
        """Total energies, shape (n_frames,), in the unit of the training energies.

        Raises
        ------
        InvalidInputError
            As `score`, and for a model that was fitted without energies.
        """
        if not self.has_energies:
            raise InvalidInputError("this model was fitted without energies; it predicts none.")
        totals: list[float] = []
        for batch, scores in self._scored_batches(frames, "error", n_threads):
            assert scores.local_energy is not None
            sizes = [len(frame) for frame in batch]
            totals += [float(local.sum()) for local in np.split(scores.local_energy, np.cumsum(sizes)[:-1])]
        return np.array(totals)

    def features(self, frames: Iterable[Atoms]) -> Array:
        """Folded features of every atom, shape (n_atoms, D).

        Normalised for kernel models: kernels are (x . x')^zeta between atoms of one species, zero between others.
        """
        parts = ((piece, self._comparable(self._features(piece))) for piece in self._pieces(frames, "error"))
        return _stacked(parts, self.n_features)

    def phi(self, frames: Iterable[Atoms], *, n_threads: int = 0) -> Array:
        """Derivatives of the local predictions with respect to the weights, shape (n_atoms, M); see `Rigidity`."""
        count = as_count("n_threads", n_threads)
        parts = (
            (piece, self._model.phi(self._features(piece, count), piece.numbers.astype(np.int32), count))
            for piece in self._pieces(frames, "error")
        )
        return _stacked(parts, self._model.size)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model file, whole or not at all; `load_model` reads it."""
        with replacing(Path(path)) as file:
            file.write(self._to_bytes())

    @cached_property
    def rigidity(self) -> Rigidity:
        """The rigidity of size M that takes rows of `phi`, and sums of them."""
        return Rigidity._from_factor(self._model.factor, self.regularizer, self._facts["method"], self._model.weights)

    @property
    def regularizer(self) -> float:
        """Mu."""
        return float(self._facts["regularizer"])

    @property
    def loss(self) -> Loss:
        """``"total"`` or ``"per_atom"``: the loss that sets the scale of the rigidities."""
        loss: Loss = self._facts["loss"]
        return loss

    @property
    def hypers(self) -> dict[str, Any] | None:
        """Parameters of featomic's ``SoapPowerSpectrum``; None for a model that was built from arrays."""
        return copy.deepcopy(hypers_of(self._facts))

    @property
    def descriptor(self) -> dict[str, Any] | None:
        """What the model says of its descriptor: kind, parameters, error of its radial table; None for arrays."""
        facts: dict[str, Any] | None = copy.deepcopy(self._facts["descriptor"])
        return facts

    @property
    def n_features(self) -> int:
        """D, the number of folded features of an environment."""
        return int(self._facts["n_features"])

    @property
    def species(self) -> tuple[int, ...]:
        """Atomic numbers that the model knows, ascending."""
        return tuple(self._facts["species"])

    @property
    def has_energies(self) -> bool:
        """Whether the model was fitted to energies, and predicts them."""
        return self._facts["baseline"] is not None

    @property
    def baseline(self) -> dict[int, float] | None:
        """Energy of an atom of each atomic number that was taken off before fitting; None without energies."""
        return dict(zip(self.species, self._facts["baseline"], strict=True)) if self.has_energies else None

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the model comes from: versions, counts, how the active set was chosen, and the file if known."""
        return copy.deepcopy(dict(self._facts["provenance"]))

    @cached_property
    def _facts(self) -> dict[str, Any]:
        """What the model's text says."""
        facts: dict[str, Any] = json.loads(self._model.text)
        return facts

    @cached_property
    def _scorer(self) -> _core.SoapScorer:
        """What describes structures and scores them."""
        if self.hypers is None:
            raise InvalidInputError(
                "this model was built from arrays and has no descriptor; compute the features and use score_features."
            )
        return _core.SoapScorer(self._model)

    @property
    def _cutoff(self) -> float:
        return float(self._scorer.soap.cutoff)

    def _scored_batches(
        self, frames: Iterable[Atoms], unknown_species: UnknownSpecies, n_threads: int = 0
    ) -> Iterator[tuple[list[Atoms], Scores]]:
        """Frames, a batch at a time, with their scores."""
        pieces = self._pieces(frames, unknown_species)
        return whole_frames((piece, self._scores(piece, unknown_species, n_threads)) for piece in pieces)

    def _pieces(
        self,
        frames: Iterable[Atoms],
        unknown_species: UnknownSpecies,
        limit: int | None = None,
        start: int = 0,
        skip: Callable[[int, str], None] | None = None,
        first_atom: int = 0,
    ) -> Iterator[Piece]:
        """Frames, numbered from `start`, checked, in pieces of so many atoms if that is possible.

        Of the first frame, if it is large, so many atoms are left out as `first_atom` says.
        """
        if unknown_species not in ("error", "nan"):
            raise InvalidInputError(f"unknown_species is {unknown_species!r}; it must be 'error' or 'nan'.")
        refuses = unknown_species == "error"
        usable = _frames.usable(frames, self._cutoff, self.species, refuses_unknown=refuses, start=start, skip=skip)
        return pieces(usable, limit or _frames.BATCH_ATOMS, start=start, first_atom=first_atom)

    def _features(self, piece: Piece, n_threads: int = 0) -> Array:
        """Features as the descriptor gives them."""
        return self._scorer.soap.features(piece.structures, piece.chosen, n_threads)

    def _features_of(self, frame: Atoms, atoms: Indices) -> Array:
        """Features of some atoms of a frame, ascending."""
        from ..descriptors._structures import structure_of

        structure = structure_of(frame, self._cutoff, self.species)
        return self._comparable(self._scorer.soap.features([structure], [atoms], 0))

    def _comparable(self, features: Array) -> Array:
        """Features as environments are compared by them."""
        return features

    def _scores(self, piece: Piece, unknown_species: UnknownSpecies, n_threads: int) -> Scores:
        marks = unknown_species == "nan"
        found = self._scorer.score(piece.structures, piece.chosen, marks, as_count("n_threads", n_threads))
        return Scores(*found, piece.frame, piece.atom)

    def _scores_of_nothing(self) -> Scores:
        none = np.zeros(0, dtype=np.int64)
        return Scores(**vars(scores_of(self._model, np.zeros((0, self.n_features)), none, 1)), frame=none, atom=none)

    def _to_bytes(self) -> bytes:
        return _archive.to_bytes(self._model)

    def __reduce__(self) -> tuple[object, ...]:
        return from_pickle, (self._to_bytes(),)

    def __repr__(self) -> str:
        species = ", ".join(map(str, self.species)) if self.hypers is None else _symbols(self.species)
        return (
            f"{type(self).__name__}(species=[{species}], n_features={self.n_features}, "
            f"size={self.rigidity.size}, regularizer={self.regularizer:g}, loss={self.loss!r}, "
            f"has_energies={self.has_energies})"
        )


def _symbols(species: tuple[int, ...]) -> str:
    from ..descriptors._elements import symbols

    return symbols(species)


def _stacked(parts: Iterable[tuple[Piece, Array]], width: int) -> Array:
    """Rows of all pieces, atoms in order."""
    found = [np.zeros((0, width))]
    for piece, rows in parts:
        if piece.rows is None:
            found.append(rows)
            continue
        if piece.is_first:
            found.append(np.empty((len(piece.frames[0]), width)))
        found[-1][piece.rows] = rows
    return np.concatenate(found)


def whole_frames(parts: Iterable[tuple[Piece, Scores]]) -> Iterator[tuple[list[Atoms], Scores]]:
    """Frames with their scores, of pieces with theirs; those of a large frame are collected first."""
    waiting: list[Scores] = []
    for piece, scores in parts:
        waiting.append(scores)
        if not piece.is_last:
            continue
        yield piece.frames, scores if piece.rows is None else of_whole_frame(waiting)
        waiting = []


def of_whole_frame(parts: list[Scores]) -> Scores:
    """Scores of one frame's atoms in their order, from those of its pieces."""
    together = joined(parts)
    return together.taken(np.argsort(together.atom))


def joined(parts: list[Scores]) -> Scores:
    """All scores as one."""

    def join(name: str) -> Any:
        values = [getattr(part, name) for part in parts]
        return None if values[0] is None else np.concatenate(values)

    return Scores(*(join(name) for name in Scores.__dataclass_fields__))
