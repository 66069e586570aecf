"""Scores, references and calibration, for both kinds of models of structures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import Array, as_count, as_environments
from .._errors import InvalidInputError
from .._words import counted
from ..models._calibration import VarianceKind
from ..models._from_arrays import checked_features
from ..models._held import holding
from ..models._reference import Reference, with_reference
from ..models._scores import LocalScores, scores_of
from ._calibrating import CalibrationRequest, calibrated_model, labelled_totals
from ._frames import DEFAULT_ENERGY_KEY
from ._pieces import Piece
from ._pipeline import Scores, UnknownSpecies, joined, whole_frames
from .forces._force_model import ForceModel
from .forces._intervals import Intervals, intervals_of
from .predictions._predicting_model import PredictingModel
from .sums._totals import Totals

if TYPE_CHECKING:
    from ase import Atoms


Indices = NDArray[np.int64]
AnyModel = TypeVar("AnyModel", bound="StructureModel")


class StructureModel(ForceModel, PredictingModel):
    """A descriptor and a model of its features: base class of `SparseKernelModel` and `LinearModel`.

    ``print(model)`` tells what it was fitted to, and what makes its scores unreliable. A model built from arrays has no
    descriptor: it scores features, and structures once it has one (`with_descriptor`).

    Objects are immutable, can be pickled, and give the same bits however frames are divided among calls.
    """

    def score(
        self,
        frames: Iterable[Atoms],
        *,
        forces: bool = False,
        unknown_species: UnknownSpecies = "error",
        n_threads: int = 0,
    ) -> Scores:
        """Return rigidity, variance, residual, local energy, percentile and verdict of every atom.

        Look at `verdict` first: it says which environments the training set does not determine (``loose``) or does not
        contain (``unlike``). Frames are scored as they come, so that only the results need memory.

        Parameters
        ----------
        frames : iterable of ase.Atoms
            Any iterable, for instance ``ase.io.iread(file)``, or a single structure.
        forces : bool
            Whether to give the variance of the force on every atom too (see `force_rigidity`); it takes many times
            longer.
        unknown_species : {"error", "nan"}
            How to treat atoms of species that the model does not know. "nan" gives NaN for them, and for atoms that
            have one of them within the cutoff. Sites without an element (atomic number 0) do not count as neighbours.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        Scores

        Raises
        ------
        InvalidInputError
            For frames that cannot be scored; the message names frame, atom and element.
        """
        parts = [scores for _, scores in self._scored_batches(frames, unknown_species, n_threads, forces=forces)]
        return joined([self.empty_scores(forces=forces), *parts])

    def empty_scores(self, *, forces: bool = False) -> Scores:
        """Return empty scores, with the columns of `score`; internal."""
        nothing = self.pipeline.empty_scores()
        return self.force_scoring().with_empty_forces(nothing) if forces else nothing

    def score_features(self, X: ArrayLike, species: ArrayLike, *, n_threads: int = 0) -> LocalScores:
        """Return rigidity, variance, residual and local energy of environments from their features.

        Parameters
        ----------
        X : array_like, shape (n, D)
            Features like those that the model was fitted to: from `features`, or from the source of its arrays.
        species : array_like of int or str, shape (n,)
            Species of the centres: the numbers of the fit, or chemical symbols.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        LocalScores
            Named arrays of shape (n,), as in `Scores`.

        Raises
        ------
        InvalidInputError
            For arrays that do not fit the model, and for unknown species.
        """
        count = as_count("n_threads", n_threads)
        features, numbers = checked_features(X, species)
        if features.shape[1] != self.n_features:
            raise InvalidInputError(
                f"X has {counted(features.shape[1], 'column')}, but the model has "
                f"{counted(self.n_features, 'feature')}; give one column for each feature."
            )
        unknown = np.flatnonzero(~np.isin(numbers, self.species))
        if unknown.size:
            known = ", ".join(map(str, self.species))
            raise InvalidInputError(
                f"row {unknown[0]} is of species {numbers[unknown[0]]}, but the model knows only {known}; leave it out."
            )
        return scores_of(self._model, features, numbers, count)

    def with_reference(self: AnyModel, frames: Iterable[Atoms], *, n_threads: int = 0) -> AnyModel:
        """Return the model with the scores of `frames` as the reference of percentiles and verdicts.

        A fit sets the scores of its training environments as reference. Models of `TrainingRows.fit`, and files of
        earlier versions, have no reference.

        Parameters
        ----------
        frames : iterable of ase.Atoms
            Usually the training structures; they must contain all species of the model.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        SparseKernelModel or LinearModel
            A model of the same kind, with percentiles and verdicts.

        Raises
        ------
        InvalidInputError
            For frames that cannot be scored, and if a species of the model does not occur.
        """
        reference = Reference()
        for batch, scores in self._scored_batches(frames, "error", n_threads):
            reference.add(scores, np.concatenate([frame.numbers for frame in batch]))
        return self._of(with_reference(self._model, reference), self._outside)

    def holding(
        self: AnyModel,
        rows: ArrayLike | None = None,
        *,
        structures: Iterable[Atoms] | None = None,
        n_threads: int = 0,
    ) -> AnyModel:
        """Return the model with more predictions held fixed in `lpr_held` than the means of its species.

        See `Rigidity.holding` for what to hold.

        Parameters
        ----------
        rows : array_like, shape (q, M), optional
            Rows of `phi`, or sums or means of them.
        structures : iterable of ase.Atoms, optional
            In place of rows: the mean of phi over the atoms of each structure is held.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        SparseKernelModel or LinearModel
            A model of the same kind without a reference, because the old one is of other held rows; call
            `with_reference` with the training structures.

        Raises
        ------
        InvalidInputError
            For rows that cannot be used, for structures that cannot be described, and if both or neither are given.
        """
        if (rows is None) == (structures is None):
            given = "neither" if rows is None else "both"
            raise InvalidInputError(
                f"got {given} of rows and structures; give either rows of phi to hold, or structures."
            )
        count = as_count("n_threads", n_threads)
        if structures is None:
            wanted = as_environments("rows", rows)  # type: ignore[arg-type]
        else:
            means = [self.phi([frame], n_threads=count).mean(axis=0) for frame in structures]
            if not means:
                raise InvalidInputError("structures is empty; give at least one structure to hold.")
            wanted = np.stack(means)
        return self._of(holding(self._model, wanted, count), self._outside)

    def calibrate(
        self: AnyModel,
        frames: Iterable[Atoms],
        *,
        variance: VarianceKind | None = None,
        energy_key: str | None = None,
        forces: bool = False,
        force_key: str | None = None,
        largest_residual: float | None = None,
        coverage: float | None = None,
        group_key: str | None = None,
        n_threads: int = 0,
    ) -> AnyModel:
        """Return the same model with `sigma`, a standard deviation in the unit of the energies, of atoms and totals.

        The prior variance, in squared energies, is that of maximum likelihood for the errors of the totals of `frames`:
        the mean of error^2 / variance. It is in `calibration`. On request forces get a prior variance of their own
        (`force_calibration`), and energies and forces get conformal intervals (`conformal`, see `intervals`).

        Parameters
        ----------
        frames : iterable of ase.Atoms
            Structures that the model was *not* fitted to, with their energies. About a hundred determine the prior
            variance to 14 percent, (2 / n)^0.5.
        variance : {"pp", "sr"}, optional
            The variance to scale. "pp": that of the projected process, which includes the residual and grows far from
            the active set (the default for kernel models; totals of up to 4096 atoms). "sr": that of the subset of
            regressors (linear models, which have no residual).
        energy_key : str, optional
            Name of the total energies in ``Atoms.info`` or in the stored results of the calculator; by default that of
            the fit.
        forces : bool
            Whether to calibrate forces too, with the subset-of-regressors variance.
        force_key : str, optional
            Name of the forces; by default that of the fit, or ASE's and QUIP's names. NaN stands for a missing label.
        largest_residual : float, optional
            Forces that depend on an environment with a larger residual are ignored: their variance does not include
            the distance from the active set. By default 99.9 percent of the training environments are below it.
        coverage : float, optional
            Asks for conformal intervals that contain at least this share of the errors of new structures, for instance
            0.9, if these come from the same distribution as `frames`.
        group_key : str, optional
            Name in ``Atoms.info``, such as ``"config_type"``: each group of structures gets intervals of its own, with
            the given coverage in this group.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        SparseKernelModel or LinearModel
            A model of the same kind.

        Raises
        ------
        InvalidInputError
            For a model or frames without energies, for errors or variances that are all zero, and for groups of too few
            structures.
        """
        asked = CalibrationRequest(variance, energy_key, forces, force_key, largest_residual, coverage, group_key)
        return self._of(calibrated_model(self, frames, asked, as_count("n_threads", n_threads)), self._outside)

    def intervals(self, frames: Iterable[Atoms], *, forces: bool = False, n_threads: int = 0) -> Intervals:
        """Return conformal intervals of energies, and of forces: see `calibrate`.

        Parameters
        ----------
        frames : iterable of ase.Atoms
            Structures, with their groups if the calibration had groups.
        forces : bool
            Whether to give intervals of forces too; these take much longer than energies.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        Intervals

        Raises
        ------
        InvalidInputError
            For a model without intervals, for structures that cannot be scored, and for groups without intervals.
        """
        return intervals_of(self, frames, as_count("n_threads", n_threads), forces=forces)

    def labelled_totals(
        self, frames: Iterable[Atoms], energy_key: str | None = None, *, n_threads: int = 0
    ) -> tuple[Totals, Array]:
        """Return totals, as `totals`, and the energies that label the frames.

        Parameters
        ----------
        frames, energy_key, n_threads
            As for `calibrate`.

        Returns
        -------
        totals : Totals
        energies : numpy.ndarray, shape (n_frames,)

        Raises
        ------
        InvalidInputError
            As for `totals`, and for a model or a frame without an energy.
        """
        if not self.has_energies:
            raise InvalidInputError(
                "this model was fitted without energies, so it has no errors; fit it with energies."
            )
        key = energy_key or str(self.provenance.get("energy_key") or DEFAULT_ENERGY_KEY)
        return labelled_totals(self.pipeline, self.total_scoring, frames, key, as_count("n_threads", n_threads))

    def _scored_batches(
        self,
        frames: Iterable[Atoms],
        unknown_species: UnknownSpecies,
        n_threads: int = 0,
        *,
        forces: bool = False,
    ) -> Iterator[tuple[list[Atoms], Scores]]:
        """Yield batches of frames with their scores."""
        count = as_count("n_threads", n_threads)
        pieces = self.pipeline.pieces(frames, unknown_species)
        scores = self.piece_scoring(unknown_species, count, forces=forces)
        return whole_frames((piece, scores(piece)) for piece in pieces)

    def piece_scoring(
        self, unknown_species: UnknownSpecies, n_threads: int, *, forces: bool
    ) -> Callable[[Piece], Scores]:
        """Return a function that scores the atoms of a piece; internal."""
        pipeline, scoring = self.pipeline, self.force_scoring() if forces else None

        def score(piece: Piece) -> Scores:
            scores = pipeline.scores(piece, unknown_species, n_threads)
            if scoring is None:
                return scores
            return scoring.with_forces(scores, piece, n_threads, marks=unknown_species == "nan")

        return score
