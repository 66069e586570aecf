"""The two passes of a fit over files, done here or by workers: the same bits."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._accumulator import HessianAccumulator
from .._arrays import Array, as_count
from ..atoms import _ranges
from ..atoms._fitting import Problem, features_from, rows_from
from ..models._basis import Basis
from ..models._fit import adding
from ._stream import Stream
from ._training_files import TrainingFiles

if TYPE_CHECKING:
    from distributed import Future

    from ..descriptors._soap import Soap
    from ._cluster import Cluster

Indices = NDArray[np.int64]

# Ranges that every worker has before it, so that it never waits for the next.
_RANGES_EACH = 4


class Passes(Protocol):
    """What computes descriptors and rows."""

    def features(self, problem: Problem, environments: Indices) -> Array:
        """Normalised features of environments, given in ascending order."""
        ...

    def add_rows(
        self, accumulator: HessianAccumulator, problem: Problem, basis: Basis, targets: Array | None
    ) -> Iterator[int]:
        """Add the rows of all structures but those that the accumulator has; pause where a checkpoint can be made."""
        ...


@contextmanager
def passes(scheduler: Any, workers: int) -> Iterator[Passes]:
    """What computes here, or on workers if there are to be any; see `_cluster.connected`."""
    count = as_count("workers", workers)
    if scheduler is None and count == 0:
        yield Here()
        return
    from ._cluster import check_wanted, connected

    check_wanted(scheduler, count)
    with connected(scheduler, count) as cluster:
        yield OnWorkers(cluster)


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
        start = accumulator.n_rows
        weights, targets = problem.training.weights[start:], None if targets is None else targets[start:]
        with Stream() as stream:
            rows = stream.ahead(rows_from(start, basis, problem))
            yield from adding(accumulator, rows, weights, targets, problem.terms.n_threads)


@dataclass(frozen=True)
class _Sent:
    """What every range has in common."""

    frames: TrainingFiles
    folder: Path
    soap: Soap
    basis: Basis | None = None


class OnWorkers:
    """Workers, each of which takes ranges of structures; leaves are made there, and merged here in their order."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def features(self, problem: Problem, environments: Indices) -> Array:
        """See `Passes`."""
        training = problem.training
        sent = self._cluster.send(_sent(problem))
        ranges = _ranges.in_ranges(0, len(training))
        chosen = [_ranges.Chosen.among(training, environments, part.start, part.stop) for part in ranges]
        chosen = [part for part in chosen if part.atoms]
        found: dict[int, Array] = {}
        done = 0
        for number, features in self._cluster.run(_features_of, chosen, sent):
            found[number] = features
            done += len(features)
            problem.progress("active set: descriptors", done, len(environments))
        return np.concatenate([found[number] for number in range(len(chosen))])

    def add_rows(
        self, accumulator: HessianAccumulator, problem: Problem, basis: Basis, targets: Array | None
    ) -> Iterator[int]:
        """See `Passes`."""
        training, cluster = problem.training, self._cluster
        sent = cluster.send(_sent(problem, basis))
        most = _RANGES_EACH * sum(cluster.client.nthreads().values())
        waiting: deque[tuple[int, Future]] = deque()
        for leaf in _ranges.leaves(accumulator.n_rows, len(training), accumulator.leaf_rows):
            parts = [_ranges.Labelled.among(training, targets, part.start, part.stop) for part in leaf]
            states = [cluster.submit(_sum_of, part, sent) for part in parts]
            waiting.append((len(leaf), cluster.submit(_ranges.merged, *states)))
            while sum(n_ranges for n_ranges, _ in waiting) > most and len(waiting) > 1:
                yield self._merge(accumulator, waiting, problem)
        while waiting:
            yield self._merge(accumulator, waiting, problem)
        problem.progress("factorising", 0, 1)

    def _merge(self, accumulator: HessianAccumulator, waiting: deque[tuple[int, Future]], problem: Problem) -> int:
        accumulator.merge(self._cluster.result(waiting.popleft()[1]), n_threads=problem.terms.n_threads)
        first, total = problem.training.first, problem.training.n_environments
        problem.progress("rows: kernels and sums", int(first[accumulator.n_rows]), total)
        return accumulator.n_rows


def _sent(problem: Problem, basis: Basis | None = None) -> _Sent:
    frames = problem.training.source
    assert isinstance(frames, TrainingFiles)
    return _Sent(frames.read_through(), Path.cwd(), problem.soap, basis)


def _features_of(chosen: _ranges.Chosen, sent: _Sent) -> Array:
    """Features of the wanted atoms of a range, on a worker."""
    return np.concatenate(list(_ranges.features_of(chosen, sent.frames.seen_from(sent.folder), sent.soap, _check)))


def _sum_of(labelled: _ranges.Labelled, sent: _Sent) -> HessianAccumulator:
    """The rows of a range, on a worker."""
    assert sent.basis is not None
    return _ranges.sum_of(labelled, sent.frames.seen_from(sent.folder), sent.soap, sent.basis, _check)


def _check(*_: object) -> None:
    from ._cluster import check

    check()
