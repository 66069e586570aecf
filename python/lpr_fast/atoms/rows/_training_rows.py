"""Kept training rows: models of any part of them without describing structures again."""

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
from ...models._regularizer import RegularizerChoice, chosen, grid_of, with_chosen_regularizer
from ...models._rows_file import RowsWriter, mapped
from ...models._settings import Regularizer
from ...models._subsets import growing, without_groups
from .._model import StructureModel
from ..labels._noisy_labels import LabelSource
from ..labels._training_set import aligned_structures, check_training_set, ignore
from ._fitting import attached_describer
from ._influential_rows import InfluentialRows

if TYPE_CHECKING:
    from ase import Atoms


class TrainingRows(InfluentialRows):
    """Training rows of a fit in a file (``keep_rows``), mapped into memory.

    Use them to fit models of other structures, weights or regularizers without describing structures again, and for
    cross-validation. The row of an energy is the structure row, the sum of phi over the atoms. Rows of forces and
    virials are its derivatives. A structure may have any number of rows.

    Parameters
    ----------
    path : path
        The file.
    descriptor : str, callable or Descriptor, optional
        The descriptor of the structures, if it is a function or an object of yours (see `load_model`); `append` and the
        models need it.

    Raises
    ------
    InvalidInputError
        For files that are not training rows, and for another descriptor.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase.calculators.emt import EMT
    >>> from lpr_fast import LinearModel, TrainingRows
    >>> frames = [bulk("Cu", cubic=True) for _ in range(8)]
    >>> for seed, frame in enumerate(frames):
    ...     frame.rattle(0.1, seed=seed)
    ...     frame.info["energy"] = EMT().get_potential_energy(frame)
    ...     frame.arrays["distances"] = frame.get_all_distances(mic=True)
    >>> model = LinearModel.fit(frames, descriptor="distances", regularizer=1e-3, keep_rows="training.rows")
    >>> rows = TrainingRows("training.rows")
    >>> len(rows), rows.n_structures
    (8, 8)
    >>> rows.fit(structures=[0, 1, 2, 3, 4], regularizer=1e-2).regularizer
    0.01
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
        """Fit a model of some of the structures, with the active set of the first fit.

        With all structures and no changes it has the bits of the model whose fit kept the rows.

        Parameters
        ----------
        structures : array_like of int or bool, optional
            Numbers of the structures, or a mask over all structures; all by default.
        weights : array_like, shape (n_structures,), optional
            Weights of all structures, chosen or not, in place of those of the first fit.
        regularizer : float or "auto", optional
            mu, in place of that of the first fit; "auto" chooses it by leave-one-out error of these structures.
        baseline : mapping or "kept", optional
            Energy per atom of each element; "kept" is that of the first fit. By default it is fitted to the chosen
            structures.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        SparseKernelModel or LinearModel

        Raises
        ------
        InvalidInputError
            For numbers of structures out of range, and as for `SparseKernelModel.fit`.
        """
        settings = self._settings(regularizer, n_threads)
        facts, blocks = self._facts_and_blocks(structures, weights, baseline)
        warn_of_labels(self._structures(structures, weights), is_fitted=baseline is None, stacklevel=2)
        sums = self._sums(facts, blocks, n_threads)
        settings, facts = with_chosen_regularizer(
            self._head.basis, sums.accumulator, settings, facts, blocks, stacklevel=2
        )
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
        """Return the error of every structure for a model without it, for many regularizers at once.

        The errors are those of refits with the same active set and baseline, from a single decomposition.

        Parameters
        ----------
        regularizers : array_like, shape (G,), optional
            Values of mu, ascending; by default five per decade over the range of the spectrum of the rows.
        structures, weights, baseline, n_threads
            As for `fit`.

        Returns
        -------
        LeaveOneOut

        Raises
        ------
        InvalidInputError
            For rows without energies, and as for `fit`.
        """
        facts, blocks = self._facts_and_blocks(structures, weights, baseline)
        sums, energies = self._sums(facts, blocks, n_threads), self._baseline_of(facts)
        spectrum = spectrum_of(self._head.basis, sums.accumulator, None, n_threads)
        grid = grid_of(spectrum) if regularizers is None else as_grid(regularizers)
        if not len(grid):
            raise InvalidInputError("the rows are all zero and determine no range of regularizers; give regularizers.")
        return left_out([spectrum], [grid], blocks, energies, self._head.settings.noise_scale, n_threads)[0]

    def choose_regularizer(
        self,
        *,
        structures: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        baseline: Mapping[Any, float] | Literal["kept"] | None = None,
        n_threads: int = 0,
    ) -> RegularizerChoice:
        """Choose the regularizer like ``regularizer="auto"``; the result has all errors, evidence and smaller models.

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
            For rows without energies, and as for `fit`.
        """
        facts, blocks = self._facts_and_blocks(structures, weights, baseline)
        self._baseline_of(facts)
        accumulator = self._sums(facts, blocks, n_threads).accumulator
        choice = chosen(self._head.basis, accumulator, facts, blocks, self._settings(None, n_threads))
        if isinstance(choice, str):
            raise InvalidInputError(f"the regularizer cannot be chosen: {choice}; add rows of other structures.")
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
        """Return the errors of every group of structures for a model of the others.

        The errors are those of refits with the active set and the regularizer of all chosen structures. The baseline is
        fitted to the remaining structures.

        Parameters
        ----------
        groups : array_like, shape (n_structures,), optional
            Group of each structure, numbers or strings; by default `group`.
        structures, weights, regularizer, baseline, n_threads
            As for `fit`.

        Returns
        -------
        LeftOutGroups

        Raises
        ------
        InvalidInputError
            For a single group, for rows without energies, and as for `fit`.
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
        """Return errors for held-out structures as a function of the number of training structures.

        Parameters
        ----------
        sizes : array_like of int
            Numbers of training structures. Within a draw each larger model contains the structures of the smaller ones,
            and the structures outside the largest model test all of them.
        n_draws : int
            Number of draws.
        seed : int
            Seed of the random numbers.
        structures, weights, regularizer, baseline, n_threads
            As for `fit`; see also `leave_groups_out`.

        Returns
        -------
        LearningCurve

        Raises
        ------
        InvalidInputError
            For sizes that leave no structures to test with, for rows without energies, and as for `fit`.
        """
        wanted, counts = growing(self._usable(structures, weights), self.n_structures, sizes, n_draws, seed)
        members = counts.reshape(-1, self.n_structures)
        errors = self._errors_of(members, structures, weights, regularizer, baseline, n_threads)
        return LearningCurve.of(wanted, counts, errors.reshape(counts.shape))

    def append(self, frames: Iterable[Atoms], *, weights: ArrayLike | str | None = None, n_threads: int = 0) -> None:
        """Describe more structures and append their rows to the file.

        Parameters
        ----------
        frames : iterable of ase.Atoms
            Structures of the species of the rows. Their labels have the names of the first fit. Structures without
            energies count for the rigidity only.
        weights : array_like, shape (n_frames,), or str, optional
            As for `SparseKernelModel.fit`; not for rows with noise, which has the definition of the first fit.
        n_threads : int
            See `Rigidity`.

        Raises
        ------
        InvalidInputError
            For structures that cannot be described; the file does not change then.
        """
        from ._environments import FrameEnvironments

        head = self._head
        changes: dict[str, Any] = {"n_threads": n_threads}
        if weights is not None and self.has_noise:
            raise InvalidInputError(
                "weights were given, but the labels of these rows have noise, which determines their weights; leave "
                "weights out."
            )
        if weights is not None:
            changes |= {"weights": weights, "sigmas": None}
        settings = replace(head.settings, **changes)
        describer = attached_describer(head, self._outside)
        training = check_training_set(
            frames, describer.ready, settings, pool=None, seen=ignore, may_lack_energies=self._is_labelled
        )
        structures = aligned_structures(training.structures, head.basis.species, is_labelled=self._is_labelled)
        # Without facts: appended structures need not contain every group of the tables of sigma.
        warn_of_labels(replace(structures, facts={}), is_fitted=False, stacklevel=2)
        n_before = self.n_structures
        environments = FrameEnvironments(
            training, describer, head.basis.n_features, n_threads, LabelSource.of(settings)
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
