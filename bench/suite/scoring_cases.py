"""Scoring of arrays: from features, from phi, by species, and how the cost grows."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from lpr_fast import _core

from .context import ZETA, Context, feature_flops, from_features, from_phi, print_comparison, unit_rows
from .peers import Model, peers
from .timing import OURS, Array, Comparison, Job

DIMENSIONS = (252, 952, 3696)
BLOCKS = (128, 256, 512, 1024)


def from_features_case(context: Context) -> None:
    """Case 1: features in, all sizes, against all scripts."""
    sizes = (16, 40) if context.toy else (500, 1000, 2000, 4000, 8000)
    dimensions = (8, 12) if context.toy else DIMENSIONS
    for size in sizes:
        model = Model.random(size)
        for dimension in dimensions:
            n_rows = 50 if context.toy else bulk_rows(size, dimension)
            rows, active = unit_rows(n_rows, dimension, 0), unit_rows(size, dimension, 1)
            for threads in context.thread_counts:
                jobs = [from_features(model, active, rows, threads)]
                jobs += peers(model, rows, active, threads, (16,) if context.toy else BLOCKS)
                comparison = context.clock.compare(
                    f"1. From features: M = {size}, D = {dimension}, {n_rows} rows",
                    jobs,
                    threads=threads,
                    n_rows=n_rows,
                    flops=feature_flops(size, dimension, n_rows),
                    case=1,
                    M=size,
                    D=dimension,
                )
                print_comparison(comparison)


def bulk_rows(size: int, dimension: int) -> int:
    """As many as take a fair time, in whole tiles and equal blocks for one thread and two: this is about bulk."""
    unit = 192
    wanted = 3e9 / (size * size + 2 * dimension * size)
    return min(max(2, round(wanted / unit)), 20) * unit


def from_phi_case(context: Context) -> None:
    """Case 2: phi in, with scikit-matter's loop over atoms beside the scripts."""
    size, n_rows = (24, 50) if context.toy else (2000, 2048)
    model = Model.random(size)
    phi = np.random.default_rng(2).standard_normal((n_rows, size))
    few, inverse = phi[: n_rows // 16], model.hessian_inverse

    def loop() -> Array:
        # skmatter.metrics.local_prediction_rigidity, its loop over atoms.
        rigidities = np.zeros(len(few))
        for i in range(len(few)):
            row = few[i].reshape(1, -1)
            rigidities[i] = 1 / (row @ inverse @ row.T).item()
        return 1 / rigidities

    for threads in context.thread_counts:
        jobs = [from_phi(model, phi, threads), *peers(model, phi, None, threads, (16,) if context.toy else BLOCKS)]
        jobs.append(Job("scikit-matter's loop", loop, threads, share=len(few) / n_rows))
        title = f"2. From phi: M = {size}, {n_rows} rows"
        flops = float(n_rows) * size * size
        print_comparison(
            context.clock.compare(title, jobs, threads=threads, n_rows=n_rows, flops=flops, case=2, M=size)
        )


def species_case(context: Context) -> None:
    """Case 3: the factor of each species against that of all."""
    size, n_rows = (24, 48) if context.toy else (4000, 1024)
    model = Model.random(size)
    whole = model.factor
    for n_species, dimension in zip((1, 2, 4), (6, 8, 10) if context.toy else DIMENSIONS, strict=True):
        each, part = size // n_species, n_rows // n_species
        columns = [slice(s * each, (s + 1) * each) for s in range(n_species)]
        chosen = [slice(s * part, (s + 1) * part) for s in range(n_species)]
        factors = [whole.restrict_to(list(range(size))[c], 0) if n_species > 1 else whole for c in columns]
        active = [unit_rows(each, dimension, 3 + s) for s in range(n_species)]
        rows = unit_rows(n_rows, dimension, 2)
        for threads in context.thread_counts:
            jobs = species_phi(model, factors, columns, chosen, rows, active, threads)
            title = f"3. {n_species} species, phi in: M = {size}, {n_rows} rows"
            keys = {"case": 3, "M": size, "species": n_species}
            shape = {"threads": threads, "n_rows": n_rows}
            flops = float(n_rows) * each * each
            print_comparison(context.clock.compare(title, jobs, flops=flops, **shape, **keys))
            jobs = species_features(model, factors, columns, chosen, rows, active, threads)
            title = f"3. {n_species} species, features in: M = {size}, D = {dimension}, {n_rows} rows"
            flops = feature_flops(each, dimension, n_rows)
            print_comparison(context.clock.compare(title, jobs, flops=flops, **shape, **keys, D=dimension))


def species_phi(
    model: Model,
    factors: list[_core.HessianFactor],
    columns: list[slice],
    chosen: list[slice],
    rows: Array,
    active: list[Array],
    threads: int,
) -> list[Job]:
    """Phi of each species alone, and phi of all with its zeros."""
    parts = [_core.kernel_rows(rows[r], a, ZETA, threads) for r, a in zip(chosen, active, strict=True)]
    phi = np.zeros((len(rows), model.size))
    for r, c, part in zip(chosen, columns, parts, strict=True):
        phi[r, c] = part

    def eliminated() -> Array:
        forms = [f.variance(part, 1.0, threads) for f, part in zip(factors, parts, strict=True)]
        return np.concatenate(forms)

    return [
        Job(OURS, eliminated),
        Job("the factor of all", lambda: model.factor.variance(phi, 1.0, threads)),
    ]


def species_features(
    model: Model,
    factors: list[_core.HessianFactor],
    columns: list[slice],
    chosen: list[slice],
    rows: Array,
    active: list[Array],
    threads: int,
) -> list[Job]:
    """A scorer for each species, and phi of all with its zeros."""
    scorers = [_core.KernelScorer(a, ZETA, f, None, None) for a, f in zip(active, factors, strict=True)]

    def eliminated() -> Array:
        scores = [
            s.score(rows[r], True, False, False, threads)["forms"]  # noqa: FBT003
            for s, r in zip(scorers, chosen, strict=True)
        ]
        return np.concatenate(scores)

    def whole() -> Array:
        phi = np.zeros((len(rows), model.size))
        for r, c, a in zip(chosen, columns, active, strict=True):
            phi[r, c] = _core.kernel_rows(rows[r], a, ZETA, threads)
        return model.factor.variance(phi, 1.0, threads)

    return [Job(OURS, eliminated), Job("the factor of all", whole)]


def growth_case(context: Context) -> None:
    """Case 8: slopes of the cost of a row against M, and of a call against its rows."""
    sizes = (16, 32, 64) if context.toy else (500, 1000, 2000, 4000)
    counts = (8, 32, 128) if context.toy else (64, 256, 1024, 4096, 16384)
    dimension = 8 if context.toy else 252
    for threads in context.thread_counts:
        against_size = [growth(context, size, 64 if context.toy else 1024, dimension, threads) for size in sizes]
        against_rows = [growth(context, sizes[1], count, dimension, threads) for count in counts]
        for kind in ("features", "phi"):
            print(f"\n8. {kind} in, {threads} thread{'s' * (threads > 1)}: cost of a row against M")
            print_slopes(list(sizes), [seconds_of(c, kind) / c.n_rows for c in against_size])
            print(f"8. {kind} in, {threads} thread{'s' * (threads > 1)}: cost of a call against rows, M = {sizes[1]}")
            print_slopes(list(counts), [seconds_of(c, kind) for c in against_rows])


def growth(context: Context, size: int, n_rows: int, dimension: int, threads: int) -> Comparison:
    """Ours at one size, features in and phi in."""
    model, active, rows = Model.random(size), unit_rows(size, dimension, 1), unit_rows(n_rows, dimension, 0)
    phi = _core.kernel_rows(rows, active, ZETA, threads)
    features_in = from_features(model, active, rows, threads)
    phi_in = from_phi(model, phi, threads)
    jobs = [Job(f"{OURS}, features", features_in.run), Job(f"{OURS}, phi", phi_in.run)]
    keys = {"case": 8, "M": size, "D": dimension}
    title = f"8. Growth: M = {size}, D = {dimension}, {n_rows} rows"
    return context.clock.compare(title, jobs, threads=threads, n_rows=n_rows, flops=0.0, **keys)


def seconds_of(comparison: Comparison, kind: str) -> float:
    """The median."""
    return float(np.median(comparison.seconds[f"{OURS}, {kind}"]))


def print_slopes(sizes: list[int], seconds: list[float]) -> None:
    """Between neighbours, and of a line through all, both logarithmic."""
    x: NDArray[np.float64] = np.log(sizes)
    y: NDArray[np.float64] = np.log(seconds)
    for (a, b), slope in zip(itertools.pairwise(sizes), np.diff(y) / np.diff(x), strict=True):
        print(f"  {a:>6d} -> {b:<6d} slope {slope:.2f}")
    print(f"  {sizes[0]:>6d} -> {sizes[-1]:<6d} slope {np.polyfit(x, y, 1)[0]:.2f} of a line through all")
