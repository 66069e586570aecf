"""Leaving out training structures, each block alone, or together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..._arrays import Array
from ..._errors import InvalidInputError
from ...models._influence import Influences, Without
from ...models._rows import ENERGY, KINDS, Rows
from ..predictions._predicted import Predicted, Prediction, predicted
from ._influence import Indices, Influence, LeftOutLabels, Mask, Redundant

if TYPE_CHECKING:
    from ase import Atoms

    from .._model import StructureModel

# Largest table of blocks and targets that is kept, in numbers.
_MOST_PAIRS = 2**26

# Median absolute value of a standard normal distribution.
_MEDIAN = 0.6744897501960817


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
        The rows.
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
    """Return the rows of predictions for frames.

    Raises
    ------
    InvalidInputError
        For frames that cannot be described, and if all targets are too far from the active set.
    """

    def is_blind(scores: Any) -> Mask:
        if largest_residual is None or scores.residual is None:
            return np.zeros(len(scores.lpr), dtype=bool)
        return np.asarray(scores.residual > largest_residual)

    parts: list[Predicted] = list(predicted(model, frames, prediction, is_blind, n_threads))
    if not sum(len(part.place) for part in parts):
        raise InvalidInputError("targets is empty; give at least one structure.")
    order = np.argsort(np.concatenate([part.place for part in parts]))
    phi, frame, atom, blind = (
        np.concatenate([getattr(part, name) for part in parts])[order] for name in ("phi", "frame", "atom", "blind")
    )
    if blind.all():
        raise InvalidInputError(
            f"all {len(blind)} targets have a residual above {largest_residual}, too far from the active set; give a "
            "larger largest_residual (--largest-residual), or fit with active_from (fit --active-from)."
        )
    return TargetRows(phi, frame, atom, blind)


@dataclass(frozen=True)
class Prepared:
    """Model, targets and blocks, ready for leaving out.

    Attributes
    ----------
    influences : Influences
        The model of all rows, with the targets.
    targets : TargetRows
        The targets.
    blocks : iterator of Block
        Blocks to leave out.
    n_blocks : int
        Number of blocks.
    baseline : numpy.ndarray, shape (n_species,), or None
        Energies per atom that are subtracted from labels; None without energies.
    has_noise : bool
        Whether the loss is one of noise.
    """

    influences: Influences
    targets: TargetRows
    blocks: Iterator[Block]
    n_blocks: int
    baseline: Array | None
    has_noise: bool

    def labels(self, rows: Rows) -> Array | None:
        """Return labels of rows minus the baseline."""
        return None if self.baseline is None else rows.targets(self.baseline)

    @property
    def counted(self) -> Indices:
        """Targets that are not blind and have a variance."""
        counted = np.flatnonzero(~self.targets.blind & (self.influences.forms > 0.0))
        if not len(counted):
            raise InvalidInputError("all targets have zero variance; give structures whose phi is not zero.")
        return counted


def influence_of(prepared: Prepared, report: Callable[[int], None]) -> Influence:
    """Leave out each block alone; `report` is called with the number of blocks done."""
    found = _Found(prepared.targets, prepared.influences.forms, prepared.counted)
    for number, block in enumerate(prepared.blocks, start=1):
        found.add(block, prepared.influences.without(block.rows, prepared.labels(block.rows)))
        report(number)
    return found.influence(has_noise=prepared.has_noise)


def redundant_of(
    prepared: Prepared,
    candidates: NDArray[Any],
    limits: tuple[float, float | None],
    rows_of: Callable[[int], Rows],
    report: Callable[[int, int], None],
) -> Redundant:
    """Leave out candidates together, one after the other, within the limits of increase and shift."""
    counted, (most, farthest) = prepared.counted, limits
    forms, moved = prepared.influences.forms[counted], np.zeros(len(counted))
    taken: list[tuple[int, float, float]] = []
    for number, candidate in enumerate(candidates.tolist(), start=1):
        rows = rows_of(candidate)
        report(number, len(candidates))
        found = prepared.influences.downdated(rows, prepared.labels(rows))
        if found is None:
            continue
        without, leave = found
        increase = float((without.forms[counted] / forms).max()) - 1.0
        after = moved if without.shifts is None else moved + without.shifts[counted]
        shift = float(np.abs(after).max())
        if increase > most or (farthest is not None and shift > farthest):
            continue
        leave()
        moved = after
        taken.append((candidate, increase, shift))
    numbers, increases, shifts = zip(*taken, strict=True) if taken else ((), (), ())
    return Redundant(
        np.array(numbers, dtype=np.int64),
        np.array(increases, dtype=np.float64),
        None if prepared.baseline is None else np.array(shifts, dtype=np.float64),
    )


class _Found:
    """Collected changes of the blocks so far."""

    def __init__(self, targets: TargetRows, forms: Array, seen: Indices) -> None:
        self._targets, self._forms, self._seen = targets, forms, seen
        self._blocks: list[tuple[Any, ...]] = []
        self._increases: list[Array] | None = []
        self._shifts: list[Array] | None = []
        self._labels: list[_Labels] = []

    def add(self, block: Block, without: Without) -> None:
        """Add a block."""
        with np.errstate(divide="ignore", invalid="ignore"):
            increase = without.forms / self._forms - 1.0
        seen = self._seen
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

    def influence(self, *, has_noise: bool) -> Influence:
        """Return the influence of all blocks."""
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
            labels=_joined(self._labels, has_noise=has_noise) if has_shifts else None,
        )


@dataclass(frozen=True)
class _Labels:
    """Left-out labels of a structure: kinds, errors in their units, and studentised errors."""

    structure: int
    group: str
    n_atoms: int
    kinds: Indices
    errors: Array
    studentised: Array

    def errors_of(self, kind: str) -> Array:
        """Return the errors of the labels of a kind."""
        of_kind = self.errors[self.kinds == KINDS.index(kind)]
        there: Array = of_kind[~np.isnan(of_kind)]
        return there

    def root_mean_square(self, kind: str) -> float:
        """Return the root mean square error of a kind; NaN without labels."""
        errors = self.errors_of(kind)
        return float(np.sqrt((errors**2).mean())) if len(errors) else np.nan

    def largest(self, kind: str) -> float:
        """Return the largest studentised error of a kind; NaN without labels."""
        return float(np.fmax.reduce(np.abs(self.studentised[self.kinds == KINDS.index(kind)]), initial=np.nan))


def _labels_of(block: Block, errors: Array, studentised: Array) -> Iterator[_Labels]:
    labels = block.rows.labels
    for structure in np.unique(labels["structure"]).tolist():
        own = labels["structure"] == structure
        of_energy = labels[own & (labels["kind"] == ENERGY)]
        n_atoms = int(of_energy["composition"].sum())
        group = bytes(of_energy["group"][0]).decode()
        yield _Labels(structure, group, n_atoms, labels["kind"][own], errors[own], studentised[own])


def _joined(parts: list[_Labels], *, has_noise: bool) -> LeftOutLabels:
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
        has_noise=has_noise,
    )


def _spread(studentised: Array) -> float:
    there = np.abs(studentised[~np.isnan(studentised)])
    return float(np.median(there)) / _MEDIAN if len(there) else np.nan
