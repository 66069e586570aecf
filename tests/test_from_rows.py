"""Models of training rows of any origin: FitSNAP's matrix, kernels of forces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from lpr_fast import InvalidInputError, LinearModel, SparseKernelModel, load_model

from .oracle.problems import Array

RNG = np.random.default_rng(8)
N_FEATURES, MU = 5, 1e-3
TYPES = (74, 4)  # of FitSNAP's types 1 and 2, tungsten and beryllium


def fitsnap(*, constants: bool) -> tuple[Array, Array, Array]:
    """A, b and w in FitSNAP's layout, of synthetic numbers.

    For each configuration an energy row per atom, rows of forces and six of the stress; for each type a block of
    columns, which begins with the fraction of its atoms (zeros in forces and stress) with ``bzeroflag 0``.
    """
    blocks, targets, weights = [], [], []
    for n_atoms in (4, 7, 3, 6):
        types = RNG.integers(0, 2, n_atoms)
        energy = np.zeros((2, N_FEATURES + 1))
        for t, features in zip(types, RNG.normal(size=(n_atoms, N_FEATURES)), strict=True):
            energy[t] += [1.0, *features]
        derivatives = RNG.normal(size=(3 * n_atoms + 6, 2, N_FEATURES + 1))
        derivatives[:, :, 0] = 0.0
        block = np.concatenate([energy[None] / n_atoms, derivatives])
        blocks.append(block if constants else block[:, :, 1:])
        targets.append(np.concatenate([[-4.0 + RNG.normal()], RNG.normal(size=3 * n_atoms + 6)]))
        weights.append(np.concatenate([[100.0], np.full(3 * n_atoms, 1.0), np.full(6, 1e-3)]))
    A = np.concatenate(blocks)
    return A.reshape(len(A), -1), np.concatenate(targets), np.concatenate(weights)


@pytest.mark.parametrize("constants", [False, True])
def test_a_fitsnap_matrix_gives_the_model_of_its_ridge_solver(*, constants: bool, tmp_path: Path) -> None:
    A, b, w = fitsnap(constants=constants)
    coefficients = Ridge(alpha=MU, fit_intercept=False).fit(w[:, None] * A, w * b).coef_
    H = A.T @ (w[:, None] ** 2 * A) + MU * np.eye(A.shape[1])
    LinearModel.from_rows(A, b, species=TYPES, weights=w**2, constants=constants, regularizer=MU, loss="per_atom").save(
        tmp_path / "snap.lpr"
    )
    model = load_model(tmp_path / "snap.lpr")
    assert isinstance(model, LinearModel)
    assert (model.species, model.n_features, model.loss) == ((4, 74), N_FEATURES, "per_atom")

    features, types = RNG.normal(size=(200, N_FEATURES)), RNG.integers(0, 2, 200)
    phi = np.zeros((200, 2, N_FEATURES + constants))
    block = np.column_stack([np.ones(200), features]) if constants else features
    phi[np.arange(200), types] = block
    phi = phi.reshape(200, -1)
    scores = model.score_features(features, np.array(TYPES)[types])
    np.testing.assert_allclose(scores.local_energy, phi @ coefficients, rtol=1e-9, atol=1e-9)
    forms = np.einsum("ij,ji->i", phi, np.linalg.solve(H, phi.T))
    np.testing.assert_allclose(scores.lpr, 1.0 / forms, rtol=1e-9)
    np.testing.assert_allclose(scores.variance, MU * forms, rtol=1e-9)
    np.testing.assert_allclose(
        model.rigidity.variance(phi[:, np.roll(np.arange(phi.shape[1]), phi.shape[1] // 2)]), MU * forms, rtol=1e-9
    )


def test_sigmas_and_a_baseline_are_what_they_say() -> None:
    A, b, w = fitsnap(constants=False)
    given: dict[str, Any] = {"species": TYPES, "regularizer": MU}
    by_weights = LinearModel.from_rows(A, b, weights=w**2, **given)
    by_sigmas = LinearModel.from_rows(A, b, sigmas=1.0 / w, baseline={74: -8.0, 4: 1.5}, **given)
    X, species = RNG.normal(size=(6, N_FEATURES)), np.repeat([4, 74], 3)
    expected, found = by_weights.score_features(X, species), by_sigmas.score_features(X, species)
    np.testing.assert_allclose(found.lpr, expected.lpr, rtol=1e-9)
    shift = np.repeat([1.5, -8.0], 3)
    np.testing.assert_allclose(found.local_energy, expected.local_energy + shift, rtol=1e-9, atol=1e-9)


def test_rows_of_energies_alone_give_the_model_of_the_features() -> None:
    X, species, structure = np.abs(RNG.normal(size=(60, 6))), np.repeat([6, 14], 30), np.arange(60) % 12
    energies = RNG.normal(size=12)
    baseline = {6: -1.0, 14: -2.0}
    expected = SparseKernelModel.from_arrays(
        X, species, structure, n_active=10, regularizer=MU, energies=energies, baseline=baseline
    )
    unit = X / np.linalg.norm(X, axis=1)[:, None]
    active = expected.active_features
    K = np.hstack([(unit @ active[s].T) ** 4 * (species == s)[:, None] for s in (14, 6)])
    rows = np.array([K[structure == a].sum(axis=0) for a in range(12)])
    counts = np.array([[np.count_nonzero(species[structure == a] == s) for s in (6, 14)] for a in range(12)])
    model = SparseKernelModel.from_rows(
        rows,
        energies - counts @ [-1.0, -2.0],
        active={14: 3.0 * active[14], 6: active[6]},
        regularizer=MU,
        baseline=baseline,
    )
    a, b = model.score_features(X, species), expected.score_features(X, species)
    assert set(b) - set(a) == {"lpr_held", "percentile", "verdict"}  # rows do not say how atoms score
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-6, atol=1e-9)


def test_rows_without_targets_give_rigidities() -> None:
    A, b, w = fitsnap(constants=True)
    given: dict[str, Any] = {"species": TYPES, "regularizer": MU, "constants": True, "weights": w}
    X, species = RNG.normal(size=(6, N_FEATURES)), np.repeat([4, 74], 3)
    bare = LinearModel.from_rows(A, **given).score_features(X, species)
    assert bare.local_energy is None
    np.testing.assert_array_equal(bare.lpr, LinearModel.from_rows(A, b, **given).score_features(X, species).lpr)


def linear(**options: Any) -> LinearModel:
    arguments: dict[str, Any] = {"rows": np.eye(12), "species": TYPES, "regularizer": MU}
    return LinearModel.from_rows(**arguments | options)


def kernel(**options: Any) -> SparseKernelModel:
    arguments: dict[str, Any] = {"rows": np.ones((3, 4)), "active": {14: np.eye(4)}, "regularizer": MU}
    return SparseKernelModel.from_rows(**arguments | options)


CASES: dict[str, tuple[Callable[[], object], str]] = {
    "columns": (lambda: linear(species=[1, 2, 3, 4, 5]), "rows have 12 columns for 5 species; give the same number"),
    "constants alone": (
        lambda: linear(rows=np.eye(2), constants=True),
        "rows have 2 columns for 2 species; give a constant and the same number of features",
    ),
    "a species twice": (lambda: linear(species=[74, 74]), r"species has \[74, 74\]; give each of the species once"),
    "no species": (lambda: linear(species=[]), "species "),
    "baseline": (lambda: linear(targets=np.ones(12), baseline={74: 1.0}), "one finite energy for each of the species"),
    "infinite baseline": (lambda: linear(targets=np.ones(12), baseline={74: np.inf, 4: 0.0}), "it must be finite"),
    "baseline without targets": (lambda: linear(baseline={74: 1.0, 4: 0.0}), "but there are no targets; leave it out"),
    "weights": (lambda: linear(weights=[1.0]), "got 1 weight for 12 rows; give one for each row"),
    "NaN": (lambda: linear(rows=np.full((3, 12), np.nan)), "row 0 holds nan in column 0"),
    "targets": (lambda: linear(targets=[1.0]), "target"),
    "active": (lambda: kernel(active=np.eye(4)), "active is not a dictionary"),
    "active environments": (
        lambda: kernel(active={14: np.eye(3)}),
        "rows have 4 columns for 3 active env",
    ),
    "other features": (
        lambda: kernel(active={1: np.ones((2, 3)), 2: np.ones((2, 5))}),
        r"active environments have \[3, 5\] features",
    ),
    "NaN in active": (lambda: kernel(active={14: np.eye(4) * np.nan}), r"active\[14\] row 0 holds NaN"),
}


@pytest.mark.parametrize("case", CASES)
def test_rows_that_cannot_be_used_are_refused_by_name(case: str) -> None:
    call, message = CASES[case]
    with pytest.raises(InvalidInputError, match=message) as error:
        call()
    assert str(error.value).count(". ") == 0
