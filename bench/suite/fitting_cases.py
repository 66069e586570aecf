"""From structure rows to the factor, with the memory that it takes."""

from __future__ import annotations

from functools import partial
from typing import Literal, get_args

import numpy as np
from measure import peak_memory
from scipy.linalg import cholesky, qr

from lpr_fast import Rigidity

from .context import MU, Context, in_child, print_comparison
from .timing import OURS, Array, Job

Method = Literal["qr", "gram"]


def factorization_case(context: Context) -> None:
    """Case 4: ours by QR and Gram matrix, LAPACK's by both."""
    shapes = ((200, 20), (100, 10)) if context.toy else ((20000, 2000), (10000, 1000))
    for n_rows, size in shapes:
        rows = np.random.default_rng(4).standard_normal((n_rows, size))
        root = np.sqrt(MU) * np.eye(size)
        for threads in context.thread_counts:
            orthogonal = [
                Job(OURS, partial(ours, rows, "qr", threads), checked=False),
                Job("SciPy qr(mode='r')", partial(lapack_qr, rows, root), threads, checked=False),
            ]
            gram = [
                Job(OURS, partial(ours, rows, "gram", threads), checked=False),
                Job("NumPy X^T X, SciPy cholesky", partial(lapack_gram, rows), threads, checked=False),
            ]
            flops = {"QR": 2.0 * (n_rows + size / 3) * size * size, "Gram": float(n_rows + size / 3) * size * size}
            for kind, jobs in (("QR", orthogonal), ("Gram", gram)):
                comparison = context.clock.compare(
                    f"4. Factorisation by {kind}: N = {n_rows}, M = {size}",
                    jobs,
                    threads=threads,
                    n_rows=n_rows,
                    flops=flops[kind],
                    repeats=min(context.clock.repeats, 3 if n_rows * size > 2e7 else 5),
                    case=4,
                    M=size,
                    kind=kind,
                )
                print_comparison(comparison, 0.0)
        print_memory(context, n_rows, size)


def ours(rows: Array, method: Method, threads: int) -> Rigidity:
    """The constructor that people call."""
    return Rigidity.from_features(rows, regularizer=MU, method=method, n_threads=threads)


def lapack_qr(rows: Array, root: Array) -> Array:
    """QR of the rows over the root of the regularizer."""
    return qr(np.vstack([rows, root]), mode="r", overwrite_a=True, check_finite=False)[0]


def lapack_gram(rows: Array) -> Array:
    """The matrix itself, then its Cholesky factor."""
    hessian = rows.T @ rows
    hessian[np.diag_indices(len(hessian))] += MU
    return cholesky(hessian, overwrite_a=True, check_finite=False)


def memory_of_fit(n_rows: int, size: int, method: Method, threads: int) -> int:
    """Bytes beyond the input; in a process of its own."""
    rows = np.empty((n_rows, size))
    np.random.default_rng(4).standard_normal(out=rows)
    before = peak_memory()
    ours(rows, method, threads)
    return peak_memory() - before


def print_memory(context: Context, n_rows: int, size: int) -> None:
    """Peak beyond the input, in units of the factor."""
    for method in get_args(Method):
        used = in_child(memory_of_fit, n_rows, size, method, context.threads)
        context.extra.setdefault("memory_of_fit", []).append({"N": n_rows, "M": size, "method": method, "bytes": used})
        part = used / (8 * size * size)
        print(f"  memory of {OURS} by {method} beyond its input: {used / 2**20:.0f} MB, {part:.1f} times M^2")
