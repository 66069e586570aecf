"""Training rows that were kept: models of any part of them, and more of them, without describing anything again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property, partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import Array, as_integers
from .._errors import InvalidInputError
from ..models._basis import SparseKernelBasis
from ..models._fit import ModelFacts, adding, provenance_of, solved, sums_of
from ..models._leave_one_out import Blocks, LeaveOneOut, as_grid, left_out, spectrum_of
from ..models._problem import rows_of
from ..models._regularizer import RegularizerChoice, chosen, grid_of, settled
from ..models._row_sums import RowSums
from ..models._rows import ENERGY, Rows
from ..models._rows_file import Head, RowsWriter, as_rows, mapped
from ..models._settings import Regularizer
from ..models._structures import Groups, Structures, checked_weights
from ._fitting import as_baseline, attached_describing
from ._linear_model import LinearModel
from ._model import StructureModel
from ._sparse_kernel_model import SparseKernelModel
from ._training_set import ignore, looked_through

if TYPE_CHECKING:
    from ase import Atoms

    from ..descriptors._descriptor import Descriptor

Indices = NDArray[np.int64]

# Rows that are brought into memory together.
_BLOCK = 4096


class TrainingRows:
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

    def __init__(self, path: str | PathLike[str], descriptor: Any = None) -> None:
        self._path = Path(path)
        self._head, self._begin = Head.read(self._path)
        self._records = mapped(self._path, self._head, self._begin)
        self._outside: Descriptor | None = None
        if descriptor is not None:
            from ._load import matching_descriptor

            part = self._head.facts.descriptor
            self._outside = matching_descriptor(None if part is None else part.facts, descriptor, str(self._path))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._records)

    @property
    def n_structures(self) -> int:
        """Number of structures."""
        return len(self._first_rows)

    @property
    def phi(self) -> Array:
        """The rows, shape (n_rows, M), mapped: only what is looked at is read."""
        phi: Array = self._records["phi"]
        return phi

    @property
    def structure(self) -> Indices:
        """Number of the structure that each row belongs to, shape (n_rows,)."""
        return np.asarray(self._records["structure"], dtype=np.int64)

    @property
    def kind(self) -> Indices:
        """What the label of each row is, shape (n_rows,): 0 for a total energy."""
        return np.asarray(self._records["kind"], dtype=np.int64)

    @property
    def target(self) -> Array:
        """Label of each row with its baseline, shape (n_rows,); NaN without energies."""
        return np.asarray(self._records["target"], dtype=np.float64)

    @property
    def weight(self) -> Array:
        """Weight of each row's squared residual, shape (n_rows,), what the loss does included."""
        return Rows(self._records["phi"], self._records).weights

    @property
    def group(self) -> NDArray[np.str_]:
        """Group of each structure, such as its ``config_type``, shape (n_structures,)."""
        return np.char.decode(np.asarray(self._records["group"][self._first_rows]), "utf-8")

    @property
    def active_features(self) -> dict[int, Array] | None:
        """Features of the active environments of each species; None for linear models."""
        basis = self._head.basis
        return dict(basis.active) if isinstance(basis, SparseKernelBasis) else None

    @property
    def active_environments(self) -> Indices | None:
        """Which environments are active: see `SparseKernelModel.active_environments`."""
        basis = self._head.basis
        return basis.environments if isinstance(basis, SparseKernelBasis) else None

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
        kept = self._head.settings
        mu = kept.regularizer if regularizer is None else regularizer
        settings = replace(kept, regularizer=mu, n_threads=n_threads)
        facts, blocks = self._asked(structures, weights, baseline)
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
        return left_out([spectrum], [grid], blocks, energies, n_threads)[0]

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
        choice = chosen(self._head.basis, accumulator, facts, blocks, n_threads)
        if isinstance(choice, str):
            raise InvalidInputError(f"the regularizer cannot be chosen, for {choice}; add rows of other structures.")
        return choice

    def append(self, frames: Iterable[Atoms], *, weights: ArrayLike | str | None = None, n_threads: int = 0) -> None:
        """Describe more structures, and add their rows to the file, behind all others.

        Parameters
        ----------
        frames : iterable of ase.Atoms
            Structures of the species that the rows have. Energies, groups, and weights if the fit took them from the
            structures, come from where they came from.
        weights : array_like, shape (n_frames,), or str, optional
            As for `SparseKernelModel.fit`.
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
        if weights is not None:
            changes |= {"weights": weights, "sigmas": None}
        settings = replace(head.settings, **changes)
        describing = attached_describing(head, self._outside)
        training = looked_through(frames, describing.ready, settings, pool=None, seen=ignore)
        self._refuse_others(training.structures)
        structures = _of_species(training.structures, head.basis.species)
        n_before = self.n_structures
        environments = FrameEnvironments(training, describing, head.basis.n_features, n_threads)
        with self._path.open("rb") as file:
            writer = RowsWriter(self._path, file.read(self._begin), head.record)
        try:
            writer.begin(len(self))
            first = 0
            for features, species in environments.batches(0):
                rows = rows_of(head.basis, features, species, structures, first, n_threads)
                rows.labels["structure"] += n_before
                writer.write(rows)
                first += len(species)
            writer.sync()
        except BaseException:
            writer.begin(len(self))
            raise
        finally:
            writer.close()
        self._records = mapped(self._path, head, self._begin)
        self.__dict__.pop("_first_rows", None)

    @cached_property
    def _first_rows(self) -> Indices:
        """The first row of each structure."""
        return np.flatnonzero(np.asarray(self._records["index"]) == 0)

    def _asked(
        self, structures: ArrayLike | None, weights: ArrayLike | None, baseline: Any
    ) -> tuple[ModelFacts, Blocks]:
        """What a model of some structures says of itself, and what runs through their rows."""
        wanted = self._chosen(structures)
        given = None if weights is None else checked_weights(weights, self.n_structures, "structure")
        of_chosen = self._structures(wanted, given)
        energies = self._head.facts.baseline
        if energies is not None and baseline != "kept":
            energies = of_chosen.baseline(as_baseline(baseline), baseline)
        provenance = self._head.facts.provenance | provenance_of(of_chosen, self._head.facts.provenance)
        facts = ModelFacts(energies, provenance, self._head.facts.descriptor)
        return facts, partial(self._blocks, wanted, given)

    def _sums(self, facts: ModelFacts, blocks: Blocks, n_threads: int) -> RowSums:
        sums = sums_of(self._head.basis, facts)
        for _ in adding(sums, blocks(), facts, n_threads):
            pass
        return sums

    def _baseline_of(self, facts: ModelFacts) -> Array:
        if facts.baseline is None:
            raise InvalidInputError(
                f"{self._path} has no energies, so there is nothing to choose a regularizer by; fit structures that "
                "have them."
            )
        return np.array(list(facts.baseline.values()))

    def _chosen(self, structures: ArrayLike | None) -> Indices:
        """Numbers of the wanted structures, ascending."""
        if structures is None:
            return np.arange(self.n_structures)
        given = np.asarray(structures)
        if given.dtype == bool:
            if given.shape != (self.n_structures,):
                raise InvalidInputError(
                    f"the mask has shape {given.shape}, but there are {self.n_structures} structures; give one entry "
                    "for each."
                )
            return np.flatnonzero(given)
        numbers = as_integers("structures", structures)
        wrong = numbers[(numbers < 0) | (numbers >= self.n_structures)]
        if wrong.size or len(np.unique(numbers)) < len(numbers):
            what = f"structure {wrong[0]}, but there are {self.n_structures}" if wrong.size else "a structure twice"
            raise InvalidInputError(f"structures names {what}; name those that there are, each once.")
        return np.sort(numbers)

    def _structures(self, chosen: Indices, weights: Array | None) -> Structures:
        """What some structures are made of, by the rows of their energies."""
        if not len(chosen):
            raise InvalidInputError("no structure was chosen; choose at least one.")
        records = self._records[self._first_rows[chosen]]
        if (records["kind"] != ENERGY).any():
            raise InvalidInputError(f"{self._path} has structures without an energy row; leave them out.")
        of_chosen = records["weight"] if weights is None else weights[chosen]
        checked_weights(of_chosen, len(chosen), "structure")
        energies = None if self._head.facts.baseline is None else np.array(records["target"])
        counts = np.asarray(records["composition"]).astype(np.int64)
        species = self._head.basis.species
        loss = self._head.settings.loss
        return Structures(species, counts, np.array(of_chosen), loss, energies, Groups.none(len(chosen)))

    def _blocks(self, chosen: Indices, weights: Array | None) -> Iterator[Rows]:
        """Rows of some structures."""
        wanted = np.zeros(self.n_structures, dtype=bool)
        wanted[chosen] = True
        for start in range(0, len(self), _BLOCK):
            block = self._records[start : start + _BLOCK]
            found = block[wanted[block["structure"]]]
            if not len(found):
                continue
            if weights is not None:
                found["weight"] = weights[found["structure"]]
            yield as_rows(found)

    def _model(self, sums: RowSums, settings: Any, facts: ModelFacts) -> StructureModel:
        kind = SparseKernelModel if isinstance(self._head.basis, SparseKernelBasis) else LinearModel
        core = solved(self._head.basis, sums, settings, facts, stacklevel=3)
        model: StructureModel = kind._of(core, self._outside)
        return model

    def _refuse_others(self, structures: Structures) -> None:
        unknown = sorted(set(structures.species) - set(self._head.basis.species))
        if unknown:
            from ..descriptors._elements import symbols

            raise InvalidInputError(
                f"the structures have {symbols(unknown)}, but the rows know only {symbols(self._head.basis.species)}; "
                "fit again with all of them."
            )
        if (structures.energies is None) != (self._head.facts.baseline is None):
            have = (
                "no energies, but the rows have" if structures.energies is None else "energies, but the rows have none"
            )
            raise InvalidInputError(f"the structures have {have}; give structures labelled as those before.")


def _of_species(structures: Structures, species: tuple[int, ...]) -> Structures:
    """The same structures, with columns for species that they do not have."""
    counts = np.zeros((len(structures), len(species)), dtype=np.int64)
    for column, s in enumerate(structures.species):
        counts[:, species.index(s)] = structures.counts[:, column]
    return replace(structures, species=species, counts=counts)
