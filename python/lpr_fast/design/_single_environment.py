"""Strained crystals in which all atoms of a species are equivalent, so that E / N is the energy of one environment."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list

from .._arrays import Array, as_count, as_number
from .._errors import InvalidInputError
from ..descriptors._soap_hypers import soap_hypers
from ..models._active_set import as_seed
from ._cells import compact, periodic_plane, random_strain, strained, with_vacuum
from ._equivalence import differences, keeping, kept_rotations, spread, symmetry_of
from ._prototypes import crystal

if TYPE_CHECKING:
    from ..atoms._model import StructureModel
    from ..descriptors._soap import Soap

# Smallest distance of atoms, in sums of covalent radii.
_NEAREST = 0.6

# Largest difference of normalised features of equivalent atoms: positions in files are rounded.
_SAME = 1e-3


def single_environment(
    prototype: str | Atoms,
    n: int,
    *,
    max_strain: float = 0.1,
    n_atoms: int | None = None,
    nearly: bool = False,
    model: StructureModel | None = None,
    seed: int = 0,
) -> list[Atoms]:
    """Strained cells of a crystal in which all atoms of a species stay equivalent.

    If all atoms of a training structure are equivalent, its energy E / N is a label of one environment. Nothing else
    makes a local prediction as rigid (docs/guides/prototypes.md).

    Each cell is x -> (1 + e) x of the prototype, with a symmetric strain e: principal strains are uniform in
    +-`max_strain`, their directions are uniform; volumes change too. If equivalence needs more than translations and
    inversions, e is averaged over the smallest group of rotations that keeps it, which makes e smaller. Layers are
    strained in their plane.

    Parameters
    ----------
    prototype : str or ase.Atoms
        A name such as ``"diamond C"`` (see `prototypes`), or a crystal.
    n : int
        Number of cells. More cells begin with the same ones.
    max_strain : float
        Largest principal strain, from 0 to below 1; 0 gives the prototype itself (n = 1).
    n_atoms : int, optional
        The most compact repetition with at most this number of atoms; the default is the given cell, or the primitive
        cell of a name. In a loss on total energies, larger cells have larger weight.
    nearly : bool
        Accept prototypes whose atoms are not all equivalent; ``info["spread"]`` measures the difference.
    model : SparseKernelModel or LinearModel, optional
        Model whose features check the equivalence; the default is the SOAP of ``lpr-fast fit``.
    seed : int
        Seed of the strains.

    Returns
    -------
    list of ase.Atoms
        Wrapped, periodic in all directions; layers have 15 Å of vacuum. ``info`` has a unique ``name``, a
        ``config_type`` (the prototype), the remaining ``symmetry``, and the ``spread``: the largest distance between
        normalised features of two atoms of a species.

    Raises
    ------
    InvalidInputError
        For unknown names, crystals whose atoms are not equivalent, strains that bring atoms too close
        together, and structures that the model cannot describe.
    MissingPackageError
        If spglib is missing, or featomic without a model.
    """
    count, strain = as_count("n", n), as_number("max_strain", max_strain)
    if count < 1:
        raise InvalidInputError(f"n is {count}; ask for at least one cell.")
    if not 0.0 <= strain < 1.0:
        raise InvalidInputError(f"max_strain is {strain:g}; it must be from 0 to below 1.")
    if strain == 0.0 and count > 1:
        raise InvalidInputError(f"{count} cells without strain would all be the same; ask for one, or give a strain.")
    start, label = _prototype(prototype)
    plane = periodic_plane(start)
    start = with_vacuum(start)
    rotations = kept_rotations(start)
    if n_atoms is not None:
        start = compact(start, plane, as_count("n_atoms", n_atoms))
    cells = []
    for k in range(count):
        cell = strained(start, keeping(plane @ random_strain(strain, as_seed(seed), k) @ plane, rotations))
        _refuse_close(cell, label, strain)
        cell.info = _facts(cell, label, model, nearly=nearly)
        cell.info["name"] = f"{label}-{k:04d}-{_digest(cell)}"
        cells.append(cell)
    return cells


def _prototype(given: str | Atoms) -> tuple[Atoms, str]:
    """A crystal with atoms and cell only, and its name."""
    if isinstance(given, str):
        return crystal(given), given.replace(" ", "_")
    if not isinstance(given, Atoms):
        raise InvalidInputError(f"the prototype is a {type(given).__name__}; give a name, or ase.Atoms.")
    found = Atoms(given.numbers, given.positions, cell=given.cell, pbc=given.pbc)
    label = str(given.info.get("name", given.get_chemical_formula()))  # type: ignore[no-untyped-call]
    if not len(found) or not found.pbc.any() or not found.cell.array[found.pbc].any(axis=1).all():
        raise InvalidInputError(f"the prototype {label} is not periodic; give a crystal, or a layer, with its cell.")
    return found, "_".join(label.split())


def _refuse_close(cell: Atoms, label: str, strain: float) -> None:
    """Refuse cells with atoms too close together."""
    radii = covalent_radii[cell.numbers]
    i, j, distances = neighbor_list("ijd", cell, 2.0 * _NEAREST * radii.max())  # type: ignore[no-untyped-call]
    close = distances < _NEAREST * (radii[i] + radii[j])
    if close.any():
        raise InvalidInputError(
            f"{label}, strained by up to {strain:g}, has atoms {distances[close].min():.2f} Å apart; use a smaller "
            "max_strain (--max-strain), or another prototype."
        )


def _facts(cell: Atoms, label: str, model: StructureModel | None, *, nearly: bool) -> dict[str, Any]:
    """Facts about a cell; refuse inequivalent atoms unless `nearly`."""
    symmetry = symmetry_of(cell)
    kinds, spreads = symmetry.kinds(cell.numbers), spread(_features(cell, model), cell.numbers)
    largest = max(spreads.values())
    if not nearly and max(kinds.values()) > 1:
        raise InvalidInputError(
            f"{label} has {differences(kinds, spreads)}, so its energy is not that of one environment; use "
            "another prototype, or accept it (nearly=True, --nearly)."
        )
    if not nearly and largest > _SAME:
        raise InvalidInputError(
            f"the atoms of {label} are equivalent, but their features differ by {largest:.2g}; use a descriptor that "
            "does not change when a structure is turned or inverted."
        )
    return {"config_type": label, "symmetry": symmetry.space_group, "spread": largest}


def _features(cell: Atoms, model: StructureModel | None) -> Array:
    if model is not None:
        return model.features([cell])
    return _default_soap(tuple(sorted(set(cell.numbers.tolist())))).features([cell])


@lru_cache(maxsize=8)
def _default_soap(species: tuple[int, ...]) -> Soap:
    from ..descriptors._soap import Soap

    return Soap.from_hypers(soap_hypers(), species)


def _digest(cell: Atoms) -> str:
    """A short hash of a cell, independent of the last digits."""
    numbers = np.concatenate([cell.cell.array, cell.positions]).round(5) + 0.0  # no negative zeros
    return hashlib.sha256(numbers.tobytes() + cell.numbers.astype(np.int64).tobytes()).hexdigest()[:8]
