"""Columns of forces in runs: the same bits in every output, over restarts, shards and workers, and what is said."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ase.io
import h5py
import numpy as np
import pytest
from ase import Atoms
from click.testing import CliRunner

from lpr_fast import InvalidInputError, LinearModel, RunProgress, SparseKernelModel, merge_shards, score_trajectory
from lpr_fast.atoms import _pieces
from lpr_fast.command_line._commands import lpr_fast
from lpr_fast.models._columns import FORCE_COLUMNS

from .structures import HYPERS, fitted, gallium_arsenide, rattled, silicon

NAMES = ["force_variance", "force_sigma", "force_residual"]
OUTPUTS = ("out.h5", "out.csv", "out.extxyz", "out.npz")

pytestmark = pytest.mark.filterwarnings("ignore:the baseline is arbitrary")


@pytest.fixture(scope="module")
def model() -> SparseKernelModel:
    """Of two species, with a unit."""
    return SparseKernelModel.fit(
        gallium_arsenide(), hypers=HYPERS, n_active=12, zeta=3, sigma={"energy": 0.01}, delta=0.5
    )


@pytest.fixture
def trajectory(tmp_path: Path) -> Path:
    frames = [frame * (1 + n % 2, 1, 1) for n, frame in enumerate(gallium_arsenide(6, seed=30))]
    ase.io.write(tmp_path / "md.extxyz", frames)
    return tmp_path / "md.extxyz"


def expected(model: SparseKernelModel, trajectory: Path) -> dict[str, np.ndarray]:
    scores = model.score(ase.io.read(trajectory, ":"), forces=True)
    return {name: getattr(scores, name) for name in NAMES}


def test_scores_have_the_forces_that_were_asked_for(model: SparseKernelModel) -> None:
    frames = gallium_arsenide(3, seed=30)
    scores = model.score(frames, forces=True)
    found = model.force_rigidity(frames)
    for name in ("variance", "sigma", "residual"):
        np.testing.assert_array_equal(scores[f"force_{name}"], found[name])
    without = model.score(frames)
    assert without.force_variance is None
    np.testing.assert_array_equal(scores.lpr, without.lpr)
    assert [column.name for column in FORCE_COLUMNS] == NAMES


def test_every_output_has_the_columns(model: SparseKernelModel, trajectory: Path, tmp_path: Path) -> None:
    forces = expected(model, trajectory)
    score_trajectory(model, trajectory, [tmp_path / name for name in OUTPUTS], forces=True)
    with h5py.File(tmp_path / "out.h5") as file, np.load(tmp_path / "out.npz") as arrays:
        for column in FORCE_COLUMNS:
            np.testing.assert_array_equal(file["atoms"][column.name][:], forces[column.name])
            assert file["atoms"][column.name].attrs["unit"] == column.unit
            np.testing.assert_array_equal(arrays[column.name], forces[column.name])
    written = ase.io.read(tmp_path / "out.extxyz", ":")
    for name in NAMES:
        np.testing.assert_array_equal(np.concatenate([frame.arrays[f"lpr_{name}"] for frame in written]), forces[name])
    lines = [line.split(",") for line in (tmp_path / "out.csv").read_text().splitlines()]
    column = lines[0].index("force_sigma_largest")
    assert lines[0][column + 1] == "force_sigma_largest_atom"
    start = 0
    for line, frame in zip(lines[1:], written, strict=True):
        of_frame = forces["force_sigma"][start : start + len(frame)]
        start += len(frame)
        assert float(line[column]) == of_frame.max()
        assert int(line[column + 1]) == of_frame.argmax()


def test_the_summary_says_which_force_is_known_least(
    model: SparseKernelModel, trajectory: Path, tmp_path: Path
) -> None:
    run = score_trajectory(model, trajectory, [tmp_path / "out.csv"], forces=True)
    sigma = expected(model, trajectory)["force_sigma"]
    largest = run.summary.force_sigma_largest
    assert largest is not None
    assert largest.value == sigma.max()
    assert score_trajectory(model, trajectory, [tmp_path / "b.csv"]).summary.force_sigma_largest is None


def test_shards_workers_and_restarts_keep_the_bytes(
    model: SparseKernelModel, trajectory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outputs(folder: str) -> list[Path]:
        (tmp_path / folder).mkdir()
        return [tmp_path / folder / name for name in OUTPUTS[1:]]

    whole, sharded, worked, resumed = (outputs(name) for name in ("whole", "sharded", "worked", "resumed"))
    score_trajectory(model, trajectory, whole, forces=True)
    for shard in ("2/2", "1/2"):
        score_trajectory(model, trajectory, sharded, forces=True, shard=shard)
    merge_shards(sharded[0])
    with ThreadPoolExecutor(2) as executor:
        score_trajectory(model, trajectory, worked, forces=True, executor=executor)
    monkeypatch.setattr("lpr_fast.jobs._memory._ATOMS_WITH_FORCES", 8)
    monkeypatch.setattr("lpr_fast.jobs._job._BETWEEN_CHECKPOINTS", 0.0)

    def interrupt(progress: RunProgress) -> None:
        if progress.frames >= 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_trajectory(model, trajectory, resumed, forces=True, progress=interrupt)
    with pytest.raises(InvalidInputError, match="forces"):
        score_trajectory(model, trajectory, resumed)
    assert score_trajectory(model, trajectory, resumed, forces=True).resumed_at > 0
    for other in (sharded, worked, resumed):
        for a, b in zip(whole, other, strict=True):
            assert a.read_bytes() == b.read_bytes()


def test_parts_of_large_frames_have_the_same_forces(
    model: SparseKernelModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = rattled(gallium_arsenide(1)[0] * (3, 2, 2), 5)
    before = model.score(frame, forces=True)
    monkeypatch.setattr(_pieces, "LARGEST_WHOLE", 30)
    monkeypatch.setattr("lpr_fast.jobs._memory._ATOMS_WITH_FORCES", 20)
    score_trajectory(model, [frame], [tmp_path / "out.npz"], forces=True)
    with np.load(tmp_path / "out.npz") as arrays:
        order = np.argsort(arrays["atom"])
        for name in NAMES:
            np.testing.assert_array_equal(arrays[name][order], getattr(before, name))


def test_frames_of_unknown_species_have_forces_of_nan(model: SparseKernelModel, tmp_path: Path) -> None:
    frames: list[Atoms] = gallium_arsenide(2, seed=3)
    frames[0].numbers[:] = 13
    options = {"unknown_species": "nan", "forces": True}
    score_trajectory(model, frames, [tmp_path / "out.csv", tmp_path / "out.npz"], **options)  # type: ignore[arg-type]
    heads, first, second = ((tmp_path / "out.csv").read_text().splitlines()[n].split(",") for n in range(3))
    column = heads.index("force_variance_largest")
    assert first[column : column + 2] == ["", ""]
    assert float(second[column]) > 0.0
    with np.load(tmp_path / "out.npz") as arrays:
        assert np.isnan(arrays["force_sigma"][: len(frames[0])]).all()


def test_the_time_is_said_before_the_start(model: SparseKernelModel, trajectory: Path, tmp_path: Path) -> None:
    model.save(tmp_path / "model.lpr")
    command = ["score", str(tmp_path / "model.lpr"), str(trajectory), "-o", str(tmp_path / "out.csv"), "--force-sigma"]
    found = CliRunner().invoke(lpr_fast, command, catch_exceptions=False)
    assert found.exit_code == 0
    assert "forces will take about" in found.stderr
    assert "min for 72 atoms" in found.stderr
    assert "forces    largest sigma" in found.stdout
    quiet = CliRunner().invoke(lpr_fast, [*command, "--quiet"], catch_exceptions=False)
    assert quiet.stderr == ""


def test_models_without_a_unit_have_variances_of_forces(tmp_path: Path) -> None:
    model = fitted(silicon())
    score_trajectory(model, silicon(2, seed=9), [tmp_path / "out.npz"], forces=True)
    with np.load(tmp_path / "out.npz") as arrays:
        assert "force_sigma" not in arrays
        assert (arrays["force_variance"] > 0.0).all()


def described(frames: list[Atoms]) -> np.ndarray:
    return np.concatenate([np.column_stack([frame.positions, np.ones(len(frame))]) for frame in frames])


def test_descriptors_without_derivatives_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    model = LinearModel.fit(silicon(), descriptor=described, regularizer=1e-3)
    with pytest.raises(InvalidInputError, match="has no derivatives"):
        score_trajectory(model, silicon(2), [tmp_path / "out.csv"], forces=True)
    assert not list(tmp_path.iterdir())
