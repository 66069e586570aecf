"""Forces and virials of frames as labels, checked, in one order, with the standard deviation of each."""

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

#: Default names of forces: ASE's and QUIP's.
FORCE_NAMES = ("forces", "force")

# Default names of virials.
_VIRIALS = ("virial", "stress")

# Further usual names of forces, used only if the caller gives them.
_OTHER_FORCES = ("REF_forces", "dft_forces", "dft_force")

# Places of xx yy zz yz xz xy among nine numbers, row by row, and of their mirror images.
_VOIGT, _MIRRORED = [0, 4, 8, 5, 2, 1], [0, 4, 8, 7, 6, 3]

# Largest differences, relative to the largest component: of a virial and a stress that are the same label (they are
# written with few digits), and of mirrored components of a symmetric tensor.
_SAME, _ASYMMETRIC = 1e-3, 1e-2

# Largest plausible stress in eV/A^3 (1600 GPa): larger numbers are in kbar or GPa.
_LARGEST_STRESS = 10.0


@dataclass(frozen=True)
class DerivativeLabels:
    """Forces and virial of a frame; NaN for missing components.

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
        """Return the components that have a standard deviation."""
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
    """Components of forces and virial that a fit uses; `places` are their numbers among all 3 N + 6."""

    places: NDArray[np.int64]
    kinds: NDArray[np.int64]
    targets: Array
    sigmas: Array

    def __len__(self) -> int:
        """Return the number of components."""
        return len(self.places)


def derivative_labels(frame: Atoms, force_key: str | None, virial_key: str | None, name: str) -> DerivativeLabels:
    """Return forces and virial of a frame, of these names or, by default, of those of ASE and extended XYZ.

    Raises
    ------
    InvalidInputError
        For labels that cannot be used, and for two that contradict each other.
    """
    return DerivativeLabels(_forces(frame, force_key, name), _virial(frame, virial_key, name))


def names_of_forces(frame: Atoms) -> list[str]:
    """Return the names of the forces of a frame, including those that are not used by default."""
    return [key for key in (*FORCE_NAMES, *_OTHER_FORCES) if _found_forces(frame, key)]


def has_virial(frame: Atoms) -> bool:
    """Return whether a frame has a virial or a stress of a default name."""
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
        raise InvalidInputError(
            f"{key!r} of {name} has shape {forces.shape}; give forces of shape ({len(frame)}, 3), or remove the frame."
        )
    for other_key, other in found[1:]:
        if not np.array_equal(forces, np.asarray(other), equal_nan=True):
            what = "two different sets of forces" + (f", {key!r} and {other_key!r}" if other_key != key else "")
            raise InvalidInputError(f"{name} has {what}; keep the right ones, or name them (force_key, --force-key).")
    return forces


def _found_forces(frame: Atoms, key: str) -> list[Any]:
    """Return the forces of a name in the frame's arrays and in its calculator."""
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
                f"{name} has a virial and a stress that contradict each other (virial = -volume * stress); name the "
                "right one (virial_key, --virial-key)."
            )
    return first


def _as_virial(frame: Atoms, key: str, given: Any, name: str) -> Array:
    """Return components xx yy zz yz xz xy in eV from a virial, or from a stress, which has "stress" in its name."""
    refuse_changed(frame, name, key)
    tensor = _voigt(_numbers(given, f"{key!r} of {name}"), key, name)
    if "stress" not in key.lower():
        return tensor
    if not frame.cell.volume > 0.0:
        raise InvalidInputError(f"{name} has a stress ({key!r}), but no cell with a volume; leave the stress out.")
    if (largest := np.abs(tensor).max()) > _LARGEST_STRESS:
        raise InvalidInputError(
            f"{key!r} of {name} has a component of {largest:.4g} eV/A^3, {160.2 * largest:.3g} GPa; give stresses in "
            "eV/A^3, positive under tension, as in ASE (1 GPa is 0.006242, 1 kbar 0.0006242)."
        )
    return -float(frame.cell.volume) * tensor


def _voigt(given: Array, key: str, name: str) -> Array:
    """Return components xx yy zz yz xz xy from six numbers in this order, or from nine."""
    if given.shape == (6,):
        return given
    if given.size != 9:
        raise InvalidInputError(
            f"{key!r} of {name} has shape {given.shape}; give nine numbers, or six in the order xx yy zz yz xz xy."
        )
    tensor = given.ravel()
    if np.abs(tensor[_VOIGT] - tensor[_MIRRORED]).max() > _ASYMMETRIC * np.abs(tensor).max():
        raise InvalidInputError(f"{key!r} of {name} is not symmetric; check its nine numbers.")
    return upper_triangle(tensor)


def upper_triangle(tensor: Array) -> Array:
    """Return components xx yy zz yz xz xy of a symmetric tensor, (3, 3) or nine numbers."""
    numbers = tensor.ravel()
    mean: Array = 0.5 * (numbers[_VOIGT] + numbers[_MIRRORED])
    return mean


def _numbers(given: Any, what: str) -> Array:
    """Convert to real numbers; NaN stands for missing ones."""
    array = np.asarray(given)
    if array.dtype == bool or not np.can_cast(array.dtype, np.float64, "safe"):
        raise InvalidInputError(f"{what} is not an array of real numbers; correct or remove the frame.")
    found = array.astype(np.float64)
    if not (np.abs(found[~np.isnan(found)]) <= LARGEST_ENTRY).all():
        raise InvalidInputError(f"{what} has a number that is infinite or too large; correct or remove the frame.")
    return found
