"""SOAP power spectra in a fixed, folded layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from .. import _core
from .._arrays import Array
from ._hypers import checked_hypers
from ._radial_table import RadialTable, radial_table
from ._structures import structure_of

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Soap:
    """Folded SOAP power spectra of a fixed list of species.

    The features are those of featomic: rho_i^{a n1 l} rho_i^{b n2 l} for every pair a <= b of neighbour species. For
    a = b the features (l, n1, n2) and (l, n2, n1) are equal: one of them is kept, times sqrt(2), so that scalar
    products do not change. Pairs of different species are not symmetric in n1 and n2 and are not folded.

    Attributes
    ----------
    hypers : dict
        Keyword arguments of featomic's ``SoapPowerSpectrum``: cutoff, density and basis.
    species : tuple of int
        Atomic numbers that may occur, ascending.
    table : RadialTable
        Radial integrals, sampled from featomic.
    """

    hypers: dict[str, Any]
    species: tuple[int, ...]
    table: RadialTable

    @classmethod
    def from_hypers(cls, hypers: Mapping[str, Any], species: Sequence[int]) -> Soap:
        """Return the descriptor for some parameters, with radial integrals sampled from featomic."""
        checked = checked_hypers(hypers)
        # featomic calls back into Python; in the main thread it would ignore an interrupt.
        with ThreadPoolExecutor(1) as thread:
            table = thread.submit(radial_table, checked).result()
        return cls(checked, tuple(sorted({int(s) for s in species})), table)

    @property
    def cutoff(self) -> float:
        """Radius of the environments in Å."""
        return float(self.table.edges[-1])

    @property
    def n_features(self) -> int:
        """D, the number of features of an environment."""
        return int(self.core.n_features)

    @property
    def identity(self) -> Mapping[str, Any]:
        """The parameters; everything else in a model file follows from them."""
        return {"kind": "soap", "hypers": self.hypers}

    def features(self, frames: Sequence[Atoms]) -> Array:
        """Return the features of all atoms of all structures, shape (n_atoms, D).

        Raises
        ------
        InvalidInputError
            For structures that cannot be described, such as cells without a volume.
        """
        return self.compute([structure_of(frame, self.cutoff, self.species) for frame in frames])

    def compute(
        self,
        structures: Sequence[_core.Structure],
        atoms: Sequence[Indices] | None = None,
        *,
        n_threads: int = 0,
    ) -> Array:
        """Return the features of all atoms of all structures, or of chosen ones.

        Parameters
        ----------
        structures : sequence
            Results of `structure_of` with the species and the cutoff of this descriptor. Atoms of other species are
            left out of all environments, and their features are zero.
        atoms : sequence of integer arrays, optional
            The chosen atoms of each structure, ascending.
        n_threads : int
            See `Rigidity`.

        Returns
        -------
        numpy.ndarray, shape (n_atoms, D)
            Atoms in order of structures and atoms.
        """
        chosen = [None] * len(structures) if atoms is None else atoms
        return self.core.features(structures, chosen, n_threads)

    @cached_property
    def core(self) -> _core.Soap:
        """The descriptor of the core."""
        table = self.table
        return _core.Soap(table.angular, table.n_radial, table.edges, table.coefficients, table.center, self.species)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.hypers, self.species, self.table)
