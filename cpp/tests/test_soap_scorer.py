"""C++ and Python give the same bits for structures. CTest runs this file with the driver that it has built."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ase.build
import numpy as np
import pytest
from ase import Atoms
from tests.structures import HYPERS, fitted, gallium_arsenide, labelled, molecules, rattled, silicon

from lpr_fast import LinearModel, SparseKernelModel, _core
from lpr_fast.descriptors._structures import structure_of
from lpr_fast.models import _archive

DRIVER = os.environ["LPR_FAST_SOAP_DRIVER"]
Model = SparseKernelModel | LinearModel


@pytest.fixture(scope="module")
def model() -> SparseKernelModel:
    return fitted()


def run_driver(
    model: Model, frames: Sequence[Atoms], folder: Path, n_centers: int | None = None, n_threads: int = 2
) -> subprocess.CompletedProcess[str]:
    model.save(folder / "model.lpr")
    return run_saved(frames, folder, n_centers, n_threads)


def run_saved(
    frames: Sequence[Atoms], folder: Path, n_centers: int | None = None, n_threads: int = 2
) -> subprocess.CompletedProcess[str]:
    lines = []
    for frame in frames:
        lines.append(f"{len(frame)} {len(frame) if n_centers is None else n_centers}")
        lines.append(" ".join(repr(float(x)) for x in frame.cell.array.ravel()))
        lines.append(" ".join(str(int(p)) for p in frame.pbc))
        for number, position in zip(frame.numbers, frame.positions, strict=True):
            lines.append(" ".join([str(number), *(repr(float(x)) for x in position)]))
    (folder / "frames.txt").write_text("\n".join(lines))
    arguments = [DRIVER, *(str(folder / name) for name in ("model.lpr", "frames.txt", "scores.bin")), str(n_threads)]
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


def scored(
    model: Model, frames: Sequence[Atoms], folder: Path, n_centers: int | None = None, n_threads: int = 2
) -> list[dict[str, Any]]:
    finished = run_driver(model, frames, folder, n_centers, n_threads)
    assert finished.returncode == 0, finished.stderr
    values = np.fromfile(folder / "scores.bin")
    parts = []
    for frame in frames:
        n = len(frame) if n_centers is None else n_centers
        size = n * model.n_features
        features, values = values[:size].reshape(n, -1), values[size:]
        scores, values = values[: 4 * n].reshape(4, n), values[4 * n :]
        (total,), values = values[:1], values[1:]
        parts.append(
            {"features": features, "energy": total}
            | dict(zip(("lpr", "variance", "residual", "local_energy"), scores, strict=True))
        )
    assert not values.size
    return parts


def features(model: Model, frame: Atoms) -> np.ndarray:
    """Features by Python, not normalised."""
    structure = structure_of(frame, model.cutoff, model.species)
    return np.asarray(_core.SoapScorer(model._model).soap.features([structure], [None], 1))


def check(model: Model, frames: Sequence[Atoms], folder: Path, n_centers: int | None = None) -> None:
    chosen = slice(n_centers)
    for frame, part in zip(frames, scored(model, frames, folder, n_centers), strict=True):
        np.testing.assert_array_equal(part["features"], features(model, frame)[chosen])
        scores = model.score(frame)
        for name in ("lpr", "variance", "residual", "local_energy"):
            values = getattr(scores, name)
            if values is not None:
                np.testing.assert_array_equal(part[name], values[chosen], err_msg=name)
        if model.baseline is not None and n_centers is None:
            assert part["energy"] == model.predict(frame, forces=False).energy[0]


def test_bulk_silicon(model: SparseKernelModel, tmp_path: Path) -> None:
    check(model, [*silicon(2, seed=7), rattled(ase.build.bulk("Si", cubic=True) * (2, 2, 2), 3)], tmp_path)


def test_a_skewed_cell_smaller_than_the_cutoff(model: SparseKernelModel, tmp_path: Path) -> None:
    primitive = rattled(ase.build.bulk("Si"), 1)
    skewed = primitive.copy()
    skewed.cell[2] += 2 * skewed.cell[0] - skewed.cell[1]
    turned = primitive.copy()
    turned.rotate(37, (1, 2, 3), rotate_cell=True)
    left_handed = primitive.copy()
    left_handed.cell[:] = primitive.cell[[1, 0, 2]]
    check(model, [primitive, skewed, turned, left_handed], tmp_path)


@pytest.mark.parametrize("n_periodic", [0, 1, 2])
def test_clusters_wires_and_slabs(model: SparseKernelModel, tmp_path: Path, n_periodic: int) -> None:
    frames = []
    for first in range(3):
        frame = rattled(ase.build.bulk("Si") * (1, 2, 2), first)
        frame.pbc = np.roll(np.arange(3) < n_periodic, first)
        bare = frame.copy()
        bare.cell[~frame.pbc] = 0.0
        frames += [frame, bare]
    check(model, frames, tmp_path)


def test_several_species(tmp_path: Path) -> None:
    frames = gallium_arsenide()
    check(fitted(frames), frames[:2], tmp_path)
    check(fitted(molecules(), n_active=20), molecules(), tmp_path)


def test_a_linear_model_without_energies(tmp_path: Path) -> None:
    frames = gallium_arsenide()
    linear = LinearModel.fit(frames, hypers=HYPERS, regularizer=1e-3, energy_key=None)
    check(linear, frames[:2], tmp_path)


def test_isolated_atoms_and_atoms_far_away(model: SparseKernelModel, tmp_path: Path) -> None:
    check(model, [Atoms("Si", [[1, 2, 3]]), Atoms("Si2", [[0, 0, 0], [1e6, -3, 2]])], tmp_path)


def test_atoms_outside_the_cell(model: SparseKernelModel, tmp_path: Path) -> None:
    frame = silicon(1)[0]
    frame.positions += np.random.default_rng(0).integers(-3, 4, (8, 3)) @ frame.cell.array + [90, -40, 7.7]
    check(model, [frame], tmp_path)


def test_large_frames(model: SparseKernelModel, tmp_path: Path) -> None:
    bulk = ase.build.bulk("Si", cubic=True)
    slab = rattled(bulk * (9, 8, 1), 1)
    slab.pbc = (True, True, False)
    skewed = rattled(ase.build.bulk("Si") * (7, 7, 7), 2)
    skewed.cell[2] += 2 * skewed.cell[0]
    check(model, [rattled(bulk * (4, 5, 4), 0), slab, skewed], tmp_path)


def test_ghost_atoms_take_the_place_of_images(model: SparseKernelModel, tmp_path: Path) -> None:
    frame = rattled(ase.build.bulk("Si", cubic=True) * (2, 2, 2), 5)
    images = frame * (3, 3, 3)
    middle = np.arange(13 * len(frame), 14 * len(frame))
    order = np.concatenate([middle, np.delete(np.arange(len(images)), middle)])
    cluster = Atoms(images.numbers[order], images.positions[order])
    check(model, [cluster], tmp_path, n_centers=len(frame))
    (part,) = scored(model, [cluster], tmp_path, n_centers=len(frame))
    expected = features(model, frame)
    np.testing.assert_allclose(part["features"], expected, rtol=0, atol=1e-13 * expected.max())
    np.testing.assert_allclose(part["lpr"], model.score(frame).lpr, rtol=1e-10)


def test_atoms_of_other_species_are_invisible_as_neighbours(tmp_path: Path) -> None:
    frame = gallium_arsenide(1)[0]
    gallium_first = frame[np.argsort(frame.numbers, kind="stable")]
    hypers = {**HYPERS, "cutoff": {**HYPERS["cutoff"], "radius": 5.0}}
    gallium = fitted([labelled(gallium_first[:4])], n_active=3, hypers=hypers)
    (part,) = scored(gallium, [gallium_first], tmp_path, n_centers=4)
    np.testing.assert_array_equal(part["features"], features(gallium, gallium_first[:4]))


def test_neither_threads_nor_earlier_structures_change_a_bit(model: SparseKernelModel, tmp_path: Path) -> None:
    frames = [rattled(ase.build.bulk("Si", cubic=True) * (3, 4, 3), 0), *silicon(2)]
    forwards = scored(model, frames, tmp_path, n_threads=1)
    backwards = scored(model, frames[::-1], tmp_path, n_threads=3)[::-1]
    for one, other in zip(forwards, backwards, strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def broken(change: str) -> Atoms:
    frame = silicon(1)[0]
    if change == "nan":
        frame.positions[3, 1] = np.nan
    elif change == "coincident":
        frame.positions[5] = frame.positions[2]
    elif change == "images coincide":
        frame.positions[5] = frame.positions[2] + frame.cell[0]
    elif change == "flat cell":
        frame.cell[2] = frame.cell[0]
    elif change == "no cell":
        frame.cell[1] = 0.0
    elif change == "dense":
        frame.cell[:] *= 0.01
    elif change == "species":
        frame.numbers[6] = 8
    return frame


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("nan", "atom 3 has a position that is not finite"),
        ("coincident", "same place"),
        ("images coincide", "same place"),
        ("flat cell", "span no volume"),
        ("no cell", "span no volume"),
        ("dense", "so dense or so flat a cell"),
        ("species", "has species 8 (atom 6), and the model knows 14 only; fit a model with species 8"),
    ],
)
def test_what_cannot_be_described_is_refused(
    model: SparseKernelModel, tmp_path: Path, change: str, message: str
) -> None:
    finished = run_driver(model, [broken(change)], tmp_path)
    assert finished.returncode == 1
    assert message in finished.stderr
    assert finished.stderr.count("\n") == 1


def without_a_channel(descriptor: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """A radial table without its largest l."""
    arrays["descriptor.coefficients"] = arrays["descriptor.coefficients"][:, : -descriptor["n_radial"][-1]].copy()
    for name in ("angular", "n_radial"):
        descriptor[name] = descriptor[name][:-1]


def as_version_1(descriptor: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Parameters of featomic, without a radial table."""
    for name in set(descriptor) - {"kind", "hypers"}:
        del descriptor[name]
    for name in [name for name in arrays if name.startswith("descriptor.")]:
        del arrays[name]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, "features of another origin"),
        (as_version_1, "no radial integrals, because it is of version 1; convert it with lpr-fast upgrade"),
        (without_a_channel, "the model has 24 features, but its radial table makes 18"),
    ],
)
def test_descriptors_that_cannot_be_used_are_refused(
    model: SparseKernelModel, tmp_path: Path, change: Callable[..., None] | None, message: str
) -> None:
    text, arrays = model._model.parts()
    facts, arrays = json.loads(text), dict(arrays)
    if change is None:
        as_version_1(facts["descriptor"], arrays)
        facts["descriptor"] = None
    else:
        change(facts["descriptor"], arrays)
    changed = _core.Model.from_parts(json.dumps(facts), arrays)
    (tmp_path / "model.lpr").write_bytes(_archive.to_bytes(changed))
    finished = run_saved(silicon(1), tmp_path)
    assert finished.returncode == 1
    assert message in finished.stderr
    assert finished.stderr.count("\n") == 1
