"""How well totals determine the split of the energy between species, and what would determine it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from .._arrays import Array

# Of a pair, what a structure that might be added has of each.
_CANDIDATES = ((1.0, 0.0), (0.0, 1.0), (0.75, 0.25), (0.25, 0.75))


@dataclass(frozen=True)
class Remedy:
    """A structure that would determine the split.

    Attributes
    ----------
    composition : dict of int to float
        Shares of its species.
    n_atoms : int
        How many atoms it has: as many as the training structures, on average.
    variance : float
        What it would leave of the variance of the difference, if its atoms are as the mean of their species.
    """

    composition: dict[int, float]
    n_atoms: int
    variance: float


@dataclass(frozen=True)
class SpeciesSplit:
    """Variances of the mean predictions of the species, in units of the prior variance.

    Attributes
    ----------
    species : tuple of int
        Species whose means the model holds.
    covariance : numpy.ndarray, shape (n_species, n_species)
        mu B H^-1 B^T of their means B.
    pair : tuple of int
        The two species between which the split is least determined.
    of_difference, of_sum : float
        Variance of the difference of their means, and of the sum.
    of_atom : float or None
        Variance of a typical training atom (the median) with the means held; None for models without a reference.
    share : float or None
        Which share of a typical atom's variance is the shift of the means.
    remedies : list of Remedy
        Best first.
    """

    species: tuple[int, ...]
    covariance: Array
    pair: tuple[int, int]
    of_difference: float
    of_sum: float
    of_atom: float | None
    share: float | None
    remedies: list[Remedy]

    @property
    def is_determined(self) -> bool:
        """Whether the shift is smaller than what is open about a typical atom anyway, or than a thousandth."""
        return self.of_difference < max(1e-3, self.of_atom or 0.0)


def species_split(
    species: tuple[int, ...],
    covariance: Array,
    regularizer: float,
    n_atoms: int,
    weight: float,
    typical: tuple[float, float] | None,
) -> SpeciesSplit:
    """What the covariance of the means of at least two species says.

    Parameters
    ----------
    n_atoms : int
        Atoms of a structure that might be added.
    weight : float
        Weight of its squared residual in the loss.
    typical : tuple of float, optional
        Median variances of the training atoms, plain and with the means held.
    """
    pairs = {pair: _difference(covariance, *pair) for pair in combinations(range(len(species)), 2)}
    pair = max(pairs, key=lambda which: pairs[which])
    remedies = [
        Remedy(
            {species[place]: share for place, share in zip(pair, shares, strict=True) if share},
            n_atoms,
            _difference(_with_structure(covariance, pair, shares, regularizer, n_atoms, weight), *pair),
        )
        for shares in _CANDIDATES
    ]
    a, b = pair
    return SpeciesSplit(
        species,
        covariance,
        (species[a], species[b]),
        pairs[pair],
        max(0.0, float(covariance[a, a] + covariance[b, b] + 2.0 * covariance[a, b])),
        None if typical is None else typical[1],
        None if typical is None else max(0.0, 1.0 - typical[1] / typical[0]),
        sorted(remedies, key=lambda remedy: remedy.variance),
    )


def _difference(covariance: Array, a: int, b: int) -> float:
    return max(0.0, float(covariance[a, a] + covariance[b, b] - 2.0 * covariance[a, b]))


def _with_structure(
    covariance: Array,
    pair: tuple[int, int],
    shares: tuple[float, float],
    regularizer: float,
    n_atoms: int,
    weight: float,
) -> Array:
    """The covariance when a structure is added whose atoms are as the mean of their species (a rank-one update)."""
    composition = np.zeros(len(covariance))
    composition[list(pair)] = shares
    row = covariance @ composition
    scale = weight * n_atoms**2
    updated: Array = covariance - scale * np.outer(row, row) / (regularizer + scale * float(composition @ row))
    return updated
