"""Extended XYZ holds what the frame held, with all digits, and says what it cannot hold."""

from __future__ import annotations

from pathlib import Path

import ase.io
import extxyz
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms, FixCartesian

from lpr_fast import LprWarning
from lpr_fast.writing._extxyz import write_frame


def test_infinite_rigidities_are_read_by_both_readers(tmp_path: Path) -> None:
    with (tmp_path / "a.xyz").open("wb") as file:
        write_frame(file, Atoms("Si2", [[0, 0, 0], [2, 0, 0]]), {"lpr": np.array([np.inf, 1e-9 / 3])})
    assert ase.io.read(tmp_path / "a.xyz").arrays["lpr"].tolist() == [np.inf, 1e-9 / 3]
    assert extxyz.read_dicts(tmp_path / "a.xyz").arrays["lpr"].tolist() == [np.inf, 1e-9 / 3]


def test_extended_xyz_keeps_what_the_frame_holds(tmp_path: Path) -> None:
    frame = Atoms(
        "SiO", [[0.1, 0, 1 / 3], [1.5, 1e-17, 0]], cell=[[4, 0, 0], [1, 5, 0], [0, 1, 6]], pbc=(True, True, False)
    )
    frame.info |= {"name": "a b", "time": 0.1, "step": 7, "flags": np.array([True, False])}
    frame.arrays["q"] = np.array([1 / 7, -1e-300])
    frame.arrays["site"] = np.array([3, 4])
    frame.arrays["label"] = np.array(["a1", "b2"])
    frame.arrays["inside"] = np.array([True, False])
    frame.arrays["vector"] = np.random.default_rng(1).normal(size=(2, 3))
    forces, stress = np.random.default_rng(2).normal(size=(2, 3)), np.arange(6) / 7
    frame.calc = SinglePointCalculator(frame, energy=-1 / 3, forces=forces, stress=stress)
    frame.set_constraint(FixAtoms([1]))
    lpr = np.array([1e-9 / 3, np.inf])
    with (tmp_path / "a.xyz").open("wb") as file:
        write_frame(file, frame, {"lpr": lpr, "residual": np.array([np.nan, 1.0])})
    read = ase.io.read(tmp_path / "a.xyz", format="extxyz")
    for name in ("positions", "q", "site", "label", "inside", "vector", "numbers"):
        np.testing.assert_array_equal(read.arrays[name], frame.arrays[name])
    np.testing.assert_array_equal(read.arrays["lpr"], lpr)
    np.testing.assert_array_equal(read.arrays["residual"], [np.nan, 1.0])
    np.testing.assert_array_equal(read.get_forces(apply_constraint=False), forces)
    np.testing.assert_array_equal(read.get_stress(apply_constraint=False), stress)
    assert read.get_potential_energy() == -1 / 3
    assert read.info["name"] == "a b"
    assert (read.info["time"], read.info["step"]) == (0.1, 7)
    assert read.pbc.tolist() == [True, True, False]
    assert read.constraints[0].index.tolist() == [1]


def test_what_extended_xyz_cannot_hold_is_left_out_with_a_note(tmp_path: Path) -> None:
    frame = Atoms("Si3", np.eye(3), info={"note": "two\nlines", "Properties": "species:S:1", "Lattice": "none"})
    frame.arrays["a b"] = np.ones(3)
    frame.arrays["words"] = np.array(["one", "two words", ""])
    frame.arrays["wave"] = np.ones(3) * 1j
    frame.set_constraint([FixAtoms([0]), FixAtoms([1]), FixCartesian([2], (True, False, False))])
    with (tmp_path / "a.xyz").open("wb") as file, pytest.warns(LprWarning, match="cannot hold the array") as caught:
        write_frame(file, frame, {"lpr": np.arange(3.0)})
    assert len(caught) == 3
    read = ase.io.read(tmp_path / "a.xyz", format="extxyz")
    assert read.info["note"] == "two lines"
    assert read.arrays["lpr"].tolist() == [0.0, 1.0, 2.0]
    fixed = {int(i): np.asarray(c.mask).tolist() for c in read.constraints for i in np.atleast_1d(c.index)}
    assert fixed[2] == [True, False, False]
    assert fixed[0] == fixed[1] == [True, True, True]


def test_labels_that_came_from_extended_xyz_go_back_there(tmp_path: Path) -> None:
    (tmp_path / "in.xyz").write_text("2\nProperties=species:S:1:pos:R:3:label:S:1\nSi 0 0 0 a1\nSi 2 0 0 \u00e9\n")
    frame = ase.io.read(tmp_path / "in.xyz")
    with (tmp_path / "out.xyz").open("wb") as file:
        write_frame(file, frame, {"lpr": np.ones(2)})
    assert ase.io.read(tmp_path / "out.xyz").arrays["label"].tolist() == ["a1", "\u00e9"]
