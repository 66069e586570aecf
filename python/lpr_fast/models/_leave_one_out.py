"""Leave-one-out errors of structures and evidence, for many regularizers at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from .._accumulator import HessianAccumulator
from .._arrays import Array, as_vector
from .._errors import InvalidInputError
from ._basis import Basis
from ._rows import ENERGY, KINDS, Rows, concatenated

Indices = NDArray[np.int64]

#: Iterates over training rows, from the beginning at each call.
Blocks: TypeAlias = Callable[[], Iterable[Rows]]

# Rows in memory at once; more only if a structure has more.
_BLOCK = 1024


@dataclass(frozen=True)
class LeaveOneOut:
    """Leave-one-out errors of structures for models of the same rows with different regularizers.

    Errors are those of energies per atom, and of components of forces and virials, in their units. The baseline, the
    active set and the held rows are those of all structures.

    Attributes
    ----------
    regularizers : numpy.ndarray, shape (G,)
        Values of mu, ascending.
    errors : numpy.ndarray, shape (n_rows, G)
        Energy per atom (or component of a force or a virial: `kind`) minus its prediction by the model of all other
        structures. NaN if the structure alone determines a direction (an eigenvalue of its leverage is within 1e-8 of
        one), and for a missing energy.
    residuals : numpy.ndarray, shape (n_rows, G)
        The same minus its prediction by the model of all structures.
    loss : numpy.ndarray, shape (G,)
        Root mean square of `errors` with the weights of the loss, w_A N_A^2 for energies, over all labels that can be
        left out.
    rmse, training_rmse : numpy.ndarray, shape (G,)
        Root mean square of `errors` and `residuals` of energies, over structures of positive weight.
    n_determined : numpy.ndarray of int, shape (G,)
        Number of structures that cannot be left out, because each alone determines a direction.
    minus_twice_log_evidence : numpy.ndarray, shape (G,)
        -2 log of the probability of the labels, with the given noise, otherwise with its most probable variance.
    spread : float
        Standard deviation of the energies per atom about their baseline; NaN without energies.
    kind : numpy.ndarray of int, shape (n_rows,)
        Kind of each label: 0 energy, 1 component of a force, 2 component of a virial.
    """

    regularizers: Array
    errors: Array
    residuals: Array
    loss: Array
    rmse: Array
    training_rmse: Array
    n_determined: Indices
    minus_twice_log_evidence: Array
    spread: float
    kind: Indices

    def rmse_of(self, kind: int) -> Array:
        """Return the root mean square of `errors` over the labels of a kind that can be left out.

        Parameters
        ----------
        kind : int
            0 for energies, 1 for forces, 2 for virials.

        Returns
        -------
        numpy.ndarray, shape (G,)
            NaN without labels of the kind.

        Raises
        ------
        InvalidInputError
            For another kind.
        """
        if kind not in range(len(KINDS)):
            raise InvalidInputError(f"kind is {kind!r}; it must be 0 (energies), 1 (forces) or 2 (virials).")
        errors = self.errors[self.kind == kind]
        return np.array([_root_mean_square(of_one, np.ones(len(of_one))) for of_one in errors.T])


@dataclass(frozen=True)
class _Labels:
    """Labels of all rows for the summary; rows without a label have a target and a weight of zero."""

    targets: Array
    weights: Array
    atoms: Array
    structures: Indices
    kinds: Indices
    is_known: NDArray[np.bool_]


def spectrum_of(
    basis: Basis, accumulator: HessianAccumulator, columns: Indices | None, n_threads: int
) -> _core.Spectrum:
    """Return the spectrum of the training rows relative to the prior; `columns` select a smaller model."""
    wanted = [] if columns is None else columns.tolist()
    return _core.Spectrum(accumulator._core, basis.prior(n_threads), wanted, n_threads)


def as_grid(regularizers: ArrayLike) -> Array:
    """Check values of mu, and return them in ascending order."""
    grid = as_vector("regularizers", regularizers)
    wrong = grid[~((grid > 0.0) & np.isfinite(grid))]
    if wrong.size or not grid.size:
        what = f"has {wrong[0]:g}" if wrong.size else "is empty"
        raise InvalidInputError(f"regularizers {what}; give positive, finite numbers.")
    return np.sort(grid)


def left_out(
    spectra: Sequence[_core.Spectrum],
    grids: Sequence[Array],
    blocks: Blocks,
    baseline: Array,
    noise_scale: float | None,
    n_threads: int,
) -> list[LeaveOneOut]:
    """Return the errors of several models of the same rows, each with its own regularizers, in one pass.

    The variance of the noise is `noise_scale` over the weight of a label, if that is known.
    """
    found: list[list[tuple[Array, Array]]] = [[] for _ in spectra]
    labels = []
    for rows in whole_structures(blocks()):
        of_block = _labels(rows, baseline)
        labels.append(of_block)
        phi = np.ascontiguousarray(rows.phi)
        numbers = of_block.structures.tolist()
        for spectrum, grid, of_model in zip(spectra, grids, found, strict=True):
            of_model.append(spectrum.leave_one_out(phi, of_block.targets, of_block.weights, numbers, grid, n_threads))
    together = _joined(labels)
    summaries = []
    for spectrum, grid, of_model in zip(spectra, grids, found, strict=True):
        residuals, errors = (np.concatenate(parts) for parts in zip(*of_model, strict=True))
        evidence = [spectrum.minus_twice_log_evidence(mu, noise_scale) for mu in grid.tolist()]
        summaries.append(_summarised(grid, np.array(evidence), residuals, errors, together))
    return summaries


def whole_structures(blocks: Iterable[Rows]) -> Iterator[Rows]:
    """Yield the same rows in blocks of whole structures that do not depend on the given blocks."""
    waiting: list[Rows] = []
    for rows in blocks:
        waiting.append(rows)
        if sum(map(len, waiting)) <= _BLOCK:
            continue
        together = concatenated(waiting)
        start, stop = 0, _end_of_block(together, 0)
        while stop < len(together):
            yield together.part(start, stop)
            start, stop = stop, _end_of_block(together, stop)
        waiting = [together.part(start, len(together))]
    if waiting:
        yield concatenated(waiting)


def _end_of_block(rows: Rows, start: int) -> int:
    """Return the end of the block that begins at `start`: after the structure that fills it."""
    structures = rows.labels["structure"]
    last = start + _BLOCK - 1
    if last >= len(rows):
        return len(rows)
    return int(np.searchsorted(structures, structures[last], side="right"))


def _labels(rows: Rows, baseline: Array) -> _Labels:
    labels = rows.labels
    sizes = np.ascontiguousarray(labels["composition"]).sum(axis=1)
    targets = np.ascontiguousarray(rows.targets(baseline))
    is_known = ~np.isnan(targets)
    return _Labels(
        np.where(is_known, targets, 0.0),
        np.where(is_known, rows.weights, 0.0),
        np.where(labels["kind"] == ENERGY, sizes, 1.0),
        np.asarray(labels["structure"], dtype=np.int64),
        np.asarray(labels["kind"], dtype=np.int64),
        is_known,
    )


def _joined(parts: list[_Labels]) -> _Labels:
    names = ("targets", "weights", "atoms", "structures", "kinds", "is_known")
    return _Labels(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _summarised(grid: Array, evidence: Array, residuals: Array, errors: Array, labels: _Labels) -> LeaveOneOut:
    is_used = labels.weights > 0.0
    counted = (labels.kinds == ENERGY) & is_used
    units = np.where(labels.is_known, labels.atoms, np.nan)[:, None]
    residuals, errors = residuals / units, errors / units
    weights = labels.weights * labels.atoms**2
    unusable = np.isnan(errors) & is_used[:, None]
    firsts = np.flatnonzero(np.diff(labels.structures, prepend=labels.structures[0] - 1))
    return LeaveOneOut(
        grid,
        errors,
        residuals,
        np.array([_root_mean_square(errors[:, g], weights) for g in range(len(grid))]),
        np.array([_root_mean_square(errors[counted, g], np.ones(counted.sum())) for g in range(len(grid))]),
        np.array([_root_mean_square(residuals[counted, g], np.ones(counted.sum())) for g in range(len(grid))]),
        np.add.reduceat(unusable, firsts, axis=0).astype(bool).sum(axis=0),
        evidence,
        float(np.std(labels.targets[counted] / labels.atoms[counted])) if counted.any() else math.nan,
        labels.kinds,
    )


def _root_mean_square(errors: Array, weights: Array) -> float:
    """Return the weighted root mean square of errors that are not NaN; NaN without any."""
    usable = ~np.isnan(errors) & (weights > 0.0)
    if not usable.any():
        return float("nan")
    weights = weights[usable] / weights[usable].max()
    return float(np.sqrt((weights * errors[usable] ** 2).sum() / weights.sum()))
