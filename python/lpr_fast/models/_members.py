"""Models of parts of the same rows, fitted together: one pass over the rows, one basis, prior and regularizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import Array
from ._basis import Basis
from ._fit import ModelFacts, adding, sums_of
from ._leave_one_out import Blocks
from ._regularizer import with_chosen_regularizer
from ._row_sums import RowSums
from ._rows import ENERGY, Rows
from ._settings import FitSettings

Indices = NDArray[np.int64]

#: Default limit of the memory for the sums of all members, in bytes.
MEMORY = 2 * 10**9


@dataclass(frozen=True)
class Members:
    """Training structures and baselines of K models.

    Attributes
    ----------
    counts : numpy.ndarray of int, shape (K, n_structures)
        Factor of the weight of each structure; structures with 0 are left out.
    baselines : numpy.ndarray, shape (K, n_species)
        Energies per atom that are subtracted first.
    """

    counts: Indices
    baselines: Array

    def __len__(self) -> int:
        """Return K."""
        return len(self.counts)

    def part(self, first: int, stop: int) -> Members:
        """Return some of the members."""
        return Members(self.counts[first:stop], self.baselines[first:stop])

    def weights_of(self, rows: Rows) -> Array:
        """Return the weights of the squared residuals of rows in each member: (K, n)."""
        labels = rows.labels
        return np.ascontiguousarray(self.counts[:, labels["structure"]] * labels["weight"] / labels["unit"] ** 2)

    def targets_of(self, rows: Rows) -> Array:
        """Return labels of rows minus the baseline of each member, (K, n); 0 for missing ones, which no member has."""
        targets = np.stack([rows.targets(baseline) for baseline in self.baselines])
        return np.where(np.isnan(targets), 0.0, targets)

    def rows_of(self, member: int, rows: Rows) -> Rows:
        """Return the rows that a member is fitted to, with its weights."""
        counts = self.counts[member][rows.labels["structure"]]
        chosen = counts > 0
        labels = rows.labels[chosen]
        labels["weight"] *= counts[chosen]
        return Rows(rows.phi[chosen], labels)


@dataclass(frozen=True)
class SideBySide:
    """A model of all rows, up to its factors, and the weights of its members.

    Attributes
    ----------
    sums, settings, facts
        Parts of the model of all rows; its regularizer is that of all members.
    weights : numpy.ndarray, shape (K, M)
        Weights of the members.
    """

    sums: RowSums
    settings: FitSettings
    facts: ModelFacts
    weights: Array


def side_by_side(
    basis: Basis,
    members: Members,
    settings: FitSettings,
    facts: ModelFacts,
    blocks: Blocks,
    n_rows: int,
    memory: int = MEMORY,
    *,
    stacklevel: int,
) -> SideBySide:
    """Fit all members to `n_rows` rows, as many at once as fit into memory; warnings point `stacklevel` calls up."""
    n_threads = settings.n_threads
    sums, prior = sums_of(basis, facts), basis.prior(n_threads)
    together = max(1, memory // _bytes_of_one(basis.size, n_rows))
    found: list[Array] = []
    for first in range(0, len(members), together):
        some = members.part(first, first + together)
        rows = blocks() if found else adding(sums, blocks(), facts, n_threads)
        of_members = _summed(basis, some, rows, n_threads)
        if not found:
            settings, facts = with_chosen_regularizer(
                basis, sums.accumulator, settings, facts, blocks, stacklevel=stacklevel + 1
            )
        found.append(of_members.fit(float(settings.regularizer), prior, n_threads))
    return SideBySide(sums, settings, facts, np.concatenate(found))


def _bytes_of_one(size: int, n_rows: int) -> int:
    """Return the memory of the sums of one member: an unfinished leaf, and the levels of the tree."""
    leaf = max(4 * size, 256)
    levels = (n_rows // leaf).bit_length()
    return 8 * size * (min(leaf, n_rows) + levels * size)


def _summed(basis: Basis, members: Members, blocks: Iterable[Rows], n_threads: int) -> _core.Members:
    """Return the sums of all members, from one pass over the rows."""
    sums = _core.Members(len(members), basis.size)
    for rows in blocks:
        sums.add(rows.phi, members.targets_of(rows), members.weights_of(rows), n_threads)
    return sums


def left_out_errors(weights: Array, members: Members, blocks: Iterable[Rows]) -> Iterator[tuple[Indices, Array]]:
    """Yield structures and errors of their energies per atom for all members, (K, n), for each block.

    Errors are NaN for structures that the member is fitted to.
    """
    for rows in blocks:
        is_energy = np.asarray(rows.labels["kind"] == ENERGY)
        labels, phi = rows.labels[is_energy], rows.phi[is_energy]
        energies = Rows(phi, labels)
        sizes = np.ascontiguousarray(labels["composition"]).sum(axis=1)
        errors = np.stack(
            [
                ((phi * of_member).sum(axis=1) - energies.targets(baseline)) / sizes
                for of_member, baseline in zip(weights, members.baselines, strict=True)
            ]
        )
        structures = np.asarray(labels["structure"], dtype=np.int64)
        errors[members.counts[:, structures] > 0] = np.nan
        yield structures, errors
