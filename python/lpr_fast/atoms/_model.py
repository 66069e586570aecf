"""What both kinds of models of structures have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import Array, as_count, as_environments, as_number
from .._errors import InvalidInputError
from ..models._calibration import VarianceKind
from ..models._from_arrays import checked_features
from ..models._held import holding
from ..models._reference import Reference, with_reference
from ..models._scores import LocalScores, scores_of
from ..models._split import SpeciesSplit, species_split
from ._calibrating import Asked, calibrated_model, labelled_totals
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
    """A descriptor, and a model of its features. See `SparseKernelModel` and `LinearModel`.

    A model that was built from arrays has no descriptor: it scores features, not structures.

    Objects are immutable, can be pickled, and give the same bits however frames are cut into calls.
    """

    def score(
        self,
        frames: Iterable[Atoms],
        *,
        forces: bool = False,
        unknown_species: UnknownSpecies = "error",
        n_threads: int = 0,
    ) -> Scores:
        """Rigidity, variance, residual, local energy, percentile and verdict of every atom.

        Frames are taken as they come: memory does not grow with their number, beyond that of the results.

        Parameters
        ----------
        frames : iterable of ase.Atoms
            Any iterable, for instance ``ase.io.iread(file)``; a single structure too.
        forces : bool
            Whether to give the variance of the force on every atom too (see `force_rigidity`): it takes many times as
            long.
        unknown_species : {"error", "nan"}
            What to do about atoms of species that the model does not know. "nan" gives NaN for them, and for atoms
            that have one of them within the cutoff. Sites without an element (atomic number 0) are seen by nobody.
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
        parts = [scores for _, scores in self._scored_batches(frames, unknown_species, n_threads, forces=forces)]
        return joined([self.scores_of_nothing(forces=forces), *parts])

    def scores_of_nothing(self, *, forces: bool = False) -> Scores:
        """Empty arrays, for the columns that `score` gives."""
        nothing = self.pipeline.scores_of_nothing()
        return self.force_scoring().with_no_forces(nothing) if forces else nothing

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

    def with_reference(self: AnyModel, frames: Iterable[Atoms], *, n_threads: int = 0) -> AnyModel:
        """The model with other environments to compare with than those that it was fitted to.

        A fit scores its training environments itself; what `TrainingRows` make of sums cannot, nor do files of earlier
        versions know how these scored.

        Parameters
        ----------
        frames : iterable of ase.Atoms
            The training structures, as a rule: with environments of all species of the model.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        SparseKernelModel or LinearModel
            Of the same kind, with percentiles and verdicts.

        Raises
        ------
        InvalidInputError
            For frames that cannot be scored, and where one of the model's species does not occur.
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
        """The model with more predictions held fixed in `lpr_held` than the means of its species.

        Hold what the data leave open in common for many atoms, so that it does not hide what they say of each: groups
        of environments, an isolated atom, a phase (docs/guides/held.md).

        Parameters
        ----------
        rows : array_like, shape (q, M), optional
            Rows of `phi`, and sums or means of them.
        structures : iterable of ase.Atoms, optional
            In place of rows: the mean of phi over the atoms of each structure.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        SparseKernelModel or LinearModel
            Of the same kind. It has no reference: percentiles that compared what was held before are gone, until
            `with_reference` is given the training structures.

        Raises
        ------
        InvalidInputError
            For rows that cannot be used, structures that cannot be described, and both or neither.
        """
        if (rows is None) == (structures is None):
            raise InvalidInputError("give either rows of phi to hold, or structures.")
        count = as_count("n_threads", n_threads)
        if structures is None:
            wanted = as_environments("rows", rows)  # type: ignore[arg-type]
        else:
            means = [self.phi([frame], n_threads=count).mean(axis=0) for frame in structures]
            if not means:
                raise InvalidInputError("there are no structures to hold; give at least one.")
            wanted = np.stack(means)
        return self._of(holding(self._model, wanted, count), self._outside)

    def species_split(self) -> SpeciesSplit | None:
        """How well the energies determine the split of totals between the species.

        Returns
        -------
        SpeciesSplit or None
            None for models that hold no means of species, as those of one.
        """
        facts = self.provenance
        parts = self._model.factor.held()
        if parts is None or "held_species" not in facts:
            return None
        species = tuple(facts["held_species"])
        means = parts[0][: len(species)]
        return species_split(species, self.rigidity.covariance(means), self._typical_variances())

    def _typical_variances(self) -> tuple[float, float] | None:
        """Median variances of the training atoms, plain and with what is held, over the species; None if unknown."""
        if self._reference is None or "lpr_held" not in self._reference.columns:
            return None
        medians = [[self.training_quantile(c, 0.5, s) for s in self.species] for c in ("lpr", "lpr_held")]
        plain, with_held = (float(np.median(self.regularizer / np.array(lprs))) for lprs in medians)
        return plain, with_held

    def training_quantile(self, column: str, share: float, species: int) -> float:
        """The score below which such a share of the training environments of a species lies.

        Parameters
        ----------
        column : str
            Name of the score: ``"lpr"``, ``"variance"`` or ``"residual"``.
        share : float
            Between 0 and 1.
        species : int
            Atomic number.

        Returns
        -------
        float
            Right to half a thousandth.

        Raises
        ------
        InvalidInputError
            For scores, shares and species that there are not, and a model without a reference.
        """
        if self._reference is None:
            raise InvalidInputError(
                "this model does not know how its training environments score; use with_reference to score them."
            )
        wanted = as_number("share", share)
        if not 0.0 <= wanted <= 1.0:
            raise InvalidInputError(f"share is {wanted:g}; it must be between 0 and 1.")
        if species not in self.species:
            known = ", ".join(map(str, self.species))
            raise InvalidInputError(f"species is {species}, but the model knows only {known}.")
        if column not in self._reference.columns:
            raise InvalidInputError(f"column is {column!r}; it must be one of {', '.join(self._reference.columns)}.")
        return self._reference.quantile(column, wanted, int(species))

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
        """The same model with `sigma`, a standard deviation in the unit of the energies, for every atom and total.

        One constant, the prior variance in squared energies, is that of maximum likelihood for the errors of the totals
        of `frames`: the mean of error^2 / variance. `calibration` says what it came to. Forces get a constant of their
        own if asked for (`force_calibration`), and both conformal intervals (`conformal`), which `intervals` gives.

        Parameters
        ----------
        frames : iterable of ase.Atoms
            Structures that the model was *not* fitted to, with their energies; about a hundred give the constant to 14
            percent, (2 / n)^0.5.
        variance : {"pp", "sr"}, optional
            What is scaled: the variance of the projected process, which counts the residual in and grows far from the
            active set (the default for kernel models; totals of up to 4096 atoms), or that of the subset of
            regressors (linear models, which have no residual).
        energy_key : str, optional
            Where `Atoms.info`, or the results that the calculator holds, have total energies; the default is where the
            fit found them.
        forces : bool
            Whether to calibrate forces too, by those that frames have, with the subset-of-regressors variance.
        force_key : str, optional
            Name of the forces; the default is where the fit found them, or ASE's and QUIP's names. Atoms whose labels
            are NaN have none.
        largest_residual : float, optional
            Forces count on which no environment with a larger residual acts, for that variance is blind to what the
            active set does not see. By default that of 99.9 percent of the training environments.
        coverage : float, optional
            Such as 0.9: conformal intervals that hold, at least, so large a share of the errors of new structures, if
            these come from where `frames` come from.
        group_key : str, optional
            Name in `Atoms.info`, such as ``"config_type"``: the structures of each group get intervals of their own,
            which hold that share of the errors of this group.
        n_threads : int
            See `Rigidity`.

        Raises
        ------
        InvalidInputError
            For a model without energies, frames without, labels from which nothing can be learned, and groups of too
            few structures.
        """
        asked = Asked(variance, energy_key, forces, force_key, largest_residual, coverage, group_key)
        return self._of(calibrated_model(self, frames, asked, as_count("n_threads", n_threads)), self._outside)

    def intervals(self, frames: Iterable[Atoms], *, forces: bool = False, n_threads: int = 0) -> Intervals:
        """Conformal intervals of energies, and of forces: see `calibrate`.

        Parameters
        ----------
        frames : iterable of ase.Atoms
            Structures, which say their groups if the calibration told these apart.
        forces : bool
            Whether forces are asked for too; they take much longer than energies.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        Intervals

        Raises
        ------
        InvalidInputError
            For a model without intervals, structures that cannot be scored, and groups that have no intervals.
        """
        return intervals_of(self, frames, as_count("n_threads", n_threads), forces=forces)

    def labelled_totals(
        self, frames: Iterable[Atoms], energy_key: str | None = None, *, n_threads: int = 0
    ) -> tuple[Totals, Array]:
        """What `totals` gives, and the energies that the frames come with.

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
            As `totals`, for a model without energies, and for a frame without one.
        """
        if not self.has_energies:
            raise InvalidInputError(
                "this model was fitted without energies; its errors are not known: fit it with them."
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
        """Frames, a batch at a time, with their scores."""
        count = as_count("n_threads", n_threads)
        pieces = self.pipeline.pieces(frames, unknown_species)
        scores = self.piece_scoring(unknown_species, count, forces=forces)
        return whole_frames((piece, scores(piece)) for piece in pieces)

    def piece_scoring(
        self, unknown_species: UnknownSpecies, n_threads: int, *, forces: bool
    ) -> Callable[[Piece], Scores]:
        """What scores the atoms of a piece, for the floors above."""
        pipeline, scoring = self.pipeline, self.force_scoring() if forces else None

        def score(piece: Piece) -> Scores:
            scores = pipeline.scores(piece, unknown_species, n_threads)
            if scoring is None:
                return scores
            return scoring.with_forces(scores, piece, n_threads, marks=unknown_species == "nan")

        return score
