"""Gradients of kernels to an active set: against differences of kernels, and the gradient of features."""

from __future__ import annotations

from typing import Any

import ase.build
import numpy as np
import pytest
from ase import Atoms

from lpr_fast import InvalidInputError, _core

from .gradients import BASES, FRAMES, Array, best_difference, hypers, soap, species_of, strained, structure
from .structures import rattled

# Components of a virial, as rows have them.
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))

every_frame = pytest.mark.parametrize("name", FRAMES)


class Problem:
    """A rattled frame, and an active set of other environments like its own."""

    def __init__(self, name: str, zeta: float = 2.0, **options: Any) -> None:
        self.frame = rattled(FRAMES[name], 3, by=0.1)
        self.species = species_of(self.frame)
        self.soap = soap(self.species, hypers(**options))
        self.zeta = zeta
        random = np.random.default_rng(9)
        others = [
            strained(rattled(FRAMES[name], seed, by=0.2), random.normal(scale=0.05, size=(3, 3)))
            for seed in (10, 11, 12)
        ]
        numbers = np.concatenate([other.numbers for other in others])
        order = np.argsort(numbers, kind="stable")
        self.active = np.concatenate([self.normalised(other) for other in others])[order]
        self.first = np.searchsorted(numbers[order], [*self.species, 1000]).tolist()

    def structure(self, frame: Atoms | None = None) -> _core.Structure:
        return structure(self.frame if frame is None else frame, self.soap, self.species)

    def normalised(self, frame: Atoms) -> Array:
        features = self.soap.features([self.structure(frame)], [None], 1)
        return features / np.linalg.norm(features, axis=1)[:, None]

    def rows(self, frame: Atoms) -> Array:
        """Sum of kernels over the centers."""
        kernels = np.maximum(self.normalised(frame) @ self.active.T, 0) ** self.zeta
        total = np.zeros(len(self.active))
        for number, a, b in zip(self.species, self.first, self.first[1:], strict=False):
            total[a:b] = kernels[frame.numbers == number, a:b].sum(axis=0)
        return total

    def gradients(
        self, n_threads: int = 1, atoms: list[int] | None = None, of: _core.Structure | None = None
    ) -> tuple[Array, Array]:
        kernels = _core.KernelGradients(self.soap, self.active, self.first, self.zeta)
        chosen = None if atoms is None else np.array(atoms, dtype=int)
        return kernels.rows(of or self.structure(), chosen, virials=True, n_threads=n_threads)


def all_columns(virial: Array) -> Array:
    """(3, 3) and (9, M) from six components."""
    full = np.empty((3, 3, *virial.shape[1:]))
    for (a, b), component in zip(VOIGT, virial, strict=True):
        full[a, b] = full[b, a] = component
    return full


@pytest.mark.parametrize("zeta", [1.0, 2.0, 3.0, 2.5])
@every_frame
def test_rows_of_forces_are_differences_of_kernels(name: str, zeta: float) -> None:
    problem = Problem(name, zeta)
    weights = np.random.default_rng(4).normal(size=len(problem.active))
    forces, virial = problem.gradients()
    strain = np.random.default_rng(7).normal(size=(3, 3))
    expected = -float((strain * all_columns(virial @ weights)).sum())
    assert (
        best_difference(lambda h: float(problem.rows(strained(problem.frame, h * strain)) @ weights), expected) < 1e-7
    )
    if len(problem.frame) == 1:
        np.testing.assert_allclose(forces, 0, atol=1e-12)
        return
    direction = np.random.default_rng(6).normal(size=problem.frame.positions.shape)

    def f(step: float) -> float:
        moved = problem.frame.copy()
        moved.positions += step * direction
        return float(problem.rows(moved) @ weights)

    assert best_difference(f, -float(direction.ravel() @ forces @ weights)) < 1e-7


@pytest.mark.parametrize("basis", BASES)
@every_frame
def test_weighted_rows_are_the_gradient_of_a_weighted_sum(name: str, basis: str) -> None:
    """By the gradient of features, which knows nothing of kernels."""
    problem = Problem(name, 3.0, basis=BASES[basis])
    weights = np.random.default_rng(4).normal(size=len(problem.active))
    features = problem.soap.features([problem.structure()], [None], 1)
    norms = np.linalg.norm(features, axis=1)[:, None]
    x = features / norms
    derivatives = np.zeros_like(x)
    for number, a, b in zip(problem.species, problem.first, problem.first[1:], strict=False):
        atoms = problem.frame.numbers == number
        slopes = 3.0 * (x[atoms] @ problem.active[a:b].T) ** 2 * weights[a:b]
        pulled = slopes @ problem.active[a:b]
        derivatives[atoms] = (pulled - (pulled * x[atoms]).sum(axis=1)[:, None] * x[atoms]) / norms[atoms]
    expected_forces, expected_virial = problem.soap.gradient(problem.structure(), derivatives, 1)
    forces, virial = problem.gradients()
    for found, expected in (
        ((forces @ weights).reshape(-1, 3), expected_forces),
        (all_columns(virial @ weights), expected_virial),
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)


def large_problem() -> Problem:
    """Several batches of centers, several tasks of columns, and none of their numbers is a whole one of anything."""
    problem = Problem("two species")
    problem.frame = rattled(ase.build.bulk("GaAs", "zincblende", a=5.65, cubic=True) * (3, 2, 1), 1)
    problem.active = np.repeat(problem.active, 20, axis=0) * np.linspace(0.5, 1.0, 120)[:, None]
    problem.first = [20 * first for first in problem.first]
    return problem


def test_threads_change_no_bit() -> None:
    problem = large_problem()
    expected = problem.gradients(1)
    for n_threads in (2, 5):
        for a, b in zip(problem.gradients(n_threads), expected, strict=True):
            np.testing.assert_array_equal(a, b)


def test_rows_of_some_atoms_have_the_bits_of_all() -> None:
    problem = large_problem()
    forces, virial = problem.gradients()
    for atoms in ([0, 1, 2, 3, 4], [5], [17, 3, 29], []):
        found, also = problem.gradients(atoms=atoms)
        rows = (3 * np.array(atoms, dtype=int)[:, None] + np.arange(3)).ravel()
        np.testing.assert_array_equal(found, forces[rows])
        np.testing.assert_array_equal(also, virial)


def test_virials_are_left_out_if_nobody_wants_them() -> None:
    problem = large_problem()
    kernels = _core.KernelGradients(problem.soap, problem.active, problem.first, problem.zeta)
    forces, virial = kernels.rows(problem.structure(), np.arange(3, 9), virials=False, n_threads=1)
    assert virial.shape == (0, len(problem.active))
    np.testing.assert_array_equal(forces, problem.gradients()[0][9:27])


def test_rows_of_forces_add_up_to_nothing() -> None:
    forces, _ = Problem("a slab").gradients()
    np.testing.assert_allclose(forces.reshape(-1, 3, forces.shape[1]).sum(axis=0), 0, atol=1e-13)


def test_species_without_active_environments_have_no_kernels() -> None:
    problem = Problem("two species")
    forces, virial = problem.gradients()
    n = problem.first[1]
    problem.active, problem.first = problem.active[:n], [0, n, n]
    for found, expected in zip(problem.gradients(), (forces, virial), strict=True):
        np.testing.assert_allclose(found, expected[:, :n], rtol=0, atol=1e-13)


def test_kernels_that_are_not_positive_count_as_constant_where_zeta_is_no_integer() -> None:
    problem = Problem("bulk silicon", 1.5)
    problem.active = -problem.active
    for found in problem.gradients():
        assert not found.any()


def test_bad_input_is_refused() -> None:
    problem = Problem("two species")
    problem.zeta = 0.0
    with pytest.raises(InvalidInputError, match=r"zeta is 0\.0+; it must be positive"):
        problem.gradients()
    problem.zeta = 1.0
    first = problem.first
    for wrong in (first[:-1], [1, *first[1:]], [*first[:-1], first[-1] + 1], [0, first[-1] + 3, first[-1]]):
        problem.first = wrong
        with pytest.raises(InvalidInputError, match="do not divide the rows of the active set"):
            problem.gradients()
    problem.first = first
    problem.active = problem.active[:, :-1].copy()
    with pytest.raises(InvalidInputError, match="columns"):
        problem.gradients()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"smoothing": {"type": "Step"}}, "cutoff of the descriptor is a step"),
        ({"density": {"center_atom_weight": 0.0}}, "center_atom_weight is 0"),
    ],
)
def test_features_that_are_not_differentiable_are_refused(options: dict[str, Any], message: str) -> None:
    problem = Problem("bulk silicon", **options)
    with pytest.raises(InvalidInputError, match=message):
        problem.gradients()


def test_a_structure_that_was_made_for_another_cutoff_is_refused() -> None:
    problem = Problem("bulk silicon")
    longer = soap([14], hypers(radius=5.0))
    made = structure(problem.frame, longer, [14])
    with pytest.raises(InvalidInputError, match="was made for other species, or another cutoff"):
        _core.KernelGradients(problem.soap, problem.active, problem.first, 1.0).rows(
            made, None, virials=True, n_threads=1
        )


@pytest.mark.parametrize("atoms", [[-1], [0, 2], [1, 1]])
def test_rows_of_atoms_that_do_not_exist_are_refused(atoms: list[int]) -> None:
    with pytest.raises(InvalidInputError, match="give indices of atoms from 0, each once"):
        Problem("two species").gradients(atoms=atoms)
