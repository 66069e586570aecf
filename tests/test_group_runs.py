"""Tables of groups that runs write, and what their summaries say of them."""

from __future__ import annotations

import csv
import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from click.testing import CliRunner, Result

from lpr_fast import InvalidInputError, load_model, merge_shards, score_trajectory
from lpr_fast.command_line._commands import lpr_fast

from .structures import fitted, gallium_arsenide, silicon

NUMBERS = ("lpr", "lpr_held", "variance", "residual", "energy", "sigma")


def layered(frames: list[Atoms]) -> list[Atoms]:
    for frame in frames:
        layers = np.where(frame.get_scaled_positions()[:, 2] % 1.0 < 0.45, "lower", "upper")
        frame.set_array("layer", layers)
    return frames


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("groups")
    fitted(gallium_arsenide(), n_active=14).calibrate(gallium_arsenide(5, seed=80)).save(folder / "m.lpr")
    ase.io.write(folder / "md.xyz", layered(gallium_arsenide(12, seed=50)), format="extxyz")
    return folder


def lines_of(table: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(table.read_text().splitlines()))


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(lpr_fast, [str(argument) for argument in arguments])


def test_the_table_holds_the_bits_of_score_groups(folder: Path) -> None:
    done = score_trajectory(folder / "m.lpr", folder / "md.xyz", folder / "a.csv", groups="layer")
    assert [path.name for path in done.written] == ["a.csv", "a.csv.groups.csv"]
    lines = lines_of(folder / "a.csv.groups.csv")
    expected = load_model(folder / "m.lpr").score_groups(ase.io.iread(folder / "md.xyz"), "layer")
    assert [int(line["frame"]) for line in lines] == expected.frame.tolist()
    assert [line["group"] for line in lines] == expected.group.tolist() == ["lower", "upper"] * 12
    assert [int(line["atoms"]) for line in lines] == expected.n_atoms.tolist()
    for name in NUMBERS:
        assert [float(line[name]) for line in lines] == expected[name].tolist()


def test_shards_and_workers_write_the_same_bytes(folder: Path) -> None:
    given: dict[str, Any] = {"groups": "layer"}
    score_trajectory(folder / "m.lpr", folder / "md.xyz", folder / "whole.h5", n_threads=1, **given)
    expected = (folder / "whole.h5.groups.csv").read_bytes()
    for shard in ("1/3", "2/3", "3/3"):
        score_trajectory(folder / "m.lpr", folder / "md.xyz", folder / "parts.h5", shard=shard, **given)
    merge_shards(folder / "parts.h5")
    assert (folder / "parts.h5.groups.csv").read_bytes() == expected
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        score_trajectory(folder / "m.lpr", folder / "md.xyz", folder / "workers.h5", executor=executor, **given)
    assert (folder / "workers.h5.groups.csv").read_bytes() == expected
    assert not list(folder.glob("*.shard-*"))


def test_groups_with_unknown_atoms_are_listed_without_numbers(folder: Path) -> None:
    known, other = gallium_arsenide(1)[0], silicon(1)[0]
    far = known.copy()
    far.positions += [40.0, 0.0, 0.0]
    other.positions += [0.0, 0.0, 6.5]
    mixed = known + far + other
    mixed.set_cell([100.0, 100.0, 100.0])
    mixed.pbc = True
    mixed.set_array("cluster", np.repeat(["near", "far", "other"], 8))
    score_trajectory(
        folder / "m.lpr", [mixed], folder / "unknown.csv", groups="cluster", unknown_species="nan", n_threads=1
    )
    lines = {line["group"]: line for line in lines_of(folder / "unknown.csv.groups.csv")}
    assert [line["atoms"] for line in lines.values()] == ["8", "8", "8"]
    assert [bool(lines[name]["lpr"]) for name in ("near", "far", "other")] == [False, True, False]


def test_the_summary_names_the_group_that_is_least_rigid_for_its_size(folder: Path) -> None:
    made = run("score", folder / "m.lpr", folder / "md.xyz", "-o", folder / "s.csv", "--groups", "layer")
    assert made.exit_code == 0, made.output
    found = load_model(folder / "m.lpr").score_groups(ase.io.iread(folder / "md.xyz"), "layer")
    of_mean = found.n_atoms**2 * found.lpr_held
    lowest = int(of_mean.argmin())
    where = f"layer '{found.group[lowest]}' of frame {found.frame[lowest]}, {found.n_atoms[lowest]} atoms"
    assert f"groups    the mean energy of {where}, is least rigid: LPR held {of_mean[lowest]:.3g}" in made.output
    assert f"energy {found.energy[lowest]:.6g} +- {found.sigma[lowest]:.2g}" in made.output
    as_json = run("score", folder / "m.lpr", folder / "md.xyz", "-o", folder / "s.csv", "--groups", "layer", "--json")
    facts = json.loads(as_json.stdout)["groups"]
    assert set(facts) == {"lower", "upper"}
    lower = found.group == "lower"
    assert facts["lower"]["groups"] == 12
    assert facts["lower"]["lpr_of_mean_lowest"] == of_mean[lower].min()
    assert facts["lower"]["sigma_per_atom_largest"] == (found.sigma / found.n_atoms)[lower].max()


def test_many_names_are_one_line(folder: Path) -> None:
    frame = gallium_arsenide(1)[0].repeat(2)
    frame.set_array("molecule", np.arange(64))
    ase.io.write(folder / "many.xyz", frame, format="extxyz")
    made = run("score", folder / "m.lpr", folder / "many.xyz", "-o", folder / "many.csv", "--groups", "molecule")
    assert made.exit_code == 0, made.output
    table = made.output.split("groups    ")[1].splitlines()
    assert table[2].split()[:3] == ["all", "64", "64"]
    assert table[3].startswith("written")


def test_frames_without_labels_of_groups_can_be_skipped(folder: Path) -> None:
    frames = layered(gallium_arsenide(3, seed=50))
    del frames[1].arrays["layer"]
    ase.io.write(folder / "some.xyz", frames, format="extxyz")
    made = run(
        *("score", folder / "m.lpr", folder / "some.xyz", "-o", folder / "some.csv"),
        *("--groups", "layer", "--on-error", "skip"),
    )
    assert made.exit_code == 3, made.output
    assert "skipped   1 frame, the first because frame 1 has no labels named 'layer'" in made.output
    assert [line["frame"] for line in lines_of(folder / "some.csv.groups.csv")] == ["0", "0", "2", "2"]
    assert [line["frame"] for line in lines_of(folder / "some.csv")] == ["0", "2"]


def test_what_cannot_be_grouped_is_one_sentence(folder: Path) -> None:
    given = ("score", folder / "m.lpr", folder / "md.xyz", "-o", folder / "bad.csv")
    result = run(*given, "--groups", "region")
    assert result.exit_code == 2
    assert "frame 0 has no labels named 'region', but layer, numbers; give the name" in result.output
    assert not list(folder.glob("bad.csv*"))
    with pytest.raises(InvalidInputError, match="groups must be the name of labels in the frames; score"):
        score_trajectory(folder / "m.lpr", folder / "md.xyz", folder / "bad.csv", groups=[0, 1])  # type: ignore[arg-type]
