"""Models of several species hold the mean of each, and say how well the energies determine the split between them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from click.testing import CliRunner

from lpr_fast import InvalidInputError, LinearModel, SparseKernelModel, TrainingRows, fit_files, load_model
from lpr_fast.command_line._commands import lpr_fast as command

from .test_command_line import succeed

SOAP: dict[str, Any] = {
    "cutoff": {"radius": 3.5, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
    "density": {"type": "Gaussian", "width": 0.5},
    "basis": {"type": "TensorProduct", "max_angular": 2, "radial": {"type": "Gto", "max_radial": 2}},
}
FIT: dict[str, Any] = {"hypers": SOAP, "n_active": 20, "regularizer": 1e-3, "zeta": 2}


def alloys(count: int, *, seed: int = 0, n_gold: int = 4) -> list[Atoms]:
    """Cells of eight atoms with energies that are as good as any."""
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(count):
        atoms = bulk("Cu", "fcc", 3.9, cubic=True).repeat((2, 1, 1))
        atoms.numbers[rng.permutation(8)[:n_gold]] = 79
        atoms.positions += rng.normal(scale=0.15, size=(8, 3))
        atoms.info["energy"] = float(rng.normal())
        frames.append(atoms)
    return frames


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    return alloys(24)


@pytest.fixture(scope="module")
def model(frames: list[Atoms]) -> SparseKernelModel:
    return SparseKernelModel.fit(frames, **FIT)


def means_of(model: SparseKernelModel, frames: list[Atoms]) -> np.ndarray:
    """Mean of phi over the atoms of each species, by the definition."""
    numbers = np.concatenate([frame.numbers for frame in frames])
    phi = model.phi(frames)
    return np.stack([phi[numbers == s].mean(axis=0) for s in model.species])


def test_the_means_of_the_species_are_held(model: SparseKernelModel, frames: list[Atoms]) -> None:
    means = means_of(model, frames)
    new = alloys(3, seed=1)
    refitted = model.rigidity.updated(means, np.full(2, 1e10)).lpr(model.phi(new))
    np.testing.assert_allclose(model.score(new).lpr_held, refitted, rtol=1e-6)
    np.testing.assert_allclose(model.rigidity.holding(means).lpr_held(model.phi(new)), refitted, rtol=1e-6)


def test_atoms_count_with_the_weight_of_their_structure_in_the_loss(frames: list[Atoms]) -> None:
    mixed = [*frames, *alloys(12, seed=2, n_gold=1)]
    weights = np.linspace(0.5, 2.0, len(mixed))
    fitted = SparseKernelModel.fit(mixed, **FIT, weights=weights, loss="per_atom")
    numbers = np.concatenate([frame.numbers for frame in mixed])
    of_atoms = np.repeat(weights / 64.0, 8)
    phi = fitted.phi(mixed)
    held = fitted._model.factor.held()
    assert held is not None
    for s, row in zip(fitted.species, held[0], strict=True):
        chosen = numbers == s
        np.testing.assert_allclose(row, np.average(phi[chosen], axis=0, weights=of_atoms[chosen]), rtol=1e-12)


def test_the_bits_are_those_of_files_rows_pickles_and_archives(
    model: SparseKernelModel, frames: list[Atoms], tmp_path: Path
) -> None:
    ase.io.write(tmp_path / "train.xyz", frames, format="extxyz")
    again = ase.io.read(tmp_path / "train.xyz", ":")
    wanted = SparseKernelModel.fit(again, **FIT, keep_rows=tmp_path / "train.rows").score(again)
    for other in (
        fit_files(tmp_path / "train.xyz", tmp_path / "m.lpr", **FIT),
        load_model(tmp_path / "m.lpr"),
        TrainingRows(tmp_path / "train.rows").fit(),
        pickle.loads(pickle.dumps(load_model(tmp_path / "m.lpr"))),
    ):
        np.testing.assert_array_equal(other.score(again).lpr_held, wanted.lpr_held)


def test_one_species_holds_nothing(frames: list[Atoms]) -> None:
    copper = [atoms.copy() for atoms in frames]
    for atoms in copper:
        atoms.numbers[:] = 29
    fitted = SparseKernelModel.fit(copper, **FIT)
    assert fitted.score(copper[:1]).lpr_held is None
    assert fitted.species_split() is None
    with pytest.raises(InvalidInputError, match="nothing is held"):
        fitted.rigidity.lpr_held(fitted.phi(copper[:1]))


def test_linear_models_hold_the_means_too(frames: list[Atoms]) -> None:
    fitted = LinearModel.fit(frames, hypers=SOAP, regularizer=1e-2)
    refitted = fitted.rigidity.updated(means_of(fitted, frames), np.full(2, 1e10)).lpr(fitted.phi(frames[:2]))
    np.testing.assert_allclose(fitted.score(frames[:2]).lpr_held, refitted, rtol=1e-5)


def test_the_split_of_one_composition_is_open_and_other_compositions_close_it(
    model: SparseKernelModel, frames: list[Atoms]
) -> None:
    split = model.species_split()
    assert split is not None
    assert split.pair == (29, 79)
    assert not split.is_determined
    means = means_of(model, frames)
    np.testing.assert_allclose(split.covariance, model.rigidity.covariance(means), rtol=1e-10)
    assert split.of_difference > 1e4 * split.of_sum
    pure = [*alloys(12, seed=2, n_gold=0), *alloys(12, seed=3, n_gold=8)]
    mended = SparseKernelModel.fit([*frames, *pure], **FIT).species_split()
    assert mended is not None
    assert mended.of_difference < 0.1 * split.of_difference


def test_structures_and_rows_are_held_beside_the_means(model: SparseKernelModel, frames: list[Atoms]) -> None:
    phase = alloys(2, seed=7)
    rows = np.stack([model.phi([frame]).mean(axis=0) for frame in phase])
    expected = model.rigidity.holding(np.vstack([means_of(model, frames), rows])).lpr_held(model.phi(frames))
    fitted = SparseKernelModel.fit(frames, **FIT, hold=phase)
    for held in (model.holding(rows), model.holding(structures=phase), fitted):
        np.testing.assert_allclose(held.score(frames).lpr_held, expected, rtol=1e-9)
    assert not model.holding(rows).has_reference
    assert fitted.has_reference


def test_what_cannot_be_held_is_said(model: SparseKernelModel, frames: list[Atoms]) -> None:
    with pytest.raises(InvalidInputError, match="either rows of phi to hold, or structures"):
        model.holding()
    silver = frames[0].copy()
    silver.numbers[:] = 47
    with pytest.raises(InvalidInputError, match="held structure 0 has Ag"):
        SparseKernelModel.fit(frames, **FIT, hold=[silver])


def test_no_structures_to_hold_are_refused(model: SparseKernelModel) -> None:
    with pytest.raises(InvalidInputError, match="structures is empty; give at least one structure to hold"):
        model.holding(structures=[])


def test_a_fit_says_of_which_species_there_are_few_atoms_and_whether_the_baseline_is_open(
    frames: list[Atoms], tmp_path: Path
) -> None:
    small = ("--cutoff", "3.5", "--max-radial", "2", "--max-angular", "2", "--n-active", "20", "--regularizer", "1e-3")
    ase.io.write(tmp_path / "one.xyz", frames, format="extxyz")
    ase.io.write(tmp_path / "two.xyz", [*frames, *alloys(3, seed=4, n_gold=1)], format="extxyz")
    printed = succeed("fit", tmp_path / "one.xyz", "-o", tmp_path / "one.lpr", *small).output
    assert "few       training atoms of Cu (96), Au (96):" in printed
    assert (
        printed.count("note: the baseline is arbitrary, because there are 2 species, but only 1 independent comp") == 1
    )
    given = succeed("fit", tmp_path / "one.xyz", "-o", tmp_path / "x.lpr", *small, "--baseline", "Cu=0,Au=0").output
    assert "arbitrary" not in given
    printed = succeed("fit", tmp_path / "two.xyz", "-o", tmp_path / "two.lpr", *small).output
    assert "few       training atoms of Au (99):" in printed
    assert "arbitrary" not in printed


def test_a_fit_says_where_its_active_set_is_blind(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "train.xyz", alloys(30), format="extxyz")
    train, few, many = (str(tmp_path / name) for name in ("train.xyz", "few.lpr", "many.lpr"))
    options = ["--cutoff", "4", "--max-radial", "4", "--max-angular", "4", "--regularizer", "1e-3", "--zeta", "40"]
    for n_active, output, is_blind in (("8", few, True), ("240", many, False)):
        result = CliRunner().invoke(command, ["fit", train, "-o", output, "--n-active", n_active, *options])
        assert result.exit_code == 0, result.stderr
        assert ("residuals in the training set reach" in result.stdout) == is_blind
