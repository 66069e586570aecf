"""Features and species of atoms as torch tensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from .._arrays import Array, as_environments, as_integers, refuse_unusable
from .._errors import InvalidInputError
from .._species import as_species


@dataclass(frozen=True)
class Atoms:
    """Atoms as a module gets them.

    Attributes
    ----------
    features : torch.Tensor, shape (n, D)
        Features in float64.
    species : torch.Tensor of int, shape (n,), or None
        Species; None if the module does not use them.
    """

    features: Tensor
    species: Tensor | None

    def __len__(self) -> int:
        """Return the number of atoms."""
        return len(self.features)

    def select(self, chosen: slice | Tensor) -> Atoms:
        """Return some of the atoms."""
        return Atoms(self.features[chosen], None if self.species is None else self.species[chosen])

    def kinds(self) -> Iterator[tuple[str, Tensor]]:
        """Yield names of species, and the indices of their atoms."""
        assert self.species is not None
        for number in torch.unique(self.species).tolist():
            yield str(number), torch.nonzero(self.species == number)[:, 0]


def checked_atoms(X: ArrayLike, species: ArrayLike | None, known: frozenset[int] | None) -> Atoms:
    """Check features and species of atoms; with `known`, each species must be in it."""
    features = as_environments("X", X)
    refuse_unusable("X", features)
    if species is None:
        if known is not None:
            raise InvalidInputError(
                "species is missing, but there is a module for each species; give one species for each row of X."
            )
        return Atoms(_shared(features), None)
    numbers = as_species("species", species, len(features))
    unknown = [] if known is None else sorted(set(numbers.tolist()) - known)
    if unknown:
        raise InvalidInputError(
            f"X has atoms of species {unknown[0]}, which has no module; give a module for each species."
        )
    return Atoms(_shared(features), torch.tensor(numbers))


def structures_of(atoms: Atoms, structure: ArrayLike) -> list[Atoms]:
    """Return the atoms of each structure, in ascending order of the numbers of structures."""
    labels = as_integers("structure", structure, len(atoms))
    if not len(labels):
        raise InvalidInputError("X has no rows; give the features of at least one atom.")
    order = np.argsort(labels, kind="stable")
    ends = np.cumsum(np.unique(labels, return_counts=True)[1])[:-1]
    return [atoms.select(torch.from_numpy(places)) for places in np.split(order, ends)]


def _shared(features: Array) -> Tensor:
    """Return a tensor that shares memory; read-only arrays are copied, because torch warns of them."""
    return torch.from_numpy(features if features.flags.writeable else features.copy())
