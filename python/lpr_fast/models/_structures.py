"""Compositions, weights and energies of training structures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import Array, as_vector
from .._errors import InvalidInputError
from .._words import counted
from ._scores import Loss
from ._training import fit_baseline

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Groups:
    """Group of each structure, such as its ``config_type``; the name is empty for no group.

    Attributes
    ----------
    names : tuple of str
        The groups, in the order of their first structures.
    of_structure : numpy.ndarray of int, shape (n_structures,)
        Index into `names`.
    """

    names: tuple[str, ...]
    of_structure: Indices

    @classmethod
    def none(cls, n_structures: int) -> Groups:
        """Return one group without a name for all structures."""
        return cls(("",), np.zeros(n_structures, dtype=np.int64))


@dataclass(frozen=True)
class Structures:
    """Numbers of environments of structures, with weights and total energies.

    Attributes
    ----------
    species : tuple of int
        Species of the structures, ascending; usually atomic numbers.
    counts : numpy.ndarray of int, shape (n_structures, n_species)
        Numbers of environments of each species in each structure.
    weights : numpy.ndarray, shape (n_structures,)
        Given weights of the squared residuals, without those of the loss.
    loss : {"total", "per_atom", "noise"}
        Whether residuals are those of total energies, of energies per atom, or of labels in units of their noise.
    energies : numpy.ndarray, shape (n_structures,), or None
        Total energies; NaN for missing ones.
    groups : Groups
        Group of each structure.
    isolated : dict of int to float
        Energies of isolated atoms among the structures.
    facts : dict
        Further facts for the provenance of a model.
    sigmas : numpy.ndarray, shape (n_structures,), or None
        With the loss "noise", standard deviations of the energies; infinite for unused energies.
    n_derivatives : numpy.ndarray of int, shape (n_structures,), or None
        Numbers of components of forces and virials that are labels; None for a fit to energies only.
    """

    species: tuple[int, ...]
    counts: Indices
    weights: Array
    loss: Loss
    energies: Array | None
    groups: Groups
    isolated: Mapping[int, float] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    sigmas: Array | None = None
    n_derivatives: Indices | None = None

    def __len__(self) -> int:
        """Return the number of structures."""
        return len(self.weights)

    @cached_property
    def first(self) -> Indices:
        """Index of each structure's first environment, followed by the number of all: (n_structures + 1,)."""
        return np.concatenate([[0], np.cumsum(self.counts.sum(axis=1))])

    @cached_property
    def units(self) -> Array:
        """Divisors of the residuals in the loss: (n_structures,)."""
        if self.sigmas is not None:
            return self.sigmas
        sizes = self.counts.sum(axis=1).astype(np.float64)
        return sizes if self.loss == "per_atom" else np.ones(len(self))

    def places(self, environments: Indices) -> Indices:
        """Return structure and atom of each environment: (n, 2)."""
        structures = np.searchsorted(self.first, environments, side="right") - 1
        return np.column_stack([structures, environments - self.first[structures]])

    @cached_property
    def n_rows(self) -> Indices:
        """Number of training rows of each structure: one of its energy, and those of forces and virials."""
        rows = np.ones(len(self), dtype=np.int64)
        return rows if self.n_derivatives is None else rows + self.n_derivatives

    @cached_property
    def first_row(self) -> Indices:
        """Index of each structure's first training row, followed by the number of all: (n_structures + 1,)."""
        return np.concatenate([[0], np.cumsum(self.n_rows)])

    def owner_of_row(self, row: int) -> int:
        """Return the structure of a training row; the number of structures for a row after the last one."""
        return int(np.searchsorted(self.first_row, row, side="right")) - 1

    @property
    def n_environments(self) -> int:
        """Number of environments of all structures."""
        return int(self.first[-1])

    @property
    def available(self) -> dict[int, int]:
        """Number of environments of each species in all structures."""
        return dict(zip(self.species, self.counts.sum(axis=0).tolist(), strict=True))

    @cached_property
    def has_weight(self) -> NDArray[np.bool_]:
        """Whether each structure counts for the rigidity: (n_structures,)."""
        return np.asarray(self.weights > 0.0)

    @cached_property
    def is_labelled(self) -> NDArray[np.bool_]:
        """Whether each structure has a weight and an energy: (n_structures,)."""
        if self.energies is None:
            return np.zeros(len(self), dtype=bool)
        return self.has_weight & ~np.isnan(self.energies)

    @cached_property
    def is_used(self) -> NDArray[np.bool_]:
        """Whether each structure counts for the weights of a model with energies: (n_structures,)."""
        return self.has_weight if self.loss == "noise" else self.is_labelled

    @cached_property
    def unlabelled(self) -> Indices:
        """Numbers of the structures with a weight but without an energy, in a fit to energies."""
        if self.energies is None or self.loss == "noise":
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero(self.has_weight & np.isnan(self.energies))

    @property
    def n_compositions(self) -> int:
        """Number of independent compositions: if it is below the number of species, energies determine no baseline."""
        counts = self.counts[self.has_weight if self.energies is None else self.is_labelled].astype(np.float64)
        return int(np.linalg.matrix_rank(counts.T @ counts))

    @classmethod
    def without_labels(cls, species: tuple[int, ...], counts: Indices) -> Structures:
        """Return structures whose labels are not needed."""
        return cls(species, counts, np.ones(len(counts)), "total", None, Groups.none(len(counts)))

    def baseline(
        self, given: Mapping[int, float] | str | None, shown: object, label: Callable[[int], str]
    ) -> dict[int, float] | None:
        """Return the energy of each species to subtract first, checked or fitted; None without energies.

        Messages contain `shown`, the baseline of the caller, and the names of species by `label`.
        """
        if self.energies is None:
            if given is not None:
                raise InvalidInputError(
                    "a baseline was given, but the training set has no energies; leave the baseline out."
                )
            return None
        used = self.is_labelled
        if given is None and not used.any() and self.n_derivatives is not None:
            return dict.fromkeys(self.species, 0.0)
        if not used.any() and self.n_derivatives is None:
            raise InvalidInputError(
                "no structure of positive weight has an energy; give one an energy, or fit without energies."
            )
        if given is None:
            self._refuse_unknown(label)
            weights = self.weights[used] / self.units[used] ** 2
            fitted = fit_baseline(self.counts[used], self.energies[used], weights)
            return dict(zip(self.species, map(float, fitted), strict=True))
        energies = self.isolated if isinstance(given, str) else given
        if set(energies) != set(self.species) or not np.isfinite(list(energies.values())).all():
            raise InvalidInputError(
                f"the baseline is {shown}; give one finite energy for each species of the training set, and for no "
                "others."
            )
        return {s: energies[s] for s in self.species}

    def _refuse_unknown(self, label: Callable[[int], str]) -> None:
        """Raise for a species that no structure with an energy has."""
        counts = self.counts[self.is_labelled].sum(axis=0)
        unknown = [label(s) for s, count in zip(self.species, counts.tolist(), strict=True) if not count]
        if unknown:
            raise InvalidInputError(
                f"no structure with an energy and a weight has {', '.join(unknown)}, so its baseline is not known; "
                "give the baseline as energies, or such a structure."
            )

    def refuse_weightless(self, label: Callable[[int], str]) -> None:
        """Raise for a species that only structures of zero weight have.

        Raises
        ------
        InvalidInputError
            For such a species; the message names it by `label`.
        """
        counts = self.counts[self.has_weight].sum(axis=0)
        unknown = [label(s) for s, count in zip(self.species, counts.tolist(), strict=True) if not count]
        if unknown:
            raise InvalidInputError(
                f"only structures of zero weight have {', '.join(unknown)}, so nothing determines its energies; give "
                "one of them a weight, or leave them out."
            )

    def to_parts(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return all data as facts for JSON, and arrays."""
        arrays: dict[str, NDArray[Any]] = {
            "counts": self.counts,
            "weights": self.weights,
            "groups": self.groups.of_structure,
        }
        optional = {"energies": self.energies, "sigmas": self.sigmas, "n_derivatives": self.n_derivatives}
        arrays |= {name: values for name, values in optional.items() if values is not None}
        facts = {
            "species": list(self.species),
            "loss": self.loss,
            "groups": list(self.groups.names),
            "isolated": {str(s): energy for s, energy in self.isolated.items()},
            "facts": dict(self.facts),
        }
        return facts, arrays

    @classmethod
    def from_parts(cls, facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Structures:
        """Return the structures from the result of `to_parts`."""
        groups = Groups(tuple(facts["groups"]), arrays["groups"])
        return cls(
            tuple(facts["species"]),
            arrays["counts"],
            arrays["weights"],
            facts["loss"],
            arrays.get("energies"),
            groups,
            {int(s): energy for s, energy in facts["isolated"].items()},
            facts["facts"],
            arrays.get("sigmas"),
            arrays.get("n_derivatives"),
        )


def species_counts(numbers: Indices, sizes: Indices) -> tuple[tuple[int, ...], Indices]:
    """Return the species, ascending, and their numbers of environments in each structure."""
    species = np.unique(numbers)
    counts = np.zeros((len(sizes), len(species)), dtype=np.int64)
    np.add.at(counts, (np.repeat(np.arange(len(sizes)), sizes), np.searchsorted(species, numbers)), 1)
    return tuple(map(int, species)), counts


def checked_loss(loss: Any) -> Loss:
    """Check the name of a loss."""
    if not isinstance(loss, str) or loss not in ("total", "per_atom"):
        raise InvalidInputError(f"loss is {loss!r}; it must be 'total' or 'per_atom'.")
    return cast("Loss", loss)


def checked_weights(given: ArrayLike | None, n_structures: int, what: str) -> Array:
    """Check weights of the squared residuals of `n_structures` structures, called `what` in messages.

    Raises
    ------
    InvalidInputError
        For weights that cannot be used.
    """
    weights = np.ones(n_structures) if given is None else as_vector("weights", given)
    if len(weights) != n_structures:
        raise InvalidInputError(
            f"got {counted(len(weights), 'weight')} for {counted(n_structures, what)}; give one for each {what}."
        )
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0.0)))
    if wrong.size:
        number = int(wrong[0])
        raise InvalidInputError(
            f"the weight of {what} {number} is {weights[number]}; weights must be finite and not negative."
        )
    if not weights.any():
        raise InvalidInputError(f"all weights are zero; give at least one {what} a positive weight.")
    return weights


def weights_of_deviations(given: ArrayLike, n_structures: int, what: str) -> Array:
    """Return the weights 1 / sigma^2 of structures whose labels have these standard deviations."""
    sigmas = as_vector("sigmas", given)
    if len(sigmas) != n_structures:
        raise InvalidInputError(
            f"got {counted(len(sigmas), 'number')} in sigmas for {counted(n_structures, what)}; give one for each."
        )
    wrong = np.flatnonzero(~(np.isfinite(sigmas) & (sigmas > 0.0)))
    if wrong.size:
        number = int(wrong[0])
        raise InvalidInputError(f"sigma of {what} {number} is {sigmas[number]}; it must be finite and positive.")
    return checked_weights(1.0 / sigmas**2, n_structures, what)
