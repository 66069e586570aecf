"""Indices of the features of a folded power spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from .._errors import InvalidInputError
from .._species import symbol

#: The index that defines components of a power spectrum.
By = Literal["species", "angular", "radial"]

Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SoapLayout:
    """Indices of the D features (a, b, l, n1, n2): products of channels (a, n1, l) and (b, n2, l).

    For a = b a feature with n1 < n2 stands for (l, n2, n1) too.

    Attributes
    ----------
    first, second : numpy.ndarray of int, shape (D,)
        Atomic numbers of the neighbours, first <= second.
    angular : numpy.ndarray of int, shape (D,)
        The degree l.
    radial_first, radial_second : numpy.ndarray of int, shape (D,)
        n1 and n2.
    """

    first: Indices
    second: Indices
    angular: Indices
    radial_first: Indices
    radial_second: Indices

    @classmethod
    def of(cls, species: Sequence[int], angular: Sequence[int], n_radial: Sequence[int]) -> SoapLayout:
        """Return the layout for species, ascending, and the number of radial functions of each l."""
        blocks = []
        for a, b in combinations_with_replacement(species, 2):
            for degree, n in zip(angular, n_radial, strict=True):
                n1, n2 = np.triu_indices(n) if a == b else np.divmod(np.arange(n * n), n)
                blocks.append([np.full(len(n1), a), np.full(len(n1), b), np.full(len(n1), degree), n1, n2])
        return cls(*(np.concatenate(column) for column in zip(*blocks, strict=True)))

    def masks(self, by: By) -> dict[str, Mask]:
        """Return the features of each component; every feature is in exactly one.

        Pairs of species and of radial functions are unordered, so that folded features are in one component.
        """
        if by not in get_args(By):
            known = ", ".join(map(repr, get_args(By)))
            raise InvalidInputError(f"by is {by!r}; it must be one of {known}.")
        if by == "angular":
            return {f"l={degree}": self.angular == degree for degree in np.unique(self.angular).tolist()}
        pairs = self._pairs(by)
        label = "{}-{}".format if by == "species" else "n={},{}".format
        found: dict[str, Mask] = {}
        for one in np.unique(pairs, axis=0):
            ends = [symbol(int(s)) for s in one] if by == "species" else one.tolist()
            found[label(*ends)] = cast("Mask", (pairs == one).all(axis=1))
        return found

    def _pairs(self, by: By) -> Indices:
        one, other = (self.first, self.second) if by == "species" else (self.radial_first, self.radial_second)
        return np.stack([np.minimum(one, other), np.maximum(one, other)], axis=1)
