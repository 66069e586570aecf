"""Training structures with their weights and energies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from .._errors import InvalidInputError
from ..models._local_model import Loss
from ..models._structures import Structures, checked_weights
from . import _frames

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class TrainingSet(Structures):
    """Structures that are kept, to be described in batches."""

    frames: list[Atoms]

    @classmethod
    def from_frames(
        cls, frames: Iterable[Atoms], *, cutoff: float, weights: ArrayLike | None, loss: Loss, energy_key: str | None
    ) -> TrainingSet:
        """Check everything that can be checked before descriptors are computed."""
        checked = list(_frames.checked(frames, cutoff))
        if not checked:
            raise InvalidInputError("there are no training structures; give at least one.")
        sizes = np.array([len(frame) for frame in checked])
        of_loss = checked_weights(weights, sizes, loss, "frame")
        energies = _frames.energies_of(checked, energy_key)
        numbers = np.concatenate([frame.numbers for frame in checked]).astype(np.int64)
        return cls(numbers, np.concatenate([[0], np.cumsum(sizes)]), of_loss, energies, checked)
