"""Radial integrals of featomic's spherical expansion at chosen distances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._arrays import LARGEST_ENTRY, Array
from .._errors import InvalidInputError
from ._featomic import Labels, SphericalExpansionByPair, SystemBase, run

_CENTER, _NEIGHBOUR = 1, 2

# featomic distributes systems among its threads; each system costs some callbacks.
_NEIGHBOURS_TOGETHER = 64


class RadialSamples:
    """Radial integrals at distances, without featomic's splines.

    Parameters
    ----------
    hypers : mapping
        The result of ``checked_hypers``.

    Raises
    ------
    InvalidInputError
        For hypers that featomic does not accept.
    """

    def __init__(self, hypers: Mapping[str, Any]) -> None:
        plain = {**hypers, "basis": {**hypers["basis"], "spline_accuracy": None}}
        self._calculator = run(lambda: SphericalExpansionByPair(**plain))
        self.radius = float(hypers["cutoff"]["radius"])
        self.knots = _knots(plain["basis"])
        self.angular = _angular(plain["basis"])
        lone = self._blocks([_Neighbours([])], _CENTER)
        self.n_radial = tuple(len(block.properties) for block in lone)
        for angular, size in zip(self.angular, self.n_radial, strict=True):
            if not size:
                raise InvalidInputError(
                    f"the radial basis of l = {angular} in hypers has no functions; it must have at least one."
                )
        self.center: Array = lone[0].values[0, 0].copy() if self.angular[0] == 0 else np.zeros(0)

    def __call__(self, distances: Array) -> Array:
        """Return one row for each distance, with channels in the order (l, n), including cutoff function and scaling.

        The value at the cutoff radius is the limit from below, because featomic has no neighbour there.
        """
        distances = np.minimum(distances, np.nextafter(self.radius, 0.0))
        parts = range(0, len(distances), _NEIGHBOURS_TOGETHER)
        systems = [_Neighbours(distances[start : start + _NEIGHBOURS_TOGETHER].tolist()) for start in parts]
        blocks = self._blocks(systems, _NEIGHBOUR)
        # On the z axis Y_l0 = sqrt((2 l + 1) / 4 pi), and all others vanish.
        along_z = np.sqrt((2 * np.array(self.angular) + 1) / (4 * np.pi))
        columns = [block.values[:, m] / y for block, m, y in zip(blocks, self.angular, along_z, strict=True)]
        values = np.concatenate(columns, axis=1)
        wrong = np.flatnonzero(~(np.abs(values) < LARGEST_ENTRY).all(axis=1))
        if wrong.size:
            raise InvalidInputError(
                f"the radial integrals for these hypers are too large at a distance of {distances[wrong[0]]:g}; change "
                "density, basis or cutoff."
            )
        return values

    def _blocks(self, systems: Sequence[_Neighbours], species: int) -> list[Any]:
        """Return the contributions of neighbours of one species to the center, one block for each l."""
        keys = np.array([(angular, 1, _CENTER, species) for angular in self.angular], dtype=np.int32)
        labels = Labels(["o3_lambda", "o3_sigma", "first_atom_type", "second_atom_type"], keys)
        expansion = run(lambda: self._calculator.compute(list(systems), selected_keys=labels, use_native_system=False))
        return [expansion.block(dict(zip(labels.names, key, strict=True))) for key in keys.tolist()]


class _Neighbours(SystemBase):  # type: ignore[misc]
    """A center and neighbours of another species on the z axis, which are not neighbours of one another.

    All pairs are given: featomic would list many more, and warn of close ones.
    """

    def __init__(self, distances: list[float]) -> None:
        super().__init__()
        self._types = np.array([_CENTER] + [_NEIGHBOUR] * len(distances), dtype=np.int32)
        self._positions = np.zeros((len(distances) + 1, 3))
        self._positions[1:, 2] = distances
        self._pairs = [(0, i, r, (0.0, 0.0, r), (0, 0, 0)) for i, r in enumerate(distances, start=1)]

    def size(self) -> int:
        return len(self._types)

    def types(self) -> NDArray[np.int32]:
        return self._types

    def positions(self) -> Array:
        return self._positions

    def cell(self) -> Array:
        return np.zeros((3, 3))

    def compute_neighbors(self, cutoff: float) -> None:
        """Do nothing: the pairs are known."""

    def pairs(self) -> list[Any]:
        return self._pairs

    def pairs_containing(self, atom: int) -> list[Any]:
        return self._pairs if atom == 0 else self._pairs[atom - 1 : atom]


def _angular(basis: Mapping[str, Any]) -> tuple[int, ...]:
    if basis["type"] == "TensorProduct":
        return tuple(range(basis["max_angular"] + 1))
    return tuple(sorted(int(angular) for angular in basis["by_angular"]))


def _knots(basis: Mapping[str, Any]) -> list[float]:
    """Return the positions at which cubic pieces of a tabulated basis meet, ascending."""
    radials = [basis["radial"]] if basis["type"] == "TensorProduct" else basis["by_angular"].values()
    return sorted({float(knot) for radial in radials for knot in _knots_of(radial)})


def _knots_of(radial: Mapping[str, Any]) -> Iterator[float]:
    knots = [point["position"] for point in radial.get("points", ())]
    if knots and min(knots) > 0:
        raise InvalidInputError(
            f"a tabulated radial basis in hypers begins at a distance of {min(knots):g}; its first position must be 0."
        )
    yield from knots
