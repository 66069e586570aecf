"""Frames come from files of many kinds, pipes and iterables, and every way gives the same numbers."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from pathlib import Path
from types import SimpleNamespace

import ase.io
import chemfiles
import numpy as np
import pytest
from ase import Atoms

from lpr_fast import InvalidInputError, SparseKernelModel, score_trajectory
from lpr_fast.reading import _sources
from lpr_fast.reading._options import ReadOptions

from .structures import gallium_arsenide


def test_every_source_gives_the_same_bytes(
    model: SparseKernelModel, trajectory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = trajectory.read_bytes()
    for suffix, opened in (("gz", gzip.open), ("bz2", bz2.open), ("xz", lzma.open)):
        with opened(tmp_path / f"md.extxyz.{suffix}", "wb") as file:
            file.write(content)
    text = content.decode().splitlines(keepends=True)
    (tmp_path / "a.xyz").write_text("".join(text[:20]))
    (tmp_path / "b.xyz").write_text("".join(text[20:]))
    ase.io.write(tmp_path / "md.traj", ase.io.read(trajectory, ":"))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    sources = {
        "path": trajectory,
        "text": str(trajectory),
        "gz": tmp_path / "md.extxyz.gz",
        "bz2": tmp_path / "md.extxyz.bz2",
        "xz": tmp_path / "md.extxyz.xz",
        "two files": [tmp_path / "a.xyz", f"{tmp_path}/b.xyz"],
        "selections": [f"{trajectory}@:2", f"{trajectory}@-3:"],
        "pipe": "-",
        "binary file of ASE's": tmp_path / "md.traj",
        "frames": ase.io.read(trajectory, ":"),
        "generator": ase.io.iread(trajectory, ":"),
    }
    outputs = {}
    for name, source in sources.items():
        score_trajectory(model, source, [tmp_path / "out.h5", tmp_path / "out.csv"])
        outputs[name] = [(tmp_path / f"out.{suffix}").read_bytes() for suffix in ("h5", "csv")]
    for name, written in outputs.items():
        assert written == outputs["path"], name


@pytest.mark.parametrize("selection", ["0", "-1", ":", "1:", ":3", "::2", "1:4:2", "-2:", ":-1", "::-1", "3", "7:"])
@pytest.mark.parametrize("start", [0, 1, 2])
def test_selections_are_those_of_ase(selection: str, start: int, trajectory: Path) -> None:
    source = _sources.source_of(f"{trajectory}@{selection}")
    expected = [] if selection == "7:" else ase.io.read(f"{trajectory}@{selection}")
    expected = ([expected] if isinstance(expected, Atoms) else expected)[start:]
    if selection == "7:":
        with pytest.raises(InvalidInputError, match="holds no structures"):
            list(source.frames(start))
    else:
        assert list(source.frames(start)) == expected


def test_cell_vectors_below_the_atoms_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "1\nfirst\nSi 0 0 0\nVEC1 3 0 0\nVEC2 0 3 0\nVEC3 0 0 3\n1\nsecond\nSi 0 0 1\n"
    (tmp_path / "vec.xyz").write_text(text)
    frames = list(_sources.source_of(tmp_path / "vec.xyz").frames())
    assert frames == ase.io.read(tmp_path / "vec.xyz", ":")
    assert frames[0].cell.lengths().tolist() == [3, 3, 3]
    monkeypatch.setattr("lpr_fast.reading._formats._BETWEEN_PLACES", 1)
    assert list(_sources.source_of(tmp_path / "vec.xyz").read_through().frames(1)) == frames[1:]


PRECISIONS = {".xtc": 6e-3, ".trr": 1e-5, ".dcd": 1e-5, ".nc": 1e-5}


@pytest.mark.parametrize("suffix", ["xyz", "xyz.gz", "traj", "xtc"])
@pytest.mark.parametrize("selection", ["", "@1:", "@::2", "@-3:", "@::-1"])
def test_files_that_have_been_read_through_give_the_same_frames(
    suffix: str, selection: str, frames: list[Atoms], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lpr_fast.reading._formats._BETWEEN_PLACES", 1)
    sized = [frame[: 8 - n] if suffix != "xtc" else frame for n, frame in enumerate(frames)]
    path, topology = tmp_path / f"md.{suffix}", None
    if suffix == "xtc":
        write_by_chemfiles(path, sized)
        ase.io.write(tmp_path / "topology.xyz", sized[0])
        topology = tmp_path / "topology.xyz"
    else:
        ase.io.write(path, sized, format="traj" if suffix == "traj" else "extxyz")
    plain = _sources.source_of([f"{path}{selection}", path], ReadOptions.of(topology=topology))
    known = plain.read_through()
    expected = list(_sources.readable(plain))
    assert (known.n_frames(), known.n_atoms()) == (len(expected), sum(map(len, expected)))
    for start in range(len(expected) + 1):
        found = list(known.frames(start))
        assert [len(frame) for frame in found] == [len(frame) for frame in expected[start:]]
        for frame, other in zip(found, expected[start:], strict=True):
            np.testing.assert_array_equal(frame.positions, other.positions)


def test_what_comes_before_is_not_read_again(frames: list[Atoms], tmp_path: Path) -> None:
    ase.io.write(tmp_path / "md.xyz", frames * 2000)
    known = _sources.source_of(tmp_path / "md.xyz").read_through()
    size = (tmp_path / "md.xyz").stat().st_size
    with (tmp_path / "md.xyz").open("r+b") as file:
        file.write(b"?" * (size // 2))
    assert sum(1 for _ in known.frames(9000)) == 1000
    (contents,) = known.contents
    assert size >> 20 >= len(contents.places) >= size >> 21


def write_by_chemfiles(path: Path, frames: list[Atoms]) -> Path:
    with chemfiles.Trajectory(str(path), "w") as file:
        for atoms in frames:
            frame = chemfiles.Frame()
            frame.cell = chemfiles.UnitCell(atoms.cell.array.T)
            for symbol, position in zip(atoms.symbols, atoms.positions, strict=True):
                frame.add_atom(chemfiles.Atom(symbol), position.tolist())
            file.write(frame)
    return path


@pytest.mark.parametrize("suffix", PRECISIONS)
def test_binary_trajectories_are_read_to_their_precision(
    suffix: str, model: SparseKernelModel, frames: list[Atoms], tmp_path: Path
) -> None:
    for frame in frames:
        frame.set_cell([[5.4, 0, 0], [0.5, 5.5, 0], [0.3, 0.4, 5.6]], scale_atoms=True)
    ase.io.write(tmp_path / "first.xyz", frames[0])
    path = write_by_chemfiles(tmp_path / f"md{suffix}", frames)
    score_trajectory(model, path, [tmp_path / "out.extxyz"], topology=tmp_path / "first.xyz")
    read = ase.io.read(tmp_path / "out.extxyz", ":")
    assert len(read) == 5
    for frame, expected in zip(read, frames, strict=True):
        np.testing.assert_allclose(frame.positions, expected.positions, atol=PRECISIONS[suffix])
        np.testing.assert_allclose(frame.cell.array, expected.cell.array, atol=PRECISIONS[suffix])
        assert frame.pbc.all()
    expected_lpr = model.score(frames).lpr
    np.testing.assert_allclose(
        np.concatenate([frame.arrays["lpr"] for frame in read]), expected_lpr, rtol=20 * PRECISIONS[suffix]
    )
    for selection, number in (("@1:4:2", [1, 3]), ("@-1", [4])):
        source = _sources.source_of(f"{path}{selection}", ReadOptions(topology=str(tmp_path / "first.xyz")))
        found = [frame.positions.tolist() for frame in source.frames()]
        np.testing.assert_allclose(found, [frames[n].positions for n in number], atol=PRECISIONS[suffix])


def write_lammps(path: Path, frames: list[Atoms], columns: str) -> Path:
    """A dump as LAMMPS writes it, atoms in any order; its cells have a along x and b in the plane of x and y."""
    lines = []
    for number, frame in enumerate(frames):
        (a, _, _), (xy, b, _), (xz, yz, c) = frame.cell.array.tolist()
        lines += ["ITEM: TIMESTEP", str(10 * number), "ITEM: NUMBER OF ATOMS", str(len(frame))]
        lines += ["ITEM: BOX BOUNDS xy xz yz pp pp pp"]
        lines += [f"{min(0, xy, xz, xy + xz)!r} {a + max(0, xy, xz, xy + xz)!r} {xy!r}"]
        lines += [f"{min(0, yz)!r} {b + max(0, yz)!r} {xz!r}", f"0 {c!r} {yz!r}", f"ITEM: ATOMS {columns}"]
        scaled = "xs" in columns
        places = frame.get_scaled_positions(wrap=False) if scaled else frame.positions
        for atom in np.random.default_rng(number).permutation(len(frame)).tolist():
            values = {"id": str(atom + 1), "type": "1", "element": frame.symbols[atom]}
            names = ("xs", "ys", "zs") if scaled else ("x", "y", "z")
            values |= {name: repr(place) for name, place in zip(names, places[atom].tolist(), strict=True)}
            lines.append(" ".join(values[column] for column in columns.split()))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("columns", ["id type x y z", "id type xs ys zs", "id element x y z"])
def test_lammps_dumps_give_the_same_rigidities(
    columns: str, model: SparseKernelModel, frames: list[Atoms], tmp_path: Path
) -> None:
    for frame in frames:
        frame.set_cell([[5.4, 0, 0], [0.5, 5.5, 0], [0.3, 0.4, 5.6]], scale_atoms=True)
    path = write_lammps(tmp_path / "md.lammpstrj", frames, columns)
    ase.io.write(tmp_path / "first.xyz", frames[0])
    topology = None if "element" in columns else tmp_path / "first.xyz"
    score_trajectory(model, path, [tmp_path / "out.npz"], topology=topology)
    expected = model.score(frames)
    with np.load(tmp_path / "out.npz") as found:
        np.testing.assert_allclose(found["lpr"], expected.lpr, rtol=1e-9)
        np.testing.assert_allclose(found["residual"], expected.residual, rtol=1e-9, atol=1e-12)


def test_species_of_lammps_dumps_come_from_a_topology(frames: list[Atoms], tmp_path: Path) -> None:
    lines = ["ITEM: TIMESTEP", "0", "ITEM: NUMBER OF ATOMS", "8", "ITEM: BOX BOUNDS pp pp pp"]
    lines += [f"0 {length}" for length in frames[0].cell.lengths()]
    lines += ["ITEM: ATOMS id type x y z"]
    order = [3, 1, 2, 0, 7, 5, 4, 6]
    lines += [f"{n + 1} 1 " + " ".join(map(repr, frames[0].positions[n].tolist())) for n in order]
    (tmp_path / "md.lammpstrj").write_text("\n".join(lines) + "\n")
    ase.io.write(tmp_path / "first.xyz", frames[0])
    options = ReadOptions(topology=str(tmp_path / "first.xyz"))
    read = list(_sources.source_of(tmp_path / "md.lammpstrj", options).frames())
    assert read[0].numbers.tolist() == [14] * 8
    np.testing.assert_allclose(read[0].positions, frames[0].positions, atol=1e-12)


def test_a_topology_that_does_not_fit_is_refused(model: SparseKernelModel, frames: list[Atoms], tmp_path: Path) -> None:
    path = write_by_chemfiles(tmp_path / "md.xtc", frames)
    ase.io.write(tmp_path / "pair.xyz", Atoms("Si2", [[0, 0, 0], [2, 0, 0]]))
    with pytest.raises(InvalidInputError, match="has 8 atoms, but the topology has 2; give one that fits"):
        score_trajectory(model, path, [tmp_path / "out.csv"], topology=tmp_path / "pair.xyz")
    with pytest.raises(InvalidInputError, match="holds no species; give a structure with the same atoms"):
        score_trajectory(model, path, [tmp_path / "out.csv"])
    with pytest.raises(InvalidInputError, match="change frames in memory themselves"):
        score_trajectory(model, frames, [tmp_path / "out.csv"], topology=tmp_path / "pair.xyz")
    (tmp_path / "bad.xtc").write_bytes(b"nonsense")
    with pytest.raises(InvalidInputError, match=r"cannot read .*bad.xtc"):
        score_trajectory(model, tmp_path / "bad.xtc", [tmp_path / "out.csv"], topology=tmp_path / "pair.xyz")


BAD_INPUT = {
    "a frame without atoms": (lambda _: [Atoms()], "frame 0 has no atoms"),
    "a frame without atoms in a file": (
        lambda path: text(path, "0\nProperties=species:S:1:pos:R:3\n"),
        "frame 0 has no atoms",
    ),
    "a blank line between frames": (
        lambda path: text(path, "1\n\nSi 0 0 0\n\n1\n\nSi 0 0 0\n"),
        "has a blank line where frame 1 should begin, and more behind it; remove the line",
    ),
    "a step of zero": (
        lambda path: f"{text(path, '')}@::0",
        "x.xyz@::0 selects no frames by '::0'; give for example x.xyz@100: or",
    ),
    "a selection of four numbers": (lambda path: f"{text(path, '')}@1:2:3:4", "selects no frames by"),
    "a selection of letters": (lambda path: f"{text(path, '')}@x:y", "selects no frames by"),
    "something else": (lambda _: [Atoms("Si"), 3], "frame 1 is a int"),
    "no iterable": (lambda _: 3, "source is a int; give paths"),
    "a position that is no number": (lambda _: [Atoms("Si", [[np.nan, 0, 0]])], "frame 0, atom 0 has a position"),
    "another species": (lambda _: gallium_arsenide(1), "frame 0, atom 0 is Ga"),
    "a folder": (lambda f: f, "is a folder"),
    "a cut file": (lambda f: cut(f / "md.xyz"), "ends within frame 4"),
    "a cut compressed file": (lambda f: cut_gz(f / "md.xyz"), "cannot read frame"),
    "a pipe and a file": (lambda f: ["-", f / "md.xyz"], "cannot be joined with files"),
    "no number of atoms": (lambda f: damaged(f / "md.xyz"), "cannot read frame 1 of"),
}


def text(folder: Path, content: str) -> Path:
    path = folder / "x.xyz"
    path.write_text(content)
    return path


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-200])
    return path


def cut_gz(path: Path) -> Path:
    packed = path.with_suffix(".xyz.gz")
    packed.write_bytes(gzip.compress(path.read_bytes())[:-100])
    return packed


def damaged(path: Path) -> Path:
    lines = path.read_text().splitlines(keepends=True)
    lines[10] = "eight\n"
    path.with_name("damaged.extxyz").write_text("".join(lines))
    return path.with_name("damaged.extxyz")


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_gets_one_sentence_and_leaves_nothing(name: str, model: SparseKernelModel, trajectory: Path) -> None:
    make, expected = BAD_INPUT[name]
    folder = trajectory.parent
    source = make(folder)
    before = set(folder.iterdir())
    with pytest.raises(InvalidInputError, match=expected):
        score_trajectory(model, source, [folder / "out.h5", folder / "out.csv"])
    assert set(folder.iterdir()) == before
