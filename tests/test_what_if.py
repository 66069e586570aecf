"""What further data would do to rigidities, against refits, 400-bit arithmetic and the definition."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lpr_fast import HessianAccumulator, InvalidInputError, Rigidity, suggest, what_if

from .oracle.exact import exact_quadratic_forms
from .oracle.held import exact_held_forms
from .oracle.problems import Array, Problem
from .structures import fitted, gallium_arsenide, silicon


def kernel_problem(seed: int = 0, size: int = 12) -> Problem:
    """A kernel model whose structure rows differ in norm, and whose last test rows are multiples of one another."""
    rng = np.random.default_rng(seed)
    features, active = rng.random((60, 6)), rng.random((size, 6))
    rows = ((features @ active.T) ** 2).reshape(20, 3, size).sum(axis=1) * 10.0 ** rng.uniform(-2, 1, size=(20, 1))
    phi = (rng.random((15, 6)) @ active.T) ** 2
    return Problem("what if", phi, 1e-3, rows=rows, prior=(active @ active.T) ** 2 + 1e-3 * np.eye(size))


def rigidity_of(problem: Problem) -> Rigidity:
    assert problem.rows is not None
    assert problem.prior is not None
    return Rigidity.from_kernels(problem.rows, problem.prior, regularizer=problem.regularizer)


def with_rows(problem: Problem, rows: Array) -> Problem:
    return replace(problem, rows=np.vstack([problem.rows, rows]))


def candidates_of(problem: Problem) -> Array:
    """Rows of all sizes, some of them multiples of test rows: what they pin down is nearly all that these have."""
    rng = np.random.default_rng(1)
    return np.vstack([1e4 * problem.phi[0], 3.0 * problem.phi[1], problem.phi[2:8] * rng.uniform(0, 30, size=(6, 1))])


def test_a_table_of_200_pairs_equals_refits_at_the_same_active_set() -> None:
    problem = kernel_problem()
    rng = np.random.default_rng(2)
    candidates = rng.random((20, 12)) * 10.0 ** rng.uniform(-3, 2, size=(20, 1))
    targets = problem.phi[:10]
    found = what_if(rigidity_of(problem), candidates, targets)
    assert found.lpr.shape == (20, 10)
    for row, candidate in zip(found.lpr, candidates, strict=True):
        refitted = rigidity_of(with_rows(problem, candidate[None, :])).lpr(targets)
        np.testing.assert_allclose(row, refitted, rtol=1e-8)
    np.testing.assert_allclose(found.variance, problem.regularizer / found.lpr, rtol=1e-14)
    np.testing.assert_allclose(found.lpr_now, rigidity_of(problem).lpr(targets), rtol=1e-14)
    assert (found.enhancement > -1e-12).all()


def test_nothing_cancels_where_a_candidate_is_a_multiple_of_a_target() -> None:
    problem = kernel_problem()
    candidates = candidates_of(problem)
    found = what_if(rigidity_of(problem), candidates, problem.phi)
    for row, candidate in zip(found.lpr, candidates, strict=True):
        exact = exact_quadratic_forms(with_rows(problem, candidate[None, :]))
        errors = [abs(float(lpr * form) - 1.0) for lpr, form in zip(row.tolist(), exact, strict=True)]
        assert max(errors) < 1e-10


def test_held_rigidity_after_a_candidate_is_exact_too() -> None:
    problem = kernel_problem()
    held = problem.phi[-2:].copy()
    rigidity = rigidity_of(problem).holding(held)
    candidates = candidates_of(problem)
    found = what_if(rigidity, candidates, problem.phi[:-2])
    assert found.lpr_held is not None
    for row, candidate in zip(found.lpr_held, candidates, strict=True):
        after = with_rows(replace(problem, phi=problem.phi[:-2]), candidate[None, :])
        exact = exact_held_forms(after, held)
        errors = [abs(float(lpr * form) - 1.0) for lpr, form in zip(row.tolist(), exact, strict=True)]
        assert max(errors) < 1e-9
        updated = rigidity.updated(candidate[None, :]).lpr_held(problem.phi[:-2])
        np.testing.assert_allclose(row, updated, rtol=1e-9)


def test_rows_of_a_block_join_together_and_weights_are_those_of_their_squares() -> None:
    problem = kernel_problem()
    blocks = [candidates_of(problem)[:5], candidates_of(problem)[5:6], np.zeros((2, 12))]
    found = what_if(rigidity_of(problem), blocks, problem.phi, weights=[0.25, 4.0, 1.0])
    for row, block, weight in zip(found.lpr, blocks, (0.25, 4.0, 1.0), strict=True):
        exact = exact_quadratic_forms(with_rows(problem, np.sqrt(weight) * block))
        np.testing.assert_allclose(row, [1.0 / float(form) for form in exact], rtol=1e-9)


def test_the_bits_depend_neither_on_threads_nor_on_what_stands_beside() -> None:
    problem = kernel_problem()
    rigidity, candidates = rigidity_of(problem), candidates_of(problem)
    whole = what_if(rigidity, candidates, problem.phi, n_threads=1)
    parts = [what_if(rigidity, candidates, problem.phi[i : i + 4], n_threads=2).lpr for i in range(0, 15, 4)]
    np.testing.assert_array_equal(np.hstack(parts), whole.lpr)
    one_by_one = [what_if(rigidity, candidates[c : c + 1], problem.phi).lpr for c in range(len(candidates))]
    np.testing.assert_array_equal(np.vstack(one_by_one), whole.lpr)


def test_few_rows_of_many_columns_are_no_different() -> None:
    rng = np.random.default_rng(7)
    rows, candidates, targets = rng.normal(size=(6, 40)), rng.normal(size=(9, 40)), rng.normal(size=(20, 40))
    thin = Rigidity.from_features(rows, regularizer=1e-2).holding(rows[:2])
    accumulator = HessianAccumulator(40)
    accumulator.add(rows)
    whole = Rigidity.from_accumulator(accumulator, regularizer=1e-2).holding(rows[:2])
    found, expected = (what_if(rigidity, [*candidates, candidates[:3]], targets) for rigidity in (thin, whole))
    np.testing.assert_allclose(found.lpr, expected.lpr, rtol=1e-10)
    np.testing.assert_allclose(found.lpr_held, expected.lpr_held, rtol=1e-10)
    for objective in ("mean", "log"):
        of_thin, of_whole = (
            suggest(rigidity, targets, candidates, 4, objective=objective) for rigidity in (thin, whole)
        )
        np.testing.assert_array_equal(of_thin.chosen, of_whole.chosen)
        np.testing.assert_allclose(of_thin.lpr, of_whole.lpr, rtol=1e-10)


@pytest.mark.parametrize("loss", ["total", "per_atom"])
def test_structures_join_with_the_weight_that_the_loss_gives_them(loss: str) -> None:
    model = fitted(gallium_arsenide(), loss=loss)
    large = gallium_arsenide(1, seed=40)[0].repeat((2, 1, 1))
    pair = gallium_arsenide(2, seed=50)
    targets = gallium_arsenide(2, seed=60)
    found = what_if(model, [large, pair], targets)
    phi = model.phi(targets)
    for row, held_row, group in zip(found.lpr, found.lpr_held, [[large], pair], strict=True):  # type: ignore[arg-type]
        rows = np.stack([model.phi([frame]).sum(axis=0) for frame in group])
        weights = [1.0 if loss == "total" else len(frame) ** -2.0 for frame in group]
        updated = model.rigidity.updated(rows, weights)
        np.testing.assert_allclose(row, updated.lpr(phi), rtol=1e-9)
        np.testing.assert_allclose(held_row, updated.lpr_held(phi), rtol=1e-9)
    assert found.frame is not None
    assert found.frame.tolist() == [0] * 8 + [1] * 8
    np.testing.assert_array_equal(found.blind, model.score(targets).verdict == 2)


def test_what_cannot_be_used_is_said() -> None:
    rigidity, model = rigidity_of(kernel_problem()), fitted()
    with pytest.raises(InvalidInputError, match="candidate 1 has 3 columns, expected 12"):
        what_if(rigidity, [np.ones(12), np.ones(3)], np.ones(12))
    with pytest.raises(InvalidInputError, match="candidate 0 row 0 holds NaN"):
        what_if(rigidity, [np.full(12, np.nan)], np.ones(12))
    with pytest.raises(InvalidInputError, match=r"weights has shape \(2,\); give one finite number, not negative"):
        what_if(rigidity, [np.ones(12)], np.ones(12), weights=[1.0, 2.0])
    with pytest.raises(InvalidInputError, match="a candidate is an empty list"):
        what_if(model, [[]], silicon(1))
    with pytest.raises(InvalidInputError, match="targets: frame 1, atom 0 is Ga, but the model knows only Si"):
        what_if(model, silicon(1), [*silicon(1), *gallium_arsenide(1)])
