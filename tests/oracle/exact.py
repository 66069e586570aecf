"""The answer in 400-bit ball arithmetic, and how far one ulp of the inputs moves it.

``s_i`` is the largest relative change of the exact LPR_i over a few random one-ulp perturbations of all inputs. No
algorithm that starts from rounded inputs can be expected to do better, so it is the unit in which errors are measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat, ctx

from .problems import Array, Problem, perturbed
from .remembered import remembered

ctx.prec = 400

# The largest of three is too small by chance for one LPR in a thousand (bench/numerics.py).
N_PERTURBATIONS = 8


def _matrix(values: Array) -> arb_mat:
    return arb_mat(values.shape[0], values.shape[1], np.asarray(values, dtype=float).ravel().tolist())


def _diagonal_scaled(diagonal: Array, matrix: arb_mat) -> arb_mat:
    rows = [[arb(w) * matrix[i, j] for j in range(matrix.ncols())] for i, w in enumerate(diagonal.tolist())]
    return arb_mat(rows)


def exact_hessian(problem: Problem) -> arb_mat:
    """H of a problem, every operation carried out with 400 bits."""
    mu = arb(problem.regularizer)
    if problem.hessian is not None:
        return _matrix(problem.hessian) + mu * _matrix(np.eye(len(problem.hessian)))
    assert problem.rows is not None
    rows = _matrix(problem.rows)
    weighted = rows if problem.weights is None else _diagonal_scaled(problem.weights, rows)
    prior = np.eye(problem.rows.shape[1]) if problem.prior is None else problem.prior
    return rows.transpose() * weighted + mu * _matrix(prior)


def exact_quadratic_forms(problem: Problem) -> list[arb]:
    """phi^T H^-1 phi for every row of phi; each ball is narrower than 1e-30 of its value."""
    problem = problem.deduplicated()
    phi = _matrix(problem.phi)
    # Elimination as it stands loses the square of every small pivot.
    solution = exact_hessian(problem).solve(phi.transpose(), algorithm="precond")
    forms = []
    for i in range(phi.nrows()):
        value = sum((phi[i, j] * solution[j, i] for j in range(phi.ncols())), arb(0))
        assert float(value.rad() / abs(value.mid())) < 1e-30
        forms.append(value.mid())
    return forms


def exact_weights(problem: Problem, targets: Array) -> list[arb]:
    """C that minimises the loss, H^-1 rows^T W targets."""
    assert problem.rows is not None
    rows = _matrix(problem.rows)
    weights = np.ones(len(targets)) if problem.weights is None else problem.weights
    pulls = rows.transpose() * _diagonal_scaled(weights, _matrix(targets[:, None]))
    solution = exact_hessian(problem).solve(pulls, algorithm="precond")
    return [solution[j, 0].mid() for j in range(rows.ncols())]


@dataclass(frozen=True)
class Truth:
    """Exact phi^T H^-1 phi and the movement ``s`` of LPR_i under one ulp, both per row of phi."""

    forms: list[arb]
    s: Array

    def lpr_errors(self, approximate_forms: Array) -> Array:
        """|LPR_approximate / LPR_exact - 1| for given phi^T H^-1 phi; NaN counts as infinite."""
        pairs = zip(self.forms, approximate_forms.tolist(), strict=True)
        errors = [float(abs(exact / arb(form) - 1)) if form else np.inf for exact, form in pairs]
        return np.nan_to_num(np.array(errors), nan=np.inf)

    def form_errors(self, approximate_forms: Array) -> Array:
        """|form_approximate / form_exact - 1|; NaN counts as infinite."""
        pairs = zip(self.forms, approximate_forms.tolist(), strict=True)
        errors = [float(abs(arb(form) / exact - 1)) for exact, form in pairs]
        return np.nan_to_num(np.array(errors), nan=np.inf)


def remembered_truth(
    problem: Problem,
    settings: tuple[object, ...],
    exact: Callable[[], list[arb]],
    moved: Callable[[np.random.Generator], list[arb]],
    n_perturbations: int,
    seed: int,
) -> Truth:
    """Exact forms, and their movement over perturbations; ``settings`` say what else than the problem decides them."""

    def compute() -> tuple[list[arb], Array]:
        forms = exact()
        rng = np.random.default_rng(seed)
        s = np.zeros(len(forms))
        for _ in range(n_perturbations):
            s = np.maximum(s, [float(abs(a / b - 1)) for a, b in zip(forms, moved(rng), strict=True)])
        return forms, s

    return Truth(*remembered(problem, (*settings, n_perturbations, seed), compute))


def truth(problem: Problem, *, n_perturbations: int = N_PERTURBATIONS, seed: int = 0) -> Truth:
    """Exact forms of a problem and their movement under one-ulp perturbations of all inputs."""
    clean = problem.deduplicated()

    def moved(rng: np.random.Generator) -> list[arb]:
        return exact_quadratic_forms(perturbed(clean, rng))

    return remembered_truth(problem, ("free",), lambda: exact_quadratic_forms(problem), moved, n_perturbations, seed)
