"""Training structures as models see them: how many environments of each species, weights and energies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import Array, as_vector
from .._errors import InvalidInputError
from ._scores import Loss
from ._training import fit_baseline

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Structures:
    """How many environments structures have, with the weight w_A of each one's squared residual and its total energy.

    Attributes
    ----------
    species : tuple of int
        Species that occur, ascending: atomic numbers, as a rule.
    counts : numpy.ndarray of int, shape (n_structures, n_species)
        Environments of each species in each structure.
    weights : numpy.ndarray, shape (n_structures,)
        Those of the loss included.
    energies : numpy.ndarray, shape (n_structures,), or None
        Total energies.
    """

    species: tuple[int, ...]
    counts: Indices
    weights: Array
    energies: Array | None

    def __len__(self) -> int:
        """Return the number of structures."""
        return len(self.weights)

    @cached_property
    def first(self) -> Indices:
        """Index of each structure's first environment, and behind them the number of all: (n_structures + 1,)."""
        return np.concatenate([[0], np.cumsum(self.counts.sum(axis=1))])

    @property
    def n_environments(self) -> int:
        """Environments of all structures."""
        return int(self.first[-1])

    @property
    def available(self) -> dict[int, int]:
        """Environments of each species in all structures."""
        return dict(zip(self.species, self.counts.sum(axis=0).tolist(), strict=True))

    def targets(self, baseline: dict[int, float] | None) -> Array | None:
        """What is left of the energies without the baseline."""
        if self.energies is None or baseline is None:
            return None
        of_species = np.array([baseline[s] for s in self.species])
        targets: Array = self.energies - (self.counts * of_species).sum(axis=1)
        return targets

    def baseline(self, given: Mapping[int, float] | None, shown: object) -> dict[int, float] | None:
        """Energy of each species to be taken off first, checked or fitted; None without energies.

        Messages show it as the caller gave it.
        """
        if self.energies is None:
            if given is not None:
                raise InvalidInputError("a baseline was given, but the training set has no energies; leave it out.")
            return None
        if given is None:
            fitted = fit_baseline(self.counts, self.energies, self.weights)
            return dict(zip(self.species, map(float, fitted), strict=True))
        if set(given) != set(self.species) or not np.isfinite(list(given.values())).all():
            raise InvalidInputError(
                f"the baseline is {shown}; give one finite energy for each species of the training set, and for no "
                "other."
            )
        return {s: given[s] for s in self.species}


def counted(numbers: Indices, sizes: Indices) -> tuple[tuple[int, ...], Indices]:
    """Species, ascending, and how often they occur among the environments of each structure."""
    species = np.unique(numbers)
    counts = np.zeros((len(sizes), len(species)), dtype=np.int64)
    np.add.at(counts, (np.repeat(np.arange(len(sizes)), sizes), np.searchsorted(species, numbers)), 1)
    return tuple(map(int, species)), counts


def checked_weights(given: ArrayLike | None, sizes: Indices, loss: Loss, what: str) -> Array:
    """Weights of the squared residuals of structures with so many atoms, those that the loss brings included.

    Raises
    ------
    InvalidInputError
        For losses that do not exist and weights that cannot be used; `what` is what the message calls a structure.
    """
    if not isinstance(loss, str) or loss not in ("total", "per_atom"):
        raise InvalidInputError(f"loss is {loss!r}; it must be 'total' or 'per_atom'.")
    weights = np.ones(len(sizes)) if given is None else as_vector("weights", given)
    if weights.shape != sizes.shape:
        raise InvalidInputError(
            f"got {weights.size} weights for {len(sizes)} {what}s; give one weight for each {what}."
        )
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0.0)))
    if wrong.size:
        number = int(wrong[0])
        raise InvalidInputError(
            f"the weight of {what} {number} is {weights[number]}; weights must be finite and not negative."
        )
    if not weights.any():
        raise InvalidInputError(f"all weights are zero; give at least one {what} a positive weight.")
    return weights if loss == "total" else weights / sizes.astype(np.float64) ** 2
