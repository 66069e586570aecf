"""Fits of files to energies, forces and virials: the bits of a fit in memory, whatever happens on the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms

from lpr_fast import InvalidInputError, LinearModel, SparseKernelModel, TrainingRows, fit_files
from lpr_fast.atoms import _frames
from lpr_fast.jobs import _fit_job, _fit_passes
from lpr_fast.jobs._executors import local_processes
from lpr_fast.models import _batches
from lpr_fast.models._memory import needed
from lpr_fast.models._structures import Groups, Structures

from .alloys import SIGMA, alloys, without
from .processes import EndOfPowerError
from .structures import HYPERS
from .test_fit_files import Inline, names

OPTIONS: dict[str, Any] = {"hypers": HYPERS, "sigma": SIGMA, "delta": 0.7}
KERNEL: dict[str, Any] = {**OPTIONS, "n_active": 10, "zeta": 2}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    frames = alloys(10)
    frames[3], frames[6] = without(frames[3], "energy", "stress"), without(frames[6], "forces")
    ase.io.write(tmp_path / "train.xyz", frames)
    return tmp_path


def read(folder: Path) -> list[Atoms]:
    frames: list[Atoms] = ase.io.read(folder / "train.xyz", ":")  # type: ignore[assignment]
    return frames


@pytest.mark.parametrize("model", ["sparse_kernel", "linear"])
@pytest.mark.parametrize("delta", [0.7, "auto"])
def test_a_fit_from_files_has_the_bytes_of_a_fit_in_memory(model: Any, delta: Any, folder: Path) -> None:
    options = {**(KERNEL if model == "sparse_kernel" else OPTIONS), "delta": delta}
    kind: Any = SparseKernelModel if model == "sparse_kernel" else LinearModel
    kind.fit(read(folder), keep_rows=folder / "memory.rows", **options).save(folder / "memory.lpr")
    fit_files(folder / "train.xyz", folder / "files.lpr", model=model, keep_rows=folder / "files.rows", **options)
    for suffix in ("lpr", "rows"):
        assert (folder / f"files.{suffix}").read_bytes() == (folder / f"memory.{suffix}").read_bytes()
    assert names(folder) == {"train.xyz", *(f"{name}.{end}" for name in ("memory", "files") for end in ("lpr", "rows"))}


def test_ranges_of_rows_have_the_bits_of_one_pass(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit_files(folder / "train.xyz", folder / "whole.lpr", keep_rows=folder / "whole.rows", **KERNEL)
    for most in (1, 40, 100):
        monkeypatch.setattr(_fit_passes, "_ROWS_TOGETHER", most)
        parts = {"keep_rows": folder / "parts.rows", "executor": Inline(), **KERNEL}
        fit_files(folder / "train.xyz", folder / "parts.lpr", **parts)
        for suffix in ("lpr", "rows"):
            assert (folder / f"whole.{suffix}").read_bytes() == (folder / f"parts.{suffix}").read_bytes()


def test_ranges_have_whole_structures_and_not_too_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = np.array([[3], [50], [2], [2], [2], [90]])
    weights, groups = np.ones(6), Groups.none(6)
    structures = Structures((29,), counts, weights, "noise", None, groups, n_derivatives=counts[:, 0] - 1)
    monkeypatch.setattr(_fit_passes, "_ROWS_TOGETHER", 10)
    ranges = [range(1), range(1, 2), range(2, 5), range(5, 6)]
    assert _fit_passes._ranges_of_rows(0, structures) == ranges
    assert _fit_passes._ranges_of_rows(3, structures) == [range(3, 5), range(5, 6)]


def test_workers_change_no_bit(folder: Path) -> None:
    fit_files(folder / "train.xyz", folder / "whole.lpr", **KERNEL)
    with local_processes(1) as executor:
        fit_files(folder / "train.xyz", folder / "parts.lpr", executor=executor, **KERNEL)
    assert (folder / "whole.lpr").read_bytes() == (folder / "parts.lpr").read_bytes()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # nobody closes files when power fails
@pytest.mark.parametrize("delta", [0.7, "auto"])
def test_a_fit_that_is_stopped_after_every_structure_goes_on(
    delta: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {**KERNEL, "delta": delta}
    fit_files(folder / "train.xyz", folder / "whole.lpr", keep_rows=folder / "whole.rows", **options)
    monkeypatch.setattr(_frames, "BATCH_ATOMS", 8)
    monkeypatch.setattr(_batches, "TOGETHER", 7)
    monkeypatch.setattr(_fit_job, "_BETWEEN_CHECKPOINTS", 0.0)
    monkeypatch.setattr(_fit_job, "_CHECKPOINT_SHARE", 0.0)
    stops, reached = 0, 0
    files = {"keep_rows": folder / "parts.rows", **options}

    def stop(stage: str, done: int, total: int | None) -> None:
        nonlocal reached
        if stage == "rows: kernels and sums" and done > reached:
            reached = done
            raise EndOfPowerError

    while True:
        try:
            fit_files(folder / "train.xyz", folder / "parts.lpr", progress=stop, **files)
            break
        except EndOfPowerError:
            stops += 1
    assert stops > 5
    for suffix in ("lpr", "rows"):
        assert (folder / f"whole.{suffix}").read_bytes() == (folder / f"parts.{suffix}").read_bytes()
    assert names(folder) == {"train.xyz", *(f"{name}.{end}" for name in ("whole", "parts") for end in ("lpr", "rows"))}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sigma": {"energy": 0.01}}, "has another noise of the labels; give the same"),
        ({"delta": 0.8}, "another regularizer"),
        ({"force_key": "forces"}, "another name of the forces"),
        ({"virial_key": "stress"}, "another name of the virials"),
    ],
)
def test_an_unfinished_fit_with_other_labels_is_refused(change: dict[str, Any], message: str, folder: Path) -> None:
    def stop(stage: str, done: int, total: int | None) -> None:
        if stage == "rows: kernels and sums":
            raise EndOfPowerError

    with pytest.raises(EndOfPowerError):
        fit_files(folder / "train.xyz", folder / "m.lpr", progress=stop, **KERNEL)
    with pytest.raises(InvalidInputError, match=message):
        fit_files(folder / "train.xyz", folder / "m.lpr", **{**KERNEL, **change})


def test_rows_of_forces_count_for_memory(folder: Path) -> None:
    fit_files(folder / "train.xyz", folder / "m.lpr", keep_rows=folder / "m.rows", **KERNEL)
    rows = TrainingRows(folder / "m.rows")
    structures = rows._structures(None, None)
    few, large = (replace(structures, n_derivatives=count) for count in (None, np.full(10, 10**5)))
    assert needed(few, 100, 1000) < needed(structures, 100, 1000) < needed(large, 100, 1000) - 8 * 1000 * 10**5
