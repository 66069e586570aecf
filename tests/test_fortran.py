"""The Fortran module that comes with the headers, and the program that shows it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

import lpr_fast

from .structures import fitted

PACKAGE = Path(lpr_fast._core.__file__).parent
EXAMPLE = Path(__file__).parents[1] / "cpp" / "examples" / "fortran" / "score.f90"
GFORTRAN = shutil.which("gfortran")

pytestmark = pytest.mark.skipif(GFORTRAN is None, reason="gfortran is not installed (apt-get install gfortran)")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fortran")
    sources = [PACKAGE / "include" / "lpr_fast" / "lpr_fast.f90", EXAMPLE]
    libraries = [PACKAGE / "lib" / "liblpr_fast.a", "-lstdc++", "-lgomp", "-lm"]
    strict = ["-std=f2018", "-pedantic", "-Wall", "-Wextra", "-Werror", "-fcheck=all"]
    command = [GFORTRAN, *strict, *sources, "-o", "score", *libraries]
    subprocess.run([str(word) for word in command], cwd=folder, check=True)
    return folder / "score"


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
