"""The atoms that are most similar to given environments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import Array, as_count, as_pairs
from .._errors import InvalidInputError
from ..atoms._model import StructureModel
from ..atoms._similarity import Prototypes
from ._compared import ComparedAtoms

if TYPE_CHECKING:
    from ase import Atoms

    from ._comparison import Comparison

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class NearestAtoms(ComparedAtoms):
    """The columns of `ComparedAtoms` for some atoms, the most similar first.

    Attributes
    ----------
    similarity : numpy.ndarray
        Largest kernel with one of the given environments; 1 for an identical one.
    """

    similarity: Array


def nearest_atoms(
    comparison: Comparison, environments: Iterable[Atoms] | ArrayLike, k: int, model: StructureModel, n_threads: int
) -> NearestAtoms:
    """See `Comparison.nearest`."""
    if as_count("k", k) < 1:
        raise InvalidInputError(f"k is {k}; it must be at least 1.")
    if not len(comparison):
        raise InvalidInputError("there are no atoms to choose from; compare the models for some frames.")
    wanted = _wanted(comparison, environments, model, n_threads)
    similarity = wanted.of_frames(model.pipeline, comparison.frames).max(axis=1)
    chosen = np.argsort(-similarity, kind="stable")[:k]
    columns = {each.name: getattr(comparison, each.name) for each in fields(ComparedAtoms)}
    taken: dict[str, Any] = {name: None if values is None else values[chosen] for name, values in columns.items()}
    return NearestAtoms(**taken, similarity=similarity[chosen])


def _wanted(
    comparison: Comparison, environments: Iterable[Atoms] | ArrayLike, model: StructureModel, n_threads: int
) -> Prototypes:
    """The environments to compare with."""
    from ase import Atoms

    given: Any = [environments] if isinstance(environments, Atoms) else environments
    if not isinstance(given, np.ndarray):
        given = list(given)
    if len(given) and all(isinstance(frame, Atoms) for frame in given):
        return Prototypes(model.pipeline, given, model.kernel_power, n_threads)
    frame, atom = _places(comparison, given).T
    frames = [comparison.frames[f] for f in frame]
    features = [model.pipeline.features_of(f, np.array([i])) for f, i in zip(frames, atom, strict=True)]
    numbers = np.array([f.numbers[i] for f, i in zip(frames, atom, strict=True)])
    return Prototypes.of_environments(np.concatenate(features), numbers, model.kernel_power, n_threads)


def _places(comparison: Comparison, given: ArrayLike) -> Indices:
    """Checked pairs of frame and atom."""
    pairs = as_pairs("environments", given)
    for f, i in pairs.tolist():
        if not (0 <= f < len(comparison.frames) and 0 <= i < len(comparison.frames[f])):
            raise InvalidInputError(
                f"environments has atom {i} of frame {f}, which was not compared; give pairs of frame and atom of "
                "this comparison."
            )
    return pairs
