"""The command line gives the numbers of the calls, and one sentence for every mistake."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import ase.io
import extxyz
import numpy as np
import pytest
from ase import Atoms
from click.testing import CliRunner, Result

from lpr_fast import load_model
from lpr_fast.command_line._commands import lpr_fast

from .structures import HYPERS, fitted, gallium_arsenide, silicon

OPTIONS = ["--cutoff", "3.5", "--max-radial", "2", "--max-angular", "3", "--width", "0.5"]
OPTIONS += ["--zeta", "2", "--n-active", "12", "--regularizer", "1e-3"]


def run(*arguments: object, **environment: str) -> Result:
    variables = {"FORCE_COLOR": None, "TTY_COMPATIBLE": None, **environment}
    return CliRunner(env=variables).invoke(lpr_fast, [str(argument) for argument in arguments], prog_name="lpr-fast")


def succeed(*arguments: object) -> Result:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a training set, a trajectory and a model."""
    ase.io.write(tmp_path / "train.xyz", silicon())
    ase.io.write(tmp_path / "md.xyz", silicon(3, seed=20))
    succeed("fit", tmp_path / "train.xyz", "-o", tmp_path / "m.lpr", *OPTIONS)
    return tmp_path


def test_the_commands_give_the_numbers_of_the_calls(folder: Path) -> None:
    train, md = ase.io.read(folder / "train.xyz", ":"), ase.io.read(folder / "md.xyz", ":")
    expected = fitted(train).score(md)
    printed = succeed("score", folder / "m.lpr", folder / "md.xyz", "-o", folder / "out.npz").output
    arrays = np.load(folder / "out.npz")
    for name in ("lpr", "variance", "residual", "frame", "atom"):
        np.testing.assert_array_equal(arrays[name], getattr(expected, name))
    np.testing.assert_array_equal(arrays["local_energy"], expected.local_energy)
    np.testing.assert_array_equal(arrays["species"], 14)
    lowest = int(expected.lpr.argmin())
    where = f"frame {expected.frame[lowest]}, atom {expected.atom[lowest]} (Si)"
    assert f"lowest {expected.lpr[lowest]:.4g} at {where}" in printed
    assert "3 frames, 24 atoms" in printed
    errors = fitted(train).predict(md).energy - [frame.get_potential_energy() for frame in md]
    error = f"{np.sqrt(np.mean((errors / 8) ** 2)):.4g}"
    assert f"RMSE {error} per atom, in the unit of the energies, over 3 frames" in printed
    for stage in ("reading", "scoring", "writing"):
        assert re.search(rf"^seconds .*{stage} ", printed, re.MULTILINE)
    assert re.search(r"^written .*out\.npz$", printed, re.MULTILINE)


@pytest.mark.parametrize("suffix", ["xyz", "extxyz"])
def test_extended_xyz_reads_back_with_all_digits(folder: Path, suffix: str) -> None:
    path = folder / f"out.{suffix}"
    succeed("score", folder / "m.lpr", folder / "md.xyz", "-o", path)
    md = ase.io.read(folder / "md.xyz", ":")
    expected = load_model(folder / "m.lpr").score(md)
    by_ase = ase.io.read(path, ":", format="extxyz")
    by_extxyz = extxyz.read_dicts(path)
    for name in ("lpr", "variance", "residual", "local_energy"):
        column = name if name == "lpr" else f"lpr_{name}"
        for read in (by_ase, by_extxyz):
            found = np.concatenate([frame.arrays[column] for frame in read])
            np.testing.assert_array_equal(found, getattr(expected, name))
    for original, a, b in zip(md, by_ase, by_extxyz, strict=True):
        np.testing.assert_array_equal(a.positions, original.positions)
        np.testing.assert_array_equal(b.arrays["pos"], original.positions)
        np.testing.assert_array_equal(a.cell, original.cell)
        assert a.get_potential_energy() == b.info["energy"] == original.get_potential_energy()


def test_frames_can_be_selected_and_files_compressed(folder: Path) -> None:
    with gzip.open(folder / "md.xyz.gz", "wb") as file:
        file.write((folder / "md.xyz").read_bytes())
    for source, n_frames in ((f"{folder}/md.xyz@1:", 2), (f"{folder}/md.xyz.gz", 3)):
        printed = succeed("score", folder / "m.lpr", source, "-o", folder / "out.npz").output
        assert f"{n_frames} frames" in printed
    succeed("fit", f"{folder}/train.xyz@::2", "-o", folder / "m2.lpr", *OPTIONS)
    assert load_model(folder / "m2.lpr").provenance["n_structures"] == 3


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_all_of_featomic_can_be_given_in_a_file(folder: Path, suffix: str) -> None:
    path = folder / f"hypers.{suffix}"
    path.write_text(json.dumps(HYPERS))  # JSON is YAML too
    succeed("fit", folder / "train.xyz", "-o", folder / "m2.lpr", "--hypers", path, *OPTIONS[8:])
    assert (folder / "m2.lpr").read_bytes() == (folder / "m.lpr").read_bytes()


def test_info_tells_where_a_model_comes_from(folder: Path) -> None:
    printed = succeed("info", folder / "m.lpr").output
    facts = ["SparseKernelModel", "species Si", "6 structures, 48 atoms", "train.xyz", "sha256", "12 environments"]
    facts += ["mu = 0.001", "loss on total energies", "condition number", "per atom: Si", '"radius": 3.5']
    for part in facts:
        assert part in printed


def test_without_energies_the_command_says_so(folder: Path) -> None:
    printed = succeed("fit", folder / "train.xyz", "-o", folder / "m2.lpr", "--no-energies", *OPTIONS).output
    assert "energies  none (--no-energies)" in printed
    bare = [Atoms(frame.symbols, frame.positions, cell=frame.cell, pbc=True) for frame in silicon()]
    ase.io.write(folder / "bare.xyz", bare)
    printed = succeed("fit", folder / "bare.xyz", "-o", folder / "m2.lpr", *OPTIONS).output
    assert "has none named 'energy'" in printed
    succeed("score", folder / "m2.lpr", folder / "md.xyz", "-o", folder / "out.npz")
    with np.load(folder / "out.npz") as arrays:
        assert "local_energy" not in arrays
    assert "energies  none" in succeed("info", folder / "m2.lpr").output


def test_unknown_species_can_be_nan(folder: Path) -> None:
    ase.io.write(folder / "other.xyz", [*silicon(1), *gallium_arsenide(1)])
    options = ("--unknown-species", "nan")
    printed = succeed("score", folder / "m.lpr", folder / "other.xyz", "-o", folder / "out.extxyz", *options).output
    assert "8 atoms have NaN: their species, or that of a neighbour, is not in the model" in printed
    assert "over 1 frame with energies" in printed
    lpr = ase.io.read(folder / "out.extxyz", "1").arrays["lpr"]
    assert np.isnan(lpr).all()


def test_skipped_frames_are_told_and_in_the_exit_code(folder: Path) -> None:
    write_frames(folder / "other.xyz", *silicon(1), *gallium_arsenide(1), *silicon(1))
    command = ("score", folder / "m.lpr", folder / "other.xyz", "-o", folder / "out.csv", "--on-error", "skip")
    result = run(*command)
    assert result.exit_code == 3
    assert "skipped   1 frame, the first because frame 1, atom 0 is Ga" in result.stdout
    assert result.stderr == ""
    facts = json.loads(run(*command, "--json").stdout)
    assert facts["skipped"][0]["frame"] == facts["skipped_frames"] == 1
    assert facts["frames"] == 2


def test_a_summary_can_be_json_or_nothing(folder: Path) -> None:
    command = ("score", folder / "m.lpr", folder / "md.xyz")
    facts = json.loads(succeed(*command, "--json").stdout)
    expected = load_model(folder / "m.lpr").score(ase.io.read(folder / "md.xyz", ":"))
    assert facts["lpr_lowest"]["value"] == expected.lpr.min()
    assert facts["written"] == [str(folder / "md.lpr.h5"), str(folder / "md.lpr.csv")]
    assert succeed(*command, "--quiet").output == ""


def test_a_summary_has_a_line_for_each_species_and_kind_of_frames(tmp_path: Path) -> None:
    frames = [*gallium_arsenide(3), *gallium_arsenide(2, seed=9)]
    model = fitted(gallium_arsenide())
    model.save(tmp_path / "m.lpr")
    kinds = ["bulk", "bulk", "hot, fast", None, "bulk"]
    for frame, kind in zip(frames, kinds, strict=True):
        if kind is not None:
            frame.info["config_type"] = kind
    write_frames(tmp_path / "md.xyz", *frames)
    frames = ase.io.read(tmp_path / "md.xyz", ":")
    command = ("score", tmp_path / "m.lpr", tmp_path / "md.xyz", "-o", tmp_path / "out.csv")
    lines = [line.split() for line in succeed(*command).stdout.splitlines()]
    facts = json.loads(succeed(*command, "--json").stdout)
    scores = model.score(frames)
    numbers = np.concatenate([frame.numbers for frame in frames])
    of_frame = np.array([str(kind) for kind in kinds])[scores.frame]
    error = (model.predict(frames).energy - [frame.get_potential_energy() for frame in frames]) / 8
    chosen = {
        "Ga": numbers == 31,
        "As": numbers == 33,
        "bulk": of_frame == "bulk",
        "hot, fast": of_frame == "hot, fast",
    }
    for name, atoms in chosen.items():
        found = (facts["species"] | facts["config_type"])[name]
        assert found["atoms"] == atoms.sum()
        assert found["residual_largest"]["value"] == scores.residual[atoms].max()
        for column in ("lpr", "lpr_held"):
            lpr = getattr(scores, column)
            lowest = np.flatnonzero(atoms)[lpr[atoms].argmin()]
            place = found[f"{column}_lowest"]
            assert (place["value"], place["frame"], place["atom"]) == (
                lpr[lowest],
                scores.frame[lowest],
                scores.atom[lowest],
            )
            ordered = np.sort(lpr[atoms])
            for share in (5, 50, 95):
                expected = ordered[int(share / 100 * (len(ordered) - 1))]
                assert found[f"{column}_{share}"] == pytest.approx(expected, rel=0.0025)
        (line,) = (line for line in lines if line[: len(name.split())] == name.split() and f"{atoms.sum()}" in line)
        assert f"{scores.lpr_held[lowest]:.3g}" in line
    assert facts["species"]["Ga"]["atomic_number"] == facts["species"]["Ga"]["lpr_lowest"]["atomic_number"] == 31
    assert facts["config_type"]["bulk"]["frames_with_energy"] == 3
    of_bulk = np.sqrt(np.mean(error[[0, 1, 4]] ** 2))
    assert facts["config_type"]["bulk"]["energy_rmse_per_atom"] == pytest.approx(of_bulk, rel=1e-9)
    assert set(facts["species"]["Ga"]) - {"atomic_number"} == set(facts["config_type"]["bulk"]) <= set(facts)
    with (tmp_path / "out.csv").open() as file:
        assert [line["config_type"] for line in csv.DictReader(file)] == [kind or "" for kind in kinds]


def test_shards_are_merged_by_a_command(folder: Path) -> None:
    for index in (1, 2):
        out = ("-o", folder / "out.h5", "--shard", f"{index}/2")
        assert "lpr-fast merge" in succeed("score", folder / "m.lpr", folder / "md.xyz", *out).stdout
    assert "merged    3 frames, 24 atoms" in succeed("merge", folder / "out.h5").stdout
    succeed("score", folder / "m.lpr", folder / "md.xyz", "-o", folder / "whole.h5")
    assert (folder / "out.h5").read_bytes() == (folder / "whole.h5").read_bytes()


def test_a_log_says_what_was_asked_how_far_it_is_and_what_came_of_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lpr_fast.command_line._terminal._BETWEEN_LINES", 0.0)
    monkeypatch.setattr("sys.argv", ["lpr-fast", "score", "a file"])
    arguments = ["score", folder / "m.lpr", folder / "md.xyz", "-o", folder / "out.npz", "--log", folder / "run.log"]
    printed = succeed(*arguments, "--quiet").output
    assert printed == ""
    failed = run(*arguments, "--topology", folder / "absent.xyz")
    log = (folder / "run.log").read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO   |ERROR  ) ", line) for line in log)
    assert sum("command: lpr-fast score 'a file'" in line for line in log) == 2
    assert any(re.search(r"scoring: 24 of 24 atoms.*; 3 frames; .*scoring \d+%", line) for line in log)
    assert any("lowest" in line for line in log)
    assert f"written   {folder / 'out.npz'}" in "\n".join(log)
    assert log[-1].endswith("ERROR   " + failed.stderr.removeprefix("lpr-fast: ").rstrip("\n"))


def test_a_log_does_not_go_into_a_trajectory_by_mistake(folder: Path) -> None:
    before = (folder / "md.xyz").read_bytes()
    result = run("score", folder / "m.lpr", folder / "md.xyz", "--log", folder / "md.xyz")
    assert "its name must end in .log" in result.stderr
    assert (folder / "md.xyz").read_bytes() == before


def test_several_training_files_are_one_training_set(folder: Path) -> None:
    files = [f"{folder}/train.xyz@:2", f"{folder}/train.xyz@2:"]
    printed = succeed("fit", *files, "-o", folder / "parts.lpr", *OPTIONS).stdout
    assert f"6 structures, 48 atoms, from {files[0]}, {files[1]}" in printed
    parts, whole = load_model(folder / "parts.lpr"), load_model(folder / "m.lpr")
    np.testing.assert_array_equal(parts.rigidity.weights, whole.rigidity.weights)
    digest = hashlib.sha256((folder / "train.xyz").read_bytes()).hexdigest()
    assert parts.provenance["training_sha256"] == f"{digest}, {digest}"
    assert f"(sha256 {digest[:16]}..., {digest[:16]}...)" in succeed("info", folder / "parts.lpr").stdout


PROGRESS = {"fit": "rows: descriptors", "score": "scoring"}


@pytest.mark.parametrize("command", PROGRESS)
def test_progress_is_drawn_on_a_terminal_and_nowhere_else(command: str, folder: Path) -> None:
    ase.io.write(folder / "long.xyz", silicon(3) * 400)  # some batches: a rate takes two
    arguments = ["fit", folder / "long.xyz", "-o", folder / "new.lpr", *OPTIONS]
    if command == "score":
        arguments = ["score", folder / "m.lpr", folder / "long.xyz", "-o", folder / "new.npz"]
    quiet = run(*arguments)
    assert (quiet.exit_code, quiet.stderr) == (0, "")
    drawn = run(*arguments, FORCE_COLOR="1", TERM="xterm", COLUMNS="120")
    bars = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn.stderr)
    assert re.search(rf"{PROGRESS[command]} .* 9600/9600 +[1-9][0-9,]* atoms/s +\d+:\d\d:\d\d", bars)
    if command == "score":
        assert re.search(r"1200 frames; .*scoring \d+%", bars.replace(",", ""))
    for result in (quiet, drawn):
        assert "atoms/s" not in result.stdout
        assert "written   " in result.stdout


def write_bytes(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def write_frames(path: Path, *frames: Atoms) -> Path:
    ase.io.write(path, frames, format="extxyz")
    return path


def hypers_file(folder: Path, **changes: object) -> Path:
    return write_bytes(folder / "h.json", json.dumps(HYPERS | changes).encode())


def truncated_middle(folder: Path) -> Path:
    text = (folder / "md.xyz").read_text().splitlines()
    return write_bytes(folder / "cut.xyz", "\n".join(text[:17]).encode())


def fit_with(folder: Path, *options: object, train: object = None) -> list[object]:
    return ["fit", train or folder / "train.xyz", "-o", folder / "new.lpr", *OPTIONS, *options]


def score_of(folder: Path, trajectory: object, *, model: object = None, out: str = "new.extxyz") -> list[object]:
    return ["score", model or folder / "m.lpr", trajectory, "-o", folder / out]


MISTAKES: dict[str, tuple[Callable[[Path], list[object]], str]] = {
    "no training file": (lambda f: fit_with(f, train=f / "no.xyz"), "no.xyz: No such file or directory"),
    "folder as training file": (lambda f: fit_with(f, train=f), "is a folder; give a file of structures"),
    "empty training file": (lambda f: fit_with(f, train=write_bytes(f / "e.xyz", b"")), "e.xyz"),
    "selection of nothing": (lambda f: fit_with(f, train=f"{f}/train.xyz@90:"), "holds no structures"),
    "binary training file": (
        lambda f: fit_with(f, train=write_bytes(f / "b.xyz", bytes(range(256)))),
        "cannot read frame 0",
    ),
    "no folder for the model": (
        lambda f: ["fit", f / "train.xyz", "-o", f / "no" / "m.lpr", *OPTIONS],
        "does not exist; make it first",
    ),
    "folder as model": (lambda f: ["fit", f / "train.xyz", "-o", f, *OPTIONS], "is a folder; give the name of a file"),
    "training file as model": (
        lambda f: ["fit", f / "train.xyz", "-o", f / "train.xyz", *OPTIONS],
        "would overwrite an input",
    ),
    "regularizer of zero": (
        lambda f: fit_with(f, "--regularizer", 0),
        "regularizer is 0; it must be finite and positive",
    ),
    "negative regularizer": (lambda f: fit_with(f, "--regularizer", -1), "regularizer is -1; it must be finite"),
    "NaN regularizer": (lambda f: fit_with(f, "--regularizer", "nan"), "regularizer is nan; it must be finite"),
    "text regularizer": (
        lambda f: fit_with(f, "--regularizer", "small"),
        "regularizer is 'small'; give a positive number",
    ),
    "no active environments": (lambda f: fit_with(f, "--n-active", 0), "n_active is 0; it must be positive"),
    "zeta of zero": (lambda f: fit_with(f, "--zeta", 0), "zeta is 0; it must be finite and positive"),
    "negative seed": (lambda f: fit_with(f, "--seed", -1), "seed is -1; it must not be negative"),
    "misspelt energy key": (lambda f: fit_with(f, "--energy-key", "Energy"), "has no energy named 'Energy' (6 of 6"),
    "unknown loss": (lambda f: fit_with(f, "--loss", "huber"), "'huber' is not one of 'total', 'per_atom'"),
    "negative cutoff": (lambda f: fit_with(f, "--cutoff", -1), "radius in hypers is -1.0; it must be"),
    "negative width": (lambda f: fit_with(f, "--width", -1), "width in hypers is -1.0; it must be"),
    "negative radial": (lambda f: fit_with(f, "--max-radial", -1), "max_radial in hypers is -1; it must be"),
    "hypers twice": (lambda f: fit_with(f, "--hypers", hypers_file(f)), "put all settings into the file"),
    "missing hypers": (
        lambda f: ["fit", f / "train.xyz", "-o", f / "n.lpr", "--hypers", f / "no.json"],
        "No such file",
    ),
    "hypers of another format": (
        lambda f: ["fit", f / "train.xyz", "-o", f / "n.lpr", "--hypers", write_bytes(f / "h.toml", b"")],
        "must end in .json, .yaml or .yml",
    ),
    "broken JSON": (
        lambda f: ["fit", f / "train.xyz", "-o", f / "n.lpr", "--hypers", write_bytes(f / "h.json", b"{")],
        "cannot be parsed",
    ),
    "broken YAML": (
        lambda f: ["fit", f / "train.xyz", "-o", f / "n.lpr", "--hypers", write_bytes(f / "h.yml", b"a: [1")],
        "cannot be parsed",
    ),
    "YAML that explodes": (
        lambda f: [
            "fit",
            f / "train.xyz",
            "-o",
            f / "n.lpr",
            "--hypers",
            write_bytes(f / "h.yml", b"a: &a [1]\nb: *a"),
        ],
        "aliases are not allowed",
    ),
    "hypers in another encoding": (
        lambda f: ["fit", f / "train.xyz", "-o", f / "n.lpr", "--hypers", write_bytes(f / "h.json", b'{"a": "\xff"}')],
        "cannot be parsed",
    ),
    "hypers as model": (
        lambda f: ["fit", f / "train.xyz", "-o", hypers_file(f), "--hypers", f / "h.json"],
        "would overwrite an input",
    ),
    "damaged trajectory": (
        lambda f: score_of(f, write_bytes(f / "bad.xyz", (f / "md.xyz").read_bytes().replace(b"Si", b"S?", 9))),
        "cannot read frame 0 of",
    ),
    "more atoms than lines": (
        lambda f: score_of(f, write_bytes(f / "huge.xyz", b"10000000000\n\nSi 0 0 0\n")),
        "ends within frame 0, which should have 10000000000 atoms",
    ),
    "hypers as a list": (
        lambda f: ["fit", f / "train.xyz", "-o", f / "n.lpr", "--hypers", write_bytes(f / "h.yaml", b"- 1")],
        "it must hold cutoff, density and basis",
    ),
    "unknown hypers": (
        lambda f: ["fit", f / "train.xyz", "-o", f / "n.lpr", "--hypers", hypers_file(f, colour=1)],
        "has unknown entries colour",
    ),
    "unknown basis": (
        lambda f: ["fit", f / "train.xyz", "-o", f / "n.lpr", "--hypers", hypers_file(f, basis={"type": "Best"})],
        "featomic does not accept",
    ),
    "atoms without position": (
        lambda f: fit_with(f, train=write_frames(f / "n.xyz", Atoms("Si", [[np.nan, 0, 0]]))),
        "frame 0, atom 0 has a position that is not finite",
    ),
    "no model file": (lambda f: score_of(f, f / "md.xyz", model=f / "no.lpr"), "no.lpr: No such file or directory"),
    "structures as model": (lambda f: score_of(f, f / "md.xyz", model=f / "md.xyz"), "is not a model file of lpr_fast"),
    "folder as a model": (lambda f: score_of(f, f / "md.xyz", model=f), "Is a directory"),
    "no trajectory": (lambda f: score_of(f, f / "no.xyz"), "no.xyz: No such file or directory"),
    "model as trajectory": (lambda f: score_of(f, f / "m.lpr"), "does not tell its format"),
    "truncated trajectory": (
        lambda f: score_of(f, truncated_middle(f)),
        "ends within frame 1, which should have 8",
    ),
    "output without suffix": (
        lambda f: score_of(f, f / "md.xyz", out="new"),
        "give a name that ends in .h5, .hdf5, .csv, .xyz, .extxyz, .npz, .chemiscope.json, .ch",
    ),
    "trajectory as output": (lambda f: score_of(f, f / "md.xyz", out="md.xyz"), "would overwrite an input"),
    "unknown species": (
        lambda f: score_of(f, write_frames(f / "g.xyz", *silicon(1), *gallium_arsenide(1))),
        "frame 1, atom 0 is Ga, but the model knows only Si",
    ),
    "cell without volume": (
        lambda f: score_of(f, write_frames(f / "g.xyz", Atoms("Si", cell=[5, 5, 0], pbc=True))),
        "frame 0 is periodic, but its cell vectors",
    ),
    "info of nothing": (lambda f: ["info", f / "no.lpr"], "no.lpr: No such file or directory"),
    "no command of ours": (lambda f: ["train"], "No such command 'train'"),  # noqa: ARG005
    "no output": (lambda f: ["fit", f / "train.xyz"], "Missing option '-o'"),
    "demo in a file": (lambda f: ["demo", f / "md.xyz"], "File exists"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gets_one_sentence_and_exit_code_two(name: str, folder: Path) -> None:
    arguments, expected = MISTAKES[name]
    before = {path.name for path in folder.iterdir()}
    result = run(*arguments(folder))
    assert result.exit_code == 2, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert expected in result.stderr
    assert "Traceback" not in result.output
    if result.stderr.startswith("lpr-fast: "):
        assert len(result.stderr.splitlines()) == 1
        assert result.stderr.endswith(".\n")
    made = {path.name for path in folder.iterdir()} - before
    assert not {name for name in made if name.startswith((".", "new")) or name.endswith(".lpr")}
