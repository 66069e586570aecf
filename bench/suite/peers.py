"""What scripts do with NumPy, SciPy and PyTorch on the same factor, each as fast as we know how to write it."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular
from scipy.linalg.blas import dtrsm
from scipy.linalg.lapack import dpotri, dtrtri

from lpr_fast import _core

from .timing import Array, Job

PANEL = 256
# Rows of phi, whether they may be overwritten, memory to work in -> forms.
Method = Callable[[Array, bool, "Scratch"], Array]


class Scratch(threading.local):
    """Memory that each thread takes once."""

    def __init__(self) -> None:
        self._memory: dict[str, Array] = {}

    def array(self, name: str, rows: int, columns: int) -> Array:
        """Uninitialised, (rows, columns), C-contiguous."""
        size = rows * columns
        if name not in self._memory or self._memory[name].size < size:
            self._memory[name] = np.empty(size)
        return self._memory[name][:size].reshape(rows, columns)


@dataclass(frozen=True)
class Model:
    """One upper triangle R for everybody, with whatever each of them wants made of it once."""

    triangle: Array

    @classmethod
    def random(cls, size: int) -> Model:
        """Well-conditioned: nobody's accuracy is the subject here."""
        rng = np.random.default_rng(size)
        triangle = np.triu(rng.standard_normal((size, size)), 1)
        triangle *= 0.3 / np.sqrt(size)
        triangle[np.diag_indices(size)] = 1 + rng.random(size)
        return cls(triangle)

    @property
    def size(self) -> int:
        """M."""
        return len(self.triangle)

    @cached_property
    def factor(self) -> _core.HessianFactor:
        """Ours."""
        return _core.HessianFactor.from_triangle(self.size, list(range(self.size)), self.triangle, 1.0, float("nan"))

    @cached_property
    def panels(self) -> list[Array]:
        """R^-1 in column panels without the zeros below."""
        inverse = np.ascontiguousarray(dtrtri(self.triangle.T, lower=1)[0].T)
        ends = [*range(PANEL, self.size, PANEL), self.size]
        return [inverse[:end, end - ((end - 1) % PANEL + 1) : end].copy() for end in ends]

    @cached_property
    def hessian_inverse(self) -> Array:
        """H^-1."""
        inverse = dpotri(np.asfortranarray(self.triangle))[0]
        return np.triu(inverse) + np.triu(inverse, 1).T


def squares(rows: Array) -> Array:
    """Squared norm of each row."""
    return np.einsum("ij,ij->i", rows, rows)


def methods(model: Model) -> dict[str, Method]:
    """The three ways to forms of one block."""

    def scipy_solve(phi: Array, own: bool, _: Scratch) -> Array:  # noqa: FBT001
        solved = solve_triangular(model.triangle, phi.T, trans="T", overwrite_b=own, check_finite=False)
        return squares(solved.T)

    def blas_solve(phi: Array, own: bool, _: Scratch) -> Array:  # noqa: FBT001
        return squares(dtrsm(1.0, model.triangle.T, phi.T, lower=1, overwrite_b=own).T)

    def product(phi: Array, _: bool, scratch: Scratch) -> Array:  # noqa: FBT001
        forms = np.zeros(len(phi))
        for panel in model.panels:
            part = scratch.array("part", len(phi), panel.shape[1])
            forms += squares(np.matmul(phi[:, : len(panel)], panel, out=part))
        return forms

    return {"solve_triangular": scipy_solve, "dtrsm": blas_solve, "panels of inv(R)": product}


def kernel_rows(features: Array, active: Array, scratch: Scratch) -> Array:
    """Fourth powers of scalar products."""
    rows = np.matmul(features, active.T, out=scratch.array("phi", len(features), len(active)))
    rows *= rows
    rows *= rows
    return rows


@cache
def pool(workers: int) -> ThreadPoolExecutor:
    """One for all comparisons."""
    return ThreadPoolExecutor(workers)


def pieces(rows: Array, block: int, workers: int) -> list[Array]:
    """Equal blocks of at most so many rows, as many for every worker."""
    count = -(-len(rows) // block)
    return np.array_split(rows, max(workers, -(-count // workers) * workers))


def block_sizes(n_rows: int, wanted: tuple[int, ...]) -> Iterator[int]:
    """Those that make a difference."""
    for i, block in enumerate(wanted):
        if i == 0 or wanted[i - 1] < n_rows:
            yield block


def peers(model: Model, rows: Array, active: Array | None, threads: int, wanted: tuple[int, ...]) -> list[Job]:
    """All scripts for features (with the active set) or phi (without)."""
    jobs = []
    for name, method in methods(model).items():
        for block in block_sizes(len(rows), wanted):
            for workers in sorted({1, threads}):
                if workers == 1:
                    blocks = pieces(rows, block, 1)
                    family = f"{name}, {threads} of BLAS"
                    jobs.append(Job(family, blocked(method, blocks, active, None), threads, block))
                else:
                    blocks = pieces(rows, block, workers)
                    family = f"{name}, {threads} of Python"
                    jobs.append(Job(family, blocked(method, blocks, active, pool(workers)), 1, block))
    jobs.append(textbook(model, rows, active, threads))
    if importlib.util.find_spec("torch"):
        jobs.append(by_torch(model, rows, active, threads))
    return jobs


def blocked(
    method: Method, blocks: list[Array], active: Array | None, executor: ThreadPoolExecutor | None
) -> Callable[[], Array]:
    """Block by block, on the calling thread or on those of an executor."""
    scratch = Scratch()

    def one(block: Array) -> Array:
        if active is None:
            return method(block, False, scratch)  # noqa: FBT003
        return method(kernel_rows(block, active, scratch), True, scratch)  # noqa: FBT003

    def run() -> Array:
        return np.concatenate(list((executor.map if executor else map)(one, blocks)))

    return run


def textbook(model: Model, rows: Array, active: Array | None, threads: int) -> Job:
    """phi^T H^-1 phi as it stands in the paper."""
    inverse, scratch = model.hessian_inverse, Scratch()

    def run() -> Array:
        phi = rows if active is None else kernel_rows(rows, active, scratch)
        return np.einsum("ij,ij->i", np.matmul(phi, inverse, out=scratch.array("y", *phi.shape)), phi)

    return Job("inv(H), einsum", run, threads)


def by_torch(model: Model, rows: Array, active: Array | None, threads: int) -> Job:
    """PyTorch on the processor."""
    torch: Any = importlib.import_module("torch")
    lower, data = torch.from_numpy(model.triangle).T, torch.from_numpy(rows)
    columns = None if active is None else torch.from_numpy(active).T

    def run() -> Array:
        torch.set_num_threads(threads)
        phi = data if columns is None else (data @ columns).square_().square_()
        return torch.linalg.solve_triangular(lower, phi.T, upper=False).square().sum(dim=0).numpy()

    return Job("PyTorch", run, threads)
