"""The split of the energy between species, and how well totals determine it."""

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
        Covariance of the means, mu B H^-1 B^T with B the mean rows.
    pair : tuple of int
        The two species between which the split is least determined.
    of_difference, of_sum : float
        Variances of the difference and of the sum of their means.
    of_looser : float
        Variance of the mean of the less determined species of the two.
    looser : int
        That species.
    of_atom : float or None
        Median variance of a training atom with the means held; None for models without a reference.
    share : float or None
        Share of the median variance of a training atom that the shifts of the means cause.
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
        """Whether the mean of a single species is undetermined, rather than the difference of the two means."""
        return self.of_sum > 0.5 * self.of_difference

    @property
    def is_determined(self) -> bool:
        """Whether the variance of the shift is below that of a typical atom with the means held, or below 0.001."""
        return self.of_difference < max(1e-3, self.of_atom or 0.0)


def species_split(
    species: tuple[int, ...],
    covariance: Array,
    typical: tuple[float, float] | None,
) -> SpeciesSplit:
    """Return the split from the covariance of the means of at least two species.

    Parameters
    ----------
    typical : tuple of float, optional
        Median variances of the training atoms, without and with the means held.
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
