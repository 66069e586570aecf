"""Conformal intervals of energies and forces of structures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..._arrays import Array
from ..._errors import InvalidInputError
from ...models._conformal import Conformal
from .._calibrating import groups_of
from .._frames import as_list
from ._force_errors import predicted_forces
from ._force_rigidity import ForceRigidity

if TYPE_CHECKING:
    from ase import Atoms

    from .._model import StructureModel


@dataclass(frozen=True)
class Intervals:
    """Intervals that contain the true energies and forces of structures with the coverage of the calibration.

    Attributes
    ----------
    coverage : float
        Share of structures whose true value is in the interval.
    group : numpy.ndarray of str, shape (n_frames,)
        Group of each structure; "" if the calibration had no groups.
    energy_per_atom, half_width : numpy.ndarray, shape (n_frames,)
        Predicted energy per atom, and half the width of its interval, in the unit of the energies. NaN for structures
        without a sigma.
    frame, atom : numpy.ndarray of int, shape (n_atoms,), or None
        Frame and atom of each force; None, like `force` and `radius`, if forces were not requested.
    force : numpy.ndarray, shape (n_atoms, 3), or None
        Predicted forces.
    radius : numpy.ndarray, shape (n_atoms,), or None
        Radius of the ball around the predicted force. NaN if the force depends on an environment whose residual is
        above the bound of the calibration.
    """

    coverage: float
    group: NDArray[np.str_]
    energy_per_atom: Array
    half_width: Array
    frame: NDArray[np.int64] | None = None
    atom: NDArray[np.int64] | None = None
    force: Array | None = None
    radius: Array | None = None


def intervals_of(model: StructureModel, given: Iterable[Atoms], n_threads: int, *, forces: bool) -> Intervals:
    """Return the intervals of structures."""
    conformal = model.conformal
    if conformal is None:
        raise InvalidInputError("this model has no conformal intervals; calibrate it, for instance with coverage=0.9.")
    frames = as_list(given)
    groups = groups_of(frames, conformal.group_key)
    totals = model.totals(frames, n_threads=n_threads)
    assert totals.energy is not None
    assert totals.sigma is not None
    sizes = np.array([len(frame) for frame in frames])
    half_width = conformal.quantiles("energy", groups) * totals.sigma / sizes
    energies = (conformal.coverage, np.array(groups, dtype=np.str_), totals.energy / sizes, half_width)
    if not forces:
        return Intervals(*energies)
    found = model.force_rigidity(frames, n_threads=n_threads)
    radii = _radii(model, conformal, found, groups)
    return Intervals(*energies, found.frame, found.atom, predicted_forces(model, frames, n_threads), radii)


def _radii(model: StructureModel, conformal: Conformal, found: ForceRigidity, groups: list[str]) -> Array:
    calibration = model.force_calibration
    if calibration is None:
        raise InvalidInputError("this model has no intervals of forces; calibrate it with forces=True.")
    deviations = np.sqrt(calibration.prior_variance * found.variance)
    radii: Array = conformal.quantiles("force", groups)[found.frame] * deviations
    if calibration.largest_residual is not None and found.residual is not None:
        radii[found.residual > calibration.largest_residual] = np.nan
    return radii
