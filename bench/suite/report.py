"""What stands at the start and at the end: machine, versions, the table of all sizes, JSON and figure."""

from __future__ import annotations

import json
import math
import os
import platform
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import scipy
from measure import processor
from threadpoolctl import threadpool_info

import lpr_fast

from .context import Context, spread
from .timing import OURS, Array, Comparison

mpl.use("Agg")

from matplotlib import pyplot as plt


def machine(context: Context) -> dict[str, Any]:
    """Everything without which a ratio cannot be judged."""
    libraries = [
        {key: info.get(key) for key in ("internal_api", "version", "architecture", "threading_layer", "num_threads")}
        for info in threadpool_info()
        if info["user_api"] == "blas"
    ]
    variables = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE")
    return {
        "processor": processor(),
        "system": platform.platform(),
        "instruction_set": lpr_fast.cpu_info().instruction_set,
        "available": lpr_fast.cpu_info().available,
        "vector_bits_of_peak": context.clock.peak.vector_bits,
        "threads": context.threads,
        "repeats": context.clock.repeats,
        "lpr_fast": lpr_fast.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "python": platform.python_version(),
        "blas": libraries,
        "environment": {name: os.environ.get(name) for name in variables},
        "load": os.getloadavg(),
    }


def print_libraries(facts: dict[str, Any]) -> None:
    """BLAS of NumPy and SciPy, and how busy the machine was."""
    for library in facts["blas"]:
        print("BLAS:", ", ".join(f"{key} {value}" for key, value in library.items()))
    print(f"load of the machine before: {facts['load'][0]:.2f}; peak on vectors of {facts['vector_bits_of_peak']} bits")


def print_peaks(context: Context, peaks: dict[str, list[float]], size: int) -> None:
    """Multiply-adds and matrix products over the run."""
    print(
        f"\nThroughout this run, GF/s: multiply-adds in registers, and NumPy's product of two {size} x {size} matrices"
    )
    for name, values in peaks.items():
        print(f"  {name:<32s}{spread(np.array(values), '.1f'):>28s}")
    context.extra["peaks_gigaflops"] = peaks


def of_case(context: Context, case: int) -> list[Comparison]:
    """All comparisons of one case."""
    return [c for c in context.clock.comparisons if c.parameters.get("case") == case]


def print_table(context: Context) -> None:
    """Case 1 in short."""
    rows = of_case(context, 1)
    if not rows:
        return
    print("\nFrom features, all sizes: medians")
    print(f"  {'M':>5s}{'D':>6s}{'threads':>9s}{'us/row':>10s}{'GF/s':>8s}{'% peak':>8s}{'times peer':>24s}  peer")
    for c in rows:
        advantage, peer = c.advantage(), c.fastest_peer()
        if advantage is None or peer is None:
            continue
        microseconds, speed = np.median(c.best()[OURS]) / c.n_rows * 1e6, np.median(c.gigaflops(OURS))
        print(
            f"  {c.parameters['M']:5d}{c.parameters['D']:6d}{c.threads:9d}{microseconds:10.3g}{speed:8.1f}"
            f"{100 * np.median(c.shares(OURS)):8.0f}{spread(advantage):>24s}  {peer[0]}"
        )


def save(context: Context, facts: dict[str, Any], folder: Path) -> None:
    """JSON of everything, and the figure if case 1 has run."""
    print(f"\nnumbers: {save_numbers(context, facts, folder).name}")
    if of_case(context, 1):
        draw(context, folder / "kernel.png")
        print("figure:  kernel.png")


def save_numbers(context: Context, facts: dict[str, Any], folder: Path) -> Path:
    """Machine, raw seconds, and what else there is so far."""
    folder.mkdir(parents=True, exist_ok=True)
    slug = re.sub(r"[^a-z0-9]+", "-", facts["processor"].lower()).strip("-")
    path = folder / f"{slug}_{facts['instruction_set']}.json"
    content = {
        "machine": facts,
        "comparisons": [c.as_json() for c in context.clock.comparisons],
        **context.extra,
    }
    path.write_text(json.dumps(without_nan(content), indent=1) + "\n")
    return path


def without_nan(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {key: without_nan(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def draw(context: Context, path: Path) -> None:
    """Share of the peak against M, ours and the best script's, and how many times faster that makes us."""
    rows = of_case(context, 1)
    counts = context.thread_counts
    dimensions = sorted({c.parameters["D"] for c in rows})
    figure, axes = plt.subplots(1, len(counts) + 1, figsize=(4.2 * (len(counts) + 1), 3.8), layout="constrained")
    for i, d in enumerate(dimensions):
        for j, threads in enumerate(counts):
            chosen = [c for c in rows if c.parameters["D"] == d and c.threads == threads]
            sizes = [c.parameters["M"] for c in chosen]
            peers = [peer_shares(c) for c in chosen]
            band(axes[j], sizes, [c.shares(OURS) for c in chosen], f"C{i}", "-", f"lpr_fast, D = {d}")
            band(axes[j], sizes, peers, f"C{i}", ":", f"fastest script, D = {d}")
            advantages = [a for c in chosen if (a := c.advantage()) is not None]
            label = f"D = {d}, {threads} thread{'s' * (threads > 1)}"
            band(axes[-1], sizes, advantages, f"C{i}", "--" if threads == 1 else "-", label)
    for axis, threads in zip(axes, counts, strict=False):
        axis.set(
            title=f"{threads} thread{'s' * (threads > 1)}", ylabel="share of the peak of multiply-adds", ylim=(0, 1.05)
        )
    axes[-1].set(title="speed, in units of the fastest script's", ylim=(0, None))
    axes[-1].axhline(1, color="grey", linewidth=0.8)
    for axis in axes:
        axis.set(xlabel="active environments M", xscale="log")
        axis.set_xticks(sorted({c.parameters["M"] for c in rows}), labels=sorted({c.parameters["M"] for c in rows}))
        axis.minorticks_off()
        axis.legend(fontsize="x-small")
    figure.savefig(path, dpi=150)
    plt.close(figure)


def peer_shares(comparison: Comparison) -> Array:
    """Of the peak, by the work that ours does."""
    peer = comparison.fastest_peer()
    return comparison.shares(peer[0]) if peer else np.array([math.nan])


def band(axis: Any, sizes: list[int], values: list[Array], color: str, style: str, label: str) -> None:
    """Medians, and bars from the lowest to the highest."""
    middle = np.array([np.median(v) for v in values])
    below = middle - [v.min() for v in values]
    above = np.array([v.max() for v in values]) - middle
    axis.errorbar(sizes, middle, [below, above], color=color, linestyle=style, marker=".", capsize=2, label=label)
