"""Scores of atoms under two models, and their distribution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._arrays import Array
from ..models._columns import columns_of
from ..models._scores import Columns, LocalScores
from ._distribution import Distribution

Indices = NDArray[np.int64]

# Scores that are compared, if both models have them.
_OF_BOTH = ("lpr", "lpr_held", "variance", "sigma", "residual", "local_energy", "spread")

#: Columns of changes.
CHANGES = ("enhancement", "enhancement_held", "variance_ratio", "spread_ratio")


@dataclass(frozen=True)
class ComparedAtoms(Columns):
    """Scores of atoms under a first model, a, and a second one, b, each of shape (n_atoms,).

    It is also a mapping from names to the arrays that are not None, as `Scores` is.

    Attributes
    ----------
    frame, atom : numpy.ndarray of int
        Number of the frame, and of the atom within it, counted from 0.
    species : numpy.ndarray of int
        Atomic number.
    lpr_a, lpr_b : numpy.ndarray
        Local prediction rigidity.
    enhancement : numpy.ndarray
        lpr_b / lpr_a - 1: 0 without a change, NaN if both are infinite.
    lpr_held_a, lpr_held_b, enhancement_held : numpy.ndarray or None
        The same for the held LPR; None unless both models have it.
    variance_a, variance_b, variance_ratio : numpy.ndarray
        Subset-of-regressors variance mu / LPR, and the ratio b / a.
    sigma_a, sigma_b, residual_a, residual_b, local_energy_a, local_energy_b : numpy.ndarray or None
        As in `Scores`; None unless both models have them.
    spread_a, spread_b, spread_ratio : numpy.ndarray or None
        Standard deviation of the local energy over the members of the committee, and the ratio b / a; None unless
        both models have members.
    """

    frame: Indices
    atom: Indices
    species: Indices
    lpr_a: Array
    lpr_b: Array
    enhancement: Array
    lpr_held_a: Array | None
    lpr_held_b: Array | None
    enhancement_held: Array | None
    variance_a: Array
    variance_b: Array
    variance_ratio: Array
    sigma_a: Array | None
    sigma_b: Array | None
    residual_a: Array | None
    residual_b: Array | None
    local_energy_a: Array | None
    local_energy_b: Array | None
    spread_a: Array | None
    spread_b: Array | None
    spread_ratio: Array | None

    def distributions(self) -> dict[str, Distribution]:
        """Mean and quantiles of the columns of changes: `enhancement`, `variance_ratio`, ..."""
        return {name: Distribution.of(self[name]) for name in CHANGES if name in self}

    def by_species(self) -> dict[int, dict[str, Distribution]]:
        """The distributions of each species, by its atomic number."""
        return {
            int(s): {name: Distribution.of(self[name][self.species == s]) for name in CHANGES if name in self}
            for s in np.unique(self.species)
        }


def compared_columns(places: Mapping[str, Indices], a: LocalScores, b: LocalScores) -> dict[str, Any]:
    """The columns of `ComparedAtoms` from the scores of both models."""
    of_a, of_b = columns_of(a), columns_of(b)
    found: dict[str, Any] = dict.fromkeys(each.name for each in fields(ComparedAtoms))
    for name in _OF_BOTH:
        if name in of_a and name in of_b:
            found[f"{name}_a"], found[f"{name}_b"] = of_a[name], of_b[name]
    with np.errstate(divide="ignore", invalid="ignore"):
        for change, name in zip(CHANGES, ("lpr", "lpr_held", "variance", "spread"), strict=True):
            if found[f"{name}_a"] is None:
                continue
            ratio = found[f"{name}_b"] / found[f"{name}_a"]
            found[change] = ratio if change.endswith("ratio") else ratio - 1.0
    return found | dict(places)
