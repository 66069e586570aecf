"""Sums of the training rows of a fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import _core
from .._accumulator import HessianAccumulator
from .._arrays import Array
from . import _safetensors
from ._basis import Basis
from ._rows import ENERGY, Rows


@dataclass
class RowSums:
    """The Hessian of the rows, and the mean of phi over the training atoms of each species.

    Attributes
    ----------
    accumulator : HessianAccumulator
        The rows, with their targets if the model has energies.
    unlabelled : HessianAccumulator
        Rows without targets of a model with energies: they count for the rigidity only.
    phi : numpy.ndarray, shape (M,)
        Sum of rows of energies with the weights of their squared residuals.
    counts : numpy.ndarray, shape (n_species,)
        Sum of their atoms with the same weights.
    """

    accumulator: HessianAccumulator
    unlabelled: HessianAccumulator
    phi: Array
    counts: Array

    @classmethod
    def empty(cls, basis: Basis, *, labelled: bool) -> RowSums:
        """Return empty sums, with or without targets."""
        accumulator = HessianAccumulator(basis.size, labelled=labelled)
        unlabelled = HessianAccumulator(basis.size)
        return cls(accumulator, unlabelled, np.zeros(basis.size), np.zeros(len(basis.species)))

    @property
    def n_rows(self) -> int:
        """Number of rows added so far."""
        return self.accumulator.n_rows + self.unlabelled.n_rows

    def add(self, rows: Rows, targets: Array | None, n_threads: int) -> None:
        """Add rows, with NaN for missing targets; the bits do not depend on how rows are divided into blocks."""
        weights, is_energy = rows.weights, rows.labels["kind"] == ENERGY
        if targets is None or not np.isnan(targets).any():
            self.accumulator.add(rows.phi, weights, targets=targets, n_threads=n_threads)
        else:
            self._add_apart(rows.phi, weights, targets, n_threads)
        phi, counts = self.phi.copy(), self.counts.copy()  # an interrupt must not leave one of them changed
        for row in np.flatnonzero(is_energy).tolist():
            phi += weights[row] * rows.phi[row]
            counts += weights[row] * rows.labels["composition"][row]
        self.phi, self.counts = phi, counts

    def _add_apart(self, phi: Array, weights: Array, targets: Array, n_threads: int) -> None:
        """Add rows without a target, but with a weight, to the unlabelled ones, all others to the accumulator."""
        aside = np.isnan(targets) & (weights > 0.0)
        known = np.where(np.isnan(targets), 0.0, targets)  # rows with a replaced NaN have no weight or are unlabelled
        self.accumulator.add(phi[~aside], weights[~aside], targets=known[~aside], n_threads=n_threads)
        self.unlabelled.add(phi[aside], weights[aside], n_threads=n_threads)

    def species_means(self, basis: Basis) -> dict[int, Array]:
        """Return the mean of phi over the training atoms of each species, (M,), zero in the columns of others.

        Atoms have the weight of their structure in the loss. Species of zero weight are left out.
        """
        means = {}
        for species, count in zip(basis.species, self.counts.tolist(), strict=True):
            columns = basis.columns(species)
            mean = np.zeros(basis.size)
            if count > 0.0:
                mean[columns] = self.phi[columns] / count
            if mean.any():
                means[species] = mean
        return means

    def to_bytes(self) -> bytes:
        """Return the sums as bytes for a file."""
        sums = {"accumulator": self.accumulator, "unlabelled": self.unlabelled}
        arrays = {name: np.frombuffer(rows.to_bytes(), np.uint8) for name, rows in sums.items()}
        return _safetensors.to_bytes({**arrays, "phi": self.phi, "counts": self.counts}, "{}")

    @classmethod
    def from_bytes(cls, content: bytes, name: str) -> RowSums:
        """Return the sums from the bytes of `to_bytes`; errors use the name."""
        arrays = _core.read_parts(content, name)[1]
        labelled, unlabelled = (
            HessianAccumulator.from_bytes(arrays[part].tobytes()) for part in ("accumulator", "unlabelled")
        )
        return cls(labelled, unlabelled, arrays["phi"], arrays["counts"])
