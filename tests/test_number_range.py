"""Numbers that float64 holds come out, though what they are made of leaves its range on the way.

Rows times 2^k and mu times 2^2k are the same model in another unit: variances keep their bits, and LPRs are multiplied
by 2^2k.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lpr_fast import LinearModel, Rigidity, SparseKernelModel, load_model

from .oracle.problems import Array

RNG = np.random.default_rng(12)
ROWS, PHI = RNG.normal(size=(30, 8)), RNG.normal(size=(11, 8))
EXPONENTS = (-531, -500, -480, 300, 450, 460)


def rigidity(exponent: int, rows: Array = ROWS, mu: float = 0.75) -> Rigidity:
    return Rigidity.from_features(np.ldexp(rows, exponent), regularizer=np.ldexp(mu, 2 * exponent))


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_the_variance_does_not_depend_on_the_unit_of_the_loss(exponent: int) -> None:
    ordinary, extreme = rigidity(0), rigidity(exponent)
    np.testing.assert_allclose(extreme.variance(PHI), ordinary.variance(PHI), rtol=1e-14)
    np.testing.assert_array_equal(extreme.covariance(PHI, PHI[:3]), ordinary.covariance(PHI, PHI[:3]))
    columns = [5, 0, 3]
    few, few_extreme = ordinary.restrict(columns), extreme.restrict(columns)
    np.testing.assert_allclose(few_extreme.variance(PHI[:, :3]), few.variance(PHI[:, :3]), rtol=1e-14)
    more, more_extreme = ordinary.updated(PHI), extreme.updated(np.ldexp(PHI, exponent))
    np.testing.assert_allclose(more_extreme.variance(PHI), more.variance(PHI), rtol=1e-14)


@pytest.mark.parametrize("exponent", EXPONENTS[1:])  # with the first of them, some LPRs are subnormal
def test_the_lpr_is_multiplied_by_the_unit_of_the_loss(exponent: int) -> None:
    expected = rigidity(0).lpr(PHI)
    np.testing.assert_allclose(np.ldexp(rigidity(exponent).lpr(PHI), -2 * exponent), expected, rtol=1e-9)


@pytest.mark.parametrize("exponent", [-900, -700, -500, 400, 450])
def test_the_lpr_is_divided_by_the_square_of_phi(exponent: int) -> None:
    model = rigidity(0)
    phi = np.ldexp(PHI, exponent)
    with np.errstate(over="ignore", under="ignore"):
        expected = np.ldexp(model.lpr(PHI), -2 * exponent)
        variance = np.ldexp(model.variance(PHI), 2 * exponent)
        covariance = np.ldexp(model.covariance(PHI), 2 * exponent)
    np.testing.assert_allclose(model.lpr(phi), expected, rtol=1e-14)
    np.testing.assert_allclose(model.variance(phi), variance, rtol=1e-14, atol=1e-323)
    np.testing.assert_allclose(model.covariance(phi), covariance, rtol=1e-14, atol=1e-323)
    scaled_back = model.variance(phi, scale=np.ldexp(1.0, min(max(-2 * exponent, -1022), 1023)))
    assert np.all(np.isfinite(scaled_back))


def test_subnormal_numbers_have_the_digits_that_they_can_have() -> None:
    model = Rigidity.from_features([[1.0]], regularizer=3.0)
    phi = np.array([[1.25 * 2.0**-530]])
    assert model.variance(phi, scale=1.0)[0] == 25 * 2.0**-1066
    assert model.lpr(np.array([[2.0**-512]]))[0] == np.inf
    np.testing.assert_allclose(model.lpr([[2.0**-510], [2.0**460]]), [2.0**1022, 2.0**-918], rtol=1e-15)


def test_what_float64_cannot_hold_is_zero_or_infinite() -> None:
    model = Rigidity.from_features([[1.0, 0.0]], regularizer=1e-300)
    phi = np.array([[0.0, 1e100]])
    np.testing.assert_array_equal(model.lpr(phi), [0.0])
    np.testing.assert_array_equal(model.variance(phi, scale=1.0), [np.inf])
    np.testing.assert_allclose(model.variance(phi), [1e200], rtol=1e-15)
    np.testing.assert_array_equal(model.covariance(phi, -phi, scale=1.0), [[-np.inf]])
    np.testing.assert_array_equal(model.variance(1e-300 * phi), [0.0])


def test_rows_beyond_the_range_do_not_change_the_bits_of_those_beside_them() -> None:
    model = rigidity(0)
    phi = np.vstack([PHI, np.ldexp(PHI, -700), np.zeros((1, 8)), np.ldexp(PHI, 450), PHI[::-1]])
    covariance = model.covariance(phi)
    for n_threads in (1, 2):
        for i in range(len(phi)):
            assert model.lpr(phi[i : i + 1], n_threads=n_threads)[0] == model.lpr(phi, n_threads=n_threads)[i]
            single = model.covariance(phi[i : i + 1], phi, n_threads=n_threads)
            np.testing.assert_array_equal(single[0], covariance[i])


@pytest.mark.parametrize("regularizer", [1e-290, 1e-3, 1e300])
def test_models_and_their_files_agree_with_the_rigidity_of_their_arrays(tmp_path: Path, regularizer: float) -> None:
    features, species = np.abs(RNG.normal(size=(40, 6))), np.repeat(np.array([6, 14], dtype=np.int32), 20)
    structure = np.arange(40) % 20
    fits = {
        "linear": LinearModel.from_arrays(features, species, structure, regularizer=regularizer),
        "kernel": SparseKernelModel.from_arrays(features, species, structure, regularizer=regularizer, n_active=10),
    }
    for name, model in fits.items():
        model.save(tmp_path / name)
        for scored in (model, load_model(tmp_path / name)):
            scores = scored.score_features(features, species)
            phi = scored._model.phi(features, species, 1)
            np.testing.assert_allclose(scores.lpr, scored.rigidity.lpr(phi), rtol=1e-7)
            np.testing.assert_allclose(scores.variance, scored.rigidity.variance(phi), rtol=1e-7)
            assert np.all((scores.variance > 0) & (scores.lpr > 0))
