"""SOAP power spectra with a fixed, folded layout, by featomic."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import featomic
import numpy as np
from ase import Atoms
from metatensor import Labels
from numpy.typing import NDArray

from .._arrays import Array
from ._featomic import run
from ._hypers import checked_hypers
from ._periodicity import for_featomic

Indices = NDArray[np.int64]

# Rows that are folded together: copies of them are small, and stay in the cache.
_ROWS_TOGETHER = 64


# Labels of metatensor 0.2 are never freed, because their finalizer looks for an attribute that they do not have: some
# 20 bytes for each atom that is described. With that attribute it does what it should.
if "_labels" in Labels.__del__.__code__.co_consts:
    Labels._labels = True


class Soap:
    """Folded SOAP power spectra of a fixed list of species.

    featomic stores rho_i^{a n1 l} rho_i^{b n2 l} for every pair a <= b of neighbour species. Where a = b the features
    (l, n1, n2) and (l, n2, n1) are equal bit for bit: one is kept, times sqrt(2). Scalar products do not change. Pairs
    of different species are not symmetric in n1 and n2, and stay as they are.

    Parameters
    ----------
    hypers : mapping
        Keyword arguments of featomic's ``SoapPowerSpectrum``: cutoff, density and basis.
    species : sequence of int
        Atomic numbers that may occur.
    """

    def __init__(self, hypers: Mapping[str, Any], species: Sequence[int]) -> None:
        self.hypers = checked_hypers(hypers)
        self.species = tuple(sorted({int(s) for s in species}))
        self.cutoff = float(self.hypers["cutoff"]["radius"])
        self._of_thread = threading.local()

    @property
    def n_features(self) -> int:
        """D, the number of features of an environment."""
        return max(int(columns.stop) for columns in self._columns.values())

    @property
    def _calculator(self) -> Any:
        """One for each thread: featomic changes it while it computes."""
        if not hasattr(self._of_thread, "calculator"):
            self._of_thread.calculator = run(lambda: featomic.SoapPowerSpectrum(**self.hypers))
        return self._of_thread.calculator

    @cached_property
    def _radial_numbers(self) -> tuple[Indices, Indices]:
        """n_1 and n_2 of the unfolded features of a pair of species, read off a lone atom."""
        lone = Atoms(numbers=self.species[:1], positions=[[0.0, 0.0, 0.0]])
        properties = run(lambda: self._calculator.compute([lone])).block(0).properties
        return properties.column("n_1"), properties.column("n_2")

    @cached_property
    def _all(self) -> tuple[Indices, Array]:
        """Features that are kept for different species, all of them, and their factors."""
        count = len(self._radial_numbers[0])
        return np.arange(count), np.ones(count)

    @cached_property
    def _folded(self) -> tuple[Indices, Array]:
        """Features that are kept for equal species, and their factors."""
        n1, n2 = self._radial_numbers
        kept = np.flatnonzero(n1 <= n2)
        return kept, np.where(n1[kept] < n2[kept], np.sqrt(2.0), 1.0)

    @cached_property
    def _columns(self) -> dict[tuple[int, int], slice]:
        columns, start = {}, 0
        for pair in self._pairs():
            stop = start + len(self._folded[0] if pair[0] == pair[1] else self._all[0])
            columns[pair] = slice(start, stop)
            start = stop
        return columns

    def compute(self, frames: Sequence[Atoms], atoms: Sequence[Indices] | None = None) -> Array:
        """Features of all atoms of all frames, or of chosen ones.

        Parameters
        ----------
        frames : sequence of ase.Atoms
            Checked by the caller; atoms of other species than the model's are left out of all environments, and get
            zeros.
        atoms : sequence of integer arrays, optional
            For each frame the atoms that are wanted, ascending.

        Returns
        -------
        numpy.ndarray, shape (n_atoms, D)
            Atoms in order, frame by frame.
        """
        if atoms is None:
            atoms = [np.arange(len(frame)) for frame in frames]
        wanted = np.array([(a, i) for a, chosen in enumerate(atoms) for i in chosen], dtype=np.int32).reshape(-1, 2)
        features = np.zeros((len(wanted), self.n_features))
        if not len(wanted):
            return features
        first = np.cumsum([0, *(len(frame) for frame in frames)])
        rows = np.full(first[-1], -1)
        rows[first[wanted[:, 0]] + wanted[:, 1]] = np.arange(len(wanted))
        everything = len(wanted) == len(rows)
        samples = None if everything else Labels(["system", "atom"], wanted)
        for key, block in self._blocks(frames, samples):
            if not len(block.samples):
                continue
            target = rows[first[block.samples.column("system")] + block.samples.column("atom")]
            kept, factors = self._folded if key[1] == key[2] else self._all
            columns, values = self._columns[key[1:]], block.values
            for start in range(0, len(target), _ROWS_TOGETHER):
                some = slice(start, start + _ROWS_TOGETHER)
                features[target[some], columns] = values[some, kept] * factors
        return features

    def sees_unknown_species(self, frames: Sequence[Atoms]) -> NDArray[np.bool_]:
        """Mask of atoms that are of other species than the model's, or have such an atom within the cutoff."""
        pairs = featomic.NeighborList(cutoff=self.cutoff, full_neighbor_list=True)
        masks = []
        for frame in frames:
            mask = ~np.isin(frame.numbers, self.species)
            if mask.any():
                unknown = np.unique(frame.numbers[mask])
                keys = np.array([(s, u) for s in self.species for u in unknown], dtype=np.int32)
                labels = Labels(["first_atom_type", "second_atom_type"], keys)
                system = for_featomic(frame, self.cutoff)
                for block in run(lambda s=system, k=labels: pairs.compute([s], selected_keys=k)):
                    mask[block.samples.column("first_atom")] = True
            masks.append(mask)
        return np.concatenate(masks)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.hypers, self.species)

    def _pairs(self) -> Iterator[tuple[int, int]]:
        for i, a in enumerate(self.species):
            for b in self.species[i:]:
                yield a, b

    def _blocks(self, frames: Sequence[Atoms], samples: Any) -> Iterator[tuple[tuple[int, int, int], Any]]:
        keys = np.array([(c, a, b) for c in self.species for a, b in self._pairs()], dtype=np.int32)
        labels = Labels(["center_type", "neighbor_1_type", "neighbor_2_type"], keys)
        systems = [for_featomic(frame, self.cutoff) for frame in frames]
        spectra = run(lambda: self._calculator.compute(systems, selected_keys=labels, selected_samples=samples))
        for key, block in spectra.items():
            yield (int(key[0]), int(key[1]), int(key[2])), block
