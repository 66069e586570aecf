"""What a fit is told beside structures: weights, deviations, groups, baselines, active sets and a cap on memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms

from lpr_fast import InvalidInputError, LinearModel, SparseKernelModel, TrainingRows, fit_files, load_model

from .describing import shells
from .structures import HYPERS, gallium_arsenide, silicon
from .test_command_line import run, succeed

SIGMAS = np.array([0.5, 1.0, 2.0, 0.25, 1.5, 3.0, 0.1, 1.0])
LINEAR: dict[str, Any] = {"descriptor": shells, "regularizer": 1e-2}


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    """Two kinds of crystals, with energies, deviations and weights of these."""
    found = [*gallium_arsenide(4), *silicon(4)]
    for frame, sigma in zip(found, SIGMAS, strict=True):
        frame.info["energy"] = float(frame.get_potential_energy())
        frame.info["energy_sigma"], frame.info["w"] = sigma, 1 / sigma**2
        frame.info["config_type"] = "silicon" if 14 in frame.numbers else "gallium arsenide"
        frame.calc = None
    return found


@pytest.fixture
def train(frames: list[Atoms], tmp_path: Path) -> Path:
    ase.io.write(tmp_path / "train.traj", frames)
    return tmp_path / "train.traj"


def rows_of(frames: list[Atoms], species: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a linear model with weights for each species, and counts of atoms."""
    rows, counts = [], []
    for frame, x in zip(frames, shells(frames), strict=True):
        of_species = [x[frame.numbers == s].sum(axis=0) for s in species]
        rows.append(np.concatenate(of_species))
        counts.append([np.count_nonzero(frame.numbers == s) for s in species])
    return np.array(rows), np.array(counts)


@pytest.mark.parametrize(
    "given", [{"weights": SIGMAS**-2.0}, {"sigmas": SIGMAS}, {"weights": "w"}, {"sigmas": "energy_sigma"}], ids=str
)
@pytest.mark.parametrize("loss", ["total", "per_atom"])
def test_weights_and_deviations_are_those_of_the_definition(
    given: dict[str, Any], loss: Any, frames: list[Atoms], train: Path
) -> None:
    model = LinearModel.fit(frames, loss=loss, **given, **LINEAR)
    X, counts = rows_of(frames, model.species)
    w = SIGMAS**-2.0 / (counts.sum(axis=1) ** 2 if loss == "per_atom" else 1)
    H = X.T @ (w[:, None] * X) + 1e-2 * np.eye(X.shape[1])
    phi = model.phi(frames)
    np.testing.assert_allclose(model.score(frames).lpr, 1 / (phi * np.linalg.solve(H, phi.T).T).sum(axis=1), rtol=1e-6)
    root = np.sqrt(w)
    y = np.array([frame.info["energy"] for frame in frames])
    baseline = np.linalg.lstsq(root[:, None] * counts, root * y, rcond=1e-13)[0]
    np.testing.assert_allclose(list(model.baseline.values()), baseline, rtol=1e-10)  # type: ignore[union-attr]
    c = np.linalg.solve(H, X.T @ (w * (y - counts @ baseline)))
    np.testing.assert_allclose(model.predict(frames).energy, X @ c + counts @ baseline, rtol=1e-9)
    of_files = fit_files(train, train.with_name("m.lpr"), model="linear", loss=loss, **given, **LINEAR)
    assert of_files._to_bytes() == model._to_bytes()


def test_the_command_line_takes_the_names_of_weights_and_deviations(frames: list[Atoms], train: Path) -> None:
    path = train.with_name("m.lpr")
    toy = ["--descriptor", "tests.describing:shells", "--model", "linear", "--regularizer", "0.01"]
    expected = LinearModel.fit(frames, sigmas="energy_sigma", **LINEAR).score(frames)
    for options in (["--sigmas", "energy_sigma"], ["--weights", "w"]):
        printed = succeed("fit", train, "-o", path, *toy, *options).output
        assert "forces" not in printed
        found = load_model(path, "tests.describing:shells").score(frames)
        np.testing.assert_allclose(found.lpr, expected.lpr, rtol=1e-9)
    result = run("fit", train, "-o", path, *toy, "--sigmas", "energy_sigma", "--weights", "w")
    assert "weights and sigmas were given" in result.output
    result = run("fit", train, "-o", path, *toy, "--weights", "nothing")
    assert "frame 0 has no weight named 'nothing' (8 of 8 frames have none)" in result.output


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"weights": SIGMAS[:3]}, "weights"),
        ({"weights": -SIGMAS}, "weights"),
        ({"sigmas": np.zeros(8)}, "sigma"),
        ({"sigmas": "none"}, "frame 0 has no sigma named 'none'"),
        ({"weights": "config_type"}, "the weight of frame 0 is 'gallium arsenide'; it must be a real number"),
        ({"weights": SIGMAS, "sigmas": SIGMAS}, "give only one of them"),
        ({"baseline": {"Si": -3.0}}, "give one finite energy for each species"),
        ({"baseline": {"Si": -3.0, "Ga": 1.0, "As": np.nan}}, "give one finite energy for each species"),
        ({"baseline": {"Si": -3.0, 14: -3.0}}, "has an element twice"),
        ({"baseline": {"Sj": -3.0}}, "'Sj' is not a chemical element"),
        ({"baseline": [1.0, 2.0]}, "give a dictionary of energies"),
        ({"baseline": "mean"}, "the baseline is 'mean'; give energies of elements, or 'isolated'"),
        ({"baseline": "isolated"}, "has no isolated atom of Si, Ga, As; add one of each"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(given: dict[str, Any], says: str, frames: list[Atoms]) -> None:
    with pytest.raises(InvalidInputError, match=says) as refused:
        LinearModel.fit(frames, **given, **LINEAR)
    assert "\n" not in str(refused.value)


ALONE = {"Si": -0.8, "Ga": -0.3, "As": -1.7}


def alone(kind: str) -> list[Atoms]:
    """Isolated atoms as data sets have them: in a large cell with a name, or without periodicity."""
    atoms = [Atoms(s, cell=[20.0] * 3, pbc=kind != "open", info={"energy": energy}) for s, energy in ALONE.items()]
    if kind != "open":
        for atom in atoms:
            atom.info["config_type"] = kind
    return atoms


@pytest.mark.parametrize("kind", ["open", "isolated_atom", "IsolatedAtom", "isolated atom"])
def test_isolated_atoms_are_the_baseline(kind: str, frames: list[Atoms], tmp_path: Path) -> None:
    given = [*alone(kind), *frames]
    model = LinearModel.fit(given, baseline="isolated", **LINEAR)
    assert model.baseline == {14: -0.8, 31: -0.3, 33: -1.7}
    expected = LinearModel.fit(given, baseline=ALONE, **LINEAR)
    np.testing.assert_array_equal(model.predict(frames).energy, expected.predict(frames).energy)
    np.testing.assert_allclose(model.predict(alone(kind)).energy, list(ALONE.values()), rtol=1e-12)
    ase.io.write(tmp_path / "train.traj", given)
    toy = ["--descriptor", "tests.describing:shells", "--model", "linear", "--regularizer", "0.01"]
    for text in ("isolated", "Si=-0.8, Ga=-0.3,As=-1.7"):
        succeed("fit", tmp_path / "train.traj", "-o", tmp_path / "m.lpr", *toy, "--baseline", text)
        assert load_model(tmp_path / "m.lpr").baseline == model.baseline


def test_one_atom_in_a_small_cell_is_a_crystal(frames: list[Atoms]) -> None:
    crystal = Atoms("Si", cell=[2.5] * 3, pbc=True, info={"energy": -5.0})
    model = LinearModel.fit([crystal, *alone("open"), *frames], baseline="isolated", **LINEAR)
    assert model.baseline == {14: -0.8, 31: -0.3, 33: -1.7}
    with pytest.raises(
        InvalidInputError, match="frame 4 is an isolated atom of energy -2, but an earlier one of the same"
    ):
        LinearModel.fit([*alone("open"), frames[0], Atoms("Si", info={"energy": -2.0})], baseline="isolated", **LINEAR)


@pytest.mark.parametrize("text", ["Si", "Si=x", "Si=1=2", "Si=1,Si=2", "=,"])
def test_a_baseline_that_cannot_be_read_is_refused(text: str, train: Path) -> None:
    result = run("fit", train, "-o", train.with_name("m.lpr"), "--baseline", text)
    assert result.exit_code == 2
    assert f"the baseline is '{text}'; give " in result.output


def test_rows_that_were_kept_take_baselines_by_element(frames: list[Atoms], tmp_path: Path) -> None:
    LinearModel.fit(frames, keep_rows=tmp_path / "r", **LINEAR)
    rows = TrainingRows(tmp_path / "r", shells)
    expected = LinearModel.fit(frames, baseline=ALONE, **LINEAR)
    np.testing.assert_array_equal(rows.fit(baseline=ALONE).predict(frames).energy, expected.predict(frames).energy)
    with pytest.raises(InvalidInputError, match="the baseline is 'fitted'; give a dictionary"):
        rows.fit(baseline="fitted")  # type: ignore[arg-type]


def test_a_given_active_set_is_the_same_from_files_and_the_command_line(frames: list[Atoms], train: Path) -> None:
    pairs = [(5, 2), (0, 0), (0, 1), (7, 7), (2, 3)]
    expected = SparseKernelModel.fit(frames, active_set=pairs, **LINEAR)
    path, listed = train.with_name("m.lpr"), train.with_name("active.txt")
    assert fit_files(train, path, active_set=pairs, **LINEAR)._to_bytes() == expected._to_bytes()
    toy = ["--descriptor", "tests.describing:shells", "--regularizer", "0.01"]
    listed.write_text("# structure atom\n" + "".join(f"{a} {i}\n" for a, i in pairs))
    printed = succeed("fit", train, "-o", path, *toy, "--active-set", listed).output
    assert "5 weights" in printed
    found = load_model(path, "tests.describing:shells")
    np.testing.assert_array_equal(found.score(frames).lpr, expected.score(frames).lpr)
    for text, says in (
        ("0 0\n0 99\n", "active_set has atom 99 of frame 0"),
        ("0 0\n0 0\n", "has an environment twice"),
        ("0 x\n", "is not an active set; give a model file, or a text file with two integers in each line"),
        ("0 1 2\n", "is not an active set; give a model file, or a text file with two integers in each line"),
        ("", "is not an active set; give a model file, or a text file with two integers in each line"),
    ):
        listed.write_text(text)
        result = run("fit", train, "-o", path, *toy, "--active-set", listed)
        assert result.exit_code == 2, text
        assert says in result.output
    for options in (["--n-active", "5"], ["--model", "linear"]):
        assert run("fit", train, "-o", path, *toy, "--active-set", listed, *options).exit_code == 2


def test_forces_that_are_not_used_are_told_in_one_line(frames: list[Atoms], tmp_path: Path) -> None:
    labelled = [frame.copy() for frame in frames]
    for frame in labelled[:3]:
        frame.arrays["forces"] = np.zeros((len(frame), 3))
    ase.io.write(tmp_path / "train.extxyz", labelled)
    toy = ["--descriptor", "tests.describing:shells", "--model", "linear"]
    printed = succeed("fit", tmp_path / "train.extxyz", "-o", tmp_path / "m.lpr", *toy).output
    assert [line for line in printed.splitlines() if line.startswith("forces")] == [
        "forces    of 3 structures are not used; --sigma-force makes the fit use them"
    ]
    assert load_model(tmp_path / "m.lpr").provenance["unused_forces_of"] == 3


def test_groups_have_short_names_and_the_model_and_its_rows_different_ones(frames: list[Atoms], train: Path) -> None:
    long = [frame.copy() for frame in frames]
    long[2].info["config_type"] = "x" * 65
    with pytest.raises(InvalidInputError, match="has 65 bytes, more than 64"):
        LinearModel.fit(long, **LINEAR)
    LinearModel.fit(long, group_key="kind", **LINEAR)
    with pytest.raises(InvalidInputError, match="was given for the model and for its rows"):
        fit_files(train, train.with_name("m"), model="linear", keep_rows=train.with_name("m"), **LINEAR)


@pytest.mark.parametrize(
    "model",
    [{"model": "linear"}, {"n_active": 12}, {"active_set": [(0, 0), (4, 4)]}],
    ids=["linear", "chosen", "given"],
)
def test_memory_that_no_fit_keeps_to_is_refused(model: dict[str, Any], train: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"memory is 10 MB, but this fit needs \d+ MB, with \d+ weights"):
        fit_files(train, train.with_name("m.lpr"), memory="10MB", **model, **LINEAR)
    fit_files(train, train.with_name("m.lpr"), memory="2GB", **model, **LINEAR)
    with pytest.raises(InvalidInputError, match="give a size such as 2GB or 500MB"):
        fit_files(train, train.with_name("m.lpr"), memory="much", **model, **LINEAR)


# Five species, and as many features as SOAP has for them; the function costs nothing.
MANY = """
import sys
import numpy as np
from ase import Atoms
from lpr_fast import SparseKernelModel

def describe(frames):
    rng = np.random.default_rng(int(frames[0].info["seed"]))
    return rng.random((len(frames[0]), 8000), dtype=np.float32)

frames = [Atoms(["H", "C", "N", "O", "F"] * 12, info={"seed": n}) for n in range(50)]
SparseKernelModel.fit(frames, descriptor=describe, n_active=80, regularizer=1.0, memory=sys.argv[1] or None)
lines = open("/proc/self/status").read().splitlines()
print(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="nobody says how much memory there was")
def test_a_cap_on_memory_is_kept_with_many_species() -> None:
    def run_with(cap: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "error", "-c", MANY, cap]
        return subprocess.run(command, check=False, capture_output=True, text=True)

    capped, free = int(run_with("430MB").stdout), int(run_with("").stdout)
    assert capped < 430_000_000
    assert capped < free - 8 * 8000 * 600  # pools of two species, of the five, never exist together
    assert "but this fit needs" in run_with("300MB").stderr


def test_a_cap_on_memory_changes_no_bit(frames: list[Atoms]) -> None:
    options: dict[str, Any] = {"hypers": HYPERS, "n_active": 12, "regularizer": 1e-3}
    expected = SparseKernelModel.fit(frames, **options)
    assert SparseKernelModel.fit(frames, memory="1GB", **options)._to_bytes() == expected._to_bytes()
