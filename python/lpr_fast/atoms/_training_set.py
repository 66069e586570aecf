"""Training structures with their weights and energies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import Array, as_vector
from .._errors import InvalidInputError
from ..models._local_model import Loss
from . import _frames

if TYPE_CHECKING:
    from ase import Atoms

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class TrainingSet:
    """Structures, the weight w_A of each one's squared residual, and its total energy."""

    frames: list[Atoms]
    weights: Array
    energies: Array | None

    @classmethod
    def from_frames(
        cls, frames: Iterable[Atoms], *, cutoff: float, weights: ArrayLike | None, loss: Loss, energy_key: str | None
    ) -> TrainingSet:
        """Check everything that can be checked before descriptors are computed."""
        checked = list(_frames.checked(frames, cutoff))
        if not checked:
            raise InvalidInputError("there are no training structures; give at least one.")
        if loss not in ("total", "per_atom"):
            raise InvalidInputError(f"loss is {loss!r}; it must be 'total' or 'per_atom'.")
        given = np.ones(len(checked)) if weights is None else as_vector("weights", weights)
        _check_weights(given, len(checked))
        if loss == "per_atom":
            given = given / np.array([len(frame) for frame in checked], dtype=np.float64) ** 2
        return cls(checked, given, _frames.energies_of(checked, energy_key))

    @cached_property
    def numbers(self) -> Indices:
        """Atomic number of every environment, structure by structure."""
        return np.concatenate([frame.numbers for frame in self.frames]).astype(np.int64)

    @cached_property
    def first(self) -> Indices:
        """Index of each structure's first environment, and behind them the number of all."""
        return np.cumsum([0, *(len(frame) for frame in self.frames)])

    @cached_property
    def species(self) -> tuple[int, ...]:
        """Atomic numbers that occur, ascending."""
        return tuple(int(s) for s in np.unique(self.numbers))

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Atoms of each species in each structure: (n_structures, n_species)."""
        return np.array([[np.count_nonzero(frame.numbers == s) for s in self.species] for frame in self.frames])


def _check_weights(weights: Array, n_frames: int) -> None:
    if weights.shape != (n_frames,):
        raise InvalidInputError(f"got {weights.size} weights for {n_frames} frames; give one weight for each frame.")
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0.0)))
    if wrong.size:
        number = int(wrong[0])
        raise InvalidInputError(
            f"the weight of frame {number} is {weights[number]}; weights must be finite and not negative."
        )
    if not weights.any():
        raise InvalidInputError("all weights are zero; give at least one frame a positive weight.")
