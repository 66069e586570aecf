"""Training rows: phi of each label, and the data of the label that a fit needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._arrays import Array
from .._errors import InvalidInputError
from ._structures import Structures

# Kinds of rows, and their names.
ENERGY, FORCE, VIRIAL = range(3)
KINDS = ("energy", "force", "virial")

_LONGEST_GROUP = 64


def label_type(n_species: int) -> np.dtype[Any]:
    """Return the record type of labels, with these fields.

    weight, unit
        The residual is divided by the unit, squared, and multiplied by the weight. With noise the unit is the standard
        deviation of the label, infinite for an unused energy.
    target
        The label, including the baseline; NaN for a missing label.
    composition
        Factors of the baseline: numbers of atoms of each species for an energy.
    structure, index, count
        Number of the structure, number of the row within it, and number of its rows: the energy, forces (x, y, z of
        each atom), the virial (xx, yy, zz, yz, xz, xy), without components that are not labels. Every structure has a
        row of its energy.
    kind, group
        Kind of the label, and group of the structure.
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
        Derivatives of the predictions of the labels with respect to the weights of the model.
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
        """Weights of the squared residuals, including that of the loss."""
        weights: Array = self.labels["weight"] / self.labels["unit"] ** 2
        return weights

    def targets(self, baseline: Array) -> Array:
        """Return labels minus the baseline, one energy for each species."""
        targets: Array = self.labels["target"] - (np.ascontiguousarray(self.labels["composition"]) * baseline).sum(
            axis=1
        )
        return targets

    @property
    def reached(self) -> int:
        """Number of the structure of the next row; that of the last row if the structure is not complete."""
        last = self.labels[-1]
        return int(last["structure"]) + int(last["index"] + 1 == last["count"])

    @property
    def are_whole(self) -> bool:
        """Whether the last row is the last of its structure."""
        return bool(self.reached > self.labels["structure"][-1])

    def part(self, start: int, stop: int) -> Rows:
        """Return consecutive rows."""
        return Rows(self.phi[start:stop], self.labels[start:stop])


def concatenated(blocks: Sequence[Rows]) -> Rows:
    """Return blocks of rows as one."""
    if len(blocks) == 1:
        return blocks[0]
    return Rows(np.concatenate([rows.phi for rows in blocks]), np.concatenate([rows.labels for rows in blocks]))


def energy_labels(structures: Structures, first: int, stop: int) -> NDArray[Any]:
    """Return labels of the total energies of structures `first` to `stop` - 1."""
    chosen = slice(first, stop)
    labels = np.zeros(stop - first, label_type(len(structures.species)))
    labels["weight"], labels["unit"] = structures.weights[chosen], structures.units[chosen]
    labels["target"] = np.nan if structures.energies is None else structures.energies[chosen]
    labels["composition"] = structures.counts[chosen]
    labels["structure"], labels["count"] = np.arange(first, stop), structures.n_rows[chosen]
    labels["group"] = [_short(structures.groups.names[g]) for g in structures.groups.of_structure[chosen].tolist()]
    return labels


def derivative_labels(energy: NDArray[Any], kinds: NDArray[np.int64], targets: Array, sigmas: Array) -> NDArray[Any]:
    """Return labels of the forces and the virial of a structure, from that of its energy, (1,)."""
    labels = np.repeat(energy, len(kinds))
    labels["kind"], labels["target"], labels["unit"] = kinds, targets, sigmas
    labels["composition"] = 0.0
    labels["index"] = np.arange(1, len(kinds) + 1)
    return labels


def _short(name: str) -> bytes:
    encoded = name.encode()
    if len(encoded) > _LONGEST_GROUP:
        raise InvalidInputError(
            f"the name of the group {name[:80]!r} has {len(encoded)} bytes, more than {_LONGEST_GROUP}; shorten it, or "
            "give another key of groups (group_key, --group-key)."
        )
    return encoded
