"""Jobs in turn, round by round, each round with the peak of the processor: seconds, ratios and their spread."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from .peak import Peak

Array = NDArray[np.float64]

OURS = "lpr_fast"
# Results of all jobs must agree with ours this well, relative to the largest.
TOLERANCE = 1e-8


@dataclass(frozen=True)
class Job:
    """Something to time. Jobs of one family differ in their block size only."""

    family: str
    run: Callable[[], Any]
    blas_threads: int = 1
    block: int = 0
    # Calls in one sample, and the part of the whole work that one call does.
    calls: int = 1
    share: float = 1.0
    # Whether what `run` returns is to be compared with what the first job returns.
    checked: bool = True

    @property
    def name(self) -> str:
        """Family and block size."""
        return f"{self.family}, {self.block} rows" if self.block else self.family


@dataclass
class Comparison:
    """Seconds of every job in every round."""

    title: str
    parameters: dict[str, Any]
    threads: int
    n_rows: int
    flops: float
    families: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    # Of all threads of this process, those that wait by spinning included.
    processor_seconds: dict[str, list[float]] = field(default_factory=dict)
    peak: list[float] = field(default_factory=list)

    def best(self) -> dict[str, Array]:
        """For each family, the seconds of its fastest job by the median."""
        chosen: dict[str, Array] = {}
        for name, taken in self.seconds.items():
            family, array = self.families[name], np.array(taken)
            if family not in chosen or np.median(array) < np.median(chosen[family]):
                chosen[family] = array
        return chosen

    def fastest_peer(self) -> tuple[str, Array] | None:
        """Family and seconds of the fastest that is not ours."""
        peers = {name: taken for name, taken in self.best().items() if not name.startswith(OURS)}
        return min(peers.items(), key=lambda item: float(np.median(item[1]))) if peers else None

    def shares(self, family: str) -> Array:
        """Round by round, the part of the peak that a family reaches."""
        return self.flops / self.best()[family] / np.array(self.peak) / 1e9

    def gigaflops(self, family: str) -> Array:
        """Round by round, 1e9 operations per second."""
        return self.flops / self.best()[family] / 1e9

    def disturbance(self) -> float:
        """For one thread, the median of seconds by processor seconds: above one, others had the core."""
        ratios = [np.divide(self.seconds[n], np.maximum(self.processor_seconds[n], 1e-9)) for n in self.seconds]
        return float(np.median(ratios)) if self.threads == 1 else 1.0

    def advantage(self) -> Array | None:
        """Round by round, seconds of the fastest peer by ours."""
        peer = self.fastest_peer()
        return None if peer is None or OURS not in self.best() else peer[1] / self.best()[OURS]

    def as_json(self) -> dict[str, Any]:
        """Everything raw, and the medians."""
        medians = {name: float(np.median(taken)) for name, taken in self.seconds.items()}
        advantage = self.advantage()
        return {
            "title": self.title,
            "parameters": self.parameters,
            "threads": self.threads,
            "n_rows": self.n_rows,
            "flops": self.flops,
            "peak_gigaflops": self.peak,
            "advantage": None if advantage is None else advantage.tolist(),
            "median_seconds": medians,
            "seconds": self.seconds,
            "processor_seconds": self.processor_seconds,
        }


class Clock:
    """Times jobs; holds what all comparisons of a run share."""

    def __init__(self, peak: Peak, repeats: int, *, toy: bool) -> None:
        self.peak = peak
        self.repeats = repeats
        self.comparisons: list[Comparison] = []
        self._blas = ThreadpoolController()
        # Threads of the job before spin for some time after it.
        self._pause = 0.0 if toy else 0.03

    def once(self, job: Job) -> tuple[float, float, Any]:
        """Seconds and processor seconds for the whole work, and what the job returned."""
        with self._blas.limit(limits=job.blas_threads, user_api="blas"):
            time.sleep(self._pause)
            start, start_processor = time.perf_counter(), time.process_time()
            for _ in range(job.calls):
                result = job.run()
            taken, processor = time.perf_counter() - start, time.process_time() - start_processor
            return taken / job.calls / job.share, processor / job.calls / job.share, result

    def compare(
        self,
        title: str,
        jobs: Sequence[Job],
        *,
        threads: int,
        n_rows: int,
        flops: float,
        repeats: int | None = None,
        **parameters: Any,
    ) -> Comparison:
        """Run all jobs in turn, in another order each round, after one round that warms up and checks results."""
        comparison = Comparison(title, parameters, threads, n_rows, flops)
        comparison.families = {job.name: job.family for job in jobs}
        comparison.seconds = {job.name: [] for job in jobs}
        comparison.processor_seconds = {job.name: [] for job in jobs}
        self._check(jobs)
        rng = np.random.default_rng(0)
        for _ in range(repeats or self.repeats):
            comparison.peak.append(self.peak.gigaflops(threads))
            for i in rng.permutation(len(jobs)):
                taken, processor, _ = self.once(jobs[i])
                comparison.seconds[jobs[i].name].append(taken)
                comparison.processor_seconds[jobs[i].name].append(processor)
        self.comparisons.append(comparison)
        return comparison

    def _check(self, jobs: Sequence[Job]) -> None:
        *_, expected = self.once(jobs[0])
        for job in jobs[1:]:
            *_, result = self.once(job)
            if not job.checked:
                continue
            difference = np.abs(result - expected[: len(result)]).max() / np.abs(expected).max()
            if not difference < TOLERANCE:
                raise RuntimeError(f"{job.name} and {jobs[0].name} differ by {difference:.1g}")
