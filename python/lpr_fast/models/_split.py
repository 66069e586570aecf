"""How well totals determine the split of the energy between species."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

from .._arrays import Array


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
    of_looser : float
        Variance of the mean of the looser of the two.
    looser : int
        Which that is.
    of_atom : float or None
        Variance of a typical training atom (the median) with the means held; None for models without a reference.
    share : float or None
        Which share of a typical atom's variance is the shift of the means.
    """

    species: tuple[int, ...]
    covariance: Array
    pair: tuple[int, int]
    of_difference: float
    of_sum: float
    of_looser: float
    looser: int
    of_atom: float | None
    share: float | None

    @property
    def is_of_one(self) -> bool:
        """Whether it is the mean of one species that is open, rather than that of one against that of the other."""
        return self.of_sum > 0.5 * self.of_difference

    @property
    def is_determined(self) -> bool:
        """Whether the shift is smaller than what is open about a typical atom anyway, or than a thousandth."""
        return self.of_difference < max(1e-3, self.of_atom or 0.0)


def species_split(
    species: tuple[int, ...],
    covariance: Array,
    typical: tuple[float, float] | None,
) -> SpeciesSplit:
    """What the covariance of the means of at least two species says.

    Parameters
    ----------
    typical : tuple of float, optional
        Median variances of the training atoms, plain and with the means held.
    """
    pairs = {pair: _difference(covariance, *pair) for pair in combinations(range(len(species)), 2)}
    pair = max(pairs, key=lambda which: pairs[which])
    a, b = pair
    looser = a if covariance[a, a] > covariance[b, b] else b
    return SpeciesSplit(
        species,
        covariance,
        (species[a], species[b]),
        pairs[pair],
        max(0.0, float(covariance[a, a] + covariance[b, b] + 2.0 * covariance[a, b])),
        float(covariance[looser, looser]),
        species[looser],
        None if typical is None else typical[1],
        None if typical is None else max(0.0, 1.0 - typical[1] / typical[0]),
    )


def _difference(covariance: Array, a: int, b: int) -> float:
    return max(0.0, float(covariance[a, a] + covariance[b, b] - 2.0 * covariance[a, b]))
