"""What the C reader makes of extended XYZ is what ASE makes of it, or is left to ASE."""

from __future__ import annotations

import io
import os
from importlib import resources
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.constraints import FixAtoms

from lpr_fast.trajectories import _cextxyz, _files

DATA = Path(os.environ.get("LPR_FAST_DATA", Path(__file__).parents[2] / "shared" / "data"))
HEADER = b'Lattice="5 0 0 0 5 0 1 0 5" Properties=species:S:1:pos:R:3:q:R:1 energy=-3.25 note="a b" pbc="T F T"\n'


def by_ase(n_atoms: int, lines: list[bytes]) -> Atoms:
    text = f"{n_atoms}\n" + b"".join(lines).decode()
    return ase.io.read(io.StringIO(text), format="extxyz", index=0)


def assert_equal(a: Any, b: Any) -> None:
    """Equal to the last bit, and of the same type."""
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        for name in a:
            assert_equal(a[name], b[name])
    elif isinstance(a, np.ndarray):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_array_equal(a, b)
    else:
        assert a == b


def assert_same_frames(a: Atoms, b: Atoms) -> None:
    assert_equal(a.arrays, b.arrays)
    assert_equal(a.info, b.info)
    assert_equal(a.cell.array, b.cell.array)
    assert_equal(a.pbc, b.pbc)
    assert_equal(getattr(a.calc, "results", {}), getattr(b.calc, "results", {}))


def test_the_demonstration_data_are_the_same() -> None:
    for path in (resources.files("lpr_fast") / "demo_data").iterdir():
        compare_file(Path(str(path)))


@pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is absent: these structures are not distributed")
@pytest.mark.parametrize("name", ["alloys_ss_mota", "gaas_cookbook", "molecules_small1000", "si_mlearn", "big_aC_4001"])
def test_real_data_are_the_same(name: str) -> None:
    compare_file(DATA / f"{name}.xyz")


def compare_file(path: Path) -> None:
    with path.open("rb") as file:
        texts = _files._texts(file, str(path), range(100))
        frames = [(text.n_atoms, text.lines) for text in texts if text.lines is not None]
    assert frames
    for n_atoms, lines in frames:
        found = _cextxyz.parsed(n_atoms, lines)
        assert found is not None
        assert_same_frames(found, by_ase(n_atoms, lines))


ROWS = {
    "plain": b"Si 1 1 1 2\n",
    "spaces": b"   Si   1 1\t1   2   \n",
    "carriage return": b"Si 1 1 1 2\r\n",
    "lower case": b"si 1 1 1 2\n",
    "infinite": b"Si 1e999 -1e999 1 2\n",
    "tiny": b"Si 1e-320 4.9406564584124654e-324 0.1000000000000000055511151231257827 2\n",
    "many digits": b"Si 0." + b"1" * 3000 + b" 1 1 2\n",
}


@pytest.mark.parametrize("row", ROWS)
def test_unusual_rows_are_read_alike(row: str) -> None:
    lines = [HEADER, b"Si 0 0 0 1\n", ROWS[row]]
    found = _cextxyz.parsed(2, lines)
    assert found is not None
    assert_same_frames(found, by_ase(2, lines))


DAMAGED = {
    "a column less": b"Si 1 1 1\n",
    "a column more": b"Si 1 1 1 2 99\n",
    "a word for a number": b"Si 1 x 1 2\n",
    "letters behind a number": b"Si 1 1 1.5abc 2\n",
    "nothing": b"\n",
    "an unknown element": b"Xq 1 1 1 2\n",
    "another alphabet": "Sí 1 1 1 2\n".encode(),
    "a zero byte": b"Si\x00 1 1 1 2\n",
    "a comma": b"Si 1,5 1 1 2\n",
    "a hole in the file": b"Si 1 1 7.76\0\0\0 2\n",
    "a hexadecimal number": b"Si 0x10 1 1 2\n",
    "a number of Fortran": b"Si 1.D0 1 1 2\n",
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_rows_are_left_to_ase(damage: str) -> None:
    assert _cextxyz.parsed(2, [HEADER, b"Si 0 0 0 1\n", DAMAGED[damage]]) is None


def test_a_frame_without_atoms_is_left_to_ase() -> None:
    assert _cextxyz.parsed(0, [b"Properties=species:S:1:pos:R:3\n"]) is None


def test_constraints_and_integers_are_left_to_ase() -> None:
    frame = Atoms("Si2", [[0, 0, 0], [1, 1, 1]], cell=[4, 4, 4], pbc=True)
    with_integers = frame.copy()
    with_integers.set_array("number", np.array([1, 2**40]))
    frame.set_constraint(FixAtoms([0]))
    for unusual, column in ((frame, "move_mask"), (with_integers, "number")):
        text = io.StringIO()
        ase.io.write(text, unusual, format="extxyz", columns=["symbols", "positions", column])
        lines = [line.encode() + b"\n" for line in text.getvalue().splitlines()[1:]]
        assert _cextxyz.parsed(2, lines) is None


def test_without_the_package_ase_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cextxyz, "_reader", lambda: None)
    assert _cextxyz.parsed(1, [HEADER, b"Si 0 0 0 1\n"]) is None
