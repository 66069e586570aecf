"""Measurements behind decisions of the design, most of them against 400-bit arithmetic (needs python-flint).

Why leaves are reduced in a tree and not in a chain, why columns are pivoted, where redundant active points stop being
distinguishable from rounding, what could serve as the Gram route's estimate of its own error, and why the unit of
error, s, is the largest of eight perturbations and not of three. Times nothing.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measure import arguments, finish, print_machine
from scipy.linalg import cho_solve, solve_triangular

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.oracle.exact import truth
from tests.oracle.problems import KERNEL_SETTINGS, MUS, Array, Problem, linear, sparse_kernel, two_species
from tests.oracle.report import FACTOR, allowed
from tests.oracle.routes import lpr_fast, rigidity_of

from lpr_fast import LprError

EPSILON = np.finfo(float).eps
LEAF = 256


def sorted_qr(*blocks: Array) -> Array:
    """R of the stacked rows in order of decreasing norm."""
    rows = np.vstack(blocks)
    return np.linalg.qr(rows[np.argsort(-np.linalg.norm(rows, axis=1), kind="stable")])[1]


def chain(rows: Array) -> Array:
    """R <- QR[R; leaf], leaf after leaf."""
    triangle = rows[:0]
    for leaf in np.split(rows, range(LEAF, len(rows), LEAF)):
        triangle = sorted_qr(triangle, leaf)
    return triangle


def tree(rows: Array) -> Array:
    """Leaves, then pairs, then pairs of pairs."""
    triangles = [sorted_qr(leaf) for leaf in np.split(rows, range(LEAF, len(rows), LEAF))]
    while len(triangles) > 1:
        triangles = [sorted_qr(*triangles[i : i + 2]) for i in range(0, len(triangles), 2)]
    return triangles[0]


def quantiles(name: str, values: Array) -> None:
    """One line of a table."""
    print(f"{name:<44s}" + "".join(f"{x:>10.2g}" for x in np.quantile(values, [0, 0.1, 0.5, 0.9, 1])))


def heading(title: str) -> None:
    """The first line of a table."""
    print(f"\n{title}\n{'':<44s}" + "".join(f"{x:>10s}" for x in ("lowest", "10 %", "median", "90 %", "highest")))


def compare_reductions(n_rows: int, n_problems: int) -> None:
    """Largest error / s of each problem for every way to reduce many rows on few columns."""
    heading(f"largest error / s, {n_rows} rows on 8 columns, spectrum over 1e5, mu = 1e-8, leaves of {LEAF} rows")
    routes: dict[str, Callable[[Array], Array]] = {"chain": chain, "tree": tree, "one QR of all rows": sorted_qr}
    ratios: dict[str, list[float]] = {name: [] for name in [*routes, "lpr_fast"]}
    for i in range(n_problems):
        problem = linear(f"many rows {i}", n=n_rows, m=8, regularizer=1e-8, decay=0.2)
        exact = truth(problem)
        assert problem.rows is not None
        for name, route in routes.items():
            triangle = sorted_qr(route(problem.rows), np.sqrt(problem.regularizer) * np.eye(8))
            forms = np.sum(solve_triangular(triangle, problem.phi.T, trans="T") ** 2, axis=0)
            ratios[name].append(np.max(exact.lpr_errors(forms) / exact.s))
        ratios["lpr_fast"].append(np.max(exact.lpr_errors(lpr_fast(problem)) / exact.s))
    for name, values in ratios.items():
        quantiles(name, np.array(values))


def compare_pivoting(n_problems: int) -> None:
    """Largest error / s of each problem with two species, with and without column pivoting."""
    heading("largest error / s, kernels of two species, structures of 8 or 64 atoms, mu = 1e-10")
    ratios: dict[str, list[float]] = {"rows sorted": [], "rows sorted, columns pivoted (lpr_fast)": []}
    for i in range(n_problems):
        problem = two_species(f"two species {i}", n=8, regularizer=1e-10)
        exact = truth(problem)
        assert problem.rows is not None
        assert problem.prior is not None
        root = np.linalg.cholesky(problem.prior).T
        triangle = sorted_qr(problem.rows, np.sqrt(problem.regularizer) * root)
        forms = np.sum(solve_triangular(triangle, problem.phi.T, trans="T") ** 2, axis=0)
        for values, answer in zip(ratios.values(), (forms, lpr_fast(problem)), strict=True):
            values.append(np.max(exact.lpr_errors(answer) / exact.s))
    for name, found in ratios.items():
        quantiles(name, np.array(found))


def kernel_sample(n_seeds: int) -> list[Problem]:
    """Kernel problems other than those of the test suite."""
    return [
        sparse_kernel(f"sample {seed} {mu} {m}", m=m, n=n, zeta=zeta, noise=noise, decay=decay, regularizer=mu)
        for seed in range(n_seeds)
        for zeta, noise, decay in KERNEL_SETTINGS
        for m, n in ((30, 20), (40, 100), (80, 200))
        for mu in MUS[:4]
    ]


def compare_estimates(problems: list[Problem]) -> None:
    """What could serve as an estimate of the Gram route's error, over its true error."""
    found = []
    for problem in problems:
        assert problem.rows is not None
        assert problem.prior is not None
        hessian = problem.rows.T @ problem.rows + problem.regularizer * problem.prior
        try:
            triangle = np.asarray(np.linalg.cholesky(hessian).T, dtype=np.float64)
            model = rigidity_of(problem, "gram")
        except (np.linalg.LinAlgError, LprError):
            continue
        diagonal = np.diag(hessian)
        true = np.max(truth(problem).form_errors(model.variance(problem.phi, scale=1.0)))

        def movement(phi: Array, triangle: Array = triangle, diagonal: Array = diagonal) -> float:
            z = cho_solve((triangle, False), phi.T)
            return EPSILON * np.max((diagonal @ z**2) / np.abs(np.sum(phi.T * z, axis=0)))

        in_use = model.error_estimate
        assert in_use is not None
        estimates = [EPSILON * np.linalg.cond(hessian), movement(problem.prior), movement(problem.phi), in_use]
        found.append([estimate / true for estimate in estimates])
    heading(f"estimate / true largest error of Cholesky of the Gram matrix, {len(found)} kernel problems")
    names = ("eps cond(H)", "first order, columns of K_MM", "first order, the test phi", "error_estimate")
    for name, column in zip(names, np.array(found).T, strict=True):
        quantiles(name, column)


def compare_thresholds(n_seeds: int) -> None:
    """Largest residual that rounding leaves on linearly dependent columns: below 1, dropping is right."""
    heading("residual of dependent columns after Cholesky / (M eps max diagonal), integer features")
    for m, rank in ((60, 25), (120, 100), (300, 100), (300, 290), (600, 590)):
        noise = []
        for seed in range(n_seeds):
            rng = np.random.default_rng(seed)
            scale = 2.0 ** -rng.integers(0, 8, size=rank)
            for features in (rng.integers(-3, 4, (m, rank)), rng.integers(0, 1000, (m, rank)) * scale):
                noise.append(residual_noise((features @ features.T).astype(float), rank))
        quantiles(f"M = {m}, rank {rank}", np.array(noise))


def eliminated(kernel: Array, rank: int) -> tuple[list[int], Array, Array]:
    """Pivots, columns and what is left of the diagonal after `rank` steps of Cholesky with complete pivoting."""
    left, columns = kernel.diagonal().copy(), np.zeros((len(kernel), 0))
    pivots: list[int] = []
    for _ in range(rank):
        pivot = int(np.argmax(left))
        column = (kernel[:, pivot] - columns @ columns[pivot]) / np.sqrt(left[pivot])
        column[pivots] = 0.0
        left = left - column**2
        pivots.append(pivot)
        left[pivots] = 0.0
        columns = np.column_stack([columns, column])
    return pivots, columns, left


def residual_noise(kernel: Array, rank: int) -> float:
    """Largest diagonal left after `rank` steps, in units of the threshold."""
    _, _, left = eliminated(kernel, rank)
    return float(left.max() / (len(kernel) * EPSILON * kernel.diagonal().max()))


def small_residuals(kernel: Array, rank: int) -> tuple[float, float, float]:
    """Largest residual of dependent columns: over likely rounding, anew over that, anew over the bound of one ulp."""
    pivots, columns, left = eliminated(kernel, rank)
    others = np.setdiff1d(np.arange(len(kernel)), pivots)
    v = np.zeros((len(kernel), len(others)))
    v[pivots] = -solve_triangular(columns[pivots].T, columns[others].T)
    v[others, np.arange(len(others))] = 1.0
    wide = v.astype(np.longdouble)
    anew = np.einsum("ij,ij->j", wide, kernel.astype(np.longdouble) @ wide).astype(float)
    likely = EPSILON * np.sqrt(np.einsum("ij,ij->j", v**2, kernel**2 @ v**2))
    bound = EPSILON * np.einsum("ij,ij->j", np.abs(v), np.abs(kernel) @ np.abs(v))
    return (left[others] / likely).max(), (anew / likely).max(), (anew / bound).max()


def compare_small_residuals(n_seeds: int) -> None:
    """What is left of columns that depend on others but for the rounding of entries, and how large it can be."""
    found = []
    for dimension, zeta, m in ((100, 1, 300), (290, 1, 300), (10, 2, 200), (6, 3, 200), (4, 4, 200)):
        for seed in range(n_seeds):
            features = np.abs(np.random.default_rng(seed).normal(size=(m, dimension)))
            features /= np.linalg.norm(features, axis=1, keepdims=True)
            kernel = np.tril((features @ features.T) ** zeta)
            kernel += np.tril(kernel, -1).T
            found.append(small_residuals(kernel, math.comb(dimension + zeta - 1, zeta)))
    heading(f"largest residual of dependent columns, {len(found)} kernels of finite rank whose entries are rounded")
    names = ("after Cholesky / likely rounding", "anew / likely rounding", "anew / bound of one ulp")
    for name, column in zip(names, np.array(found).T, strict=True):
        quantiles(name, column)


def compare_perturbations(problems: list[Problem]) -> None:
    """Largest error / s of each problem when s is the largest of so many perturbations."""
    heading("largest error / s of lpr_fast on each of these problems")
    for n_perturbations in (3, 8, 16):
        ratios = []
        for problem in problems:
            exact = truth(problem, n_perturbations=n_perturbations, seed=1)
            ratios.append(FACTOR * np.max(exact.lpr_errors(lpr_fast(problem)) / allowed(exact)))
        quantiles(f"s over {n_perturbations} perturbations", np.array(ratios))


def main() -> None:
    """Print the tables."""
    options = arguments(__doc__)
    print_machine(options.threads)
    compare_reductions(*((600, 1) if options.toy else (20000, 5)))
    compare_pivoting(1 if options.toy else 20)
    compare_thresholds(1 if options.toy else 6)
    compare_small_residuals(1 if options.toy else 6)
    problems = kernel_sample(4)[::40] if options.toy else kernel_sample(4)
    compare_estimates(problems)
    compare_perturbations(problems[:3] if options.toy else problems[::2])
    finish()


if __name__ == "__main__":
    main()
