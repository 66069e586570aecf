"""Formats by name and content, selections, and what readers of ASE guess."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.units import Bohr, Hartree

from lpr_fast.reading import _sources

from .samples import CELL, PLACES, assert_is, crystal, numbers, read, refusal


def gro(path: Path, names: list[str], frame: Atoms) -> Path:
    rows = [
        f"{1:5d}{'SOL':<5s}{name:>5s}{n + 1:5d}" + "".join(f"{x / 10:8.3f}" for x in p)
        for n, (name, p) in enumerate(zip(names, frame.positions, strict=True))
    ]
    box = " ".join(f"{x / 10:.5f}" for x in frame.cell.lengths())
    path.write_text("\n".join(["made by hand", str(len(frame)), *rows, box]) + "\n")
    return path


def pdb(path: Path, names: list[str], frame: Atoms, *, elements: bool = False) -> Path:
    cell = "CRYST1" + "".join(f"{x:9.3f}" for x in frame.cell.lengths()) + "  90.00  90.00  90.00 P 1           1"
    rows = []
    for n, (name, symbol, p) in enumerate(zip(names, frame.symbols, frame.positions, strict=True)):
        row = f"ATOM  {n + 1:5d} {name:<4s} SOL     1    " + "".join(f"{x:8.3f}" for x in p) + "  1.00  0.00"
        rows.append(row.ljust(76) + (f"{symbol:>2s}" if elements else ""))
    path.write_text("\n".join([cell, *rows, "END"]) + "\n")
    return path


@pytest.mark.parametrize("write", [gro, pdb])
def test_names_of_atoms_are_no_elements_unless_they_can_mean_only_one(write: Any, tmp_path: Path) -> None:
    frame = Atoms("CHNaClO", np.arange(15.0).reshape(5, 3) / 2, cell=[9, 9, 9], pbc=True)
    path = write(tmp_path / f"md.{write.__name__}", ["C12", "H1", "NA", "CL", "O"], frame)
    assert "called 'NA', which may mean several elements" in refusal(path)
    assert_is(read(path, species="NA=Na,CL=Cl")[0], frame, 1e-3)
    assert list(read(path, ignore="NA,CL")[0].symbols) == ["C", "H", "O"]


def test_names_of_gromos_are_read_alike(tmp_path: Path) -> None:
    rows = "".join(f"    1 SOL   {name:<6s}{n:6d}{n:15.9f}{0:15.9f}{0:15.9f}\n" for n, name in enumerate(["OW", "HW1"]))
    (tmp_path / "md.g96").write_text(f"TITLE\nwater\nEND\nPOSITION\n{rows}END\nBOX\n 20.0 20.0 20.0\nEND\n")
    assert "called 'OW'" in refusal(tmp_path / "md.g96")
    (frame,) = read(tmp_path / "md.g96", species="OW=O,HW1=H")
    assert list(frame.symbols) == ["O", "H"]


def test_net_cdf_is_never_of_hydrogen_alone(tmp_path: Path) -> None:
    (tmp_path / "md.nc").write_bytes(b"CDF\x01")
    assert "holds no species" in refusal(tmp_path / "md.nc")
    assert "holds no species" in refusal(tmp_path / "md.nc", format="netcdftrajectory")


def test_columns_of_elements_count_more_than_names_and_a_cell_of_one_is_none(tmp_path: Path) -> None:
    frame = Atoms("CCa", [[0, 0, 0], [3, 0, 0]], cell=[1, 1, 1], pbc=True)
    (found,) = read(pdb(tmp_path / "md.pdb", ["CA", "CA"], frame, elements=True))
    assert_is(found, Atoms("CCa", [[0, 0, 0], [3, 0, 0]]))


DL_POLY = "title\n         0         1         2\n9 0 0\n0 9 0\n0 0 9\n{} 1\n0 0 0\n{} 2\n1 1 1\n"


def test_names_of_dl_poly_are_read_alike(tmp_path: Path) -> None:
    (tmp_path / "CONFIG").write_text(DL_POLY.format("OW", "Na"))
    assert "called 'OW'" in refusal(tmp_path / "CONFIG")
    assert list(read(tmp_path / "CONFIG", species="OW=O")[0].symbols) == ["O", "Na"]


POSCAR = "{}\n1.0\n6 0 0\n0.5 6.5 0\n0.3 -0.4 7\n{}\nCartesian\n" + "\n".join(map(numbers, PLACES)) + "\n"


def test_vasp_4_needs_elements(tmp_path: Path) -> None:
    path = tmp_path / "POSCAR"
    expected = crystal("TiOOO")
    for comment, counts in (("HCP", "1 3"), ("rutile TiO2", "1 3"), ("Ti", "1 3"), ("HCP", "1 3 ! two kinds")):
        path.write_text(POSCAR.format(comment, counts))
        assert "names no elements for its 2 kinds" in refusal(path)
        assert_is(read(path, species="Ti,O")[0], expected)
    for text in (POSCAR.format("Ti O", "1 3"), POSCAR.format("HCP", "Ti O\n1 3")):
        path.write_text(text)
        assert_is(read(path)[0], expected)


def test_input_data_of_runner_and_n2p2_needs_units(tmp_path: Path) -> None:
    atoms = "".join(f"atom {numbers(p)} {s} 0 0 0 0 0\n" for s, p in zip(["Ga", "As", "Ga", "As"], PLACES, strict=True))
    lattice = "".join(f"lattice {numbers(vector)}\n" for vector in CELL)
    (tmp_path / "input.data").write_text(f"begin\ncomment here\n{lattice}{atoms}energy -2.5\ncharge 0\nend\n" * 2)
    assert "does not say its units" in refusal(tmp_path / "input.data")
    in_angstrom = read(tmp_path / "input.data", format="n2p2")
    assert len(in_angstrom) == 2
    assert_is(in_angstrom[1], crystal())
    assert in_angstrom[1].get_potential_energy() == -2.5
    in_bohr = read(tmp_path / "input.data", format="runnerdata")[0]
    np.testing.assert_allclose(in_bohr.positions, PLACES * Bohr)
    assert in_bohr.get_potential_energy() == pytest.approx(-2.5 * Hartree)


def test_sites_that_are_occupied_in_part_are_refused(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "whole.cif", crystal())
    np.testing.assert_allclose(read(tmp_path / "whole.cif")[0].cell.cellpar(), crystal().cell.cellpar(), atol=1e-6)
    text = (tmp_path / "whole.cif").read_text()
    assert "1.0000" in text
    (tmp_path / "part.cif").write_text(text.replace("  1.0000", "  0.7500"))
    assert "is occupied in part (" in refusal(tmp_path / "part.cif")


FORMATS = ["extxyz", "traj", "vasp", "cif", "json", "lammps-data", "xsf", "res"]


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_can_be_named(name: str, tmp_path: Path) -> None:
    frame = crystal()
    options = {"masses": True} if name == "lammps-data" else {}
    ase.io.write(tmp_path / "something", frame, format=name, **options)
    (found,) = read(tmp_path / "something", format=name)
    assert found.get_chemical_formula() == frame.get_chemical_formula()
    np.testing.assert_allclose(found.cell.cellpar(), frame.cell.cellpar(), atol=1e-4)


def test_selections_of_data_bases_are_those_of_ase(tmp_path: Path) -> None:
    frames = [crystal(), crystal("GaGaGaAs"), Atoms("Si2", PLACES[:2], cell=CELL, pbc=True)]
    for name in ("s.db", "s.json"):
        ase.io.write(tmp_path / name, frames)
        path = tmp_path / name
        for selection, expected in (
            ("", [0, 1, 2]),
            ("@Ga>2", [1]),
            ("@id=3", [2]),
            ("@::2", [0, 2]),
            ("@-1", [2]),
            ("@::-1", [2, 1, 0]),
        ):
            found = read(f"{path}{selection}")
            assert [str(frame.symbols) for frame in found] == [str(frames[n].symbols) for n in expected], selection
    assert "holds no structures" in refusal(f"{tmp_path}/s.db@Ga>20")
    assert "selects no frames by 'id=1'" in refusal(f"{tmp_path}/md.xyz@id=1")


def test_single_structures_can_be_selected_and_files_may_have_any_name(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "POSCAR.gz", crystal(), format="vasp", sort=True)
    for selection in ("", "@0", "@-1", "@:", "@::-1"):
        assert len(read(f"{tmp_path}/POSCAR.gz{selection}")) == 1
    assert "holds no structures" in refusal(f"{tmp_path}/POSCAR.gz@1:")
    ase.io.write(tmp_path / "md@300K", crystal(), format="extxyz")
    assert len(read(tmp_path / "md@300K")) == 1
    ase.io.write(tmp_path / "a.exyz", [crystal()] * 2, format="extxyz")
    ase.io.write(tmp_path / "b.traj", [crystal()])
    mixed = [str(tmp_path / name) for name in ("a.exyz", "b.traj", "POSCAR.gz")]
    assert len(list(_sources.source_of(mixed).frames())) == 4


def test_files_that_could_be_anything_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.unknown").write_text("nothing that anybody knows\n")
    assert "does not tell its format" in refusal(tmp_path / "x.unknown")
    assert "format is 'vsap', which cannot be read" in refusal(tmp_path / "x.unknown", format="vsap")
    for name in (
        "vasp",
        "cif",
        "lammps-data",
        "traj",
        "vasp-xdatcar",
        "runnerdata",
        "json",
    ):
        refusal(tmp_path / "x.unknown", format=name)
