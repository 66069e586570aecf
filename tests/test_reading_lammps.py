"""Files of LAMMPS: elements, orders, units and energies are read, or asked for, but never made up."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.units import Bohr

from lpr_fast.reading import _sources
from lpr_fast.reading._options import ReadOptions

from .samples import CELL, assert_is, crystal, dump, read, refusal

COLUMNS = ["id type x y z", "id type xs ys zs", "id type xu yu zu", "id element xsu ysu zsu", "type x y z id mass"]


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("pbc", [[True, True, True], [True, False, True]])
def test_dumps_with_elements_by_whatever_means_are_read(columns: str, pbc: list[bool], tmp_path: Path) -> None:
    expected = [crystal(pbc=pbc), crystal("GaAsGaGa", pbc=pbc)]
    path = dump(tmp_path / "md.lammpstrj", expected, columns)
    options = {} if "element" in columns or "mass" in columns else {"species": ["Ga", "As"]}
    for frame, other in zip(read(path, **options), expected, strict=True):
        assert list(frame.symbols) == list(other.symbols)
        assert_is(frame, other)
    packed = tmp_path / "md.lammpstrj.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read(f"{packed}@-1", **options) == read(f"{path}@1", **options) == read(path, **options)[1:]


def test_dumps_are_what_ase_reads_but_for_what_it_makes_up(tmp_path: Path) -> None:
    path = dump(tmp_path / "md.dump", [crystal()], "id type x y z fx fy fz c_pe")
    (frame,) = read(path, species="Ga,As")
    by_ase = ase.io.read(path, format="lammps-dump-text", specorder=["Ga", "As"])
    assert_is(frame, by_ase)
    assert list(frame.symbols) == list(by_ase.symbols)
    np.testing.assert_array_equal(frame.arrays["c_pe"], by_ase.arrays["c_pe"])
    np.testing.assert_allclose(frame.get_forces(), by_ase.get_forces())
    assert by_ase.get_potential_energy() == 0.0
    assert "energy" not in frame.calc.results


def test_units_of_dumps_are_lengths_or_refused(tmp_path: Path) -> None:
    in_bohr = crystal()
    in_bohr.set_cell(CELL / Bohr, scale_atoms=True)
    path = dump(tmp_path / "md.lammpstrj", [in_bohr] * 2, "id type x y z", units="electron")
    assert_is(read(path, species="Ga,As")[1], crystal(), 1e-7)
    assert "units lj" in refusal(
        dump(tmp_path / "lj.lammpstrj", [crystal()], "id type x y z", units="lj"), species="Ga,As"
    )


def test_dumps_can_be_entered_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lpr_fast.reading._formats._BETWEEN_PLACES", 1)
    expected = [crystal("Ga" * n + "As" * (4 - n)) for n in range(5)]
    path = dump(tmp_path / "md.lammpstrj", expected, "id type x y z", units="metal")
    for selection in ("", "@1:", "@::2", "@-3:", "@::-1"):
        plain = _sources.source_of(f"{path}{selection}", ReadOptions.of(species="Ga,As"))
        known = plain.read_through()
        every = list(plain.frames())
        assert (known.n_frames(), known.n_atoms()) == (len(every), 4 * len(every))
        for start in range(len(every)):
            assert list(known.frames(start)) == every[start:]


BAD_DUMPS = {
    "types": ("id type x y z", {}, "", "", "the type 1, which names no element"),
    "neither": ("id x y z", {}, "", "", "neither element nor type"),
    "too few types": ("id type x y z", {"species": "Ga"}, "", "", "the type 2, which names no element"),
    "default elements": ("id type element x y z", {}, "Ga|As", "C", "LAMMPS writes where dump_modify element"),
    "no places": ("id type vx", {}, "", "", "no positions"),
    "a mass of nothing": ("id type mass x y z", {}, r"69\.723", "70.5", "the mass 70.5 is that of none"),
    "an id twice": ("id element x y z", {}, "\n2 ", "\n3 ", "an id stands at two"),
    "a hole": ("id element x y z", {}, r"1\.25", "?", r"atom . has '\?' as y"),
    "no count": ("id element x y z", {}, "OF ATOMS\n4", "OF ATOMS\nfour", "'four' stands where its number of atoms"),
    "the end": ("id element x y z", {}, "\n4\n", "\n5\n", "ends within frame 0, which should have 5 atoms"),
    "a label": ("id element x y z", {}, "Ga", "Mw", "called 'Mw', which is no element"),
}


@pytest.mark.parametrize("name", BAD_DUMPS)
def test_dumps_that_leave_something_open_are_refused(name: str, tmp_path: Path) -> None:
    columns, options, old, new, expected = BAD_DUMPS[name]
    if "vx" in columns:
        (tmp_path / "md.lammpstrj").write_text(
            "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n0 1\n0 1\n0 1\n"
            f"ITEM: ATOMS {columns}\n1 1 0.5\n"
        )
        path = tmp_path / "md.lammpstrj"
    else:
        path = dump(tmp_path / "md.lammpstrj", [crystal()], columns)
        path.write_text(re.sub(old or "$^", new, path.read_text()))
    assert re.search(expected, refusal(path, **options))


def test_topologies_that_can_be_seen_not_to_fit_are_refused(tmp_path: Path) -> None:
    path = dump(tmp_path / "md.lammpstrj", [crystal()], "id type x y z")
    ase.io.write(tmp_path / "good.xyz", crystal())
    ase.io.write(tmp_path / "order.xyz", crystal("GaGaAsAs"))
    assert list(read(path, topology=tmp_path / "good.xyz")[0].symbols) == ["Ga", "As", "Ga", "As"]
    assert "elsewhere; give a topology with the same atoms" in refusal(path, topology=tmp_path / "order.xyz")
    without_id = dump(tmp_path / "unsorted.lammpstrj", [crystal()], "type x y z")
    assert "have no id" in refusal(without_id, topology=tmp_path / "good.xyz")
    found = read(without_id, species="Ga,As")[0]
    assert_is(found[found.positions[:, 0].argsort()], crystal())
    named = dump(tmp_path / "named.lammpstrj", [crystal()], "id element x y z")
    assert "is called As, and Ga in the topology" in refusal(named, topology=tmp_path / "order.xyz")
    ase.io.write(tmp_path / "data.lammps", crystal(), format="lammps-data", masses=True, specorder=["Ga", "As"])
    assert list(read(path, topology=tmp_path / "data.lammps")[0].symbols) == ["Ga", "As", "Ga", "As"]
    other = dump(tmp_path / "types.lammpstrj", [crystal()], "id type x y z", types="As Ga")
    assert "has the type 2, but 1 in the topology" in refusal(other, topology=tmp_path / "data.lammps")


DATA = """made by hand, units = {units}

4 atoms
2 atom types
0 6 xlo xhi
0 6.5 ylo yhi
0 7 zlo zhi
0.5 0.3 -0.4 xy xz yz

{section}
Atoms # atomic

2 2 1.5 1.25 1.75
1 1 0.1 0.2 0.3
4 2 4.5 5.5 6.5
3 1 3 2 5
"""

TYPES = {
    "masses": ("Masses\n\n1 69.72\n2 74.9\n", {}),
    "comments": ("Masses\n\n1 69.72  # Ga\n2 74.9  # As\n", {}),
    "labels": ("Atom Type Labels\n\n1 Ga\n2 As\n", {}),
    "comments without masses": ("Masses\n\n1 1.0  # Ga\n2 1.0  # As\n", {}),
    "a list": ("", {"species": "Ga,As"}),
    "a list that knows better": ("Masses\n\n1 28.0\n2 28.0\n", {"species": "Ga,As"}),
}


@pytest.mark.parametrize("name", TYPES)
def test_data_files_of_lammps_are_read(name: str, tmp_path: Path) -> None:
    section, options = TYPES[name]
    for file in ("s.data", "data.s", "s.lmp", "anything"):
        (tmp_path / file).write_text(DATA.format(units="metal", section=section))
        assert_is(read(tmp_path / file, **options)[0], crystal(), 1e-9)


BAD_TYPES = {
    "nothing": ("", "the type 1, which names no element"),
    "masses of one": ("Masses\n\n1 1.0\n2 1.0\n", "the type 1, which names no element"),
    "a mass of no element": ("Masses\n\n1 69.72\n2 15.5\n", "the type 2, which names no element"),
    "a name of another": ("Masses\n\n1 69.72 # In\n2 74.9\n", "is called In, but has the mass 69.72"),
}


@pytest.mark.parametrize("name", BAD_TYPES)
def test_data_files_whose_types_are_unclear_are_refused(name: str, tmp_path: Path) -> None:
    section, expected = BAD_TYPES[name]
    (tmp_path / "s.data").write_text(DATA.format(units="metal", section=section))
    assert expected in refusal(tmp_path / "s.data")
    (tmp_path / "s.data").write_text(DATA.format(units="lj", section=section))
    assert "in units lj" in refusal(tmp_path / "s.data", species="Ga,As")
