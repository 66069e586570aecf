"""XYZ in the words of many programs comes to the structures that it is of, or is refused: nothing is guessed."""

from __future__ import annotations

import io
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ase.build
import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import Bohr
from click.testing import CliRunner

from lpr_fast import InvalidInputError, LprWarning, SparseKernelModel, fit_files, load_model, score_trajectory
from lpr_fast.command_line._commands import lpr_fast
from lpr_fast.reading import _sources
from lpr_fast.reading._options import ReadOptions

from .samples import CELL, assert_is, crystal, dump, numbers, read, refusal, xyz
from .structures import HYPERS, fitted, gallium_arsenide, silicon

PARAMETERS = numbers(crystal().cell.cellpar())
IN_BOHR = numbers(np.concatenate([crystal().cell.lengths() / Bohr, crystal().cell.angles()]))

DIALECTS = {
    "lower case": (f'lattice="{numbers(CELL)}" properties=species:S:1:pos:R:3 pbc="T T T"', 1.0),
    "upper case": (f'LATTICE="{numbers(CELL)}" PROPERTIES=Species:S:1:Pos:R:3', 1.0),
    "i-PI in angstrom": (f"# CELL(abcABC): {PARAMETERS}  cell{{angstrom}}  Traj: positions{{angstrom}} Step: 3", 1.0),
    "i-PI in atomic units": (
        f"# CELL(abcABC): {IN_BOHR}  Step:  3  Bead: 0 positions{{atomic_unit}}  cell{{atomic_unit}}",
        1 / Bohr,
    ),
    "i-PI in both": (f"# CELL(abcABC): {IN_BOHR}  positions{{angstrom}}  cell{{atomic_unit}}", 1.0),
    "i-PI with columns": (f"# CELL(H): {numbers(CELL.T)} cell{{angstrom}} positions{{angstrom}}", 1.0),
    "i-PI with rows": (f"# CELL(GENH): {numbers(CELL)} cell{{angstrom}} positions{{angstrom}}", 1.0),
}


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("options", [{}, {"species": "Q=Si"}])
def test_cells_are_read_in_the_words_of_other_programs(name: str, options: dict[str, str], tmp_path: Path) -> None:
    comment, scale = DIALECTS[name]
    (frame,) = read(xyz(tmp_path, comment, scale=scale), **options)
    assert_is(frame, crystal(), 1e-8)


UNKNOWN_CELLS = {
    "no units": (f"# CELL(abcABC): {PARAMETERS} Traj: positions Step: 0", "gives no known units of length"),
    "forces of i-PI": (f"# CELL(abcABC): {PARAMETERS} cell{{angstrom}} forces{{atomic_unit}}", "it holds forces"),
    "too few numbers": ("# CELL(abcABC): 5 5 5 cell{angstrom} positions{angstrom}", r"gives 3 numbers as CELL"),
    "no triangle": (f"# CELL(H): {numbers(CELL)} cell{{angstrom}} positions{{angstrom}}", "not upper triangular"),
    "a key of its own": ('cell="5 5 5 90 90 90"', "speaks of a cell"),
    "brackets": ("box = [[5, 0, 0], [0, 5, 0], [0, 0, 5]]", "speaks of a cell"),
    "words": ("step 3, unit cell 5.0 5.0 5.0", "speaks of a cell"),
    "lengths": ("cell_lengths=5,5,5", "speaks of a cell"),
}


@pytest.mark.parametrize("name", UNKNOWN_CELLS)
def test_cells_in_unknown_words_are_refused(name: str, tmp_path: Path) -> None:
    comment, expected = UNKNOWN_CELLS[name]
    assert expected in refusal(xyz(tmp_path, comment))


@pytest.mark.parametrize(
    "comment", ["Cubic bulk silicon cell", " i =        0, time =        0.000, E =       -17.16", "Atoms. Timestep: 0"]
)
def test_frames_without_a_cell_take_one_that_is_given(comment: str, tmp_path: Path) -> None:
    path = xyz(tmp_path, comment)
    assert not read(path)[0].pbc.any()
    for cell in (CELL, numbers(CELL), ",".join(numbers(CELL).split())):
        assert_is(read(path, cell=cell)[0], crystal())
    by_parameters = read(path, cell=PARAMETERS)[0]
    np.testing.assert_allclose(by_parameters.cell.cellpar(), crystal().cell.cellpar())
    assert read(path, cell="5 6 7")[0].cell.array.tolist() == np.diag([5.0, 6.0, 7.0]).tolist()
    ase.io.write(tmp_path / "topology.cif", crystal())
    ase.io.write(tmp_path / "topology.xyz", crystal(pbc=[True, True, False]))
    assert_is(read(path, topology=tmp_path / "topology.xyz")[0], crystal(pbc=[True, True, False]), 1e-7)


@pytest.mark.parametrize(
    "cell", ["5 5", "5 5 0", "a b c", "5 5 5 10 10 170", "1 0 0 1 0 0 0 0 1", "nan 1 1", "-5 5 5", [[1]]]
)
def test_cells_that_are_none_are_refused(cell: Any) -> None:
    with pytest.raises(InvalidInputError, match="give three lengths"):
        ReadOptions.of(cell=cell)


def test_a_second_cell_is_refused(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "md.xyz", crystal())
    assert "has a cell of its own" in refusal(tmp_path / "md.xyz", cell="5 5 5")


def test_a_lost_periodicity_is_told_once_and_only_if_all_training_structures_had_it(
    model: SparseKernelModel, frames: list[Atoms], tmp_path: Path
) -> None:
    bare = [Atoms(frame.symbols, frame.positions) for frame in frames]
    ase.io.write(tmp_path / "md.xyz", [frames[0], *bare], format="extxyz")
    with pytest.warns(LprWarning, match="frame 1 is not periodic along all cell vectors") as told:
        score_trajectory(model, tmp_path / "md.xyz", [tmp_path / "out.npz"])
    assert len(told) == 1
    mixed = fitted([*silicon(5), Atoms("Si2", [[0, 0, 0], [0, 0, 2.3]])], energy_key=None)
    assert mixed.provenance["periodic"] == [False, False, False]
    score_trajectory(mixed, tmp_path / "md.xyz", [tmp_path / "out.npz"])


def test_numbers_in_xyz_are_types(tmp_path: Path) -> None:
    path = xyz(tmp_path, "Atoms. Timestep: 0")
    path.write_text(path.read_text().replace("Ga", "1").replace("As", "2"))
    assert "has the type 1, which names no element" in refusal(path)
    assert list(read(path, species="Ga,As", cell=CELL)[0].symbols) == ["Ga", "As", "Ga", "As"]
    for other in ({1: "As", 2: "Ga"}, {1: 33, 2: 31}, [33, 31], "33,31"):
        assert list(read(path, species=other)[0].symbols) == ["As", "Ga", "As", "Ga"]
    ase.io.write(tmp_path / "topology.xyz", crystal())
    assert_is(read(path, topology=tmp_path / "topology.xyz")[0], crystal(), 1e-7)


@pytest.mark.parametrize("label", ["Si1", "Si_a", "D", "Xx", "Mw", "C+"])
def test_labels_are_elements_or_need_a_meaning(label: str, tmp_path: Path) -> None:
    path = xyz(tmp_path, f'Lattice="{numbers(CELL)}"')
    path.write_text(path.read_text().replace("Ga", label))
    message = refusal(path)
    assert f"frame 0 of {path}: atom 0 is called {label!r}, which is no element" in message
    assert f"--ignore {label}" in message
    assert list(read(path, species=f"{label}=Si")[0].symbols) == ["Si", "As", "Si", "As"]
    assert list(read(path, ignore=label)[0].symbols) == ["As", "As"]


def test_case_byte_order_marks_and_line_ends_do_not_matter(tmp_path: Path) -> None:
    path = xyz(tmp_path, f'Lattice="{numbers(CELL)}"')
    expected = read(path)
    text = path.read_bytes()
    for other in (
        text.replace(b"Ga", b"GA").replace(b"As", b"as"),
        b"\xef\xbb\xbf" + text,
        text.replace(b"\n", b"\r\n"),
    ):
        path.write_bytes(other)
        assert read(path) == expected
        assert list(read(path, species="Q=Si")[0].symbols) == list(expected[0].symbols)
    path.write_bytes(text.decode().encode("utf-16"))
    assert "stands where its number of atoms should be" in refusal(path)


@pytest.mark.parametrize(
    ("species", "expected"),
    [
        ("In,P=Si", "not both"),
        ("Qq", "'Qq', which is not a chemical element"),
        ("1=X", "'X', which is not a chemical element"),
        ([0], "'0', which is not a chemical element"),
        ("999", "'999', which is not a chemical element"),
        ("1=In,1=P", "name each of them once"),
        (3, "give text such as"),
    ],
)
def test_species_that_mean_nothing_are_refused(species: Any, expected: str) -> None:
    with pytest.raises(InvalidInputError, match=expected):
        ReadOptions.of(species=species)


def test_frames_without_species_are_refused(tmp_path: Path) -> None:
    (tmp_path / "md.xyz").write_text("1\nProperties=pos:R:3\n0 0 0\n")
    assert "Properties have no species" in refusal(tmp_path / "md.xyz")


def water(n_structures: int = 6) -> list[Atoms]:
    """Molecules in cells."""
    frames = []
    for seed in range(n_structures):
        frame = ase.build.molecule("H2O", cell=[8, 8, 8], pbc=True)
        frame.rattle(0.05, seed=seed)
        frame.calc = SinglePointCalculator(frame, energy=-1.0 - seed, forces=np.full((3, 3), 0.1))
        frames.append(frame)
    return frames


def with_sites(frame: Atoms) -> Atoms:
    """The same with a dummy atom between the others."""
    order = frame[:1] + Atoms("X", [frame.positions[0] + [0, 0, 0.15]]) + frame[1:]
    forces = np.vstack([frame.get_forces()[:1], np.zeros((1, 3)), frame.get_forces()[1:]])
    order.calc = SinglePointCalculator(order, energy=frame.get_potential_energy(), forces=forces)
    return order


def test_ignored_sites_change_nothing_for_fit_and_score(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "plain.xyz", water())
    ase.io.write(tmp_path / "sites.xyz", [with_sites(frame) for frame in water()])
    text = (tmp_path / "sites.xyz").read_text()
    (tmp_path / "labels.xyz").write_text(re.sub(r"(?m)^X ", "Mw ", text))
    settings: dict[str, Any] = {"hypers": HYPERS, "regularizer": 1e-3, "n_active": 8}
    outputs = []
    for name, ignore in (("plain", ()), ("sites", "X"), ("labels", ["Mw"])):
        fit_files(tmp_path / f"{name}.xyz", tmp_path / f"{name}.lpr", ignore=ignore, **settings)
        model = load_model(tmp_path / f"{name}.lpr")
        score_trajectory(model, tmp_path / f"{name}.xyz", [tmp_path / "out.npz"], ignore=ignore)
        with np.load(tmp_path / "out.npz") as found:
            outputs.append((found["lpr"], found["local_energy"], found["atom"]))
    for other in outputs[1:]:
        for values, expected in zip(other, outputs[0], strict=True):
            np.testing.assert_array_equal(values, expected)
    with pytest.raises(InvalidInputError, match="frame 0, atom 1 is X, a dummy atom without an element"):
        fit_files(tmp_path / "sites.xyz", tmp_path / "new.lpr", **settings)
    (frame, *_) = read(tmp_path / "sites.xyz", ignore="X")
    assert frame.calc.results["energy"] == -1.0
    assert frame.get_forces().shape == (3, 3)


def test_fit_files_reads_as_score_does(tmp_path: Path) -> None:
    frames = gallium_arsenide(4)
    path = dump(tmp_path / "md.lammpstrj", frames, "id type x y z fx fy fz")
    settings: dict[str, Any] = {"hypers": HYPERS, "regularizer": 1e-3, "n_active": 8}
    model = fit_files(path, tmp_path / "m.lpr", species="Ga,As", **settings)
    expected = SparseKernelModel.fit(frames, energy_key=None, **settings)
    assert not model.has_energies
    assert model.provenance["periodic"] == [True, True, True]
    np.testing.assert_allclose(model.score(frames).lpr, expected.score(frames).lpr, rtol=1e-8)
    with pytest.raises(InvalidInputError, match="names no element"):
        fit_files(path, tmp_path / "n.lpr", **settings)


def test_a_run_does_not_go_on_with_other_ways_of_reading(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "md.xyz", crystal())
    identities = [
        _sources.source_of(tmp_path / "md.xyz", ReadOptions.of(**options)).identity()
        for options in ({}, {"ignore": "X"}, {"species": "Q=Si"}, {"format": "extxyz"}, {"cell": "5 5 5"})
    ]
    assert all(a != b for n, a in enumerate(identities) for b in identities[:n])
    assert identities[0] == _sources.source_of(tmp_path / "md.xyz").identity()


def test_pipes_are_read_with_options_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = xyz(tmp_path, "nothing")
    content = path.read_bytes().replace(b"Ga", b"Q") * 3
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    source = _sources.source_of("-", ReadOptions.of(species="Q=Si", cell=CELL, ignore="As"))
    assert [(str(frame.symbols), frame.pbc.all()) for frame in source.frames(1)] == [("Si2", True)] * 2
    with pytest.raises(InvalidInputError, match="change frames in memory themselves"):
        _sources.source_of([crystal()], ReadOptions.of(cell="5 5 5"))


def test_ways_of_reading_are_options_of_fit_and_score(tmp_path: Path) -> None:
    path = xyz(tmp_path, "no cell", crystal("SiSiSiSi"), name="labels.txt")
    path.write_text(path.read_text().replace("Si ", "Si1 "))
    reading = ["--format", "xyz", "--species", "Si1=Si,Q=H", "--cell", numbers(CELL), "--ignore", "X"]
    small = ["--n-active", "4", "--max-radial", "2", "--max-angular", "2", "--no-energies"]

    def run(*arguments: Any) -> Any:
        return CliRunner().invoke(lpr_fast, [str(argument) for argument in arguments], prog_name="lpr-fast")

    assert run("fit", path, "-o", tmp_path / "m.lpr", *small, *reading).exit_code == 0
    assert load_model(tmp_path / "m.lpr").provenance["periodic"] == [True, True, True]
    assert run("score", tmp_path / "m.lpr", path, "-o", tmp_path / "out.npz", *reading).exit_code == 0
    with np.load(tmp_path / "out.npz") as found:
        np.testing.assert_array_equal(found["lpr"], load_model(tmp_path / "m.lpr").score(crystal("SiSiSiSi")).lpr)
    failed = run("score", tmp_path / "m.lpr", path, "-o", tmp_path / "other.npz", *reading[:2])
    assert "atom 0 is called 'Si1', which is no element" in failed.stderr
