"""Committees: models of parts of the same training rows, whose energies spread where the data do not determine them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import Array, as_count
from .._errors import InvalidInputError
from ..models._archive import with_members
from ..models._fit import warn_of_labels
from ..models._members import MEMORY, Members, side_by_side
from ..models._memory import as_bytes
from ..models._scores import all_columns
from ..models._settings import Regularizer
from ..models._subsets import drawn
from ._model import StructureModel
from ._pieces import Piece
from ._pipeline import Scores, UnknownSpecies, joined, whole_frames
from .rows._training_rows import TrainingRows

if TYPE_CHECKING:
    from ase import Atoms

Indices = NDArray[np.int64]
AnyModel = TypeVar("AnyModel", bound=StructureModel)


@dataclass(frozen=True)
class CommitteeScores(Scores):
    """Scores by the model of all rows, and the local energies of all members.

    Attributes
    ----------
    member_energies : numpy.ndarray, shape (n_atoms, n_members)
        Local energy by each member.
    """

    member_energies: Array


class Committee:
    """Models of parts of the same training rows. Build one with `fit`.

    The members share the active set, the regularizer and the baseline with the model of all rows; only their weights
    differ. A part of the baseline that the energies do not determine, such as the split between species if all
    compositions are alike, is therefore the same in all members and adds nothing to the spread. Structures without
    energies count for the rigidities of the model of all rows, but not for the members.

    Attributes
    ----------
    model : SparseKernelModel or LinearModel
        The model of all rows; its rigidities are those of the committee. It contains the weights of the members, which
        `save` and `load_model` keep.
    counts : numpy.ndarray of int, shape (n_members, n_structures)
        How often each structure counts in each member.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase.calculators.emt import EMT
    >>> from lpr_fast import Committee, LinearModel, TrainingRows
    >>> frames = [bulk("Cu", cubic=True) for _ in range(8)]
    >>> for seed, frame in enumerate(frames):
    ...     frame.rattle(0.1, seed=seed)
    ...     frame.info["energy"] = EMT().get_potential_energy(frame)
    ...     frame.arrays["distances"] = frame.get_all_distances(mic=True)
    >>> model = LinearModel.fit(frames, descriptor="distances", regularizer=1e-3, keep_rows="training.rows")
    >>> committee = Committee.fit(TrainingRows("training.rows"), n_members=4)
    >>> committee.score(frames).member_energies.shape
    (32, 4)
    """

    def __init__(self, rows: TrainingRows, model: StructureModel, counts: Indices, weights: ArrayLike | None) -> None:
        self.model, self.counts = model, counts
        self._rows, self._weights = rows, weights

    @classmethod
    def fit(
        cls,
        rows: TrainingRows,
        n_members: int = 10,
        *,
        fraction: float | None = None,
        with_replacement: bool = False,
        seed: int = 0,
        structures: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        regularizer: Regularizer | None = None,
        baseline: Mapping[Any, float] | Literal["kept"] | None = None,
        memory: int | str | None = None,
        n_threads: int = 0,
    ) -> Committee:
        """Fit the model of all rows and its members, in one pass over the rows.

        Parameters
        ----------
        rows : TrainingRows
            Training rows with energies.
        n_members : int
            Number of members, at least two.
        fraction : float, optional
            Share of the structures that each member draws: 0.8 by default, 1 with replacement.
        with_replacement : bool
            Whether a structure may be drawn several times, and then counts as often: a bootstrap.
        seed : int
            Seed of the random numbers that draw the members.
        structures, weights, regularizer, baseline
            As for `TrainingRows.fit`, for the model of all rows.
        memory : int or str, optional
            Memory for the sums of all members, in bytes or as "2GB" (the default). A member needs at most the memory of
            4 M rows, and of M^2 numbers for each doubling of the rows beyond that. If the memory is too small for all
            members, they are fitted in several passes over the rows.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        Committee

        Raises
        ------
        InvalidInputError
            For rows without energies, for fractions and numbers of members out of range, and as for `TrainingRows.fit`.
        """
        facts, blocks = rows._facts_and_blocks(structures, weights, baseline)
        of_all = rows._baseline_of(facts)
        warn_of_labels(rows._structures(structures, weights), is_fitted=baseline is None, stacklevel=2)
        counts = drawn(
            rows._usable(structures, weights),
            rows.n_structures,
            n_members,
            fraction,
            repeats=with_replacement,
            seed=seed,
        )
        members = Members(counts, np.tile(of_all, (len(counts), 1)))
        settings = rows._settings(regularizer, as_count("n_threads", n_threads))
        most = MEMORY if memory is None else as_bytes(memory)
        found = side_by_side(rows._head.basis, members, settings, facts, blocks, len(rows), most, stacklevel=2)
        said = {"n_members": len(counts), "with_replacement": with_replacement, "seed": int(seed)}
        said["structures_per_member"] = int(counts[0].sum())
        model = rows._model(found.sums, found.settings, found.facts.with_provenance({"committee": said}))
        return cls(rows, model._of(with_members(model._model, found.weights), rows._outside), counts, weights)

    def __len__(self) -> int:
        """Return the number of members."""
        return len(self.counts)

    @property
    def subsets(self) -> list[Indices]:
        """Numbers of the structures of each member, ascending, each repeated as often as it counts."""
        return [np.repeat(np.arange(len(of_member)), of_member) for of_member in self.counts]

    @cached_property
    def weights(self) -> Array:
        """Weights of the members for rows of phi, shape (n_members, M)."""
        weights = self.model._model.members
        assert weights is not None
        return weights

    def member(self, number: int, *, n_threads: int = 0) -> StructureModel:
        """Return a member as a model with its own rigidities; this factorises the rows of its structures.

        Parameters
        ----------
        number : int
            Number of the member, counted from 0.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        SparseKernelModel or LinearModel

        Raises
        ------
        InvalidInputError
            For a number out of range.
        """
        if not 0 <= as_count("number", number) < len(self):
            raise InvalidInputError(f"number is {number}; the committee has members 0 to {len(self) - 1}.")
        rows, baseline = self._rows, self.model.baseline
        assert baseline is not None
        of_member = Members(self.counts[number : number + 1], np.array([list(baseline.values())]))
        n_appended = rows.n_structures - self.counts.shape[1]  # since the committee was fitted
        weights = None if self._weights is None else np.append(self._weights, np.zeros(n_appended))
        facts, blocks = rows._facts_and_blocks(np.flatnonzero(of_member.counts[0]), weights, "kept")
        facts = replace(facts, baseline=baseline)
        sums = rows._sums(facts, lambda: (of_member.rows_of(0, block) for block in blocks()), n_threads)
        return rows._model(sums, rows._settings(self.model.regularizer, n_threads), facts)

    def joined_to(self, model: AnyModel) -> AnyModel:
        """Return the model whose fit kept the rows, with the weights of the members.

        Unlike `Committee.model` it has the percentiles, verdicts and sigma of that fit.

        Parameters
        ----------
        model : SparseKernelModel or LinearModel
            A model with the same bits of weights and factor as `Committee.model`.

        Returns
        -------
        SparseKernelModel or LinearModel
            A model of the same kind.

        Raises
        ------
        InvalidInputError
            For another model.
        """
        own, given = self.model._model, model._model
        pairs = [(own.factor.triangle(), given.factor.triangle()), (own.weights, given.weights)]
        if not all(mine is not None and its is not None and np.array_equal(mine, its) for mine, its in pairs):
            raise InvalidInputError(
                "model has other numbers than the model of the committee's rows; give the one whose fit kept the rows, "
                "with the same structures, weights and regularizer."
            )
        return model._of(with_members(given, self.weights), model._outside)

    def score(
        self, frames: Iterable[Atoms], *, unknown_species: UnknownSpecies = "error", n_threads: int = 0
    ) -> CommitteeScores:
        """Score every atom by the model of all rows, with the local energies of all members and their spread.

        ``model.score`` gives the spread too, but not the energies.

        Parameters
        ----------
        frames, unknown_species, n_threads
            As for `StructureModel.score`.

        Returns
        -------
        CommitteeScores

        Raises
        ------
        InvalidInputError
            As for `StructureModel.score`.
        """
        count, pipeline = as_count("n_threads", n_threads), self.model.pipeline
        pieces = pipeline.pieces(frames, unknown_species)
        found = whole_frames((piece, self._scored(piece, unknown_species, count)) for piece in pieces)
        none = np.zeros((0, len(self)))
        nothing = CommitteeScores(**vars(pipeline.empty_scores()), member_energies=none)
        scores = joined([nothing, *(part for _, part in found)])
        assert isinstance(scores, CommitteeScores)
        return scores

    def _scored(self, piece: Piece, unknown_species: UnknownSpecies, n_threads: int) -> CommitteeScores:
        """Return the scores of the atoms of a piece, in one pass over them."""
        found = self.model.pipeline.found(piece, unknown_species, n_threads, members=True)
        energies = found["member_energies"]
        return CommitteeScores(**all_columns(found), frame=piece.frame, atom=piece.atom, member_energies=energies)
