"""Training rows: phi summed over what a label is about, and everything that a fit wants to know of the label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._arrays import Array
from .._errors import InvalidInputError
from ._structures import Structures

# Kinds of rows.
ENERGY = 0

_LONGEST_GROUP = 64


def label_type(n_species: int) -> np.dtype[Any]:
    """What stands beside a row's phi.

    weight, unit
        The residual is divided by the unit, squared, and multiplied by the weight.
    target
        The label with its baseline; NaN without labels.
    composition
        What the baseline is multiplied by: atoms of each species for an energy.
    structure, index, count
        Number of the structure, of the row within it, and of its rows.
    kind, group
        What the label is (0: a total energy), and what kind of structure it belongs to.
    """
    return np.dtype(
        [
            ("weight", "<f8"),
            ("unit", "<f8"),
            ("target", "<f8"),
            ("composition", "<f8", (n_species,)),
            ("structure", "<i8"),
            ("index", "<i8"),
            ("count", "<i8"),
            ("kind", "<i8"),
            ("group", f"S{_LONGEST_GROUP}"),
        ]
    )


@dataclass(frozen=True)
class Rows:
    """Some training rows.

    Attributes
    ----------
    phi : numpy.ndarray, shape (n, M)
        Derivatives of what the labels are about with respect to the weights of the model.
    labels : numpy.ndarray, shape (n,)
        See `label_type`.
    """

    phi: Array
    labels: NDArray[Any]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.labels)

    @property
    def weights(self) -> Array:
        """Weights of the squared residuals, what the loss does included."""
        weights: Array = self.labels["weight"] / self.labels["unit"] ** 2
        return weights

    def targets(self, baseline: Array) -> Array:
        """Labels without the baseline, one energy for each species."""
        targets: Array = self.labels["target"] - (np.ascontiguousarray(self.labels["composition"]) * baseline).sum(
            axis=1
        )
        return targets


def energy_labels(structures: Structures, first: int, stop: int) -> NDArray[Any]:
    """Labels of the total energies of structures from `first` to before `stop`."""
    chosen = slice(first, stop)
    labels = np.zeros(stop - first, label_type(len(structures.species)))
    labels["weight"], labels["unit"] = structures.weights[chosen], structures.units[chosen]
    labels["target"] = np.nan if structures.energies is None else structures.energies[chosen]
    labels["composition"] = structures.counts[chosen]
    labels["structure"], labels["count"] = np.arange(first, stop), 1
    labels["group"] = [_short(structures.groups.names[g]) for g in structures.groups.of_structure[chosen].tolist()]
    return labels


def _short(name: str) -> bytes:
    encoded = name.encode()
    if len(encoded) > _LONGEST_GROUP:
        raise InvalidInputError(
            f"the group {name[:80]!r} has a name of {len(encoded)} bytes; 64 are the most: shorten it, or say what else "
            "names the group of a structure (group_key, --group-key)."
        )
    return encoded
