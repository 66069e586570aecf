"""Training rows that are kept: models of parts, weights, more structures, and the file itself."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms

import lpr_fast
from lpr_fast import InvalidInputError, LinearModel, Rigidity, SparseKernelModel, TrainingRows, fit_files

from .structures import HYPERS, gallium_arsenide, silicon


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    found = [frame for pair in zip(gallium_arsenide(7), silicon(7), strict=True) for frame in pair]
    rng = np.random.default_rng(5)
    for number, frame in enumerate(found):
        frame.calc = None
        frame.info["energy"] = float(-5.0 * len(frame) + rng.normal())
        frame.info["config_type"] = ("bulk", "liquid")[number % 2]
    return found


@pytest.fixture(scope="module")
def kept(frames: list[Atoms], tmp_path_factory: pytest.TempPathFactory) -> tuple[SparseKernelModel, Path]:
    path = tmp_path_factory.mktemp("rows") / "train.rows"
    model = SparseKernelModel.fit(frames, hypers=HYPERS, n_active=12, regularizer=1e-3, loss="per_atom", keep_rows=path)
    return model, path


def test_rows_of_all_structures_make_the_bits_of_the_fit(
    kept: tuple[SparseKernelModel, Path], frames: list[Atoms]
) -> None:
    model, path = kept
    from_rows = TrainingRows(path).fit()
    assert not from_rows.has_reference
    assert from_rows.with_reference(frames)._to_bytes() == model._to_bytes()


def test_rows_are_sums_of_phi(kept: tuple[SparseKernelModel, Path], frames: list[Atoms]) -> None:
    model, path = kept
    rows = TrainingRows(path)
    assert len(rows) == rows.n_structures == len(frames)
    for number, frame in enumerate(frames):
        np.testing.assert_allclose(rows.phi[number], model.phi([frame]).sum(axis=0), rtol=1e-12)
        assert rows.weight[number] == 1.0 / len(frame) ** 2
        assert rows.target[number] == frame.info["energy"]
    assert rows.group.tolist() == [frame.info["config_type"] for frame in frames]
    assert (rows.structure == np.arange(len(frames))).all()
    assert (rows.kind == 0).all()


@pytest.mark.parametrize("given", ["numbers", "mask"])
def test_a_part_of_the_rows_is_a_fit_to_a_part_of_the_structures(
    kept: tuple[SparseKernelModel, Path], frames: list[Atoms], given: str
) -> None:
    model, path = kept
    chosen = [0, 3, 4, 8, 9, 13]
    mask = np.isin(np.arange(len(frames)), chosen)
    found = TrainingRows(path).fit(structures=mask if given == "mask" else chosen, regularizer=2e-2)
    rows = np.array([model.phi([frames[a]]).sum(axis=0) for a in chosen])
    K_MM = _prior(model)
    sizes = np.array([len(frames[a]) for a in chosen])
    oracle = Rigidity.from_kernels(rows, K_MM, weights=1.0 / sizes**2, regularizer=2e-2)
    np.testing.assert_allclose(found.score(frames[:3]).lpr, oracle.lpr(model.phi(frames[:3])), rtol=1e-6)
    assert found.provenance["n_structures"] == len(chosen)


def _prior(model: SparseKernelModel) -> np.ndarray:
    """K_MM from its definition."""
    blocks = [(active @ active.T) ** model.zeta for active in model.active_features.values()]
    K_MM = np.zeros((model.rigidity.size,) * 2)
    start = 0
    for block in blocks:
        K_MM[start : start + len(block), start : start + len(block)] = block
        start += len(block)
    return K_MM


def test_weights_take_the_place_of_the_first_ones(
    kept: tuple[SparseKernelModel, Path], frames: list[Atoms], tmp_path: Path
) -> None:
    weights = np.linspace(0.5, 2.0, len(frames))
    found = TrainingRows(kept[1]).fit(weights=weights)
    path = tmp_path / "again.rows"
    model = SparseKernelModel.fit(
        frames, hypers=HYPERS, n_active=12, regularizer=1e-3, loss="per_atom", weights=weights, keep_rows=path
    )
    np.testing.assert_array_equal(found.score(frames).lpr, model.score(frames).lpr)
    np.testing.assert_array_equal(found.predict(frames).energy, model.predict(frames).energy)


def test_appended_structures_are_as_if_they_had_been_there(frames: list[Atoms], tmp_path: Path) -> None:
    few, all_of_them = tmp_path / "few.rows", tmp_path / "all.rows"
    active = [(0, 0), (0, 1), (1, 3), (2, 2), (3, 0)]
    settings = {"hypers": HYPERS, "active_set": active, "regularizer": 1e-3}
    SparseKernelModel.fit(frames[:5], keep_rows=few, **settings)
    whole = SparseKernelModel.fit(frames, keep_rows=all_of_them, **settings)
    rows = TrainingRows(few)
    rows.append(frames[5:9])
    rows.append(frames[9:])
    kept = TrainingRows(all_of_them)
    for name in ("phi", "target", "weight", "structure"):
        np.testing.assert_array_equal(getattr(TrainingRows(few), name), getattr(kept, name))
    np.testing.assert_array_equal(rows.fit().score(frames).lpr, whole.score(frames).lpr)


def test_what_cannot_be_appended_leaves_the_file_as_it_was(
    kept: tuple[SparseKernelModel, Path], tmp_path: Path
) -> None:
    path = tmp_path / "copy.rows"
    path.write_bytes(kept[1].read_bytes())
    rows = TrainingRows(path)
    gold = Atoms("Au", cell=[4, 4, 4], pbc=True, info={"energy": 1.0})
    with pytest.raises(InvalidInputError, match="have Au, but the rows know only Si, Ga, As"):
        rows.append([gold])
    assert path.read_bytes() == kept[1].read_bytes()


def test_a_row_that_was_cut_off_is_not_there(kept: tuple[SparseKernelModel, Path], tmp_path: Path) -> None:
    path = tmp_path / "cut.rows"
    path.write_bytes(kept[1].read_bytes()[:-100])
    assert len(TrainingRows(path)) == len(TrainingRows(kept[1])) - 1


def test_the_layout_is_the_documented_one(kept: tuple[SparseKernelModel, Path], frames: list[Atoms]) -> None:
    content = kept[1].read_bytes()
    assert content[:8] == b"LPRROWS1"
    (length,) = struct.unpack("<Q", content[8:16])
    head = content[16 : 16 + length]
    (of_text,) = struct.unpack("<Q", head[:8])
    facts = json.loads(json.loads(head[8 : 8 + of_text])["__metadata__"]["model"])
    assert facts["format"] == "lpr_fast rows"
    begin = -(-(16 + length) // 64) * 64
    M, S = kept[0].rigidity.size, 3
    record = 8 * M + 8 * 3 + 8 * S + 8 * 4 + 64
    assert len(content) == begin + len(frames) * record
    phi = np.frombuffer(content[begin : begin + 8 * M], "<f8")
    np.testing.assert_allclose(phi, kept[0].phi([frames[0]]).sum(axis=0), rtol=1e-12)


def test_rows_of_files_are_those_of_structures_in_memory(
    kept: tuple[SparseKernelModel, Path], frames: list[Atoms], tmp_path: Path
) -> None:
    ase.io.write(tmp_path / "train.traj", frames)
    fit_files(
        tmp_path / "train.traj",
        tmp_path / "model.lpr",
        hypers=HYPERS,
        n_active=12,
        regularizer=1e-3,
        loss="per_atom",
        keep_rows=tmp_path / "train.rows",
    )
    np.testing.assert_array_equal(TrainingRows(tmp_path / "train.rows").phi, TrainingRows(kept[1]).phi)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.lpr", "train.rows", "train.traj"]


def test_linear_rows_have_no_active_set(frames: list[Atoms], tmp_path: Path) -> None:
    model = LinearModel.fit(frames, hypers=HYPERS, regularizer=1e-2, keep_rows=tmp_path / "linear.rows")
    rows = TrainingRows(tmp_path / "linear.rows")
    assert rows.active_features is None
    assert isinstance(rows.fit(), lpr_fast.LinearModel)
    assert rows.fit().with_reference(frames)._to_bytes() == model._to_bytes()


@pytest.mark.parametrize(
    ("structures", "says"),
    [
        ([99], "number 99, but there are 14"),
        ([1, 1], "a number twice"),
        ([], "structures is empty"),
        (np.ones(3, dtype=bool), "mask has shape"),
    ],
)
def test_structures_that_are_not_there_are_refused(
    kept: tuple[SparseKernelModel, Path], structures: object, says: str
) -> None:
    with pytest.raises(InvalidInputError, match=says):
        TrainingRows(kept[1]).fit(structures=structures)  # type: ignore[arg-type]


def test_other_files_are_refused(tmp_path: Path, kept: tuple[SparseKernelModel, Path]) -> None:
    (tmp_path / "x.rows").write_bytes(b"something else")
    with pytest.raises(InvalidInputError, match="is not a file of training rows"):
        TrainingRows(tmp_path / "x.rows")
    damaged = bytearray(kept[1].read_bytes())
    damaged[400] ^= 1
    (tmp_path / "y.rows").write_bytes(damaged)
    with pytest.raises(InvalidInputError):
        TrainingRows(tmp_path / "y.rows")
