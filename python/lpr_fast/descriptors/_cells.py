"""Large structures, cut into spatial cells with halos."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from .._arrays import Array
from ._periodicity import directions_beside

Indices = NDArray[np.int64]

# Frames above so many atoms are cut; a batch holds no more atoms than that either.
LARGEST_UNCUT = 4096

# Atoms of a cell, about. featomic's time per atom rises with the size of what it is given, and that of the halo falls.
_ATOMS_PER_CELL = 256

# Halos are wider than the cutoff by this share of the structure's size, so that rounding loses nobody.
_MARGIN = 1e-9


@dataclass(frozen=True)
class Cluster:
    """Some atoms of a structure with everything near them, as a structure without a cell.

    Attributes
    ----------
    system : ase.Atoms
        The atoms of the cell, followed by those of its halo, images included.
    atoms : numpy.ndarray of int
        Which atoms of the structure the first ones of `system` are, ascending.
    """

    system: Atoms
    atoms: Indices


def clusters(frame: Atoms, cutoff: float, start: int = 0) -> Iterator[Cluster]:
    """Clusters, from number `start` on, whose cells hold each atom once, and whose halos reach as far as the cutoff.

    Cells hold equal numbers of atoms and are about as long as wide. They depend on the frame alone. Memory is that of
    some arrays of the frame's size, and of one cluster.
    """
    grid = _Grid.of(frame, cutoff)
    for atoms in islice(_cells(grid.fractional, grid.lengths), start, None):
        box = grid.fractional[atoms]
        halo, images = grid.within(box.min(axis=0) - grid.reach, box.max(axis=0) + grid.reach)
        inside = np.zeros(len(frame), dtype=bool)
        inside[atoms] = True
        ghosts = ~inside[halo] | images.any(axis=1)
        halo, places = halo[ghosts], grid.positions[halo[ghosts]] + images[ghosts] @ grid.vectors
        near = _within(places, grid.positions[atoms], cutoff)
        positions = np.concatenate([grid.positions[atoms], places[near]])
        yield Cluster(Atoms(numbers=frame.numbers[np.concatenate([atoms, halo[near]])], positions=positions), atoms)


def _cells(fractional: Array, lengths: Array) -> Iterator[Indices]:
    """Atoms of each cell: slices of equal numbers along one vector, of these along the next, and the next."""
    extents = np.ptp(fractional, axis=0) * lengths
    counts = _counts(extents, len(fractional) / _ATOMS_PER_CELL)

    def parts(atoms: Indices, vectors: list[int]) -> Iterator[Indices]:
        if not vectors:
            yield np.sort(atoms)
            return
        order = atoms[np.argsort(fractional[atoms, vectors[0]], kind="stable")]
        for part in np.array_split(order, counts[vectors[0]]):
            if len(part):
                yield from parts(part, vectors[1:])

    return parts(np.arange(len(fractional)), [0, 1, 2])


def _counts(extents: Array, n_cells: float) -> list[int]:
    """Cells along each vector: as many as make them about cubes, short extents first, for they bound the cube."""
    counts = [1, 1, 1]
    remaining = [int(k) for k in np.argsort(extents, kind="stable")]
    while remaining:
        edge = (np.prod(np.maximum(extents[remaining], 1e-3)) / max(n_cells, 1.0)) ** (1.0 / len(remaining))
        k = remaining.pop(0)
        counts[k] = max(1, round(float(extents[k] / edge)))
        n_cells /= counts[k]
    return counts


def _within(places: Array, positions: Array, cutoff: float) -> NDArray[np.bool_]:
    """Mask of places that are no farther than the cutoff from the box around positions: corners are rounded off."""
    low, high = positions.min(axis=0), positions.max(axis=0)
    beyond = np.maximum(0.0, np.maximum(low - places, places - high))
    mask: NDArray[np.bool_] = np.einsum("ij,ij->i", beyond, beyond) <= (cutoff * (1.0 + _MARGIN)) ** 2
    return mask


@dataclass(frozen=True)
class _Grid:
    """Atoms sorted into bins of a regular grid, in coordinates in which the periodic vectors have length one."""

    vectors: Array
    lengths: Array  # of the unit cell at right angles to its faces
    periodic: NDArray[np.bool_]
    fractional: Array
    positions: Array
    reach: Array
    n_bins: Indices
    origin: Array
    width: Array
    order: Indices
    first: Indices

    @classmethod
    def of(cls, frame: Atoms, cutoff: float) -> _Grid:
        vectors = frame.cell.array.copy()
        vectors[~frame.pbc] = directions_beside(frame)
        inverse = np.linalg.inv(vectors)
        lengths = 1.0 / np.linalg.norm(inverse, axis=0)
        fractional = frame.positions @ inverse
        shift = np.where(frame.pbc, np.floor(fractional), 0.0)
        fractional -= shift
        # An atom a rounding error below zero ends at exactly one: the next image of the same atom, and still once.
        origin = np.where(frame.pbc, 0.0, fractional.min(axis=0))
        size = np.where(frame.pbc, 1.0, np.ptp(fractional, axis=0))
        reach = cutoff / lengths
        n_bins = np.clip(size / reach, 1, max(1.0, np.cbrt(len(frame)))).astype(np.int64)
        width = np.where(frame.pbc, size, np.maximum(size, reach)) / n_bins
        bins = np.clip(((fractional - origin) / width).astype(np.int64), 0, n_bins - 1)
        flat = np.ravel_multi_index(tuple(bins.T), tuple(n_bins))
        order = np.argsort(flat, kind="stable")
        first = np.searchsorted(flat[order], np.arange(n_bins.prod() + 1))
        return cls(
            vectors=vectors,
            lengths=lengths,
            periodic=frame.pbc.copy(),
            fractional=fractional,
            positions=frame.positions - shift @ vectors,
            reach=reach * (1.0 + _MARGIN) + _MARGIN * size,
            n_bins=n_bins,
            origin=origin,
            width=width,
            order=order,
            first=first,
        )

    def within(self, low: Array, high: Array) -> tuple[Indices, Indices]:
        """Atoms, and which image of them, between two corners."""
        ranges = [self._bins(k, low[k], high[k]) for k in range(3)]
        bins = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3)
        images, home = np.divmod(bins, self.n_bins)
        flat = np.ravel_multi_index(tuple(home.T), tuple(self.n_bins))
        starts, sizes = self.first[flat], self.first[flat + 1] - self.first[flat]
        offsets = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        atoms, images = self.order[np.repeat(starts, sizes) + offsets], np.repeat(images, sizes, axis=0)
        places = self.fractional[atoms] + images
        near = ((places >= low) & (places <= high)).all(axis=1)
        return atoms[near], images[near]

    def _bins(self, k: int, low: float, high: float) -> Indices:
        """Bins along a vector that an interval touches, counted on through periodic images.

        One more on each side: the last bins of a cell take the atoms that rounding has put at its very end.
        """
        first, last = np.floor((np.array([low, high]) - self.origin[k]) / self.width[k]).astype(np.int64)
        if self.periodic[k]:
            return np.arange(first - 1, last + 2)
        return np.arange(max(first, 0), min(last, self.n_bins[k] - 1) + 1)


def surroundings(frame: Atoms, atoms: list[int], radius: float) -> list[tuple[Atoms, Indices]]:
    """For each of some atoms, itself and everything within a radius, as a structure without a cell.

    Returns
    -------
    list of (ase.Atoms, numpy.ndarray of int)
        The structures, the atom itself first in each, and which atoms of the frame their atoms are.
    """
    grid = _Grid.of(frame, radius)
    found = []
    for atom in atoms:
        centre = grid.fractional[atom]
        near, images = grid.within(centre - grid.reach, centre + grid.reach)
        places = grid.positions[near] + images @ grid.vectors
        distances = np.linalg.norm(places - grid.positions[atom], axis=1)
        order = np.argsort(distances, kind="stable")[: np.count_nonzero(distances <= radius)]
        found.append((Atoms(numbers=frame.numbers[near[order]], positions=places[order]), near[order]))
    return found
