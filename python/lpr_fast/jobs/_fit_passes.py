"""The passes of a fit over its files, in this process or on workers, with the same bits."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import Array
from ..atoms.rows._environments import FrameEnvironments
from ..models._archive import to_bytes
from ..models._basis import Basis
from ..models._batches import rows_of
from ..models._fit import adding
from ..models._problem import Environments, Problem, described_here, references_from, report_scored, rows_from
from ..models._reference import Reference, reference_of
from ..models._row_sums import RowSums
from ..models._rows import Rows, concatenated
from ..models._structures import Structures
from ._stream import Stream
from ._tasks import Tasks
from ._training_files import TrainingFiles

Indices = NDArray[np.int64]

# Largest number of structures in a task, and of rows (if it has several structures): lost when a worker dies.
_TOGETHER, _ROWS_TOGETHER = 256, 4096

# Bytes of rows that may wait to be added; smallest and largest number of pending tasks.
_BYTES_WAITING = 2**30
_FEWEST_TASKS, _MOST_TASKS = 16, 512


class Passes(Protocol):
    """The passes over the training structures."""

    def features(self, environments: Environments, chosen: Indices) -> Iterator[Array]:
        """Features of the chosen environments (ascending), batch by batch."""
        ...

    def add_rows(self, start: int, sums: RowSums, problem: Problem, basis: Basis) -> Iterator[Rows]:
        """Add the rows of structures from number `start` on; yield each block after it is added."""
        ...

    def references(self, start: int, problem: Problem, model: _core.Model) -> Iterator[tuple[Reference, int]]:
        """Scores of the environments of structures from number `start` on, and the number of the next structure."""
        ...


def passes(executor: Executor | None, output: Path) -> Passes:
    """Passes in this process, or on the workers of an executor."""
    return Here() if executor is None else OnWorkers(Tasks(executor, output))


class Here:
    """Passes in this process: one thread reads, one describes, the caller's adds rows."""

    def features(self, environments: Environments, chosen: Indices) -> Iterator[Array]:
        """See `Passes`."""
        with Stream() as stream:
            yield from stream.ahead(described_here(environments, chosen))

    def add_rows(self, start: int, sums: RowSums, problem: Problem, basis: Basis) -> Iterator[Rows]:
        """See `Passes`."""
        with Stream() as stream:
            rows = stream.ahead(rows_from(start, basis, problem))
            yield from adding(sums, rows, problem.facts, problem.settings.n_threads)

    def references(self, start: int, problem: Problem, model: _core.Model) -> Iterator[tuple[Reference, int]]:
        """See `Passes`."""
        with Stream() as stream:
            yield from stream.ahead(references_from(start, problem, model))


@dataclass(frozen=True)
class _Work:
    """What all tasks have in common."""

    environments: FrameEnvironments
    folder: Path
    basis: Basis | None = None
    content: bytes | None = None

    @cached_property
    def model(self) -> _core.Model:
        """The fitted model."""
        assert self.content is not None
        return _core.Model.from_bytes(self.content, "the fitted model")

    def seen(self) -> FrameEnvironments:
        """The environments, with the paths of this process."""
        source = self.environments.training.source
        assert isinstance(source, TrainingFiles)
        training = replace(self.environments.training, source=source.seen_from(self.folder))
        return replace(self.environments, training=training)


class OnWorkers:
    """Passes on workers, in ranges of structures; the results are added here, in order."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    def features(self, environments: Environments, chosen: Indices) -> Iterator[Array]:
        """See `Passes`."""
        assert isinstance(environments, FrameEnvironments)
        bounds = np.searchsorted(chosen, environments.structures.first[::_TOGETHER])
        parts = [part for part in np.split(chosen, bounds[1:]) if len(part)]
        with self._tasks.sharing(_work(environments)) as common:
            yield from self._tasks.results(_features_of, parts, common, most=_MOST_TASKS, stacklevel=8)

    def add_rows(self, start: int, sums: RowSums, problem: Problem, basis: Basis) -> Iterator[Rows]:
        """See `Passes`."""
        structures, ranges = problem.structures, _ranges_of_rows(start, problem.structures)
        largest = max(
            (structures.first_row[some.stop] - structures.first_row[some.start] for some in ranges), default=1
        )
        most = min(max(_BYTES_WAITING // (8 * basis.size * largest), _FEWEST_TASKS), _MOST_TASKS)
        with self._tasks.sharing(_work(problem.environments, basis)) as common:
            found = self._tasks.results(_rows_of, ranges, common, most=most, stacklevel=8)
            for rows in adding(sums, found, problem.facts, problem.settings.n_threads):
                done = int(structures.first[rows.reached])
                problem.progress("rows: kernels and sums", done, structures.n_environments)
                yield rows

    def references(self, start: int, problem: Problem, model: _core.Model) -> Iterator[tuple[Reference, int]]:
        """See `Passes`."""
        ranges = _ranges(start, problem)
        with self._tasks.sharing(_work(problem.environments, content=to_bytes(model))) as common:
            found = self._tasks.results(_reference_of, ranges, common, most=_MOST_TASKS, stacklevel=8)
            for structures, reference in zip(ranges, found, strict=True):
                report_scored(problem, structures.stop)
                yield reference, structures.stop


def _ranges(start: int, problem: Problem) -> list[range]:
    """Structures from number `start` on, in ranges for workers."""
    count = len(problem.structures)
    return [range(a, min(a + _TOGETHER, count)) for a in range(start, count, _TOGETHER)]


def _ranges_of_rows(start: int, structures: Structures) -> list[range]:
    """Structures from number `start` on, in ranges with a limited number of rows, or of one structure."""
    first_row, found = structures.first_row, []
    while start < len(structures):
        full = int(np.searchsorted(first_row, first_row[start] + _ROWS_TOGETHER, side="right")) - 1
        stop = min(max(full, start + 1), start + _TOGETHER, len(structures))
        found.append(range(start, stop))
        start = stop
    return found


def _work(environments: Environments, basis: Basis | None = None, content: bytes | None = None) -> _Work:
    assert isinstance(environments, FrameEnvironments)
    source = environments.training.source
    assert isinstance(source, TrainingFiles)
    training = replace(environments.training, source=source.read_through())
    return _Work(replace(environments, training=training, n_threads=0), Path.cwd(), basis, content)


def _features_of(work: _Work, environments: Indices) -> Array:
    """Features of some environments, on a worker."""
    return np.concatenate(list(work.seen().features(environments)))


def _rows_of(work: _Work, structures: range) -> Rows:
    """The rows of a range of structures, on a worker."""
    assert work.basis is not None
    environments, first = work.seen(), structures.start
    found: list[Rows] = []
    for batch in environments.batches(structures.start, stop=structures.stop):
        found += rows_of(work.basis, batch, environments.structures, first, 0)
        first += len(batch)
    return concatenated(found)


def _reference_of(work: _Work, structures: range) -> Reference:
    """Scores of the environments of a range of structures, on a worker."""
    reference, environments, first = Reference(), work.seen(), structures.start
    for batch in environments.batches(structures.start, stop=structures.stop):
        weights = environments.structures.weights[first : first + len(batch)]
        reference.merge(reference_of(work.model, batch.features, batch.species, weights, 0))
        first += len(batch)
    return reference
