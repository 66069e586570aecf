"""What our reader makes of extended XYZ is what ASE makes of it, or is left to ASE."""

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
from ase.data import chemical_symbols
from hypothesis import given, settings
from hypothesis import strategies as st

from lpr_fast.reading import _lines, _read_xyz, _texts

DATA = Path(os.environ.get("LPR_FAST_DATA", Path(__file__).parents[2] / "shared" / "data"))
HEADER = b'Lattice="5 0 0 0 5 0 1 0 5" Properties=species:S:1:pos:R:3:q:R:1 energy=-3.25 note="a b" pbc="T F T"\n'


def by_ase(n_atoms: int, text: bytes) -> Atoms:
    return ase.io.read(io.StringIO(f"{n_atoms}\n" + text.decode()), format="extxyz", index=0)


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
        assert repr(a) == repr(b)  # NaN is one, too


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
        texts = _texts.of_xyz(file, str(path), range(100))
        frames = [(frame.n_atoms, frame.text) for frame in texts if frame.text is not None]
    assert frames
    for n_atoms, text in frames:
        found = _read_xyz.parsed(n_atoms, text)
        assert found is not None
        assert_same_frames(found, by_ase(n_atoms, text))


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
    text = HEADER + b"Si 0 0 0 1\n" + ROWS[row]
    found = _read_xyz.parsed(2, text)
    assert found is not None
    assert_same_frames(found, by_ase(2, text))


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
    assert _read_xyz.parsed(2, HEADER + b"Si 0 0 0 1\n" + DAMAGED[damage]) is None


def test_a_frame_without_atoms_is_left_to_ase() -> None:
    assert _read_xyz.parsed(0, b"Properties=species:S:1:pos:R:3\n") is None


def written(frame: Atoms, *columns: str) -> bytes:
    """The frame as ASE writes it, without its first line."""
    text = io.StringIO()
    ase.io.write(text, frame, format="extxyz", columns=["symbols", "positions", *columns])
    return text.getvalue().partition("\n")[2].encode()


def test_constraints_and_large_integers_are_left_to_ase() -> None:
    frame = Atoms("Si2", [[0, 0, 0], [1, 1, 1]], cell=[4, 4, 4], pbc=True)
    with_integers = frame.copy()
    with_integers.set_array("number", np.array([1, 2**40]))
    frame.set_constraint(FixAtoms([0]))
    for unusual, column in ((frame, "move_mask"), (with_integers, "number")):
        assert _read_xyz.parsed(2, written(unusual, column)) is None


def test_columns_of_all_kinds_are_the_same() -> None:
    frame = Atoms("SiOg", [[0, 0, 0], [1, 1, 1]], cell=[4, 4, 4], pbc=True)
    frame.set_array("label", np.array(["a", "bc"]))
    frame.set_array("is_fixed", np.array([True, False]))
    frame.set_array("triple", np.arange(6).reshape(2, 3))
    frame.set_array("velocities", np.arange(6.0).reshape(2, 3) / 7)
    frame.set_initial_charges([0.25, -1e-30])
    text = written(frame, "label", "velocities", "is_fixed", "triple", "initial_charges")
    found = _read_xyz.parsed(2, text)
    assert found is not None
    assert_same_frames(found, by_ase(2, text))


def test_all_symbols_of_ase_are_known() -> None:
    text = b"\n" + b"".join(f"{symbol} 0 0 {z}\n".encode() for z, symbol in enumerate(chemical_symbols))
    found = _read_xyz.parsed(len(chemical_symbols), text)
    assert found is not None
    assert found.numbers.tolist() == list(range(len(chemical_symbols)))


def test_a_text_that_threads_share_is_the_same() -> None:
    rng = np.random.default_rng(5)
    frame = Atoms(numbers=rng.integers(1, 100, 30_000), positions=rng.normal(size=(30_000, 3)) * 1000)
    text = written(frame)
    found = _read_xyz.parsed(len(frame), text)
    assert found is not None
    assert_same_frames(found, by_ase(len(frame), text))
    assert _read_xyz.parsed(len(frame), text.replace(b".", b",", 1 << 16)) is None
    assert _read_xyz.parsed(len(frame) - 1, text) is None


def test_what_a_caller_changes_is_not_what_the_next_frame_gets() -> None:
    text = b'Lattice="5 0 0 0 5 0 0 0 5" dipole="1 2 3" flags="T F" Properties=species:S:1:pos:R:3\nSi 0 0 0\n'
    changed = _read_xyz.parsed(1, text)
    assert changed is not None
    changed.info["flags"].append(True)
    changed.calc.results["dipole"][:] = 0.0
    changed.cell[:] = 1.0
    found = _read_xyz.parsed(1, text)
    assert found is not None
    assert_same_frames(found, by_ase(1, text))


WORDS = st.one_of(
    st.sampled_from(
        ["1", "-2.5", "+3", "1e999", "0x1", "1_0", "T", "F", "true", "a", "_JSON [1, 2]", "é", "nan", "1 2"]
    ),
    st.text("aT1.-+eE =,_{}[]'\"\\\t", max_size=6),
    st.floats().map(repr),
)
FACTS = st.tuples(st.sampled_from(["energy", "stress", "pbc", "a", "b", "uid", "Lattice", ""]), WORDS, st.booleans())


@given(
    facts=st.lists(FACTS, max_size=4),
    columns=st.sampled_from(["R:1", "R:2", "L:1", "S:1", "I:1", "I:2", "R:0"]),
    values=st.lists(WORDS, min_size=2, max_size=2),
)
@settings(max_examples=400, deadline=None)
def test_whatever_is_read_is_what_ase_reads(
    facts: list[tuple[str, str, bool]], columns: str, values: list[str]
) -> None:
    header = " ".join(f'{name}="{value}"' if quoted else f"{name}={value}" for name, value, quoted in facts)
    rows = "".join(f"Si 0 {k} 0.1 {value}\n" for k, value in enumerate(values))
    text = f"{header} Properties=species:S:1:pos:R:3:q:{columns}\n{rows}".encode()
    found = _read_xyz.parsed(2, text)
    if found is not None:
        assert_same_frames(found, by_ase(2, text))


@given(text=st.lists(st.sampled_from([b"\n", b"a", b"bcd", b" "]), max_size=30).map(b"".join), data=st.data())
@settings(max_examples=200, deadline=None)
def test_lines_are_those_of_the_file_however_it_is_read(text: bytes, data: st.DataObject) -> None:
    expected = text.splitlines(keepends=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_lines, "_BLOCK", data.draw(st.integers(1, 8)))
        lines = _lines.Lines(io.BytesIO(text), 100)
        while expected:
            count = data.draw(st.integers(1, 4))
            taken, expected = expected[:count], expected[count:]
            if data.draw(st.booleans()):
                assert lines.some(count) == (b"".join(taken), count - len(taken))
            else:
                assert lines.skip(count) == count - len(taken)
            assert lines.byte == 100 + len(text) - len(b"".join(expected))
        assert lines.one() == b""
        assert _lines.Lines(io.BytesIO(text)).are_blank() == (not text.strip())
