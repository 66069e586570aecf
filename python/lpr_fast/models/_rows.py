"""Training rows: phi summed over what a label is about, and everything that a fit wants to know of the label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._arrays import Array
from .._errors import InvalidInputError
from ._structures import Structures

# Kinds of rows, and what they are called, by their numbers.
ENERGY, FORCE, VIRIAL = range(3)
KINDS = ("energy", "force", "virial")

_LONGEST_GROUP = 64


def label_type(n_species: int) -> np.dtype[Any]:
    """What stands beside a row's phi.

    weight, unit
        The residual is divided by the unit, squared, and multiplied by the weight. With noise the unit is the standard
        deviation of the label, infinite for an energy that is not used.
    target
        The label with its baseline; NaN without labels.
    composition
        What the baseline is multiplied by: atoms of each species for an energy.
    structure, index, count
        Number of the structure, of the row within it, and of its rows: the energy, forces (x, y, z of each atom), the
        virial (xx, yy, zz, yz, xz, xy), without components that are no labels. That of the energy is always there.
    kind, group
        What the label is, and what kind of structure it belongs to.
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

    @property
    def reached(self) -> int:
        """Number of the structure that the next row belongs to; behind a row of an unfinished structure, of that."""
        last = self.labels[-1]
        return int(last["structure"]) + int(last["index"] + 1 == last["count"])

    @property
    def are_whole(self) -> bool:
        """Whether the last row is the last of its structure."""
        return bool(self.reached > self.labels["structure"][-1])

    def part(self, start: int, stop: int) -> Rows:
        """Some of them that follow one another."""
        return Rows(self.phi[start:stop], self.labels[start:stop])


def concatenated(blocks: Sequence[Rows]) -> Rows:
    """Blocks of rows as one."""
    if len(blocks) == 1:
        return blocks[0]
    return Rows(np.concatenate([rows.phi for rows in blocks]), np.concatenate([rows.labels for rows in blocks]))


def energy_labels(structures: Structures, first: int, stop: int) -> NDArray[Any]:
    """Labels of the total energies of structures from `first` to before `stop`."""
    chosen = slice(first, stop)
    labels = np.zeros(stop - first, label_type(len(structures.species)))
    labels["weight"], labels["unit"] = structures.weights[chosen], structures.units[chosen]
    labels["target"] = np.nan if structures.energies is None else structures.energies[chosen]
    labels["composition"] = structures.counts[chosen]
    labels["structure"], labels["count"] = np.arange(first, stop), structures.n_rows[chosen]
    labels["group"] = [_short(structures.groups.names[g]) for g in structures.groups.of_structure[chosen].tolist()]
    return labels


def derivative_labels(energy: NDArray[Any], kinds: NDArray[np.int64], targets: Array, sigmas: Array) -> NDArray[Any]:
    """Labels of the forces and the virial of a structure, behind that of its energy, (1,)."""
    labels = np.repeat(energy, len(kinds))
    labels["kind"], labels["target"], labels["unit"] = kinds, targets, sigmas
    labels["composition"] = 0.0
    labels["index"] = np.arange(1, len(kinds) + 1)
    return labels


def _short(name: str) -> bytes:
    encoded = name.encode()
    if len(encoded) > _LONGEST_GROUP:
        raise InvalidInputError(
            f"the group {name[:80]!r} has a name of {len(encoded)} bytes; 64 are the most: shorten it, or say what "
            "else names the group of a structure (group_key, --group-key)."
        )
    return encoded
