"""LPR with rows held fixed, against 400-bit arithmetic, the movement that one ulp of the inputs causes, and refits."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from lpr_fast import InvalidInputError, Rigidity

from .oracle.exact import Truth
from .oracle.held import TwoSpecies, held_rows, truth_held, two_species
from .oracle.problems import KERNEL_SETTINGS, MUS, Array, Problem, all_problems, sparse_kernel
from .oracle.report import allowed
from .oracle.routes import rigidity_of

# Settings of the two species, of condition numbers from 1e3 to beyond 1e17.
PAIRS = ((0, 1), (1, 2), (2, 4), (3, 5), (6, 0), (8, 8))


def _complaint(truth: Truth, lpr_held: Array, name: str) -> list[str]:
    errors = truth.lpr_errors(1.0 / lpr_held)
    if not np.any(errors > allowed(truth)):
        return []
    return [f"{name}: {errors.max():.1e} with s = {truth.s.max():.1e}"]


def _model_of_two_species(first: int, second: int, mu: float, m: int, n: int) -> TwoSpecies:
    names = (f"kernel {first} of two species mu={mu:g} M={m}", f"kernel {second} beside it mu={mu:g} M={m}")
    parts = []
    for name, place in zip(names, (first, second), strict=True):
        zeta, noise, decay = KERNEL_SETTINGS[place]
        parts.append(sparse_kernel(name, m=m, n=n, zeta=zeta, noise=noise, decay=decay, regularizer=mu))
    return two_species(*parts)


def _suite() -> list[Problem]:
    """A third of the problems that have rows."""
    small = [p for p in all_problems() if p.rows is not None and 1 < len(p.rows) < 1000 and p.phi.shape[1] > 3]
    return small[::3]


def test_no_error_exceeds_what_the_inputs_allow() -> None:
    wrong = []
    for problem in _suite():
        held = held_rows(problem)
        found = rigidity_of(problem).holding(held).lpr_held(problem.phi)
        wrong += _complaint(truth_held(problem, held), found, problem.name)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_restricted_to_a_species_the_error_is_as_small(first: int, second: int) -> None:
    wrong = []
    for mu in MUS[::2]:
        for m, n in ((30, 20), (20, 60)):
            model = _model_of_two_species(first, second, mu, m, n)
            problem = model.problem
            truth = truth_held(problem, model.held)
            rigidity = rigidity_of(problem).holding(model.held)
            wrong += _complaint(truth, rigidity.lpr_held(problem.phi), problem.name)
            found = np.empty(len(problem.phi))
            for columns, rows in zip(model.columns, model.rows, strict=True):
                found[rows] = rigidity.restrict(columns).lpr_held(problem.phi[np.ix_(rows, columns)])
            wrong += _complaint(truth, found, f"restricted, {problem.name}")
    assert not wrong, "\n".join(wrong)


def _example() -> tuple[Rigidity, Array, Array]:
    """A well-conditioned model, rows to hold, and test rows."""
    rng = np.random.default_rng(5)
    rigidity = Rigidity.from_features(rng.normal(size=(60, 20)), regularizer=1e-2)
    return rigidity, rng.normal(size=(3, 20)), rng.normal(size=(50, 20))


def test_it_is_the_limit_of_held_rows_as_data_of_growing_weight() -> None:
    rigidity, rows, phi = _example()
    held = rigidity.holding(rows).lpr_held(phi)
    for weight in (1e4, 1e6, 1e8):
        refitted = rigidity.updated(rows, np.full(len(rows), weight)).lpr(phi)
        np.testing.assert_allclose(refitted, held, rtol=2e2 / weight)


def test_holding_changes_nothing_else_and_scale_and_dependent_rows_do_not_matter() -> None:
    rigidity, rows, phi = _example()
    holding = rigidity.holding(rows)
    np.testing.assert_array_equal(holding.lpr(phi), rigidity.lpr(phi))
    more = np.vstack([1e-9 * rows[::-1], 3.0 * rows[0] - rows[2], np.zeros(20)])
    np.testing.assert_allclose(rigidity.holding(more).lpr_held(phi), holding.lpr_held(phi), rtol=1e-11)
    assert (holding.lpr_held(phi) >= holding.lpr(phi) * (1 - 1e-14)).all()


def test_held_rows_themselves_are_beyond_doubt() -> None:
    rigidity, rows, _ = _example()
    holding = rigidity.holding(rows)
    assert np.isinf(holding.lpr_held(rows)).all()
    assert np.isinf(holding.lpr_held(1e-300 * rows)).all()


def test_updates_pickles_and_restrictions_of_restrictions_keep_what_is_held() -> None:
    rigidity, rows, phi = _example()
    more = np.random.default_rng(6).normal(size=(5, 20))
    updated = rigidity.holding(rows).updated(more)
    np.testing.assert_allclose(updated.lpr_held(phi), rigidity.updated(more).holding(rows).lpr_held(phi), rtol=1e-12)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(updated)).lpr_held(phi), updated.lpr_held(phi))
    some, fewer = np.arange(4, 15), np.arange(2, 9)
    part = np.zeros_like(phi)
    part[:, some[fewer]] = phi[:, some[fewer]]
    expected = updated.lpr_held(part)
    restricted = updated.restrict(some).restrict(fewer)
    np.testing.assert_allclose(restricted.lpr_held(phi[:, some[fewer]]), expected, rtol=1e-12)
    with pytest.raises(InvalidInputError, match="restricted factor that holds rows cannot be updated"):
        restricted.updated(more[:, :7])


def test_the_bits_do_not_depend_on_batches_or_threads() -> None:
    rigidity, rows, phi = _example()
    holding = rigidity.holding(rows)
    whole = holding.lpr_held(phi, n_threads=1)
    for batch in (1, 7, 33):
        parts = [holding.lpr_held(phi[i : i + batch], n_threads=2) for i in range(0, len(phi), batch)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_it_is_right_where_float64_cannot_hold_the_quadratic_form() -> None:
    rigidity, rows, phi = _example()
    expected = rigidity.holding(rows).lpr_held(phi)
    scale = 2.0**-490
    tiny = rigidity.holding(rows).lpr_held(scale * phi)
    np.testing.assert_allclose(tiny * scale * scale, expected, rtol=1e-12)


def test_nothing_held_and_nothing_to_hold_are_said() -> None:
    rigidity, _, phi = _example()
    with pytest.raises(InvalidInputError, match="nothing is held"):
        rigidity.lpr_held(phi)
    with pytest.raises(InvalidInputError, match="held rows are zero"):
        rigidity.holding(np.zeros((2, 20)))
    with pytest.raises(InvalidInputError, match="19 columns"):
        rigidity.holding(np.zeros((2, 19)))
