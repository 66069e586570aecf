"""Models that are built from features of any origin."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.data import chemical_symbols
from click.testing import CliRunner

from lpr_fast import InvalidInputError, LinearModel, LprWarning, SparseKernelModel, load_model, suggest
from lpr_fast._species import symbol
from lpr_fast.command_line._commands import lpr_fast

from .structures import fitted, gallium_arsenide, rattled

RNG = np.random.default_rng(3)
SPECIES = np.repeat([14, 6, 14, 14], [20, 15, 25, 5])
STRUCTURE = RNG.permutation(np.arange(len(SPECIES)) % 9) * 10
X = np.abs(RNG.standard_normal((len(SPECIES), 6)))
ENERGIES = RNG.standard_normal(9)


def linear(**options: Any) -> LinearModel:
    arguments: dict[str, Any] = {"X": X, "species": SPECIES, "structure": STRUCTURE, "regularizer": 0.1}
    return LinearModel.from_arrays(**arguments | options)


def kernel(**options: Any) -> SparseKernelModel:
    arguments: dict[str, Any] = {"X": X, "species": SPECIES, "structure": STRUCTURE, "regularizer": 0.1, "n_active": 12}
    return SparseKernelModel.from_arrays(**arguments | options)


def structure_rows(phi: np.ndarray) -> np.ndarray:
    return np.array([phi[label == STRUCTURE].sum(axis=0) for label in np.unique(STRUCTURE)])


def linear_phi() -> np.ndarray:
    """Features in a block of columns of their own for each species, as the definition has it."""
    return np.hstack([X * (s == SPECIES)[:, None] for s in (6, 14)])


@pytest.mark.parametrize("loss", ["total", "per_atom"])
def test_a_linear_model_follows_its_definition(loss: Any) -> None:
    given = RNG.uniform(0.5, 2.0, 9)
    model = linear(loss=loss, weights=given, energies=ENERGIES)
    phi, rows = linear_phi(), structure_rows(linear_phi())
    sizes = np.array([np.count_nonzero(label == STRUCTURE) for label in np.unique(STRUCTURE)])
    weights = given / sizes**2 if loss == "per_atom" else given
    H = rows.T @ (weights[:, None] * rows) + 0.1 * np.eye(12)
    counts = np.array([[np.count_nonzero(SPECIES[a == STRUCTURE] == s) for s in (6, 14)] for a in np.unique(STRUCTURE)])
    root = np.sqrt(weights)[:, None]
    baseline = np.linalg.lstsq(root * counts, root[:, 0] * ENERGIES)[0]
    c = np.linalg.solve(H, rows.T @ (weights * (ENERGIES - counts @ baseline)))
    scores = model.score_features(X, SPECIES)
    np.testing.assert_allclose(scores.lpr, 1 / np.einsum("ij,ji->i", phi, np.linalg.solve(H, phi.T)), rtol=1e-10)
    np.testing.assert_allclose(
        scores.local_energy, phi @ c + baseline[(SPECIES == 14).astype(int)], rtol=1e-9, atol=1e-12
    )
    assert scores.residual is None


def test_a_kernel_model_follows_its_definition() -> None:
    chosen = np.array([40, 3, 22, 60, 8, 30])
    model = kernel(n_active=None, active_set=chosen, zeta=3)
    unit = X / np.linalg.norm(X, axis=1)[:, None]
    ordered = np.array(sorted(chosen, key=lambda i: (SPECIES[i], np.argsort(np.argsort(STRUCTURE, kind="stable"))[i])))
    K = (unit @ unit[ordered].T) ** 3 * (SPECIES[:, None] == SPECIES[ordered])
    K_MM = K[ordered]
    rows = structure_rows(K)
    H = rows.T @ rows + 0.1 * K_MM
    scores = model.score_features(X, SPECIES)
    np.testing.assert_allclose(scores.lpr, 1 / np.einsum("ij,ji->i", K, np.linalg.solve(H, K.T)), rtol=1e-9)
    residual = 1 - np.einsum("ij,ji->i", K, np.linalg.solve(K_MM, K.T))
    np.testing.assert_allclose(scores.residual, residual, atol=1e-12)


def test_features_of_structures_give_the_model_of_the_structures() -> None:
    frames = gallium_arsenide()
    model = fitted(frames, n_active=20, zeta=2)
    numbers = np.concatenate([frame.numbers for frame in frames])
    structure = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
    energies = [frame.get_potential_energy() for frame in frames]
    same = SparseKernelModel.from_arrays(
        model.features(frames),
        numbers,
        structure,
        regularizer=model.regularizer,
        n_active=20,
        zeta=2,
        energies=energies,
    )
    others = rattled(frames[0], seed=99)
    a, b = model.score(others), same.score_features(model.features(others), others.numbers)
    for name in ("lpr", "variance", "residual", "local_energy"):
        np.testing.assert_allclose(getattr(b, name), getattr(a, name), rtol=1e-9, atol=1e-13)


def test_a_saved_model_gives_the_same_bits(tmp_path: Path) -> None:
    for model in (linear(energies=ENERGIES), kernel()):
        model.save(tmp_path / "m.lpr")
        for copy in (load_model(tmp_path / "m.lpr"), pickle.loads(pickle.dumps(model))):
            assert type(copy) is type(model)
            assert copy.hypers is None
            assert copy.species == (6, 14)
            found, expected = copy.score_features(X, SPECIES), model.score_features(X, SPECIES)
            for name, values in vars(expected).items():
                np.testing.assert_array_equal(getattr(found, name), values)


def test_neither_ase_nor_featomic_is_needed(tmp_path: Path) -> None:
    linear().save(tmp_path / "m.lpr")
    script = (
        "import sys; sys.modules['ase'] = sys.modules['featomic'] = None; import lpr_fast; "
        f"model = lpr_fast.load_model({str(tmp_path / 'm.lpr')!r}); print(model); "
        "print(model.score_features([[1.0] * 6], ['Si']).lpr)"
    )
    printed = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert "kind      LinearModel, species C, Si" in printed
    assert printed.splitlines()[-1].startswith("[")


def test_symbols_are_those_of_ase() -> None:
    assert [symbol(number) for number in range(len(chemical_symbols))] == chemical_symbols
    assert symbol(len(chemical_symbols)) == str(len(chemical_symbols))


SYMBOLS = np.where(SPECIES == 14, "Si", "C")


@pytest.mark.parametrize("symbols", [SYMBOLS, SYMBOLS.astype(object), SYMBOLS.tolist(), pd.Series(SYMBOLS)])
def test_symbols_and_atomic_numbers_are_the_same_species(symbols: Any) -> None:
    baselines: list[Any] = [{6: -1.0, 14: -2.0}, {"C": -1.0, "Si": -2.0}]
    of_numbers, of_symbols = (
        kernel(species=species, energies=ENERGIES, baseline=baseline)
        for species, baseline in zip((SPECIES, symbols), baselines, strict=True)
    )
    assert of_symbols._to_bytes() == of_numbers._to_bytes()
    np.testing.assert_array_equal(of_numbers.score_features(X, symbols).lpr, of_numbers.score_features(X, SPECIES).lpr)
    assert of_numbers.training_quantile("lpr", 0.5, "Si") == of_numbers.training_quantile("lpr", 0.5, 14)


def test_a_printed_model_says_what_the_command_says(tmp_path: Path) -> None:
    model = kernel(energies=ENERGIES)
    model.save(tmp_path / "m.lpr")
    told = CliRunner().invoke(lpr_fast, ["info", str(tmp_path / "m.lpr")]).output.splitlines()
    assert [line for line in told if not line.startswith(("model", "processor"))] == str(model).splitlines()
    assert "few       training atoms of C (15), Si (50): " in str(model)
    assert "active    12 environments (C " in str(model)
    assert "energies  baseline per atom: C " in str(model)
    assert "6, from another program: the model was built from arrays" in str(model)
    assert len(repr(model).splitlines()) == 1


def test_too_small_an_active_set_is_told() -> None:
    rng = np.random.default_rng(8)
    scattered = kernel(X=rng.standard_normal((len(X), 40)), n_active=2)
    assert "blind     for the verdicts, the active set is too small: residuals in the training set reach " in str(
        scattered
    )


def structures(*, n_atoms: int = 5) -> list[Atoms]:
    """Structures that carry features and an energy, but no places: models of arrays ask for none."""
    rng = np.random.default_rng(11)
    found = []
    for _ in range(8):
        frame = Atoms(rng.choice([6, 14], n_atoms), info={"energy": float(rng.normal())})
        frame.arrays["mine"] = np.abs(rng.standard_normal((n_atoms, 6)))
        found.append(frame)
    return found


@pytest.mark.parametrize("model", [linear(energies=ENERGIES), kernel(energies=ENERGIES)])
def test_a_descriptor_makes_a_model_of_structures(model: Any, tmp_path: Path) -> None:
    frames = structures()
    described = model.with_descriptor("mine")
    expected = [model.score_features(frame.arrays["mine"], frame.numbers) for frame in frames]
    found = described.score(frames)
    np.testing.assert_array_equal(found.lpr, np.concatenate([scores.lpr for scores in expected]))
    totals = described.totals(frames)
    energies = [scores.local_energy.sum() for scores in expected]
    np.testing.assert_allclose(totals.energy, energies, rtol=1e-12, atol=1e-12)
    errors = np.array([frame.info["energy"] for frame in frames]) - energies
    variance = totals.variance + (0.0 if totals.residual is None else totals.residual)
    calibrated = described.calibrate(frames)
    np.testing.assert_allclose(calibrated.calibration.prior_variance, np.mean(errors**2 / variance), rtol=1e-10)
    calibrated.save(tmp_path / "m.lpr")
    np.testing.assert_array_equal(load_model(tmp_path / "m.lpr").totals(frames).sigma, calibrated.totals(frames).sigma)


def test_the_command_line_takes_the_name_of_the_features(tmp_path: Path) -> None:
    frames, path = structures(), tmp_path / "m.lpr"
    linear(energies=ENERGIES).save(path)
    ase.io.write(tmp_path / "md.xyz", frames)
    command = ["score", str(path), str(tmp_path / "md.xyz"), "-o", str(tmp_path / "o.npz")]
    refused = CliRunner().invoke(lpr_fast, command)
    assert refused.exit_code == 2
    assert "give the name of its features in the structures" in refused.output
    assert "--descriptor" in refused.output
    scored = CliRunner().invoke(lpr_fast, [*command, "--descriptor", "mine"])
    assert scored.exit_code == 0, scored.output
    with np.load(tmp_path / "o.npz") as saved:
        np.testing.assert_allclose(saved["lpr"], load_model(path, "mine").score(frames).lpr, rtol=1e-6)


def arrays_of(frames: list[Atoms]) -> dict[str, Any]:
    return {
        "X": np.concatenate([frame.arrays["mine"] for frame in frames]),
        "species": np.concatenate([frame.numbers for frame in frames]),
        "structure": np.repeat(np.arange(len(frames)), [len(frame) for frame in frames]),
        "energies": [frame.info["energy"] for frame in frames],
        "n_active": None,
    }


def test_the_active_set_may_be_that_of_arrays_under_any_name(tmp_path: Path) -> None:
    frames = structures()
    first = kernel(energies=ENERGIES).with_descriptor("mine").calibrate(frames)
    first.save(tmp_path / "m.lpr")
    expected = kernel(**arrays_of(frames), active_set=kernel(energies=ENERGIES))
    for model in (first, load_model(tmp_path / "m.lpr")):
        assert kernel(**arrays_of(frames), active_set=model)._to_bytes() == expected._to_bytes()
    of_key = SparseKernelModel.fit(
        frames, descriptor="mine", active_set=kernel(energies=ENERGIES), regularizer=0.1, energy_key="energy"
    )
    np.testing.assert_allclose(of_key.score(frames).lpr, expected.with_descriptor("mine").score(frames).lpr, rtol=1e-8)
    with pytest.raises(InvalidInputError, match=r"another descriptor \(the number of features differs\)"):
        kernel(X=X[:, :5], n_active=None, active_set=first)


def test_a_suggestion_measures_a_refit_to_arrays() -> None:
    frames = structures()
    model = kernel(**{**arrays_of(frames[:4]), "n_active": 8}).with_descriptor("mine")
    found = suggest(model, frames[4:6], frames[6:], 1, largest_residual=1.0, column="lpr")
    more = [*frames[:4], frames[6 + found.chosen[0]]]
    refit = kernel(**arrays_of(more), active_set=model).with_descriptor("mine")
    assert found.measured(refit, frames[4:6]) == pytest.approx(found.lpr[-1], rel=1e-8)


def test_active_environments_are_counted_by_symbol_or_number() -> None:
    of_numbers, of_symbols = kernel(n_active={6: 4, 14: 9}), kernel(n_active={"Si": 9, "C": 4})
    assert of_symbols._to_bytes() == of_numbers._to_bytes()
    assert [len(features) for features in of_symbols.active_features.values()] == [4, 9]


def test_a_descriptor_is_given_once() -> None:
    with pytest.raises(InvalidInputError, match="this model has a descriptor; only a model built from arrays"):
        linear().with_descriptor("mine").with_descriptor("other")


def test_too_few_environments_are_told_before_the_active_set_is_chosen() -> None:
    with pytest.warns(LprWarning, match="n_active is 70, but there are environments for only 65 of these") as caught:
        model = kernel(n_active=70)
    assert model.rigidity.size == 65
    assert {warning.filename for warning in caught} == {__file__}


def test_more_memory_than_the_machine_has_is_told_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lpr_fast.models._memory.memory_of_machine", lambda: 10**8)
    told = (
        r"this fit may need 0\.3 GB, with 12 weights and 6 features of each environment, but this machine has 0\.1 GB"
    )
    with pytest.warns(LprWarning, match=told):
        linear()


def test_structures_cannot_be_scored_without_a_descriptor() -> None:
    with pytest.raises(InvalidInputError, match="built from arrays and has no descriptor"):
        linear().score(gallium_arsenide())


def test_no_environments_have_no_scores() -> None:
    scores = linear(energies=ENERGIES).score_features(np.zeros((0, 6)), np.zeros(0, dtype=int))
    assert scores.lpr.shape == scores.local_energy.shape == (0,)


def test_the_order_of_environments_does_not_matter_to_a_linear_model() -> None:
    order = RNG.permutation(len(X))
    shuffled = linear(X=X[order], species=SPECIES[order], structure=STRUCTURE[order], energies=ENERGIES)
    expected = linear(energies=ENERGIES).score_features(X, SPECIES)
    np.testing.assert_allclose(shuffled.score_features(X, SPECIES).lpr, expected.lpr, rtol=1e-12)


def test_equal_rows_make_a_smaller_active_set() -> None:
    with pytest.warns(LprWarning, match="2 environments, not 12"):
        model = kernel(X=np.ones_like(X))
    assert model.rigidity.size == 2


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "NaN": (
        lambda: linear(X=np.where(np.arange(6) == 2, np.nan, X)),
        "X row 0 holds NaN, infinity or an entry above",
    ),
    "one species short": (lambda: linear(species=SPECIES[1:]), "species has shape .64,. .*array of 65 integers"),
    "real species": (lambda: linear(species=SPECIES * 1.0), "species has .*dtype float64; it must be"),
    "negative species": (lambda: linear(species=-SPECIES), "species has -14; numbers of species must be from 0"),
    "too few energies": (lambda: linear(energies=ENERGIES[1:]), "energies has 8 numbers for 9 structures"),
    "no element": (lambda: linear(species=np.where(SPECIES == 14, "Si", "Qq")), "'Qq' is not a chemical element"),
    "an element twice": (lambda: linear(energies=ENERGIES, baseline={6: 1.0, "C": 2.0, 14: 3.0}), "an element twice"),
    "huge features": (lambda: linear(X=1e150 * X), "X row 0 holds NaN, infinity or an entry above 1e140"),
    "huge species": (lambda: linear(species=SPECIES + 2**40), "species has 1099511627790; numbers of species must"),
    "huge labels": (lambda: linear(structure=STRUCTURE.astype(np.uint64) + 2**63), "structure holds 92233.*at most"),
    "infinite energy": (lambda: linear(energies=[*ENERGIES[1:], np.inf]), "the energy of structure 8 is inf"),
    "no energy": (
        lambda: linear(energies=np.full(9, np.nan)),
        "no structure of positive weight has an energy; give one",
    ),
    "baseline of None": (lambda: linear(energies=ENERGIES, baseline={6: None, 14: 1}), "baseline of species 6 is None"),
    "loss as array": (lambda: linear(loss=np.ones(2)), "loss is array.*; it must be 'total' or 'per_atom'"),
    "odd text": (lambda: linear(provenance={"a": "\ud800"}), "provenance cannot be written as JSON"),
    "deep provenance": (lambda: linear(provenance={"a": eval("[" * 99 + "]" * 99)}), "nested more than"),
    "large integer": (lambda: linear(provenance={"a": 10**400}), "provenance has an integer of more than 64 bits"),
    "too few weights": (lambda: linear(weights=[1.0]), "got 1 weight for 9 structures; give one for each"),
    "no loss": (lambda: linear(loss="none"), "loss is 'none'; it must be"),
    "zero regularizer": (lambda: linear(regularizer=0), "regularizer is 0; it must be finite and positive"),
    "baseline alone": (lambda: linear(baseline={6: 1.0}), "the training set has no energies; leave the baseline out"),
    "baseline of one": (lambda: linear(energies=ENERGIES, baseline={6: 1.0}), "one finite energy for each species"),
    "baseline as list": (
        lambda: linear(energies=ENERGIES, baseline=[1.0]),
        "the baseline is not a dictionary; give one",
    ),
    "both active sets": (lambda: kernel(active_set=[1]), "give either n_active"),
    "row twice": (lambda: kernel(n_active=None, active_set=[1, 1]), "active_set has no row, or one twice"),
    "row beyond": (lambda: kernel(n_active=None, active_set=[65]), "active_set has row 65, which X does not have"),
    "zero rows": (lambda: kernel(X=0 * X), "the features of all training environments are zero"),
    "wrong width": (
        lambda: linear().score_features(X[:, 1:], SPECIES),
        "X has 5 columns, but the model has 6",
    ),
    "unknown species": (lambda: linear().score_features(X[:2], [14, 1]), "row 1 is of species 1, but .* 6, 14"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.filterwarnings("ignore:the active set has")
def test_what_cannot_be_used_is_refused_in_one_sentence(name: str) -> None:
    call, message = BAD[name]
    with pytest.raises(InvalidInputError, match=message):
        call()
