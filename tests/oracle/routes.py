"""Every way to phi^T H^-1 phi that is compared: the package's own, and what scripts do.

A route returns one number for each row of phi, or raises; a failure counts as an infinite error.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from lpr_fast import HessianAccumulator, LprError, LprWarning, Rigidity
from lpr_fast._thin import ThinFactor

from .problems import Array, Problem

Route = Callable[[Problem], Array]


def rigidity_of(problem: Problem, method: str = "qr") -> Rigidity:
    """The package's answer to a problem; warnings about dropped points and large errors are part of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LprWarning)
        if problem.hessian is not None:
            return Rigidity.from_hessian(problem.hessian, regularizer=problem.regularizer)
        assert problem.rows is not None
        options = {"regularizer": problem.regularizer, "weights": problem.weights, "method": method}
        if problem.prior is None:
            return Rigidity.from_features(problem.rows, **options)
        return Rigidity.from_kernels(problem.rows, problem.prior, **options)


def lpr_fast(problem: Problem) -> Array:
    """QR for rows, Cholesky for a dense Hessian."""
    return rigidity_of(problem).variance(problem.phi, scale=1.0)


def _by_all_columns(rows: Array, weights: Array | None, regularizer: float) -> Rigidity:
    """A linear model by the QR of all columns, however few rows there are."""
    accumulator = HessianAccumulator(rows.shape[1])
    accumulator.add(rows, weights)
    return Rigidity.from_accumulator(accumulator, regularizer=regularizer)


def lpr_fast_updated(problem: Problem) -> Array:
    """A linear model of one row, by all columns, then updates by single rows."""
    assert problem.rows is not None
    weights = None if problem.weights is None else problem.weights[:1]
    return _updated(problem, _by_all_columns(problem.rows[:1], weights, problem.regularizer))


def lpr_fast_thin_updated(problem: Problem) -> Array:
    """The same, within the span of the rows so far."""
    assert problem.rows is not None
    weights = None if problem.weights is None else problem.weights[:1]
    factor, _ = ThinFactor.fit(problem.rows[:1], weights, None, problem.regularizer, 1)
    return _updated(problem, Rigidity._from_factor(factor, problem.regularizer, "thin"))


def _updated(problem: Problem, rigidity: Rigidity) -> Array:
    assert problem.rows is not None
    assert problem.prior is None
    weights = np.ones(len(problem.rows)) if problem.weights is None else problem.weights
    for i in range(1, len(problem.rows)):
        rigidity = rigidity.updated(problem.rows[i : i + 1], weights[i : i + 1])
    return rigidity.variance(problem.phi, scale=1.0)


def lpr_fast_thin(problem: Problem) -> Array:
    """Within the span of the rows, however many there are."""
    assert problem.rows is not None
    factor, _ = ThinFactor.fit(problem.rows, problem.weights, None, problem.regularizer, 1)
    return factor.variance(problem.phi, 1.0, 1)


def lpr_fast_gram(problem: Problem) -> Array:
    """The package's route over the Gram matrix."""
    return rigidity_of(problem, "gram").variance(problem.phi, scale=1.0)


def lpr_fast_whitened(problem: Problem) -> Array:
    """The squares of R^-T phi, by all columns."""
    rigidity = rigidity_of(problem)
    if rigidity.method == "thin":
        assert problem.rows is not None
        rigidity = _by_all_columns(problem.rows, problem.weights, problem.regularizer)
    whitened = rigidity._factor.whitened(np.ascontiguousarray(problem.phi, dtype=float), 1)
    return np.sum(whitened**2, axis=1)


def _hessian(problem: Problem) -> Array:
    if problem.hessian is not None:
        return problem.hessian + problem.regularizer * np.eye(len(problem.hessian))
    assert problem.rows is not None
    rows = problem.rows
    weighted = rows if problem.weights is None else problem.weights[:, None] * rows
    prior = np.eye(rows.shape[1]) if problem.prior is None else problem.prior
    return rows.T @ weighted + problem.regularizer * prior


def _forms(phi: Array, inverse_times_phi: Array) -> Array:
    return np.einsum("ij,ji->i", phi, inverse_times_phi)


def numpy_cholesky(problem: Problem) -> Array:
    """Cholesky of H, then a triangular solve (here by a general one: the factor is what loses the digits)."""
    factor = np.linalg.cholesky(_hessian(problem))
    return np.sum(np.linalg.solve(factor, problem.phi.T) ** 2, axis=0)


def numpy_solve(problem: Problem) -> Array:
    """LU solve with H."""
    return _forms(problem.phi, np.linalg.solve(_hessian(problem), problem.phi.T))


def numpy_inv(problem: Problem) -> Array:
    """Explicit inverse of H."""
    return _forms(problem.phi, np.linalg.inv(_hessian(problem)) @ problem.phi.T)


def numpy_pinv(problem: Problem) -> Array:
    """Pseudoinverse of H, as scikit-matter does."""
    return _forms(problem.phi, np.linalg.pinv(_hessian(problem)) @ problem.phi.T)


ROUTES: dict[str, Route] = {
    "lpr_fast": lpr_fast,
    "lpr_fast, method='gram'": lpr_fast_gram,
    "Cholesky of H": numpy_cholesky,
    "solve(H)": numpy_solve,
    "inv(H)": numpy_inv,
    "pinv(H)": numpy_pinv,
}


def attempt(route: Route, problem: Problem) -> Array:
    """The route's numbers, NaN where it fails."""
    try:
        return route(problem)
    except (np.linalg.LinAlgError, LprError):
        return np.full(len(problem.phi), np.nan)
