"""The answer with rows held fixed, in 400-bit ball arithmetic, and how far one ulp of the inputs moves it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import arb
from numpy.typing import NDArray

from .exact import N_PERTURBATIONS, Truth, _matrix, exact_hessian, remembered_truth
from .problems import Array, Problem, one_ulp, perturbed


def held_rows(problem: Problem) -> Array:
    """Two rows to hold: means of phi over halves of the training rows."""
    assert problem.rows is not None
    half = (len(problem.rows) + 1) // 2
    halves = [part for part in (problem.rows[:half], problem.rows[half:]) if len(part)]
    return np.array([np.add.reduce(part, axis=0) / len(part) for part in halves])


@dataclass(frozen=True)
class TwoSpecies:
    """Two kernel models in one, whose structures have atoms of both species: each has its columns and test rows.

    Attributes
    ----------
    problem : Problem
        The whole.
    held : numpy.ndarray, shape (2, M)
        Mean of phi of each species.
    columns : list of numpy.ndarray
        Of each species.
    rows : list of numpy.ndarray
        Test rows of each species.
    """

    problem: Problem
    held: Array
    columns: list[NDArray[np.int64]]
    rows: list[NDArray[np.int64]]


def two_species(first: Problem, second: Problem) -> TwoSpecies:
    """Models with as many training rows, and with one regularizer."""
    parts = (first, second)
    sizes = [part.phi.shape[1] for part in parts]
    prior = np.zeros((sum(sizes), sum(sizes)))
    phi, held = np.zeros((len(first.phi) + len(second.phi), sum(sizes))), np.zeros((2, sum(sizes)))
    columns, rows = [], []
    start, start_row = 0, 0
    for k, part in enumerate(parts):
        assert part.rows is not None
        assert part.prior is not None
        columns.append(np.arange(start, start + sizes[k]))
        rows.append(np.arange(start_row, start_row + len(part.phi)))
        own = slice(start, start + sizes[k])
        prior[own, own] = part.prior
        phi[start_row : start_row + len(part.phi), own] = part.phi
        held[k, own] = np.add.reduce(part.rows, axis=0) / len(part.rows)
        start, start_row = start + sizes[k], start_row + len(part.phi)
    name = f"{first.name} with {second.name}"
    whole = np.hstack([part.rows for part in parts if part.rows is not None])
    return TwoSpecies(Problem(name, phi, first.regularizer, rows=whole, prior=prior), held, columns, rows)


def exact_held_forms(problem: Problem, held: Array) -> list[arb]:
    """phi^T (H^-1 - H^-1 B^T (B H^-1 B^T)^-1 B H^-1) phi for every row of phi."""
    if problem.independent is not None:
        held = held[:, problem.independent]
        problem = problem.deduplicated()
    phi, rows = _matrix(problem.phi), _matrix(held)
    hessian = exact_hessian(problem)
    of_phi = hessian.solve(phi.transpose(), algorithm="precond")
    of_rows = hessian.solve(rows.transpose(), algorithm="precond")
    cross = rows * of_phi
    removed = (rows * of_rows).solve(cross)
    forms = []
    for i in range(phi.nrows()):
        value = sum((phi[i, j] * of_phi[j, i] for j in range(phi.ncols())), arb(0))
        value -= sum((cross[k, i] * removed[k, i] for k in range(rows.nrows())), arb(0))
        assert float(value.rad() / abs(value.mid())) < 1e-20
        forms.append(value.mid())
    return forms


def truth_held(problem: Problem, held: Array, *, n_perturbations: int = N_PERTURBATIONS, seed: int = 0) -> Truth:
    """Exact forms, and their movement under one-ulp perturbations of all inputs and of the held rows."""
    if problem.independent is not None:
        held = held[:, problem.independent]
        problem = problem.deduplicated()

    def moved(rng: np.random.Generator) -> list[arb]:
        return exact_held_forms(perturbed(problem, rng), one_ulp(held, rng))

    return remembered_truth(
        problem, ("held", held), lambda: exact_held_forms(problem, held), moved, n_perturbations, seed
    )
