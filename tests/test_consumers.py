"""Every output is opened by the programs that it is written for, and they find our numbers in it."""

from __future__ import annotations

import gzip
import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import ase.io
import chemiscope
import extxyz
import h5py
import numpy as np
import pandas
import pytest
from tools.chemiscope_picture import shown

from lpr_fast import Scores, score_trajectory

from .structures import fitted, gallium_arsenide

COLUMNS = ("lpr", "variance", "residual", "local_energy")

# Beside the columns of a structure.
PREFIXED = {"lpr": "lpr", "lpr_variance": "variance", "lpr_residual": "residual", "lpr_local_energy": "local_energy"}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Scores]:
    """A folder with all kinds of outputs, and what should be in them."""
    folder = tmp_path_factory.mktemp("outputs")
    frames, model = gallium_arsenide(5, seed=60), fitted(gallium_arsenide())
    ase.io.write(folder / "md.xyz", frames)
    outputs = [folder / f"md.{suffix}" for suffix in ("h5", "csv", "extxyz", "npz", "chemiscope.json.gz")]
    score_trajectory(model, folder / "md.xyz", outputs, least_rigid=3)
    return folder, model.score(ase.io.read(folder / "md.xyz", ":"))


def test_ase_opens_the_frames(written: tuple[Path, Scores]) -> None:
    folder, scores = written
    frames = ase.io.read(folder / "md.extxyz", ":")
    for column, name in PREFIXED.items():
        found = np.concatenate([frame.arrays[column] for frame in frames])
        np.testing.assert_array_equal(found, getattr(scores, name))
    least = ase.io.read(folder / "md.h5.least-rigid.extxyz", ":")
    ranked = {
        int(frame.arrays["lpr_rank"][i]): (frame.arrays["lpr"][i], scores.lpr[8 * frame.info["lpr_frame"] + i])
        for frame in least
        for i in range(8)
        if frame.arrays["lpr_rank"][i]
    }
    assert sorted(ranked) == [1, 2, 3]
    assert ranked[1][0] == scores.lpr.min()
    assert all(found == expected for found, expected in ranked.values())


def test_extxyz_opens_the_frames(written: tuple[Path, Scores]) -> None:
    folder, scores = written
    frames = list(extxyz.iread_dicts(folder / "md.extxyz"))
    for column, name in PREFIXED.items():
        found = np.concatenate([frame.arrays[column] for frame in frames])
        np.testing.assert_array_equal(found, getattr(scores, name))


def test_h5py_opens_the_columns(written: tuple[Path, Scores]) -> None:
    folder, scores = written
    with h5py.File(folder / "md.h5") as file:
        for name in COLUMNS:
            np.testing.assert_array_equal(file["atoms"][name], getattr(scores, name))
        first = file["frames/first_atom"][:]
        np.testing.assert_array_equal(file["atoms/lpr"][first[3] : first[4]], scores.lpr[scores.frame == 3])


def test_pandas_opens_the_table(written: tuple[Path, Scores]) -> None:
    folder, scores = written
    table = pandas.read_csv(folder / "md.csv").set_index("frame")
    by_frame = pandas.DataFrame({"frame": scores.frame, "lpr": scores.lpr, "residual": scores.residual})
    lowest = by_frame.groupby("frame")["lpr"]
    np.testing.assert_allclose(table["lpr_lowest"], lowest.min(), rtol=2e-15)  # some versions round
    assert (table["lpr_lowest_atom"] + 8 * table.index).tolist() == lowest.idxmin().tolist()
    np.testing.assert_allclose(table["residual_largest"], by_frame.groupby("frame")["residual"].max(), rtol=2e-15)
    assert set(table["lpr_lowest_species"]) <= {"Ga", "As"}
    assert table["atoms"].tolist() == [8] * 5


def test_numpy_opens_the_arrays(written: tuple[Path, Scores]) -> None:
    folder, scores = written
    with np.load(folder / "md.npz") as arrays:
        for name in COLUMNS:
            np.testing.assert_array_equal(arrays[name], getattr(scores, name))
        assert set(arrays["species"]) == {31, 33}


def test_chemiscope_opens_the_map(written: tuple[Path, Scores]) -> None:
    folder, scores = written
    widget = chemiscope.show_input(str(folder / "md.chemiscope.json.gz"))
    data = json.loads(gzip.decompress((folder / "md.chemiscope.json.gz").read_bytes()))
    assert json.loads(widget.value)["properties"] == data["properties"]
    assert data["properties"]["lpr"]["values"] == scores.lpr.tolist()
    # What its writer would check, once more: sizes of properties, numbers of structures and atoms.
    environments = [(e["structure"], e["center"], e["cutoff"]) for e in data["environments"]]
    values = {name: facts["values"] for name, facts in data["properties"].items()}
    properties = {name: {"target": "atom", "values": column} for name, column in values.items()}
    chemiscope.create_input(structures=data["structures"], environments=environments, properties=properties)
    shown = data["settings"]["map"]
    assert {shown[axis]["property"] for axis in ("x", "y", "color")} | {shown["symbol"]} <= set(values)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed (apt-get install chromium)")
def test_chemiscope_shows_the_map_in_a_browser(written: tuple[Path, Scores]) -> None:
    folder, _ = written
    data = gzip.decompress((folder / "md.chemiscope.json.gz").read_bytes()).decode()
    assert "<title>loaded</title>" in shown(data, "--dump-dom")
    assert "<title>loaded</title>" not in shown(data.replace("log10 lpr", "lpr/10", 1), "--dump-dom")


@pytest.mark.skipif(find_spec("ovito") is None, reason="ovito is not installed (pip install ovito, 116 MB)")
def test_ovito_opens_the_frames(written: tuple[Path, Scores]) -> None:
    from ovito.io import import_file

    folder, scores = written
    pipeline = import_file(str(folder / "md.extxyz"))
    assert pipeline.source.num_frames == 5
    for number in range(5):
        particles = pipeline.compute(number).particles
        for column, name in PREFIXED.items():
            expected = getattr(scores, name)[scores.frame == number]
            np.testing.assert_allclose(particles[column][...], expected, rtol=2e-15)  # its parser rounds
