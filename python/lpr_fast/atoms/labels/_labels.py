"""Labels of training structures, collected one frame at a time: energies, weights, groups."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..._arrays import LARGEST_ENTRY, Array, as_number
from ..._errors import InvalidInputError
from ...models._settings import FitSettings
from ...models._structures import Groups, checked_weights, weights_of_deviations
from .._frames import DEFAULT_ENERGY_KEY, refuse_changed, stored
from ._derivative_labels import has_virial, names_of_forces
from ._noisy_labels import LabelSource, NoisyLabels

if TYPE_CHECKING:
    from ase import Atoms

# Name of the group of isolated atoms, without case, blanks and underscores.
_ISOLATED = "isolatedatom"


class Labels:
    """Labels of frames, some numbers for each."""

    def __init__(self, settings: FitSettings) -> None:
        self._settings = settings
        self._energies = _Numbers(settings.energy_key, "energy")
        key = next((given for given in (settings.weights, settings.sigmas) if isinstance(given, str)), None)
        self._weights = _Numbers(key, "weight" if settings.sigmas is None else "sigma")
        self._groups: dict[str, int] = {}
        self._of_structure = array("q")
        self._periodic = np.ones(3, dtype=bool)
        self._n_with_forces = self._n_with_virials = 0
        source = LabelSource.of(settings)
        self._noisy = None if source is None else NoisyLabels(source)
        self._isolated: dict[int, float] = {}

    def add(self, frame: Atoms) -> None:
        """Add the labels of the next frame."""
        number = len(self._of_structure)
        group = str(frame.info.get(self._settings.group_key, ""))
        energy = self._energies.add(frame, number)
        self._weights.add(frame, number)
        self._of_structure.append(self._groups.setdefault(group, len(self._groups)))
        self._periodic &= frame.pbc
        if self._noisy is None:
            self._n_with_forces += bool(names_of_forces(frame))
            self._n_with_virials += has_virial(frame)
        else:
            self._noisy.add(frame, number, has_energy=energy is not None)
        if self._settings.baseline == "isolated" and energy is not None and _is_isolated(frame, group):
            self._take_isolated(int(frame.numbers[0]), energy, number)

    def energies(self, *, optional: bool) -> Array | None:
        """Return the energy of every frame, NaN for a missing one; None if no frame has one.

        Frames without any energy raise, unless energies are `optional` or the key is the default, which the caller may
        not have chosen. With noise, energies without a standard deviation count as missing.
        """
        if self._noisy is not None:
            return self._noisy.energies(
                np.array(self._energies.found) if self._energies.key else None, optional=optional
            )
        energies = self._energies
        if not energies.n_missing:
            return energies.all()
        is_default = self._settings.energy_key == DEFAULT_ENERGY_KEY
        if energies.n_missing < len(energies.found):
            return np.array(energies.found)
        return None if optional or is_default else energies.all()

    def weights(self, n_structures: int) -> Array:
        """Return the weights that the caller gave, or those of the frames."""
        if self._noisy is not None:
            return self._noisy.weights()
        of_frames = self._weights.all()
        given, sigmas = self._settings.weights, self._settings.sigmas
        if sigmas is not None:
            return weights_of_deviations(_or(of_frames, sigmas), n_structures, "frame")
        return checked_weights(None if given is None else _or(of_frames, given), n_structures, "frame")

    def groups(self) -> Groups:
        """Return the group of each frame."""
        return Groups(tuple(self._groups), np.array(self._of_structure, dtype=np.int64))

    @property
    def isolated(self) -> Mapping[int, float]:
        """Energies of isolated atoms by atomic number."""
        return self._isolated

    def facts(self) -> dict[str, Any]:
        """Return facts for the provenance: cell vectors along which all frames are periodic, and unused labels."""
        facts: dict[str, Any] = {"periodic": self._periodic.tolist()}
        if self._noisy is not None:
            return facts | self._noisy.facts()
        unused = {"unused_forces_of": self._n_with_forces, "unused_virials_of": self._n_with_virials}
        return facts | {name: count for name, count in unused.items() if count}

    def of_noise(self) -> dict[str, Any]:
        """Return standard deviations of energies, and numbers of other labels of each frame: see `Structures`."""
        if self._noisy is None:
            return {}
        return {"sigmas": self._noisy.sigmas, "n_derivatives": self._noisy.n_derivatives}

    def _take_isolated(self, species: int, energy: float, number: int) -> None:
        before = self._isolated.setdefault(species, energy)
        if abs(before - energy) > 1e-6 * max(abs(before), 1.0):
            raise InvalidInputError(
                f"frame {number} is an isolated atom of energy {energy:.9g}, but an earlier one of the same element "
                f"has {before:.9g}; remove one of them."
            )


def _or(found: Array | None, given: ArrayLike | str) -> ArrayLike:
    if found is not None:
        return found
    assert not isinstance(given, str)
    return given


def _is_isolated(frame: Atoms, group: str) -> bool:
    is_called_so = "".join(c for c in group.lower() if c.isalpha()) == _ISOLATED
    return len(frame) == 1 and (is_called_so or not frame.pbc.any())


@dataclass
class _Numbers:
    """A named number of each frame; none without a name."""

    key: str | None
    what: str
    found: array[float] = field(default_factory=lambda: array("d"))
    first_missing: int = 0
    n_missing: int = 0

    def add(self, frame: Atoms, number: int) -> float | None:
        """Add the number of the next frame."""
        if self.key is None:
            return None
        given = stored(frame, self.key)
        if given is not None:
            refuse_changed(frame, f"frame {number}", self.key)
        else:
            self.first_missing = self.first_missing if self.n_missing else number
            self.n_missing += 1
        value = np.nan if given is None else as_number(f"the {self.what} of frame {number}", given)
        if given is not None and not abs(value) <= LARGEST_ENTRY:
            raise InvalidInputError(f"the {self.what} of frame {number} is {value}; correct or remove the frame.")
        self.found.append(value)
        return None if given is None else value

    def all(self) -> Array | None:
        """Return the numbers of all frames, and raise if one is missing; None without a name."""
        values = np.array(self.found)
        if self.key is None:
            return None
        if self.n_missing:
            remedy = " or give energy_key=None (--no-energies) to fit without energies" * (self.what == "energy")
            raise InvalidInputError(
                f"frame {self.first_missing} has no {self.what} named {self.key!r} ({self.n_missing} of {len(values)} "
                f"frames have none); remove these frames, correct the name,{remedy or ' or leave it out'}."
            )
        return values
