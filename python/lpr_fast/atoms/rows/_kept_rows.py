"""A file of training rows, and selections of its structures; see `TrainingRows` for models of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property, partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._arrays import Array, as_integers
from ..._errors import InvalidInputError
from ..._species import symbol
from ..._words import counted
from ...models._basis import SparseKernelBasis
from ...models._fit import ModelFacts, adding, provenance_of, sums_of
from ...models._leave_one_out import Blocks
from ...models._members import Members, left_out_errors, side_by_side
from ...models._row_sums import RowSums
from ...models._rows import ENERGY, KINDS, Rows
from ...models._rows_file import Head, as_rows, mapped
from ...models._settings import FitSettings, Regularizer
from ...models._structures import Groups, Structures, checked_weights
from ._fitting import as_baseline

if TYPE_CHECKING:
    from ...descriptors._descriptor import Descriptor

Indices = NDArray[np.int64]

# Rows that are read at once.
_BLOCK = 4096


class KeptRows:
    """The rows of a file, mapped into memory: see `TrainingRows`."""

    def __init__(self, path: str | PathLike[str], descriptor: Any = None) -> None:
        self._path = Path(path)
        self._head, self._begin = Head.read(self._path)
        self._records = mapped(self._path, self._head, self._begin)
        self._outside: Descriptor | None = None
        if descriptor is not None:
            from .._load import matching_descriptor

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
    def has_noise(self) -> bool:
        """Whether labels have standard deviations, so that models of the rows have the loss ``"noise"``."""
        return self._head.settings.noise is not None

    @property
    def phi(self) -> Array:
        """The rows, shape (n_rows, M), mapped into memory: only accessed parts are read."""
        phi: Array = self._records["phi"]
        return phi

    @property
    def structure(self) -> Indices:
        """Number of the structure that each row belongs to, shape (n_rows,)."""
        return np.asarray(self._records["structure"], dtype=np.int64)

    @property
    def kind(self) -> Indices:
        """Kind of the label of each row, shape (n_rows,): 0 total energy, 1 component of a force, 2 of a virial."""
        return np.asarray(self._records["kind"], dtype=np.int64)

    @property
    def target(self) -> Array:
        """Label of each row, including the baseline, shape (n_rows,); NaN for a missing energy."""
        return np.asarray(self._records["target"], dtype=np.float64)

    @property
    def weight(self) -> Array:
        """Weight of each row's squared residual, including that of the loss, shape (n_rows,)."""
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
        """Active environments: see `SparseKernelModel.active_environments`."""
        basis = self._head.basis
        return basis.environments if isinstance(basis, SparseKernelBasis) else None

    @cached_property
    def _first_rows(self) -> Indices:
        """First row of each structure."""
        return np.flatnonzero(np.asarray(self._records["index"]) == 0)

    @cached_property
    def _n_labels(self) -> Indices:
        """Numbers of rows of each kind for each structure: (n_structures, 3)."""
        counts = np.zeros((self.n_structures, len(KINDS)), dtype=np.int64)
        np.add.at(counts, (self.structure, self.kind), 1)
        return counts

    def _facts_and_blocks(
        self, structures: ArrayLike | None, weights: ArrayLike | None, baseline: Any
    ) -> tuple[ModelFacts, Blocks]:
        """Return the facts of a model of some structures, and a function that yields their rows."""
        wanted, given = self._chosen(structures), self._given(weights)
        of_chosen = self._structures(structures, weights)
        energies = self._head.facts.baseline
        if energies is not None:
            kept = energies if baseline == "kept" else as_baseline(baseline)
            energies = of_chosen.baseline(kept, baseline, symbol)
        provenance = self._head.facts.provenance | provenance_of(of_chosen, self._head.facts.provenance)
        facts = ModelFacts(energies, provenance, self._head.facts.descriptor)
        return facts, partial(self._blocks, wanted, given)

    def _sums(self, facts: ModelFacts, blocks: Blocks, n_threads: int) -> RowSums:
        sums = sums_of(self._head.basis, facts)
        for _ in adding(sums, blocks(), facts, n_threads):
            pass
        return sums

    @property
    def _is_labelled(self) -> bool:
        """Whether the rows are of a model that predicts energies."""
        return self._head.facts.baseline is not None

    def _baseline_of(self, facts: ModelFacts) -> Array:
        if facts.baseline is None:
            raise InvalidInputError(
                f"{self._path} has no energies, so models of it have no errors; fit structures with energies."
            )
        return np.array(list(facts.baseline.values()))

    def _chosen(self, structures: ArrayLike | None) -> Indices:
        """Return the numbers of the chosen structures, ascending."""
        if structures is None:
            return np.arange(self.n_structures)
        given = np.asarray(structures)
        if given.dtype == bool:
            if given.shape != (self.n_structures,):
                raise InvalidInputError(
                    f"the mask has shape {given.shape}, but there are {counted(self.n_structures, 'structure')}; give "
                    "one entry for each."
                )
            return np.flatnonzero(given)
        numbers = as_integers("structures", structures)
        wrong = numbers[(numbers < 0) | (numbers >= self.n_structures)]
        if wrong.size or len(np.unique(numbers)) < len(numbers):
            what = f"number {wrong[0]}, but there are {self.n_structures}" if wrong.size else "a number twice"
            raise InvalidInputError(
                f"structures has {what}; give numbers from 0 to {self.n_structures - 1}, each once."
            )
        return np.sort(numbers)

    def _given(self, weights: ArrayLike | None) -> Array | None:
        """Return checked weights that replace those in the file."""
        return None if weights is None else checked_weights(weights, self.n_structures, "structure")

    def _structures(self, structures: ArrayLike | None, given: ArrayLike | None) -> Structures:
        """Return the facts of some structures, from the rows of their energies."""
        chosen, weights = self._chosen(structures), self._given(given)
        if not len(chosen):
            raise InvalidInputError("structures is empty; choose at least one structure.")
        records = self._records[self._first_rows[chosen]]
        if (records["kind"] != ENERGY).any():
            raise InvalidInputError(f"{self._path} has structures without an energy row; leave them out.")
        of_chosen = records["weight"] if weights is None else weights[chosen]
        checked_weights(of_chosen, len(chosen), "structure")
        energies = np.array(records["target"]) if self._is_labelled else None
        counts = np.asarray(records["composition"]).astype(np.int64)
        species = self._head.basis.species
        loss = self._head.settings.loss
        groups = Groups.none(len(chosen))
        if loss != "noise":
            return Structures(species, counts, np.array(of_chosen), loss, energies, groups)
        n_labels = dict(zip(KINDS, self._n_labels[chosen].sum(axis=0).tolist(), strict=True))
        sigmas = np.array(records["unit"])
        n_labels["energy"] = int(np.isfinite(sigmas).sum())
        return Structures(
            *(species, counts, np.array(of_chosen), loss, energies, groups),
            facts={"n_labels": n_labels},
            sigmas=sigmas,
            n_derivatives=np.asarray(records["count"], dtype=np.int64) - 1,
        )

    def _blocks(self, chosen: Indices, weights: Array | None) -> Iterator[Rows]:
        """Yield the rows of some structures."""
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

    def _usable(self, structures: ArrayLike | None, weights: ArrayLike | None) -> Indices:
        """Return the numbers of the chosen structures that have a weight and an energy."""
        self._baseline_of(self._head.facts)
        usable: Indices = self._chosen(structures)[self._structures(structures, weights).is_used]
        return usable

    def _settings(self, regularizer: Regularizer | None, n_threads: int) -> FitSettings:
        """Return the settings of the first fit, with another regularizer if it is given."""
        kept = self._head.settings
        return replace(kept, regularizer=kept.regularizer if regularizer is None else regularizer, n_threads=n_threads)

    def _errors_of(
        self,
        counts: Indices,
        structures: ArrayLike | None,
        weights: ArrayLike | None,
        regularizer: Regularizer | None,
        baseline: Any,
        n_threads: int,
    ) -> Array:
        """Return errors per atom of models of parts, each with its own baseline.

        The shape is (K, n_structures), with NaN for the structures that a model was fitted to.
        """
        facts, blocks = self._facts_and_blocks(structures, weights, baseline)
        asked = [self._facts_and_blocks(np.flatnonzero(of_member), weights, baseline)[0] for of_member in counts]
        members = Members(counts, np.stack([self._baseline_of(of_member) for of_member in asked]))
        settings = self._settings(regularizer, n_threads)
        found = side_by_side(self._head.basis, members, settings, facts, blocks, len(self), stacklevel=3)
        errors = np.full(counts.shape, np.nan)
        for numbers, of_block in left_out_errors(found.weights, members, blocks()):
            errors[:, numbers] = of_block
        return errors
