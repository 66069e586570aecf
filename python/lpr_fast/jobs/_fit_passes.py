"""The two passes of a fit over files, done here or by workers: the same bits."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from .._accumulator import HessianAccumulator
from .._arrays import Array
from ..atoms import _ranges
from ..atoms._fitting import Problem, features_from, rows_from
from ..atoms._training_set import TrainingSet, counted_again
from ..models._basis import Basis
from ..models._fit import adding
from ._row_ranges import RowNumbers, RowRange
from ._stream import Stream
from ._tasks import Tasks
from ._training_files import TrainingFiles

if TYPE_CHECKING:
    from ..descriptors._soap import Soap

Indices = NDArray[np.int64]

# Structures whose environments a worker describes together.
_TOGETHER = 256

# Bytes of rows that wait to be merged, and tasks that are under way in any case, and at most.
_BYTES_WAITING = 2**30
_FEWEST_TASKS, _MOST_TASKS = 16, 512


class Passes(Protocol):
    """What computes descriptors and rows."""

    def features(self, problem: Problem, environments: Indices) -> Array:
        """Normalised features of environments, given in ascending order."""
        ...

    def add_rows(
        self, accumulator: HessianAccumulator, problem: Problem, basis: Basis, targets: Array | None
    ) -> Iterator[int]:
        """Add all rows but those that the accumulator has; pause where a checkpoint can be made."""
        ...


def passes(executor: Executor | None, output: Path) -> Passes:
    """What computes here, or in the processes of an executor."""
    return Here() if executor is None else OnWorkers(Tasks(executor, output))


def row_numbers(training: TrainingSet) -> RowNumbers:
    """Which rows come from which structure: each has one."""
    return RowNumbers(np.ones(len(training), dtype=np.int64))


class Here:
    """In this process, a thread reads, one describes, and the caller's adds rows."""

    def features(self, problem: Problem, environments: Indices) -> Array:
        """See `Passes`."""
        with Stream() as stream:
            return np.concatenate(list(stream.ahead(features_from(problem, environments))))

    def add_rows(
        self, accumulator: HessianAccumulator, problem: Problem, basis: Basis, targets: Array | None
    ) -> Iterator[int]:
        """See `Passes`."""
        numbers = row_numbers(problem.training)
        left = numbers.range_of(accumulator.n_rows, numbers.n_rows)
        with Stream() as stream:
            rows = left.trimmed(stream.ahead(rows_from(left.structures.start, basis, problem)))
            labels = _Labels.of(problem.training, targets, left.rows)
            yield from adding(accumulator, rows, labels.weights, labels.targets, problem.terms.n_threads)


@dataclass(frozen=True)
class _Labels:
    """Weights and targets of rows."""

    weights: Array
    targets: Array | None

    @classmethod
    def of(cls, training: TrainingSet, targets: Array | None, rows: range) -> _Labels:
        chosen = slice(rows.start, rows.stop)
        return cls(training.weights[chosen], None if targets is None else targets[chosen])


@dataclass(frozen=True)
class _Work:
    """What all ranges have in common."""

    frames: TrainingFiles
    folder: Path
    soap: Soap
    basis: Basis | None = None


@dataclass(frozen=True)
class _RowsOf:
    """Rows to make, what their structures are made of to know them again, and the labels of the rows."""

    part: RowRange
    counts: Indices
    labels: _Labels


class OnWorkers:
    """Workers, each of which takes ranges of structures; what they make of these is merged here, in order."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    def features(self, problem: Problem, environments: Indices) -> Array:
        """See `Passes`."""
        training, ranges = problem.training, range(0, len(problem.training), _TOGETHER)
        parts = (
            _ranges.Chosen.among(training, environments, first, min(first + _TOGETHER, len(training)))
            for first in ranges
        )
        found: list[Array] = []
        done = 0
        with self._tasks.sharing(_work(problem)) as common:
            wanted = (part for part in parts if part.atoms)
            for features in self._tasks.results(_features_of, wanted, common, most=_MOST_TASKS, stacklevel=8):
                found.append(features)
                done += len(features)
                problem.progress("active set: descriptors", done, len(environments))
        return np.concatenate(found)

    def add_rows(
        self, accumulator: HessianAccumulator, problem: Problem, basis: Basis, targets: Array | None
    ) -> Iterator[int]:
        """See `Passes`."""
        training, numbers = problem.training, row_numbers(problem.training)
        ranges = list(numbers.ranges(accumulator.n_rows, accumulator.leaf_rows))
        with self._tasks.sharing(_work(problem, basis)) as common:
            parts = (_rows_of(training, targets, part) for part in ranges)
            most = _most_under_way(ranges, basis.size)
            for state in self._tasks.results(_sum_of, parts, common, most=most, stacklevel=8):
                accumulator.merge(state, n_threads=problem.terms.n_threads)
                done = int(training.first[numbers.n_whole(accumulator.n_rows)])
                problem.progress("rows: kernels and sums", done, training.n_environments)
                yield accumulator.n_rows
        problem.progress("factorising", 0, 1)


def _rows_of(training: TrainingSet, targets: Array | None, part: RowRange) -> _RowsOf:
    counts = training.counts[part.structures.start : part.structures.stop]
    return _RowsOf(part, counts, _Labels.of(training, targets, part.rows))


def _most_under_way(ranges: list[RowRange], size: int) -> int:
    """Tasks whose rows, or the triangle that full leaves become, fit in memory together."""
    largest = max((min(len(part.rows), size) for part in ranges), default=1)
    return min(max(_BYTES_WAITING // (8 * size * largest), _FEWEST_TASKS), _MOST_TASKS)


def _work(problem: Problem, basis: Basis | None = None) -> _Work:
    frames = problem.training.source
    assert isinstance(frames, TrainingFiles)
    return _Work(frames.read_through(), Path.cwd(), problem.soap, basis)


def _features_of(work: _Work, chosen: _ranges.Chosen) -> Array:
    """Features of the wanted atoms of a range, on a worker."""
    return np.concatenate(list(_ranges.features_of(chosen, work.frames.seen_from(work.folder), work.soap)))


def _sum_of(work: _Work, wanted: _RowsOf) -> HessianAccumulator:
    """The rows of a range in an accumulator of their own, on a worker."""
    assert work.basis is not None
    part, labels = wanted.part, wanted.labels
    source = work.frames.seen_from(work.folder)
    frames = counted_again(source, work.soap.species, wanted.counts, part.structures.start)
    rows = part.trimmed(_ranges.rows_of(frames, work.soap, work.basis, 0))
    accumulator = HessianAccumulator(work.basis.size, labelled=labels.targets is not None)
    for _ in adding(accumulator, rows, labels.weights, labels.targets, 0):
        pass
    return accumulator
