"""What every training structure does to the predictions for targets, and which labels the others do not expect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..._arrays import Array
from ...models._rows import KINDS

if TYPE_CHECKING:
    pass

Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class LeftOutLabels:
    """Labels of structures beside what a model without them predicts.

    Attributes
    ----------
    structure : numpy.ndarray of int, shape (n,)
        Numbers of the structures.
    group : numpy.ndarray of str, shape (n,)
        Group of each, such as its ``config_type``.
    n_atoms : numpy.ndarray of int, shape (n,)
        Atoms of each.
    energy_error : numpy.ndarray, shape (n,)
        Energy per atom less its prediction; NaN where there is none.
    force_error, virial_error : numpy.ndarray, shape (n,)
        Root mean square of the same for the components of forces, and of the virial per atom.
    studentised : dict of str to numpy.ndarray, shape (n,)
        For ``"energy"``, ``"force"`` and ``"virial"``: the largest absolute error of a label over its standard
        deviation, that of the noise and of the prediction together. Where the loss is not one of noise, up to a factor
        that is the same for all.
    spread : dict of str to float
        Typical value of that for all labels of a kind (median, over that of a normal distribution): one if the noise is
        what the fit took it to be; NaN for a kind that is not there.
    """

    structure: Indices
    group: NDArray[np.str_]
    n_atoms: Indices
    energy_error: Array
    force_error: Array
    virial_error: Array
    studentised: dict[str, Array]
    spread: dict[str, float]
    has_noise: bool

    @property
    def suspicion(self) -> Array:
        """The largest of `studentised`, each over its `spread`: (n,); NaN for structures without labels."""
        found = np.full((len(KINDS), len(self.structure)), np.nan)
        for of_kind, kind in zip(found, KINDS, strict=True):
            if self.spread[kind] > 0.0:
                of_kind[:] = self.studentised[kind] / self.spread[kind]
        suspicion: Array = np.fmax.reduce(found, axis=0)
        return suspicion

    def suspicious(self, beyond: float = 6.0) -> Indices:
        """Structures with a `suspicion` beyond a limit, the largest first.

        A wrong label looks like this, but so does a right one of a structure that has no like.
        """
        order = np.argsort(-np.nan_to_num(self.suspicion), kind="stable")
        return self.structure[order[np.nan_to_num(self.suspicion)[order] > beyond]]


@dataclass(frozen=True)
class Influence:
    """What becomes of predictions for targets when a block of training structures is left out, exactly.

    A block is a structure, or all structures of a group. The active set, the regularizer, the baseline and what is held
    are those of all structures.

    Attributes
    ----------
    block : numpy.ndarray, shape (n_blocks,)
        Number of the structure, or name of the group.
    group : numpy.ndarray of str, shape (n_blocks,)
        Group of each.
    n_structures, n_rows : numpy.ndarray of int, shape (n_blocks,)
        Of each.
    leverage : numpy.ndarray, shape (n_blocks,)
        How many parameters of the model each determines: the sum over its labels of w x^T H^-1 x.
    is_refitted : numpy.ndarray of bool, shape (n_blocks,)
        Whether the model of the others was fitted for the numbers of this block; else they follow from that of all.
    increase : numpy.ndarray, shape (n_blocks, n_targets), or None
        Variance without the block over variance now, minus one. None where the table would have more than 2^26 numbers.
    shift : numpy.ndarray, shape (n_blocks, n_targets), or None
        Prediction without the block less prediction now, in eV (forces: eV/Å). None as well for models without
        energies.
    largest_increase, mean_increase : numpy.ndarray, shape (n_blocks,)
        Over the targets that are not blind.
    largest_shift : numpy.ndarray, shape (n_blocks,), or None
        Of largest absolute value, over the same.
    increase_target, shift_target : numpy.ndarray of int, shape (n_blocks,)
        Which targets those are.
    frame, atom : numpy.ndarray of int, shape (n_targets,)
        Which target is which, as in `WhatIf`.
    blind : numpy.ndarray of bool, shape (n_targets,)
        Targets whose residual is above the given limit.
    variance_now : numpy.ndarray, shape (n_targets,)
        phi^T H^-1 phi with all structures: 1 / LPR.
    labels : LeftOutLabels or None
        Labels of the structures beside what models without their blocks predict; None without energies.
    """

    block: NDArray[Any]
    group: NDArray[np.str_]
    n_structures: Indices
    n_rows: Indices
    leverage: Array
    is_refitted: Mask
    increase: Array | None
    shift: Array | None
    largest_increase: Array
    mean_increase: Array
    largest_shift: Array | None
    increase_target: Indices
    shift_target: Indices
    frame: Indices
    atom: Indices
    blind: Mask
    variance_now: Array
    labels: LeftOutLabels | None

    def redundant(self, *, increase: float = 0.01, shift: float | None = None) -> NDArray[Any]:
        """Blocks of which each alone can be left out, and no target notices.

        Parameters
        ----------
        increase : float
            No variance grows by a larger share than this.
        shift : float, optional
            No prediction moves by more, in its unit; None asks nothing of predictions.

        Returns
        -------
        numpy.ndarray
            Their numbers or names, the least influential first. Of two that are alike each alone can go, but not both:
            see `TrainingRows.redundant`.
        """
        fits = self.largest_increase <= increase
        if shift is not None and self.largest_shift is not None:
            fits &= np.abs(self.largest_shift) <= shift
        order = np.argsort(self.largest_increase, kind="stable")
        return self.block[order[fits[order]]]


@dataclass(frozen=True)
class Redundant:
    """Training structures that can be left out together.

    Attributes
    ----------
    structure : numpy.ndarray of int, shape (n,)
        Their numbers, in the order in which they were taken.
    increase : numpy.ndarray, shape (n,)
        Largest increase of the variance of a target (after over now, minus one) without this one and those before.
    shift : numpy.ndarray, shape (n,), or None
        Largest absolute change of a prediction without them, in its unit; None for models without energies.
    """

    structure: Indices
    increase: Array
    shift: Array | None
