"""Training rows that were kept: models of any part of them, and more of them, without describing anything again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import ArrayLike

from ..._arrays import as_names
from ..._errors import InvalidInputError
from ...models._batches import rows_of
from ...models._fit import warn_of_labels
from ...models._leave_one_out import LeaveOneOut, as_grid, left_out, spectrum_of
from ...models._left_out import LearningCurve, LeftOutGroups
from ...models._regularizer import RegularizerChoice, chosen, grid_of, settled
from ...models._rows_file import RowsWriter, mapped
from ...models._settings import Regularizer
from ...models._subsets import growing, without_groups
from .._model import StructureModel
from ..labels._noisy_labels import LabelSource
from ..labels._training_set import as_before, ignore, looked_through
from ._fitting import attached_describing
from ._influential_rows import InfluentialRows

if TYPE_CHECKING:
    from ase import Atoms


class TrainingRows(InfluentialRows):
    """The rows of a fit that were kept in a file (``keep_rows``), mapped into memory.

    A row is what a label is about, summed: phi of all atoms of a structure for its energy. A structure may have any
    number of rows.

    Parameters
    ----------
    path : path
        The file.
    descriptor : str, callable or Descriptor, optional
        What the structures were described with, if that is a function or an object of yours (see `load_model`);
        `append` and the models need it.

    Raises
    ------
    InvalidInputError
        For other files, and for another descriptor.
    """

    def fit(
        self,
        *,
        structures: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        regularizer: Regularizer | None = None,
        baseline: Mapping[Any, float] | Literal["kept"] | None = None,
        n_threads: int = 0,
    ) -> StructureModel:
        """A model of some of the structures; the active set is that of all.

        With all structures, and nothing changed, it has the bits of the model whose fit kept the rows.

        Parameters
        ----------
        structures : array_like of int or bool, optional
            Numbers of the structures, or a mask for all of them; the default is all.
        weights : array_like, shape (n_structures,), optional
            In place of the weights that were given when the rows were made; of all structures, chosen or not.
        regularizer : float or "auto", optional
            In place of that of the first fit; "auto" chooses it by these structures.
        baseline : mapping or "kept", optional
            Energy per atom of each element; "kept" takes the first fit's. The default fits them to the chosen
            structures.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        SparseKernelModel or LinearModel

        Raises
        ------
        InvalidInputError
            For structures that there are not, and what a fit refuses.
        """
        settings = self._settings(regularizer, n_threads)
        facts, blocks = self._asked(structures, weights, baseline)
        warn_of_labels(self._structures(structures, weights), is_fitted=baseline is None, stacklevel=2)
        sums = self._sums(facts, blocks, n_threads)
        settings, facts = settled(self._head.basis, sums.accumulator, settings, facts, blocks, stacklevel=2)
        return self._model(sums, settings, facts)

    def leave_one_out(
        self,
        *,
        regularizers: ArrayLike | None = None,
        structures: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        baseline: Mapping[Any, float] | Literal["kept"] | None = None,
        n_threads: int = 0,
    ) -> LeaveOneOut:
        """Errors of every structure when it is left out of the fit, for many regularizers at once.

        The errors are those of refits, from one decomposition. The active set and the baseline are held fixed.

        Parameters
        ----------
        regularizers : array_like, shape (G,), optional
            Values of mu, ascending; by default five in a decade, over the range that the rows span.
        structures, weights, baseline, n_threads
            As for `fit`.

        Returns
        -------
        LeaveOneOut

        Raises
        ------
        InvalidInputError
            For rows without energies, and what `fit` refuses.
        """
        facts, blocks = self._asked(structures, weights, baseline)
        sums, energies = self._sums(facts, blocks, n_threads), self._baseline_of(facts)
        spectrum = spectrum_of(self._head.basis, sums.accumulator, None, n_threads)
        grid = grid_of(spectrum) if regularizers is None else as_grid(regularizers)
        if not len(grid):
            raise InvalidInputError("the rows are all zero, so there is nothing to choose a regularizer by; give some.")
        return left_out([spectrum], [grid], blocks, energies, self._head.settings.noise_scale, n_threads)[0]

    def choose_regularizer(
        self,
        *,
        structures: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        baseline: Mapping[Any, float] | Literal["kept"] | None = None,
        n_threads: int = 0,
    ) -> RegularizerChoice:
        """The regularizer that ``regularizer="auto"`` takes, with the whole curve, the evidence, and smaller models.

        Parameters
        ----------
        structures, weights, baseline, n_threads
            As for `fit`.

        Returns
        -------
        RegularizerChoice

        Raises
        ------
        InvalidInputError
            For rows without energies, and what `fit` refuses.
        """
        facts, blocks = self._asked(structures, weights, baseline)
        self._baseline_of(facts)
        accumulator = self._sums(facts, blocks, n_threads).accumulator
        choice = chosen(self._head.basis, accumulator, facts, blocks, self._settings(None, n_threads))
        if isinstance(choice, str):
            raise InvalidInputError(f"the regularizer cannot be chosen, for {choice}; add rows of other structures.")
        return choice

    def leave_groups_out(
        self,
        groups: ArrayLike | None = None,
        *,
        structures: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        regularizer: Regularizer | None = None,
        baseline: Mapping[Any, float] | Literal["kept"] | None = None,
        n_threads: int = 0,
    ) -> LeftOutGroups:
        """Errors of every group of structures for a model of the others, from the rows alone.

        The errors are those of refits with the active set and the regularizer of all chosen structures. The baseline is
        fitted to those that stay.

        Parameters
        ----------
        groups : array_like, shape (n_structures,), optional
            What each structure belongs to, numbers or texts; by default `group`.
        structures, weights, regularizer, baseline, n_threads
            As for `fit`.

        Returns
        -------
        LeftOutGroups

        Raises
        ------
        InvalidInputError
            For a single group, rows without energies, and what `fit` refuses.
        """
        of_structure = self.group if groups is None else as_names("groups", groups, self.n_structures)
        names, counts = without_groups(of_structure, self._usable(structures, weights))
        errors = self._errors_of(counts, structures, weights, regularizer, baseline, n_threads)
        return LeftOutGroups.of(names, of_structure, errors)

    def learning_curve(
        self,
        sizes: ArrayLike,
        *,
        n_draws: int = 5,
        seed: int = 0,
        structures: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        regularizer: Regularizer | None = None,
        baseline: Mapping[Any, float] | Literal["kept"] | None = None,
        n_threads: int = 0,
    ) -> LearningCurve:
        """Errors of structures that a model has not seen, by the number of those that it has, from the rows alone.

        Parameters
        ----------
        sizes : array_like of int
            Numbers of structures. Within a draw each larger model has all structures of the smaller ones, and those
            that even the largest has not seen are what all are tested with.
        n_draws : int
            How often structures are drawn.
        seed : int
            Draws them.
        structures, weights, regularizer, baseline, n_threads
            As for `fit`; see `leave_groups_out`.

        Returns
        -------
        LearningCurve

        Raises
        ------
        InvalidInputError
            For sizes that leave nothing to test with, rows without energies, and what `fit` refuses.
        """
        wanted, counts = growing(self._usable(structures, weights), self.n_structures, sizes, n_draws, seed)
        members = counts.reshape(-1, self.n_structures)
        errors = self._errors_of(members, structures, weights, regularizer, baseline, n_threads)
        return LearningCurve.of(wanted, counts, errors.reshape(counts.shape))

    def append(self, frames: Iterable[Atoms], *, weights: ArrayLike | str | None = None, n_threads: int = 0) -> None:
        """Describe more structures, and add their rows to the file, behind all others.

        Parameters
        ----------
        frames : iterable of ase.Atoms
            Structures of the species that the rows have. Energies, groups, and weights if the fit took them from the
            structures, come from where they came from; those without energies count for the rigidity alone.
        weights : array_like, shape (n_frames,), or str, optional
            As for `SparseKernelModel.fit`; not for rows of labels with noise, whose noise is that of the fit.
        n_threads : int
            See `Rigidity`.

        Raises
        ------
        InvalidInputError
            For structures that cannot be described; the file is left as it was.
        """
        from ._environments import FrameEnvironments

        head = self._head
        changes: dict[str, Any] = {"n_threads": n_threads}
        if weights is not None and self.has_noise:
            raise InvalidInputError(
                "weights were given, but the labels of these rows have noise, which says what they weigh; leave "
                "weights out."
            )
        if weights is not None:
            changes |= {"weights": weights, "sigmas": None}
        settings = replace(head.settings, **changes)
        describing = attached_describing(head, self._outside)
        training = looked_through(
            frames, describing.ready, settings, pool=None, seen=ignore, may_lack_energies=self._is_labelled
        )
        structures = as_before(training.structures, head.basis.species, is_labelled=self._is_labelled)
        # Those that are appended need not be of every group that has sigmas of its own.
        warn_of_labels(replace(structures, facts={}), is_fitted=False, stacklevel=2)
        n_before = self.n_structures
        environments = FrameEnvironments(
            training, describing, head.basis.n_features, n_threads, LabelSource.of(settings)
        )
        with self._path.open("rb") as file:
            writer = RowsWriter(self._path, file.read(self._begin), head.record)
        try:
            writer.begin(len(self))
            first = 0
            for batch in environments.batches(0):
                for rows in rows_of(head.basis, batch, structures, first, n_threads):
                    rows.labels["structure"] += n_before
                    writer.write(rows)
                first += len(batch)
            writer.sync()
        except BaseException:
            writer.begin(len(self))
            raise
        finally:
            writer.close()
        self._records = mapped(self._path, head, self._begin)
        for remembered in ("_first_rows", "_n_labels"):
            self.__dict__.pop(remembered, None)
