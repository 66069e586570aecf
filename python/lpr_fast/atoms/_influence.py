"""What every training structure does to the predictions for targets, and which labels the others do not expect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._arrays import Array
from .._errors import InvalidInputError
from ..models._influence import Influences, Without
from ..models._rows import ENERGY, KINDS, Rows
from ._predicted import Predicted, Prediction, predicted

if TYPE_CHECKING:
    from ase import Atoms

    from ._model import StructureModel

Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

# Numbers of a table of blocks and targets that is kept.
_MOST_PAIRS = 2**26

# Of a normal distribution: the median of the absolute value, in standard deviations.
_MEDIAN = 0.6744897501960817


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
class Block:
    """Rows that are left out together.

    Attributes
    ----------
    name : int or str
        Number of the structure, or name of the group.
    group : str
        The group.
    rows : Rows
        All of them.
    """

    name: int | str
    group: str
    rows: Rows


@dataclass(frozen=True)
class TargetRows:
    """All targets, in order: see `Predicted`."""

    phi: Array
    frame: Indices
    atom: Indices
    blind: Mask


def targets_of(
    model: StructureModel,
    frames: Iterable[Atoms],
    prediction: Prediction,
    largest_residual: float | None,
    n_threads: int,
) -> TargetRows:
    """Rows of what is predicted of frames.

    Raises
    ------
    InvalidInputError
        For frames that cannot be described, and where none is left that the active set sees.
    """

    def is_blind(scores: Any) -> Mask:
        if largest_residual is None or scores.residual is None:
            return np.zeros(len(scores.lpr), dtype=bool)
        return np.asarray(scores.residual > largest_residual)

    parts: list[Predicted] = list(predicted(model, frames, prediction, is_blind, n_threads))
    if not sum(len(part.place) for part in parts):
        raise InvalidInputError("there are no targets; give structures with atoms.")
    order = np.argsort(np.concatenate([part.place for part in parts]))
    phi, frame, atom, blind = (
        np.concatenate([getattr(part, name) for part in parts])[order] for name in ("phi", "frame", "atom", "blind")
    )
    if blind.all():
        raise InvalidInputError(
            f"all {len(blind)} targets have a residual above {largest_residual}: the active set does not see them; "
            "give a larger largest_residual (--largest-residual), or fit with active_from (fit --active-from)."
        )
    return TargetRows(phi, frame, atom, blind)


def influence_of(
    influences: Influences,
    blocks: Iterator[Block],
    targets: TargetRows,
    baseline: Array | None,
    report: Callable[[int], None],
) -> Influence:
    """Leave out block after block; `report` is told how many are done."""
    found = _Found(targets, influences.forms)
    for number, block in enumerate(blocks, start=1):
        labels = None if baseline is None else block.rows.targets(baseline)
        found.add(block, influences.without(block.rows, labels))
        report(number)
    return found.influence()


class _Found:
    """What was found of blocks so far."""

    def __init__(self, targets: TargetRows, forms: Array) -> None:
        self._targets, self._forms = targets, forms
        self._seen = ~targets.blind & (forms > 0.0)
        if not self._seen.any():
            raise InvalidInputError("no target has a variance; give structures that the model says something of.")
        self._blocks: list[tuple[Any, ...]] = []
        self._increases: list[Array] | None = []
        self._shifts: list[Array] | None = []
        self._labels: list[_Labels] = []

    def add(self, block: Block, without: Without) -> None:
        """Add a block."""
        with np.errstate(divide="ignore", invalid="ignore"):
            increase = without.forms / self._forms - 1.0
        seen = np.flatnonzero(self._seen)
        loosest = seen[np.argmax(increase[seen])]
        shift, moved = np.nan, seen[0]
        if without.shifts is not None:
            moved = seen[np.argmax(np.abs(without.shifts[seen]))]
            shift = without.shifts[moved]
        n_structures = len(np.unique(block.rows.labels["structure"]))
        facts = (block.name, block.group, n_structures, len(block.rows), without.leverage, without.is_refitted)
        self._blocks.append((*facts, increase[loosest], increase[seen].mean(), loosest, shift, moved))
        if self._increases is not None and (len(self._increases) + 1) * len(increase) > _MOST_PAIRS:
            self._increases = self._shifts = None
        if self._increases is not None:
            self._increases.append(increase)
        if self._shifts is not None and without.shifts is not None:
            self._shifts.append(without.shifts)
        if without.errors is not None and without.studentised is not None:
            self._labels += _labels_of(block, without.errors, without.studentised)

    def influence(self) -> Influence:
        """All blocks."""
        names, groups, n_structures, n_rows, leverages, refitted, largest, means, loosest, shifts, moved = map(
            np.array, zip(*self._blocks, strict=True)
        )
        has_shifts = bool(self._labels)
        return Influence(
            block=names,
            group=groups,
            n_structures=n_structures,
            n_rows=n_rows,
            leverage=leverages,
            is_refitted=refitted,
            increase=None if self._increases is None else np.array(self._increases),
            shift=None if not self._shifts else np.array(self._shifts),
            largest_increase=largest,
            mean_increase=means,
            largest_shift=shifts if has_shifts else None,
            increase_target=loosest,
            shift_target=moved,
            frame=self._targets.frame,
            atom=self._targets.atom,
            blind=self._targets.blind,
            variance_now=self._forms,
            labels=_joined(self._labels) if has_shifts else None,
        )


@dataclass(frozen=True)
class _Labels:
    """Left-out labels of a structure: kinds, errors in their units, and over their deviations."""

    structure: int
    group: str
    n_atoms: int
    kinds: Indices
    errors: Array
    studentised: Array

    def errors_of(self, kind: str) -> Array:
        """Errors of labels that there are."""
        of_kind = self.errors[self.kinds == KINDS.index(kind)]
        there: Array = of_kind[~np.isnan(of_kind)]
        return there

    def root_mean_square(self, kind: str) -> float:
        """Of errors; NaN where there is none."""
        errors = self.errors_of(kind)
        return float(np.sqrt((errors**2).mean())) if len(errors) else np.nan

    def largest(self, kind: str) -> float:
        """Of `studentised`; NaN where there is none."""
        return float(np.fmax.reduce(np.abs(self.studentised[self.kinds == KINDS.index(kind)]), initial=np.nan))


def _labels_of(block: Block, errors: Array, studentised: Array) -> Iterator[_Labels]:
    labels = block.rows.labels
    for structure in np.unique(labels["structure"]).tolist():
        own = labels["structure"] == structure
        of_energy = labels[own & (labels["kind"] == ENERGY)]
        n_atoms = int(of_energy["composition"].sum())
        group = bytes(of_energy["group"][0]).decode()
        yield _Labels(structure, group, n_atoms, labels["kind"][own], errors[own], studentised[own])


def _joined(parts: list[_Labels]) -> LeftOutLabels:
    parts = sorted(parts, key=lambda part: part.structure)
    n_atoms = np.array([part.n_atoms for part in parts])
    energies = [part.errors_of("energy") for part in parts]
    kinds = np.concatenate([part.kinds for part in parts])
    studentised = np.concatenate([part.studentised for part in parts])
    return LeftOutLabels(
        structure=np.array([part.structure for part in parts]),
        group=np.array([part.group for part in parts]),
        n_atoms=n_atoms,
        energy_error=np.array([float(found[0]) if len(found) else np.nan for found in energies]) / n_atoms,
        force_error=np.array([part.root_mean_square("force") for part in parts]),
        virial_error=np.array([part.root_mean_square("virial") for part in parts]) / n_atoms,
        studentised={kind: np.array([part.largest(kind) for part in parts]) for kind in KINDS},
        spread={kind: _spread(studentised[kinds == number]) for number, kind in enumerate(KINDS)},
    )


def _spread(studentised: Array) -> float:
    there = np.abs(studentised[~np.isnan(studentised)])
    return float(np.median(there)) / _MEDIAN if len(there) else np.nan
