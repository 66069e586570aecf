"""A model with standard deviations in the unit of the energies, from held-out structures."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from .. import _core
from .._arrays import Array
from .._errors import InvalidInputError
from ..models._calibration import VarianceKind, calibrated
from ._frames import known_energy
from ._pipeline import Pipeline
from ._totals import LARGEST_PAIRED, Totals, TotalScoring, all_totals

if TYPE_CHECKING:
    from ase import Atoms


def calibrated_model(
    core: _core.Model, totals: Totals, energies: Array, variance: VarianceKind | None, *, is_kernel: bool
) -> _core.Model:
    """The model whose totals missed these energies, with the constant that explains by how much."""
    kind = _kind(variance, is_kernel=is_kernel)
    variances = totals.variance
    if kind == "pp":
        assert totals.residual is not None
        variances = variances + totals.residual
        large = np.flatnonzero(np.isnan(totals.residual))
        if large.size:
            raise InvalidInputError(
                f"frame {large[0]} has more than {LARGEST_PAIRED} atoms, too many for the residual of its total; "
                "calibrate with smaller ones, or variance='sr'."
            )
    assert totals.energy is not None
    facts = calibrated(totals.energy - energies, variances, kind).facts()
    text, arrays = core.parts()
    changed = json.dumps({**json.loads(text), "calibration": facts}, allow_nan=False)
    return _core.Model.from_parts(changed, arrays)


def labelled_totals(
    pipeline: Pipeline, scoring: TotalScoring, frames: Iterable[Atoms], key: str, n_threads: int
) -> tuple[Totals, Array]:
    """Totals of frames, and the energies that they come with."""
    found, energies = [scoring.of([], n_threads)], [np.zeros(0)]
    for piece in pipeline.pieces(frames, "error"):
        if piece.is_last:
            found.append(scoring.of(piece.batch, n_threads))
            energies.append(np.array([_energy(frame, n, key) for n, frame in enumerate(piece.frames, piece.first)]))
    return all_totals(found), np.concatenate(energies)


def _energy(frame: Atoms, number: int, key: str) -> float:
    energy = known_energy(frame, key)
    if energy is None:
        raise InvalidInputError(
            f"frame {number} has no energy named {key!r}; leave it out, or give the name (energy_key, --energy-key)."
        )
    return energy


def _kind(variance: VarianceKind | None, *, is_kernel: bool) -> VarianceKind:
    if variance is None:
        return "pp" if is_kernel else "sr"
    if not isinstance(variance, str) or variance not in ("sr", "pp"):
        raise InvalidInputError(f"variance is {variance!r}; it must be 'sr' or 'pp'.")
    if variance == "pp" and not is_kernel:
        raise InvalidInputError("linear models have no residual, hence no projected process; calibrate variance='sr'.")
    return variance
