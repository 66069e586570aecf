"""The Fortran module that comes with the headers, and the program that shows it."""

from __future__ import annotations

import math
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

import lpr_fast

from .structures import fitted, gallium_arsenide, with_committee

PACKAGE = Path(lpr_fast._core.__file__).parent
EXAMPLE = Path(__file__).parents[1] / "cpp" / "examples" / "fortran" / "score.f90"
GFORTRAN = shutil.which("gfortran")

pytestmark = pytest.mark.skipif(GFORTRAN is None, reason="gfortran is not installed (apt-get install gfortran)")


#: All columns of a structure of four atoms, and of the same number of environments of equal features.
ALL_COLUMNS = """
program all_columns
    use lpr_fast
    use, intrinsic :: iso_fortran_env, only: real64
    implicit none
    character(4096) :: path
    type(lpr_fast_model) :: model
    real(real64), parameter :: positions(3, 4) = &
        reshape([0.0, 0.0, 0.0, 1.25, 1.5, 1.25, 0.0, 2.75, 2.5, 2.5, 0.25, 2.75], [3, 4])
    integer, parameter :: species(4) = [31, 33, 33, 31]
    real(real64), allocatable :: features(:, :)
    real(real64) :: scores(4, 9)

    call get_command_argument(1, path)
    if (lpr_fast_load(path, model) /= LPR_FAST_OK) error stop "no model"
    if (lpr_fast_score_structure(model, positions, species, scores(:, 1), lpr_held=scores(:, 2), &
                                 variance=scores(:, 3), sigma=scores(:, 4), residual=scores(:, 5), &
                                 local_energy=scores(:, 6), percentile=scores(:, 7), &
                                 verdict=scores(:, 8), spread=scores(:, 9)) /= LPR_FAST_OK) error stop "no scores"
    print "(4es25.16e3)", scores
    allocate (features(lpr_fast_n_features(model), 4))
    features = 1
    if (lpr_fast_score(model, features, species, scores(:, 1), lpr_held=scores(:, 2), variance=scores(:, 3), &
                       sigma=scores(:, 4), residual=scores(:, 5), local_energy=scores(:, 6), &
                       percentile=scores(:, 7), verdict=scores(:, 8), &
                       spread=scores(:, 9)) /= LPR_FAST_OK) error stop "no scores"
    print "(4es25.16e3)", scores
    call lpr_fast_free(model)
end program
"""
#: Forces on all of four atoms by the energies of three.
PREDICTIONS = """
program predictions
    use lpr_fast
    use, intrinsic :: iso_fortran_env, only: real64
    implicit none
    character(4096) :: path
    type(lpr_fast_model) :: model
    real(real64), parameter :: cell(3, 3) = reshape([5.5, 0.0, 0.0, 0.5, 5.5, 0.0, 0.0, 0.0, 5.5], [3, 3])
    real(real64), parameter :: positions(3, 4) = &
        reshape([0.0, 0.0, 0.0, 1.25, 1.5, 1.25, 0.0, 2.75, 2.5, 2.5, 0.25, 2.75], [3, 4])
    integer, parameter :: species(4) = [31, 33, 33, 31]
    real(real64) :: energy, energies(3), forces(3, 4), virial(3, 3)

    call get_command_argument(1, path)
    if (lpr_fast_load(path, model) /= LPR_FAST_OK) error stop "no model"
    if (lpr_fast_predict(model, positions, species, energy, energies, forces, virial, n_centers=3, cell=cell, &
                         periodic=[.true., .true., .false.]) /= LPR_FAST_OK) error stop "no predictions"
    print "(es25.16e3)", energy, energies, forces, virial
    if (lpr_fast_predict(model, positions, species, energy, cell=cell, periodic=[.true., .true., .false.]) &
        /= LPR_FAST_OK) error stop "no energy"
    print "(es25.16e3)", energy
    if (lpr_fast_predict(model, positions, species, n_centers=0) /= LPR_FAST_INVALID_INPUT) error stop "not refused"
    print "(a)", lpr_fast_last_error()
    if (lpr_fast_predict(model, positions, [31, 33, 8, 31]) /= LPR_FAST_INVALID_INPUT) error stop "not refused"
    print "(a)", lpr_fast_last_error()
    call lpr_fast_free(model)
end program
"""
#: Calls with an array of the wrong shape each, or with a cell and no periodicity.
WRONG_SHAPES = """
program wrong_shapes
    use lpr_fast
    use, intrinsic :: iso_fortran_env, only: real64
    implicit none
    character(4096) :: path
    type(lpr_fast_model) :: model
    integer, parameter :: n = 8
    real(real64) :: positions(3, n), energies(n), rows(n, 3), square(3, 3)
    real(real64), allocatable :: features(:, :)
    integer :: species(n), i

    call get_command_argument(1, path)
    if (lpr_fast_load(path, model) /= LPR_FAST_OK) error stop "no model"
    do i = 1, n
        positions(:, i) = [2.0 * i, 0.3 * mod(i, 3), 0.0]
    end do
    species = 14
    square = 0
    allocate (features(lpr_fast_n_features(model), n))
    features = 1

    call refused(lpr_fast_score_structure(model, transpose(positions), species, energies))
    call refused(lpr_fast_score_structure(model, positions(:2, :), species, energies))
    call refused(lpr_fast_score_structure(model, positions, species(:5), energies))
    call refused(lpr_fast_score_structure(model, positions, species, energies(:5)))
    call refused(lpr_fast_score_structure(model, positions, species, variance=energies, n_centers=5))
    call refused(lpr_fast_score_structure(model, positions, species, energies, cell=square))
    call refused(lpr_fast_score_structure(model, positions, species, energies, cell=square(:2, :), &
                                          periodic=[.true., .true., .true.]))
    call refused(lpr_fast_score_structure(model, positions, species, energies, cell=square, periodic=[.true.]))
    call refused(lpr_fast_predict(model, transpose(positions), species))
    call refused(lpr_fast_predict(model, positions, species, local_energies=energies(:2)))
    call refused(lpr_fast_predict(model, positions, species, forces=rows))
    call refused(lpr_fast_predict(model, positions, species, virial=square(:, :2)))
    call refused(lpr_fast_score(model, transpose(features), species, energies))
    call refused(lpr_fast_score(model, features, species(:5), energies))
    call refused(lpr_fast_score(model, features, species, spread=energies(:5)))
    call lpr_fast_free(model)

contains

    subroutine refused(status)
        integer, intent(in) :: status
        if (status /= LPR_FAST_INVALID_INPUT) error stop "not refused"
        print "(a)", lpr_fast_last_error()
    end subroutine

end program
"""
COLUMNS = ("lpr", "lpr_held", "variance", "sigma", "residual", "local_energy", "percentile", "verdict", "spread")


def compiled(source: Path, folder: Path) -> Path:
    sources = [PACKAGE / "include" / "lpr_fast" / "lpr_fast.f90", source]
    libraries = [PACKAGE / "lib" / "liblpr_fast.a", "-lstdc++", "-lgomp", "-lm"]
    strict = ["-std=f2018", "-pedantic", "-Wall", "-Wextra", "-Werror", "-fcheck=all"]
    command = [GFORTRAN, *strict, *sources, "-o", "score", *libraries]
    subprocess.run([str(word) for word in command], cwd=folder, check=True)
    return folder / "score"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(EXAMPLE, tmp_path_factory.mktemp("fortran"))


def run(program: Path, model: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, model], capture_output=True, text=True, check=False)


def test_features_and_a_structure_have_the_scores_of_python(program: Path, tmp_path: Path) -> None:
    model = fitted()
    model.save(tmp_path / "model.lpr")
    features = np.zeros((2, model.n_features))
    features[0], features[1, 0] = 1.0, 1.0
    positions = [[0.0, 0.0, 0.0], [1.25, 1.5, 1.25], [0.0, 2.75, 2.5], [2.5, 0.25, 2.75]]
    frame = Atoms("Si4", positions, cell=[5.5, 5.5, 5.5], pbc=True)
    done = run(program, tmp_path / "model.lpr")
    assert done.returncode == 0, done.stderr
    expected = [*model.score_features(features, [14, 14]).lpr, *model.score(frame).lpr]
    assert [float(line) for line in done.stdout.split()] == expected


def test_a_calibrated_committee_of_two_species_has_all_scores_of_python(tmp_path: Path) -> None:
    (tmp_path / "all_columns.f90").write_text(ALL_COLUMNS)
    model = with_committee(fitted(gallium_arsenide()).calibrate(gallium_arsenide(4, seed=6)))
    model.save(tmp_path / "model.lpr")
    done = run(compiled(tmp_path / "all_columns.f90", tmp_path), tmp_path / "model.lpr")
    assert done.returncode == 0, done.stderr
    positions = [[0.0, 0.0, 0.0], [1.25, 1.5, 1.25], [0.0, 2.75, 2.5], [2.5, 0.25, 2.75]]
    species = [31, 33, 33, 31]
    of_frame = model.score(Atoms(species, positions))
    of_features = model.score_features(np.ones((4, model.n_features)), species)
    expected = [getattr(scores, column) for scores in (of_frame, of_features) for column in COLUMNS]
    found = np.array(done.stdout.split(), dtype=float).reshape(2 * len(COLUMNS), 4)
    np.testing.assert_array_equal(found, np.array(expected))


def test_energies_forces_and_virial_are_those_of_python(tmp_path: Path) -> None:
    (tmp_path / "predictions.f90").write_text(PREDICTIONS)
    model = fitted(gallium_arsenide())
    model.save(tmp_path / "model.lpr")
    done = run(compiled(tmp_path / "predictions.f90", tmp_path), tmp_path / "model.lpr")
    assert done.returncode == 0, done.stderr
    *numbers, without_centers, message = done.stdout.splitlines()
    assert without_centers.startswith("n_centers is 0, but the structure has 4 atoms; set it to the number of atoms to")
    assert "has species 8 (atom 2), and the model knows 31, 33 only" in message
    positions = np.array([[0.0, 0.0, 0.0], [1.25, 1.5, 1.25], [0.0, 2.75, 2.5], [2.5, 0.25, 2.75]])
    cell, periodic = np.array([[5.5, 0, 0], [0.5, 5.5, 0], [0, 0, 5.5]]), np.array([True, True, False])
    species = np.array([31, 33, 33, 31], dtype=np.int32)
    of = (positions, species, cell, periodic, list(model.species), model.cutoff)
    scorer = lpr_fast._core.SoapScorer(model._model)
    expected = scorer.predict(lpr_fast._core.Structure(*of, "frame", 3), None, 1)
    energies = expected["energies"][:, 0] + [model.baseline[number] for number in species[:3].tolist()]
    together = [[math.fsum(energies.tolist())], energies, expected["forces"], expected["virials"]]
    whole = model.predict(Atoms(species, positions, cell=cell, pbc=periodic)).energy
    np.testing.assert_array_equal(
        np.array(numbers, dtype=float), np.concatenate([np.ravel(part) for part in [*together, whole]])
    )


def test_arrays_of_the_wrong_shape_and_a_cell_without_periodicity_are_refused(tmp_path: Path) -> None:
    (tmp_path / "wrong_shapes.f90").write_text(WRONG_SHAPES)
    model = fitted()
    model.save(tmp_path / "model.lpr")
    done = run(compiled(tmp_path / "wrong_shapes.f90", tmp_path), tmp_path / "model.lpr")
    assert done.returncode == 0, done.stderr
    size = model.n_features
    assert done.stdout.splitlines() == [
        "positions has shape (8, 3), expected (3, 8); transpose it.",
        "positions has shape (2, 8), expected (3, 8); give an array of that shape.",
        "species has shape (5), expected (8); give an array of that shape.",
        "lpr has shape (5), expected (8); give an array of that shape.",
        "variance has shape (8), expected (5); give an array of that shape.",
        "cell is given, but periodic is not; give periodic too.",
        "cell has shape (2, 3), expected (3, 3); give an array of that shape.",
        "periodic has shape (1), expected (3); give an array of that shape.",
        "positions has shape (8, 3), expected (3, 8); transpose it.",
        "local_energies has shape (2), expected (8); give an array of that shape.",
        "forces has shape (8, 3), expected (3, 8); transpose it.",
        "virial has shape (3, 2), expected (3, 3); give an array of that shape.",
        f"features has shape (8, {size}), expected ({size}, 8); transpose it.",
        "species has shape (5), expected (8); give an array of that shape.",
        "spread has shape (5), expected (8); give an array of that shape.",
    ]


def test_a_model_of_arrays_scores_features_alone(program: Path, tmp_path: Path) -> None:
    model = lpr_fast.LinearModel.from_arrays(np.eye(3), [14, 14, 14], [0, 1, 2], regularizer=0.5)
    model.save(tmp_path / "model.lpr")
    done = run(program, tmp_path / "model.lpr")
    # H = (1 + 1/2) 1, so that 1 / (phi^T H^-1 phi) is 3/2 over |phi|^2
    np.testing.assert_allclose([float(line) for line in done.stdout.split()], [0.5, 1.5], rtol=1e-14)


def test_what_went_wrong_is_one_sentence(program: Path, tmp_path: Path) -> None:
    done = run(program, tmp_path / "none.lpr")
    assert done.returncode == 1
    assert (
        done.stderr
        == f"{tmp_path}/none.lpr cannot be read (No such file or directory); check its name and permissions.\n"
    )
