"""The atoms that are most similar to given environments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from .._arrays import Array, as_count, as_pairs
from .._errors import InvalidInputError
from ..atoms._model import StructureModel
from ..atoms._sparse_kernel_model import SparseKernelModel
from ._compared import ComparedAtoms

if TYPE_CHECKING:
    from ase import Atoms

    from ._comparison import Comparison

Indices = NDArray[np.int64]

# Rows of kernels that exist at a time.
_ROWS = 1024


@dataclass(frozen=True)
class NearestAtoms(ComparedAtoms):
    """The columns of `ComparedAtoms` for some atoms, the most similar first.

    Attributes
    ----------
    similarity : numpy.ndarray
        Largest kernel with one of the given environments: 1 for the same one.
    """

    similarity: Array


def nearest_atoms(
    comparison: Comparison, environments: Iterable[Atoms] | ArrayLike, k: int, model: StructureModel, n_threads: int
) -> NearestAtoms:
    """See `Comparison.nearest`."""
    if as_count("k", k) < 1:
        raise InvalidInputError(f"k is {k}; ask for one atom at least.")
    wanted = _wanted(comparison, environments, model)
    found = [np.zeros(0)]
    for batch in comparison.frames:
        features = model.features([batch])
        found.append(_similarity(features, batch.numbers, wanted, _zeta(model), n_threads))
    similarity = np.concatenate(found)
    if not len(similarity):
        raise InvalidInputError("there are no atoms to choose from; compare the models for some frames.")
    chosen = np.argsort(-similarity, kind="stable")[:k]
    columns = {each.name: getattr(comparison, each.name) for each in fields(ComparedAtoms)}
    taken: dict[str, Any] = {name: None if values is None else values[chosen] for name, values in columns.items()}
    return NearestAtoms(**taken, similarity=similarity[chosen])


def _wanted(
    comparison: Comparison, environments: Iterable[Atoms] | ArrayLike, model: StructureModel
) -> dict[int, Array]:
    """Features of the given environments, species by species."""
    from ase import Atoms

    given: Any = [environments] if isinstance(environments, Atoms) else environments
    if not isinstance(given, np.ndarray):
        given = list(given)
    if len(given) and all(isinstance(frame, Atoms) for frame in given):
        features, numbers = model.features(given), np.concatenate([frame.numbers for frame in given])
    else:
        frame, atom = _places(comparison, given).T
        features = np.concatenate(
            [model.pipeline.features_of(comparison.frames[f], np.array([i])) for f, i in zip(frame, atom, strict=True)]
        )
        numbers = np.array([comparison.frames[f].numbers[i] for f, i in zip(frame, atom, strict=True)])
    normalised = _core.normalised(features, 0)
    return {int(s): normalised[numbers == s] for s in np.unique(numbers)}


def _places(comparison: Comparison, given: ArrayLike) -> Indices:
    """Pairs of frame and atom that there are."""
    pairs = as_pairs("environments", given)
    for f, i in pairs.tolist():
        if not (0 <= f < len(comparison.frames) and 0 <= i < len(comparison.frames[f])):
            raise InvalidInputError(f"environments name atom {i} of frame {f}, which was not compared.")
    return pairs


def _similarity(features: Array, numbers: Indices, wanted: dict[int, Array], zeta: float, n_threads: int) -> Array:
    """Largest kernel of each atom with the wanted environments of its species; 0 where there is none."""
    similarity = np.zeros(len(numbers))
    for species, of_species in wanted.items():
        atoms = np.flatnonzero(numbers == species)
        for start in range(0, len(atoms), _ROWS):
            some = atoms[start : start + _ROWS]
            rows = _core.normalised(features[some], n_threads)
            similarity[some] = _core.kernel_rows(rows, of_species, zeta, n_threads).max(axis=1)
    return similarity


def _zeta(model: StructureModel) -> float:
    return float(model.zeta) if isinstance(model, SparseKernelModel) else 1.0
