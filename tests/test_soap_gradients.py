"""Gradients of features: against differences, featomic and symmetries."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import ase.build
import numpy as np
import pytest
from ase import Atoms
from featomic import SoapPowerSpectrum

from lpr_fast import InvalidInputError, _core, cpu_info

from .gradients import BASES, FRAMES, Array, best_difference, hypers, soap, species_of, strained, structure
from .structures import rattled

every_frame = pytest.mark.parametrize("name", FRAMES)


def problem(name: str, basis: str = "8 x 7") -> tuple[Atoms, _core.Soap, list[int], Array]:
    """A rattled frame, its descriptor, and random derivatives of some f."""
    frame = rattled(FRAMES[name], 3, by=0.1)
    species = species_of(frame)
    of = soap(species, hypers(basis=BASES[basis]))
    return frame, of, species, np.random.default_rng(5).normal(size=(len(frame), of.n_features))


@pytest.mark.parametrize("basis", BASES)
@every_frame
def test_forces_are_differences_of_features(name: str, basis: str) -> None:
    frame, of, species, derivatives = problem(name, basis)
    forces, _ = of.gradient(structure(frame, of, species), derivatives, 1)
    if len(frame) == 1:
        np.testing.assert_allclose(forces, 0, atol=1e-12)
        return
    direction = np.random.default_rng(6).normal(size=frame.positions.shape)

    def f(step: float) -> float:
        moved = frame.copy()
        moved.positions += step * direction
        return float((of.features([structure(moved, of, species)], [None], 1) * derivatives).sum())

    assert best_difference(f, -float((forces * direction).sum())) < 1e-7


@pytest.mark.parametrize("basis", BASES)
@every_frame
def test_the_virial_is_a_difference_between_strained_cells(name: str, basis: str) -> None:
    frame, of, species, derivatives = problem(name, basis)
    _, virial = of.gradient(structure(frame, of, species), derivatives, 1)
    strain = np.random.default_rng(7).normal(size=(3, 3))

    def f(step: float) -> float:
        return float(
            (of.features([structure(strained(frame, step * strain), of, species)], [None], 1) * derivatives).sum()
        )

    assert best_difference(f, -float((virial * strain).sum())) < 1e-7


@every_frame
def test_forces_and_virial_are_those_of_featomic(name: str) -> None:
    frame, of, species, derivatives = problem(name)
    forces, virial = of.gradient(structure(frame, of, species), derivatives, 1)
    expected_forces, expected_virial = featomic_gradient(frame, species, derivatives)
    np.testing.assert_allclose(forces, expected_forces, rtol=0, atol=1e-9 * max(np.abs(expected_forces).max(), 1.0))
    np.testing.assert_allclose(virial, expected_virial, rtol=0, atol=1e-9 * np.abs(expected_virial).max())


def featomic_gradient(frame: Atoms, species: list[int], derivatives: Array) -> tuple[Array, Array]:
    chosen = hypers()
    chosen["basis"] = {**chosen["basis"], "spline_accuracy": None}
    boxed = frame.copy()
    for k in np.flatnonzero(~frame.pbc):
        boxed.cell[k] = 60.0 * np.eye(3)[k]
    boxed.pbc = True
    spectra = SoapPowerSpectrum(**chosen).compute([boxed], gradients=["positions", "strain"])
    pairs = [(a, b) for i, a in enumerate(species) for b in species[i:]]
    forces, virial = np.zeros((len(frame), 3)), np.zeros((3, 3))
    for key, block in spectra.items():
        pair = (int(key[1]), int(key[2]))
        l_n1_n2 = np.array(block.properties.values)
        same = pair[0] == pair[1]
        kept = l_n1_n2[:, 1] <= l_n1_n2[:, 2] if same else np.ones(len(l_n1_n2), dtype=bool)
        factors = np.where(same & (l_n1_n2[:, 1] < l_n1_n2[:, 2]), np.sqrt(2), 1.0)[kept]
        # Pairs of one species have 36 features for each of seven l, others 64.
        first = sum(7 * (36 if a == b else 64) for a, b in pairs[: pairs.index(pair)])
        atoms = np.array(block.samples.column("atom"))
        weights = derivatives[atoms, first : first + kept.sum()] * factors
        for name in ("positions", "strain"):
            gradient = block.gradient(name)
            sample = np.array(gradient.samples.column("sample"))
            values = np.einsum("s...p,sp->s...", gradient.values[..., kept], weights[sample])
            if name == "positions":
                np.subtract.at(forces, np.array(gradient.samples.column("atom")), values)
            else:
                virial -= values.sum(axis=0)
    return forces, virial


def test_ghosts_get_the_forces_that_belong_to_their_atoms() -> None:
    frame, of, species, derivatives = problem("bulk silicon")
    forces, virial = of.gradient(structure(frame, of, species), derivatives, 1)
    n = len(frame)
    images = [(i, j, k) for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1) if (i, j, k) != (0, 0, 0)]
    cluster = Atoms(
        np.tile(frame.numbers, 27),
        np.concatenate([frame.positions, *(frame.positions + np.array(image) @ frame.cell.array for image in images)]),
    )
    found, strain = of.gradient(structure(cluster, of, species, n), derivatives, 1)
    assert found.shape == (27 * n, 3)
    assert np.abs(found[n:]).max() > 1e-3
    np.testing.assert_allclose(found.reshape(27, n, 3).sum(axis=0), forces, rtol=0, atol=1e-11)
    np.testing.assert_allclose(strain, virial, rtol=1e-11)


@every_frame
def test_forces_add_up_to_nothing_and_the_virial_is_symmetric(name: str) -> None:
    frame, of, species, derivatives = problem(name)
    forces, virial = of.gradient(structure(frame, of, species), derivatives, 1)
    np.testing.assert_allclose(forces.sum(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(virial, virial.T, rtol=0, atol=1e-11)


def test_forces_turn_with_the_frame() -> None:
    frame, of, species, derivatives = problem("two species")
    forces, virial = of.gradient(structure(frame, of, species), derivatives, 1)
    turn, _ = np.linalg.qr(np.random.default_rng(8).normal(size=(3, 3)))
    turned = frame.copy()
    turned.set_cell(frame.cell.array @ turn, scale_atoms=False)
    turned.positions = frame.positions @ turn + [1.0, -20.0, 3.0]
    found, strain = of.gradient(structure(turned, of, species), derivatives, 1)
    np.testing.assert_allclose(found, forces @ turn, rtol=0, atol=1e-11)
    np.testing.assert_allclose(strain, turn.T @ virial @ turn, rtol=0, atol=1e-11)


def test_neighbours_on_an_axis_are_as_good_as_others() -> None:
    """Spherical coordinates would be singular there."""
    frame = Atoms("Si3", [[0, 0, 0], [0, 0, 2.4], [0, 2.2, 0]])
    of = soap([14], hypers())
    derivatives = np.random.default_rng(5).normal(size=(3, of.n_features))
    forces, _ = of.gradient(structure(frame, of, [14]), derivatives, 1)
    turn, _ = np.linalg.qr(np.random.default_rng(8).normal(size=(3, 3)))
    turned = Atoms("Si3", frame.positions @ turn)
    found, _ = of.gradient(structure(turned, of, [14]), derivatives, 1)
    np.testing.assert_allclose(found, forces @ turn, rtol=0, atol=1e-11)


def test_threads_change_no_bit() -> None:
    frame = rattled(ase.build.bulk("GaAs", "zincblende", a=5.65, cubic=True) * (4, 3, 3), 1)
    of = soap([31, 33], hypers())
    derivatives = np.random.default_rng(5).normal(size=(len(frame), of.n_features))
    first = of.gradient(structure(frame, of, [31, 33]), derivatives, 1)
    for n_threads in (1, 2, 5):
        for a, b in zip(first, of.gradient(structure(frame, of, [31, 33]), derivatives, n_threads), strict=True):
            np.testing.assert_array_equal(a, b)


def test_atoms_of_other_species_feel_no_force() -> None:
    frame, _, _, _ = problem("a molecule")
    of = soap([1, 6], hypers())
    derivatives = np.random.default_rng(5).normal(size=(len(frame), of.n_features))
    forces, _ = of.gradient(structure(frame, of, [1, 6]), derivatives, 1)
    known = np.isin(frame.numbers, [1, 6])
    assert not forces[~known].any()
    alone, _ = of.gradient(structure(frame[known], of, [1, 6]), derivatives[known], 1)
    np.testing.assert_allclose(forces[known], alone, rtol=0, atol=1e-12)


def test_nothing_has_no_forces() -> None:
    of = soap([14], hypers())
    forces, virial = of.gradient(structure(Atoms(), of, [14]), np.zeros((0, of.n_features)), 1)
    assert forces.shape == (0, 3)
    assert not virial.any()


def step() -> dict[str, Any]:
    return hypers(smoothing={"type": "Step"})


def no_center() -> dict[str, Any]:
    return hypers(density={"center_atom_weight": 0.0})


def no_zero() -> dict[str, Any]:
    return hypers(basis={"type": "Explicit", "by_angular": {2: {"type": "Gto", "max_radial": 3}}})


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (step, "cutoff of the descriptor is a step"),
        (no_center, "center_atom_weight is 0"),
        (no_zero, "there is no l = 0"),
    ],
)
def test_features_that_are_not_differentiable_are_refused(chosen: Callable[[], dict[str, Any]], message: str) -> None:
    of = soap([14], chosen())
    with pytest.raises(InvalidInputError, match=message):
        of.gradient(structure(FRAMES["bulk silicon"], of, [14]), np.ones((8, of.n_features)), 1)


@pytest.mark.parametrize(
    "chosen",
    [
        hypers(smoothing={"type": "ShiftedCosine", "width": 0.05}),
        hypers(smoothing={"type": "ShiftedCosine", "width": 9.0}),
        hypers(density={"scaling": {"type": "Willatt2018", "exponent": 4, "rate": 1.0, "scale": 2.0}}),
    ],
)
def test_smooth_cutoffs_are_not_taken_for_steps(chosen: dict[str, Any]) -> None:
    of = soap([14], chosen)
    frame = rattled(FRAMES["bulk silicon"], 1)
    forces, _ = of.gradient(structure(frame, of, [14]), np.ones((8, of.n_features)), 1)
    assert np.isfinite(forces).all()


@pytest.mark.parametrize(
    ("derivatives", "message"),
    [
        (lambda n: np.ones((7, n)), "derivatives of 7 centers, and the structure has 8"),
        (lambda n: np.ones((8, n - 1)), "columns"),
        (lambda n: np.full((8, n), np.nan), "derivatives"),
    ],
)
def test_derivatives_that_do_not_fit_are_refused(derivatives: Callable[[int], Array], message: str) -> None:
    of = soap([14], hypers())
    with pytest.raises(InvalidInputError, match=message):
        of.gradient(structure(FRAMES["bulk silicon"], of, [14]), derivatives(of.n_features), 1)


@pytest.mark.parametrize("level", cpu_info().available)
def test_every_instruction_set_gives_the_same_forces(level: str) -> None:
    frame, of, species, derivatives = problem("a molecule", "explicit")
    expected, _ = of.gradient(structure(frame, of, species), derivatives, 1)
    script = (
        "import sys; import numpy as np; from tests.test_soap_gradients import problem, structure\n"
        "frame, of, species, derivatives = problem('a molecule', 'explicit')\n"
        "np.save(sys.stdout.buffer, of.gradient(structure(frame, of, species), derivatives, 1)[0])\n"
    )
    environment = {**os.environ, "LPR_FAST_INSTRUCTION_SET": level}
    ran = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True)
    found = np.frombuffer(ran.stdout[-expected.nbytes :]).reshape(expected.shape)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * np.abs(expected).max())
