"""Fits to structures in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._progress import Progress
from ...models._fit import adding, sums_of, warn_of_labels
from ...models._problem import basis_of, described_here, finished, referenced, rows_from
from ...models._regularizer import needs_rows
from ...models._rows_file import rows_file, spooled_rows
from ...models._settings import FitSettings
from .._model import AnyModel
from ..labels._virial_check import warn_of_reversed_virials
from ._fitting import external_descriptor, frames_problem

if TYPE_CHECKING:
    from ase import Atoms

    from ...descriptors._descriptor import Descriptor


def fit_frames(
    kind: type[AnyModel],
    frames: Iterable[Atoms],
    wanted: Mapping[str, Any] | Descriptor,
    settings: FitSettings,
    progress: Progress,
    keep_rows: str | PathLike[str] | None,
    *,
    active_from: Iterable[Atoms] | None = None,
) -> AnyModel:
    """Fit a model as `SparseKernelModel.fit` and `LinearModel.fit`; warnings point to the callers of these."""
    problem = frames_problem(frames, wanted, settings, progress, active_from=active_from)
    warn_of_labels(problem.structures, is_fitted=settings.baseline is None, stacklevel=3)
    basis, further = basis_of(problem, described_here, stacklevel=4)
    sums = sums_of(basis, problem.facts)
    blocks = adding(sums, rows_from(0, basis, problem), problem.facts, settings.n_threads)
    path = None if keep_rows is None else Path(keep_rows)
    with spooled_rows(basis, is_needed=needs_rows(settings, problem.facts)) as spool:
        with rows_file(path, problem.settings, basis, problem.facts.with_provenance(further)) as keep:
            for rows in blocks:
                keep(rows)
                spool.write(rows)
        core = finished(problem, basis, sums, further, spool.blocks, stacklevel=4)
    warn_of_reversed_virials(problem, core, stacklevel=3)
    return kind._of(referenced(problem, core, stacklevel=4), external_descriptor(wanted))
