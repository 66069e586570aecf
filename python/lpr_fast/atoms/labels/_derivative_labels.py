"""Forces and virials that frames carry as labels: found, checked, in one order, with the standard deviation of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..._arrays import LARGEST_ENTRY, Array
from ..._errors import InvalidInputError
from ...models._rows import FORCE, VIRIAL
from .._frames import refuse_changed, stored
from ._noise import FrameNoise

if TYPE_CHECKING:
    from ase import Atoms

#: Where forces are looked for where nobody says: ASE's name, and QUIP's.
FORCE_NAMES = ("forces", "force")

# The same of virials.
_VIRIALS = ("virial", "stress")

# Further names that say what forces are, which are not used unless asked for.
_OTHER_FORCES = ("REF_forces", "dft_forces", "dft_force")

# Nine numbers, row by row, as xx yy zz yz xz xy, and their mirror images.
_VOIGT, _MIRRORED = [0, 4, 8, 5, 2, 1], [0, 4, 8, 7, 6, 3]

# Labels that are the same up to what is written of them, and components that are not too different for a symmetric
# tensor, relative to the largest.
_SAME, _ASYMMETRIC = 1e-3, 1e-2

# No stress in eV/A^3 is larger (1600 GPa): numbers in kbar or GPa are.
_LARGEST_STRESS = 10.0


@dataclass(frozen=True)
class DerivativeLabels:
    """Forces and virial of a frame, component by component; NaN where there is none.

    Attributes
    ----------
    forces : numpy.ndarray, shape (N, 3), or None
        In eV/Å.
    virial : numpy.ndarray, shape (6,), or None
        xx, yy, zz, yz, xz, xy in eV: minus the derivatives of the energy with respect to strain.
    """

    forces: Array | None
    virial: Array | None

    def used(self, noise: FrameNoise, n_atoms: int) -> UsedDerivatives:
        """Those that have a standard deviation."""
        targets, sigmas = np.full(3 * n_atoms + 6, np.nan), np.full(3 * n_atoms + 6, np.nan)
        if self.forces is not None and noise.force is not None:
            targets[:-6], sigmas[:-6] = self.forces.ravel(), noise.force.ravel()
        if self.virial is not None and noise.virial is not None:
            targets[-6:], sigmas[-6:] = self.virial, noise.virial
        is_used = ~(np.isnan(targets) | np.isnan(sigmas))
        kinds = np.repeat([FORCE, VIRIAL], [3 * n_atoms, 6])
        return UsedDerivatives(np.flatnonzero(is_used), kinds[is_used], targets[is_used], sigmas[is_used])


@dataclass(frozen=True)
class UsedDerivatives:
    """Components of forces and virial that a fit uses: where they stand among all 3 N + 6, and what they are."""

    places: NDArray[np.int64]
    kinds: NDArray[np.int64]
    targets: Array
    sigmas: Array

    def __len__(self) -> int:
        """Return their number."""
        return len(self.places)


def derivative_labels(frame: Atoms, force_key: str | None, virial_key: str | None, name: str) -> DerivativeLabels:
    """Forces and virial that a frame carries, under these names, or under those of ASE and extended XYZ.

    Raises
    ------
    InvalidInputError
        For labels that cannot be used, and two that contradict each other.
    """
    return DerivativeLabels(_forces(frame, force_key, name), _virial(frame, virial_key, name))


def names_of_forces(frame: Atoms) -> list[str]:
    """Names under which a frame has forces, those included that are used only where they are asked for."""
    return [key for key in (*FORCE_NAMES, *_OTHER_FORCES) if _found_forces(frame, key)]


def has_virial(frame: Atoms) -> bool:
    """Whether a frame has a virial or a stress under one of the usual names."""
    return any(stored(frame, key) is not None for key in _VIRIALS)


def _forces(frame: Atoms, key: str | None, name: str) -> Array | None:
    keys = FORCE_NAMES if key is None else (key,)
    found = [(key, given) for key in keys for given in _found_forces(frame, key)]
    if not found:
        return None
    key, given = found[0]
    refuse_changed(frame, name, key)
    forces = _numbers(given, f"{key!r} of {name}")
    if forces.shape != (len(frame), 3):
        raise InvalidInputError(f"{key!r} of {name} has shape {forces.shape}; forces have ({len(frame)}, 3).")
    for other_key, other in found[1:]:
        if not np.array_equal(forces, np.asarray(other), equal_nan=True):
            what = "two different sets of forces" + (f", {key!r} and {other_key!r}" if other_key != key else "")
            raise InvalidInputError(f"{name} has {what}; keep the right ones, or name them (force_key, --force-key).")
    return forces


def _found_forces(frame: Atoms, key: str) -> list[Any]:
    """What the frame's arrays and its calculator have under a name."""
    places = (frame.arrays, getattr(frame.calc, "results", {}))
    return [place[key] for place in places if place.get(key) is not None]


def _virial(frame: Atoms, key: str | None, name: str) -> Array | None:
    keys = _VIRIALS if key is None else (key,)
    found = {key: given for key in keys if (given := stored(frame, key)) is not None}
    virials = [_as_virial(frame, key, given, name) for key, given in found.items()]
    if not virials:
        return None
    first, *others = [virial for virial in virials if not np.isnan(virial).all()] or virials
    for other in others:
        if np.abs(first - other).max() > _SAME * np.abs(first).max():
            raise InvalidInputError(
                f"{name} has a virial and a stress that contradict each other (virial = -volume * stress); say which "
                "is right (virial_key, --virial-key)."
            )
    return first


def _as_virial(frame: Atoms, key: str, given: Any, name: str) -> Array:
    """Xx yy zz yz xz xy in eV of a virial, or of a stress, which has that in its name."""
    refuse_changed(frame, name, key)
    tensor = _voigt(_numbers(given, f"{key!r} of {name}"), key, name)
    if "stress" not in key.lower():
        return tensor
    if not frame.cell.volume > 0.0:
        raise InvalidInputError(f"{name} has a stress ({key!r}), but no cell with a volume; leave it out.")
    if (largest := np.abs(tensor).max()) > _LARGEST_STRESS:
        raise InvalidInputError(
            f"{key!r} of {name} has a component of {largest:.4g} eV/A^3, {160.2 * largest:.3g} GPa; give stresses in "
            "eV/A^3, positive under tension, as ASE has them (1 GPa is 0.006242, 1 kbar 0.0006242)."
        )
    return -float(frame.cell.volume) * tensor


def _voigt(given: Array, key: str, name: str) -> Array:
    """Of six numbers in that order, or of nine."""
    if given.shape == (6,):
        return given
    if given.size != 9:
        raise InvalidInputError(
            f"{key!r} of {name} has shape {given.shape}; give nine numbers, or six in the order xx yy zz yz xz xy."
        )
    tensor = given.ravel()
    if np.abs(tensor[_VOIGT] - tensor[_MIRRORED]).max() > _ASYMMETRIC * np.abs(tensor).max():
        raise InvalidInputError(f"{key!r} of {name} is not symmetric; look at its nine numbers, row by row.")
    return upper_triangle(tensor)


def upper_triangle(tensor: Array) -> Array:
    """Components xx yy zz yz xz xy of a symmetric tensor, (3, 3) or its nine numbers."""
    numbers = tensor.ravel()
    mean: Array = 0.5 * (numbers[_VOIGT] + numbers[_MIRRORED])
    return mean


def _numbers(given: Any, what: str) -> Array:
    """Real numbers, of which forces may lack some."""
    array = np.asarray(given)
    if array.dtype == bool or not np.can_cast(array.dtype, np.float64, "safe"):
        raise InvalidInputError(f"{what} holds no real numbers; mend or remove the frame.")
    found = array.astype(np.float64)
    if not (np.abs(found[~np.isnan(found)]) <= LARGEST_ENTRY).all():
        raise InvalidInputError(f"{what} holds a number that is infinite or too large; mend or remove the frame.")
    return found
