"""Every route that claims accuracy, against 400-bit arithmetic and the movement that one ulp of the inputs causes."""

from __future__ import annotations

import numpy as np
import pytest

from .oracle.problems import all_problems
from .oracle.report import Solved, allowed, gram_estimates
from .oracle.routes import (
    Route,
    lpr_fast,
    lpr_fast_thin,
    lpr_fast_thin_updated,
    lpr_fast_updated,
    lpr_fast_whitened,
    rigidity_of,
)


def test_the_suite_is_large_and_hard_enough(solved_problems: list[Solved]) -> None:
    s = np.array([np.max(one.truth.s) for one in solved_problems])
    conditions = [np.linalg.cond(p.prior) for p in all_problems() if p.prior is not None]
    assert len(solved_problems) >= 150
    assert len({one.problem.name for one in solved_problems}) == len(solved_problems)
    assert np.mean(s < 1e-9) >= 1 / 3
    assert np.mean(s > 1e-7) >= 1 / 3
    assert min(conditions) < 2e3
    assert max(conditions) > 1e17


@pytest.mark.parametrize("route", [lpr_fast, lpr_fast_whitened])
def test_no_error_exceeds_what_the_inputs_allow(solved_problems: list[Solved], route: Route) -> None:
    wrong = []
    for one in solved_problems:
        errors = one.truth.lpr_errors(route(one.problem))
        if np.any(errors > allowed(one.truth)):
            wrong.append(f"{one.problem.name}: {errors.max():.1e} with s = {one.truth.s.max():.1e}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("route", [lpr_fast_updated, lpr_fast_thin_updated])
def test_updates_by_single_rows_are_as_accurate_as_one_fit(solved_problems: list[Solved], route: Route) -> None:
    n_chains, wrong = 0, []
    for one in solved_problems:
        rows = one.problem.rows
        if rows is None or one.problem.prior is not None or len(rows) > 100:
            continue
        n_chains += 1
        errors = one.truth.lpr_errors(route(one.problem))
        if np.any(errors > allowed(one.truth)):
            wrong.append(f"{one.problem.name}: {errors.max():.1e} with s = {one.truth.s.max():.1e}")
    assert n_chains > 30
    assert not wrong, "\n".join(wrong)


def test_rows_within_their_span_are_as_accurate_as_all_columns(solved_problems: list[Solved]) -> None:
    n_problems, wrong = 0, []
    for one in solved_problems:
        if one.problem.rows is None or one.problem.prior is not None or len(one.problem.rows) > 100:
            continue
        n_problems += 1
        errors = one.truth.lpr_errors(lpr_fast_thin(one.problem))
        if np.any(errors > allowed(one.truth)):
            wrong.append(f"{one.problem.name}: {errors.max():.1e} with s = {one.truth.s.max():.1e}")
    assert n_problems > 30
    assert not wrong, "\n".join(wrong)


def test_exactly_the_redundant_active_points_are_dropped(solved_problems: list[Solved]) -> None:
    for one in solved_problems:
        if one.problem.independent is not None:
            expected = one.problem.phi.shape[1] - len(one.problem.independent)
            assert rigidity_of(one.problem).n_dropped == expected, one.problem.name


def test_the_gram_route_knows_its_own_error(solved_problems: list[Solved]) -> None:
    quotients = gram_estimates(solved_problems)
    assert len(quotients) > 50
    assert quotients.min() >= 1 / 3
    assert np.median(quotients) <= 100


def test_the_condition_estimate_is_near_that_of_the_factor(solved_problems: list[Solved]) -> None:
    for one in solved_problems:
        rigidity = rigidity_of(one.problem)
        factor = rigidity._factor.reduced if rigidity.method == "thin" else rigidity._factor
        exact = np.linalg.cond(factor.triangle())
        if exact < 1e13:  # beyond, NumPy's own answer is rounding
            assert 0.5 * exact <= rigidity.condition_number <= 1.01 * exact, one.problem.name
