"""Rows of forces and virials: derivatives of structure rows with respect to positions and strain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ... import _core
from ..._arrays import Array
from ..._errors import InvalidInputError
from ...models._basis import Basis, LinearBasis, SparseKernelBasis
from .._describer import Describer, SoapDescriber

Indices = NDArray[np.int64]

# Numbers in the rows of forces that are in memory at once.
ROWS_TOGETHER = 2**21


@dataclass(frozen=True)
class GradientRows:
    """Rows of forces and virial of a structure: times the weights they give forces and virial.

    Attributes
    ----------
    forces : numpy.ndarray, shape (3 N, M)
        Minus the derivatives of the sum of phi over the atoms, with respect to x, y, z of each atom in turn, per Å.
    virials : numpy.ndarray, shape (6, M)
        Minus the derivatives with respect to strain: xx, yy, zz, yz, xz, xy, symmetrised.
    """

    forces: Array
    virials: Array


@dataclass(frozen=True)
class GradientBasis:
    """A basis and the descriptor of its features, to compute rows of structures.

    Attributes
    ----------
    basis : Basis
        The functions that the weights multiply.
    soap : Soap
        The core's descriptor, of the same species.
    """

    basis: Basis
    soap: _core.Soap

    def rows(
        self,
        structure: _core.Structure,
        n_threads: int = 0,
        *,
        atoms: Indices | None = None,
        virials: bool = True,
    ) -> GradientRows:
        """Return rows of a structure; the bits do not depend on the number of threads.

        Parameters
        ----------
        structure : Structure
            Atoms in bins.
        n_threads : int
            See `Rigidity`.
        atoms : numpy.ndarray of int, optional
            Atoms whose rows of forces are computed, in this order; the bits are those of all atoms at once.
        virials : bool
            Whether to compute the rows of the virial.
        """
        if self._kernels is None:
            found = _core.feature_gradients(self.soap, structure, atoms, virials, n_threads)
            return GradientRows(*(self._with_constants(rows) for rows in found))
        return GradientRows(*self._kernels.rows(structure, atoms, virials, n_threads))

    def parts(self, structure: _core.Structure, places: Indices, n_threads: int) -> Iterator[Array]:
        """Yield some of the rows of a structure, in parts of limited memory; the bits are the same.

        `places`, ascending, are numbers of rows of forces and, after these, of the virial. Other rows are not computed.
        """
        n_forces = 3 * len(structure)
        of_forces, of_virials = np.split(places, [np.searchsorted(places, n_forces)])
        atoms = np.unique(of_forces // 3)
        step = max(1, ROWS_TOGETHER // (3 * self.basis.size))
        for first in range(0, max(len(atoms), 1), step):
            some, is_last = atoms[first : first + step], first + step >= len(atoms)
            found = self.rows(structure, n_threads, atoms=some, virials=is_last and len(of_virials) > 0)
            wanted = of_forces[np.isin(of_forces // 3, some)]
            yield found.forces[3 * np.searchsorted(some, wanted // 3) + wanted % 3]
            if len(found.virials):
                yield found.virials[of_virials - n_forces]

    @cached_property
    def _kernels(self) -> _core.KernelGradients | None:
        """The active set, packed for the core; None for linear models."""
        if not isinstance(self.basis, SparseKernelBasis):
            return None
        of_species = list(self.basis.active.values())
        first = np.cumsum([0, *(len(active) for active in of_species)]).tolist()
        return _core.KernelGradients(self.soap, np.concatenate(of_species), first, self.basis.zeta)

    def _with_constants(self, rows: Array) -> Array:
        """Return rows with a column of zeros in front of the features of each species if the basis has constants."""
        assert isinstance(self.basis, LinearBasis)
        if not self.basis.has_constants:
            return rows
        blocks = rows.reshape(len(rows), len(self.basis.species), -1)
        return np.pad(blocks, ((0, 0), (0, 0), (1, 0))).reshape(len(rows), self.basis.size)


def gradient_basis(basis: Basis, describer: Describer) -> GradientBasis:
    """Return the object that computes rows of forces and virials.

    Raises
    ------
    InvalidInputError
        For descriptors that are not the core's.
    """
    if not isinstance(describer, SoapDescriber):
        raise InvalidInputError(
            "the descriptor of this model has no derivatives, so there are no rows of forces and virials; use a model "
            "with SOAP features (hypers)."
        )
    assert describer.core is not None
    return GradientBasis(basis, describer.core)
