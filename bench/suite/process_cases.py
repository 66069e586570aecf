"""What needs processes of its own or counts microseconds: latency, instruction sets, memory while scoring."""

from __future__ import annotations

import ctypes
import os
import time
from functools import partial
from pathlib import Path

import numpy as np
from measure import peak_memory

import lpr_fast
from lpr_fast import Rigidity, _core

from .compiled import library_of
from .context import Context, feature_flops, from_features, from_phi, in_child, print_comparison, spread, unit_rows
from .peers import Model, Scratch, methods
from .timing import OURS, Job

FORCED = "LPR_FAST_INSTRUCTION_SET"


def latency_case(context: Context) -> None:
    """Case 5: calls with few rows on one thread, beside the cost of a row in bulk."""
    large = 20 if context.toy else 1000
    dimension = 12 if context.toy else 252
    for size, n_rows in ((8, 1), (large, 1), (large, 64), (large, 256 if context.toy else 4096)):
        model, rows = Model.random(size), unit_rows(n_rows, dimension, 0)
        active = unit_rows(size, dimension, 1)
        phi = np.random.default_rng(5).standard_normal((n_rows, size))
        calls = 2 if context.toy else max(1, int(2e8 / (n_rows * size * size + 2e5)))
        keys = {"case": 5, "M": size}
        jobs = latency_jobs(model, phi, calls)
        title = f"5. Latency, phi in: M = {size}, {n_rows} row{'s' * (n_rows > 1)}"
        comparison = context.clock.compare(title, jobs, threads=1, n_rows=n_rows, flops=0.0, **keys)
        print_comparison(comparison)
        ours = Job(OURS, from_features(model, active, rows, 1).run, calls=calls)
        title = f"5. Latency, features in: M = {size}, D = {dimension}, {n_rows} row{'s' * (n_rows > 1)}"
        comparison = context.clock.compare(
            title,
            [ours],
            threads=1,
            n_rows=n_rows,
            flops=feature_flops(size, dimension, n_rows),
            **keys,
            D=dimension,
        )
        print_comparison(comparison)
    print_latency_from_cpp(context)


def print_latency_from_cpp(context: Context) -> None:
    """Microseconds of a call that no Python takes part in, the median of several."""
    package = Path(_core.__file__).parent
    library = library_of(
        Path(__file__).with_name("latency.cpp"),
        [f"-I{package / 'include'}", "-fopenmp"],
        [str(package / "lib" / "liblpr_fast.a")],
    )
    if library is None:
        return
    measure = library.microseconds_of_call
    measure.argtypes, measure.restype = [ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long], ctypes.c_double
    print("\n5. Latency from C++: microseconds of a call on one thread")
    shapes = ((8, 1, 0), (8, 1, 12)) if context.toy else ((8, 1, 0), (8, 1, 252), (1000, 1, 0), (1000, 64, 0))
    for size, n_rows, n_features in shapes:
        calls = 2 if context.toy else max(10, int(1e8 / (n_rows * size * (size + 2 * n_features) + 1e4)))
        taken = [measure(size, n_rows, n_features, calls) for _ in range(context.clock.repeats)]
        kind = f"features in, D = {n_features}" if n_features else "phi in"
        print(f"  M = {size}, {n_rows} rows, {kind}: {spread(np.array(taken), '.2f')}")
        record = {"M": size, "n_rows": n_rows, "D": n_features, "microseconds": taken}
        context.extra.setdefault("latency_from_cpp", []).append(record)


def latency_jobs(model: Model, phi: np.ndarray, calls: int) -> list[Job]:
    """The core, `Rigidity` with its checks, and the two shortest scripts."""
    rigidity = Rigidity._from_factor(model.factor, 1.0, "qr")
    inverse, solve, scratch = model.hessian_inverse, methods(model)["dtrsm"], Scratch()
    jobs = [
        Job(OURS, from_phi(model, phi, 1).run, calls=calls),
        Job(f"{OURS}, Rigidity.variance", lambda: rigidity.variance(phi, n_threads=1), calls=calls),
        Job("dtrsm", lambda: solve(phi, False, scratch), calls=calls),  # noqa: FBT003
    ]
    if len(phi) == 1:
        jobs.append(Job("phi inv(H) phi", lambda: np.array([phi[0] @ inverse @ phi[0]]), calls=calls))
    return jobs


def instruction_set_case(context: Context) -> None:
    """Case 9: processes that are forced to each instruction set, in turn."""
    available = lpr_fast.cpu_info().available
    shape = (20, 8, 40) if context.toy else (2000, 252, 1024)
    taken: dict[str, list[list[float]]] = {name: [] for name in available}
    peaks = []
    for _ in range(context.clock.repeats):
        peaks.append(context.clock.peak.gigaflops(1))
        for name in available:
            taken[name].append(in_child(seconds_of_scoring, *shape, environment={**os.environ, FORCED: name}))
    print("\n9. Instruction sets: M = {}, D = {}, {} rows; 1 thread".format(*shape))
    print(f"  {'':<12s}{'features: GF/s':>30s}{'% of peak':>12s}{'phi: GF/s':>30s}{'% of peak':>12s}")
    size, dimension, n_rows = shape
    work = np.array([feature_flops(size, dimension, n_rows), n_rows * size * size]) / 1e9
    for name, seconds in taken.items():
        speed = work / np.array(seconds)
        share = 100 * np.median(speed / np.array(peaks)[:, None], axis=0)
        columns = "".join(f"{spread(speed[:, i], '.1f'):>30s}{share[i]:12.0f}" for i in (0, 1))
        print(f"  {name:<12s}{columns}")
    context.extra["instruction_sets"] = {"shape": shape, "seconds": taken, "peak_gigaflops": peaks}


def seconds_of_scoring(size: int, dimension: int, n_rows: int) -> list[float]:
    """Features in and phi in on one thread, each the median of three; in a process of its own."""
    model, rows, active = Model.random(size), unit_rows(n_rows, dimension, 0), unit_rows(size, dimension, 1)
    phi = np.random.default_rng(5).standard_normal((n_rows, size))
    medians = []
    for job in (from_features(model, active, rows, 1), from_phi(model, phi, 1)):
        job.run()
        taken = []
        for _ in range(3):
            start = time.perf_counter()
            job.run()
            taken.append(time.perf_counter() - start)
        medians.append(float(np.median(taken)))
    return medians


def memory_case(context: Context) -> None:
    """Case 10: how much memory scoring of very many rows takes beyond input and output."""
    n_rows = 10_000 if context.toy else 1_000_000
    print(f"\n10. Memory while scoring {n_rows} rows, {context.threads} threads")
    for kind, size, dimension in (("phi", 64, 0), ("features", 64 if context.toy else 500, 32)):
        used = in_child(memory_of_scoring, kind, size, dimension, n_rows, context.threads)
        width = dimension or size
        print(f"  {kind} in, M = {size}: {used / 2**20:.1f} MB beyond {n_rows * (width + 1) * 8 / 2**20:.0f} MB")
        record = {"kind": kind, "M": size, "D": dimension, "n_rows": n_rows, "bytes": used}
        context.extra.setdefault("memory_of_scoring", []).append(record)


def memory_of_scoring(kind: str, size: int, dimension: int, n_rows: int, threads: int) -> int:
    """Bytes beyond input and output; in a process of its own."""
    model = Model.random(size)
    rows = np.empty((n_rows, dimension or size))
    np.random.default_rng(0).random(out=rows)
    active = unit_rows(size, dimension or size, 1)
    job = partial(from_features, model, active) if kind == "features" else partial(from_phi, model)
    prepared = job(rows, threads)
    before = peak_memory()
    forms = prepared.run()
    return max(0, peak_memory() - before - forms.nbytes)
