"""What every case is given."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lpr_fast import _core

from .peers import Model
from .timing import OURS, Array, Clock, Comparison, Job

ZETA = 4.0
MU = 1e-3


@dataclass
class Context:
    """Clock, sizes and threads; and what cases leave for the report beside their comparisons."""

    clock: Clock
    threads: int
    toy: bool
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def thread_counts(self) -> list[int]:
        """One, and all."""
        return sorted({1, self.threads})


def unit_rows(n_rows: int, dimension: int, seed: int) -> Array:
    """Features of norm one, positive as power spectra nearly are."""
    rows = np.random.default_rng(seed).random((n_rows, dimension))
    rows /= np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    return rows


def feature_flops(size: int, dimension: int, n_rows: int) -> float:
    """Kernel rows and triangular part."""
    return float(n_rows) * (2 * dimension * size + size * size)


def scorer(model: Model, active: Array) -> _core.KernelScorer:
    """Active set and factor, packed."""
    return _core.KernelScorer(active, ZETA, model.factor, None, None)


def from_features(model: Model, active: Array, rows: Array, threads: int) -> Job:
    """Ours, as models call it."""
    packed = scorer(model, active)
    return Job(OURS, lambda: packed.score(rows, True, False, False, threads)["forms"])  # noqa: FBT003


def from_phi(model: Model, rows: Array, threads: int) -> Job:
    """Ours, as `Rigidity` calls it."""
    factor = model.factor
    return Job(OURS, lambda: factor.variance(rows, 1.0, threads))


def print_comparison(comparison: Comparison, unit: float = 1e6) -> None:
    """The best of every family, and what that means for ours; microseconds of a row, or seconds."""
    per_row = unit / comparison.n_rows if unit else 1.0
    print(f"\n{comparison.title}; {comparison.threads} thread{'s' * (comparison.threads > 1)}")
    print(f"  {'us per row' if unit else 'seconds':<44s}{'min':>10s}{'median':>10s}{'max':>10s}")
    for family, taken in sorted(comparison.best().items(), key=lambda item: float(np.median(item[1]))):
        block = next((n for n, s in comparison.seconds.items() if s == taken.tolist()), family)
        numbers = "".join(f"{f(taken) * per_row:10.4g}" for f in (np.min, np.median, np.max))
        print(f"  {block:<44s}{numbers}")
    advantage, peer = comparison.advantage(), comparison.fastest_peer()
    if advantage is not None and peer is not None:
        print(f"  {OURS} is {spread(advantage)} times as fast as {peer[0]}")
    if comparison.flops and OURS in comparison.best():
        share = spread(100 * comparison.shares(OURS), ".0f")
        print(f"  {OURS}: {spread(comparison.gigaflops(OURS), '.1f')} GF/s, {share} % of the peak of multiply-adds")
    if comparison.disturbance() > 1.05:
        print(f"  disturbed by others: {comparison.disturbance():.2f} times the processor's own time passed")
    sys.stdout.flush()


def spread(values: Array, form: str = ".2f") -> str:
    """Median and range."""
    return f"{np.median(values):{form}} ({values.min():{form}} - {values.max():{form}})"


def in_child(function: Callable[..., Any], *arguments: object, environment: dict[str, str] | None = None) -> Any:
    """What a function of this suite returns in a process of its own."""
    code = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); from importlib import import_module; "
        "f = getattr(import_module(sys.argv[2]), sys.argv[3]); print(json.dumps(f(*json.loads(sys.argv[4]))))"
    )
    root = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", code, root, function.__module__, function.__name__, json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)
