"""Influence of training structures on predictions for targets, and left-out errors of their labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._arrays import Array
from ...models._rows import KINDS

Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class LeftOutLabels:
    """Errors of labels for models without their structures.

    Attributes
    ----------
    structure : numpy.ndarray of int, shape (n,)
        Numbers of the structures.
    group : numpy.ndarray of str, shape (n,)
        Group of each structure, such as its ``config_type``.
    n_atoms : numpy.ndarray of int, shape (n,)
        Number of atoms of each structure.
    energy_error : numpy.ndarray, shape (n,)
        Energy per atom minus its prediction, in eV; NaN without an energy.
    force_error, virial_error : numpy.ndarray, shape (n,)
        Root mean square errors of the components of forces, in eV/Å, and of the virial per atom, in eV.
    studentised : dict of str to numpy.ndarray, shape (n,)
        For ``"energy"``, ``"force"`` and ``"virial"``: the largest absolute error of a label over its standard
        deviation, that of noise and prediction together. If the loss is not one of noise, all have an unknown common
        factor.
    spread : dict of str to float
        Typical studentised error of each kind of label (median, relative to that of a normal distribution): one if the
        noise is that assumed in the fit; NaN for a kind without labels.
    has_noise : bool
        Whether the loss is one of noise.
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
        """Largest studentised error of each structure over the `spread` of its kind, (n,); NaN without labels."""
        found = np.full((len(KINDS), len(self.structure)), np.nan)
        for of_kind, kind in zip(found, KINDS, strict=True):
            if self.spread[kind] > 0.0:
                of_kind[:] = self.studentised[kind] / self.spread[kind]
        suspicion: Array = np.fmax.reduce(found, axis=0)
        return suspicion

    def suspicious(self, beyond: float = 6.0) -> Indices:
        """Return the structures with a `suspicion` above a limit, the largest first.

        Check their labels: they are wrong, or the structure is unlike all others.

        Parameters
        ----------
        beyond : float
            The limit.

        Returns
        -------
        numpy.ndarray of int
            Numbers of the structures.
        """
        order = np.argsort(-np.nan_to_num(self.suspicion), kind="stable")
        return self.structure[order[np.nan_to_num(self.suspicion)[order] > beyond]]


@dataclass(frozen=True)
class Influence:
    """Exact changes of predictions for targets when a block of training structures is left out.

    A block is a structure, or all structures of a group. The active set, the regularizer, the baseline and the held
    rows are those of all structures.

    Attributes
    ----------
    block : numpy.ndarray, shape (n_blocks,)
        Number of the structure, or name of the group.
    group : numpy.ndarray of str, shape (n_blocks,)
        Group of each block.
    n_structures, n_rows : numpy.ndarray of int, shape (n_blocks,)
        Numbers of structures and rows of each block.
    leverage : numpy.ndarray, shape (n_blocks,)
        Number of parameters of the model that each block determines: the sum over its labels of w x^T H^-1 x.
    is_refitted : numpy.ndarray of bool, shape (n_blocks,)
        Whether a model of the other structures was fitted for this block; otherwise the changes follow from the model
        of all.
    increase : numpy.ndarray, shape (n_blocks, n_targets), or None
        Variance without the block over variance now, minus one. None if the table would have more than 2^26 numbers.
    shift : numpy.ndarray, shape (n_blocks, n_targets), or None
        Prediction without the block minus prediction now, in eV (forces: eV/Å). None as `increase`, and for models
        without energies.
    largest_increase, mean_increase : numpy.ndarray, shape (n_blocks,)
        Largest and mean increase over the targets that are not blind.
    largest_shift : numpy.ndarray, shape (n_blocks,), or None
        Shift of largest absolute value over the targets that are not blind.
    increase_target, shift_target : numpy.ndarray of int, shape (n_blocks,)
        Targets of the largest increase and of the largest shift.
    frame, atom : numpy.ndarray of int, shape (n_targets,)
        Frame and atom of each target, as in `WhatIf`.
    blind : numpy.ndarray of bool, shape (n_targets,)
        Whether the residual of the target is above the given limit.
    variance_now : numpy.ndarray, shape (n_targets,)
        phi^T H^-1 phi with all structures: 1 / LPR.
    labels : LeftOutLabels or None
        Left-out errors of the labels of the structures; None without energies.
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
        """Return the blocks that can each be left out alone without a notable change for any target.

        Parameters
        ----------
        increase : float
            Largest relative increase of a variance.
        shift : float, optional
            Largest absolute change of a prediction, in its unit; None for no limit.

        Returns
        -------
        numpy.ndarray
            Numbers or names of the blocks, the least influential first. Of two equal structures each can be left out,
            but not both: see `TrainingRows.redundant`.
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
        Numbers of the structures, in the order in which they were left out.
    increase : numpy.ndarray, shape (n,)
        Largest increase of the variance of a target (after over now, minus one) without this structure and those
        before it.
    shift : numpy.ndarray, shape (n,), or None
        Largest absolute change of a prediction without the same structures, in its unit; None for models without
        energies.
    """

    structure: Indices
    increase: Array
    shift: Array | None
