"""Labels of training structures that come one after the other: energies, weights, groups."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .._arrays import LARGEST_ENTRY, Array, as_number
from .._errors import InvalidInputError
from ..models._settings import FitSettings
from ..models._structures import Groups, checked_weights, weights_of_deviations
from ._frames import DEFAULT_ENERGY_KEY, stored

if TYPE_CHECKING:
    from ase import Atoms

# Names under which structures carry forces.
_FORCES = ("forces", "force", "REF_forces", "dft_forces", "dft_force")

# What a group of isolated atoms is called, without case, blanks and underscores.
_ISOLATED = "isolatedatom"


class Labels:
    """What frames say of themselves beside their atoms, in some numbers for each."""

    def __init__(self, settings: FitSettings) -> None:
        self._settings = settings
        self._energies = _Numbers(settings.energy_key, "energy")
        key = next((given for given in (settings.weights, settings.sigmas) if isinstance(given, str)), None)
        self._weights = _Numbers(key, "weight" if settings.sigmas is None else "sigma")
        self._groups: dict[str, int] = {}
        self._of_structure = array("q")
        self._periodic = np.ones(3, dtype=bool)
        self._n_with_forces = 0
        self._isolated: dict[int, float] = {}

    def add(self, frame: Atoms) -> None:
        """Take what the next frame says."""
        number = len(self._of_structure)
        group = str(frame.info.get(self._settings.group_key, ""))
        energy = self._energies.add(frame, number)
        self._weights.add(frame, number)
        self._of_structure.append(self._groups.setdefault(group, len(self._groups)))
        self._periodic &= frame.pbc
        self._n_with_forces += any(name in frame.arrays or stored(frame, name) is not None for name in _FORCES)
        if self._settings.baseline == "isolated" and energy is not None and _is_isolated(frame, group):
            self._take_isolated(int(frame.numbers[0]), energy, number)

    def energies(self, *, optional: bool) -> Array | None:
        """Every frame's, NaN for those that have none; None where no frame has one.

        That is refused, unless it is `optional`, or the key is the default, which nobody may have asked for.
        """
        energies = self._energies
        if not energies.n_missing:
            return energies.all()
        is_default = self._settings.energy_key == DEFAULT_ENERGY_KEY
        if energies.n_missing < len(energies.found):
            return np.array(energies.found)
        return None if optional or is_default else energies.all()

    def weights(self, n_structures: int) -> Array:
        """Those that the caller gave, or that the frames have."""
        of_frames = self._weights.all()
        given, sigmas = self._settings.weights, self._settings.sigmas
        if sigmas is not None:
            return weights_of_deviations(_or(of_frames, sigmas), n_structures, "frame")
        return checked_weights(None if given is None else _or(of_frames, given), n_structures, "frame")

    def groups(self) -> Groups:
        """Which group each frame belongs to."""
        return Groups(tuple(self._groups), np.array(self._of_structure, dtype=np.int64))

    @property
    def isolated(self) -> Mapping[int, float]:
        """Energies of isolated atoms."""
        return self._isolated

    def facts(self) -> dict[str, Any]:
        """What the provenance says: along which cell vectors all frames are periodic, and what was not used."""
        facts: dict[str, Any] = {"periodic": self._periodic.tolist()}
        if self._n_with_forces:
            facts["unused_forces_of"] = self._n_with_forces
        return facts

    def _take_isolated(self, species: int, energy: float, number: int) -> None:
        before = self._isolated.setdefault(species, energy)
        if abs(before - energy) > 1e-6 * max(abs(before), 1.0):
            raise InvalidInputError(
                f"frame {number} is an isolated atom of energy {energy:.9g}, but one of the same element before it has "
                f"{before:.9g}; leave one of them in the training set."
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
    """A number of each frame under a name; none at all without a name."""

    key: str | None
    what: str
    found: array[float] = field(default_factory=lambda: array("d"))
    first_missing: int = 0
    n_missing: int = 0

    def add(self, frame: Atoms, number: int) -> float | None:
        """Take what the next frame has."""
        if self.key is None:
            return None
        given = _up_to_date(frame, number, self.key)
        if given is None:
            self.first_missing = self.first_missing if self.n_missing else number
            self.n_missing += 1
        value = np.nan if given is None else as_number(f"the {self.what} of frame {number}", given)
        if given is not None and not abs(value) <= LARGEST_ENTRY:
            raise InvalidInputError(f"the {self.what} of frame {number} is {value}; mend or remove the frame.")
        self.found.append(value)
        return None if given is None else value

    def all(self) -> Array | None:
        """Every frame's, of which none may be missing; None without a name."""
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


def _up_to_date(frame: Atoms, number: int, key: str) -> Any:
    """What is stored under a name, unless the frame has changed since a calculator stored it."""
    value, check_state = stored(frame, key), getattr(frame.calc, "check_state", None)
    is_result = value is not None and frame.info.get(key) is None
    if is_result and check_state is not None and check_state(frame):
        raise InvalidInputError(
            f"frame {number} was changed after its {key!r} was calculated; if that still holds, put it into Atoms.info."
        )
    return value
