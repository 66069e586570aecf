"""Structures of low symmetry, and files of other programs with them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from lpr_fast import InvalidInputError
from lpr_fast.reading import _sources
from lpr_fast.reading._options import ReadOptions

CELL = np.array([[6.0, 0.0, 0.0], [0.5, 6.5, 0.0], [0.3, -0.4, 7.0]])
PLACES = np.array([[0.1, 0.2, 0.3], [1.5, 1.25, 1.75], [3.0, 2.0, 5.0], [4.5, 5.5, 6.5]])


def crystal(symbols: str = "GaAsGaAs", *, pbc: Any = (True, True, True)) -> Atoms:
    """Four atoms in a cell of low symmetry."""
    return Atoms(symbols, PLACES, cell=CELL, pbc=pbc)


def read(path: Path | str, **options: Any) -> list[Atoms]:
    """All frames of a file."""
    return list(_sources.readable(_sources.source_of(path, ReadOptions.of(**options))))


def refusal(path: Path | str, **options: Any) -> str:
    """What is said of a file that is refused: one sentence, without the insides of Python."""
    with pytest.raises(InvalidInputError) as caught:
        read(path, **options)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert not re.search(r"[a-z]Error|object has|NoneType|base 10", message)
    return message


def assert_is(frame: Atoms, expected: Atoms, error: float = 1e-9) -> None:
    """The same elements at the same places."""
    assert frame.get_chemical_formula("reduce") == expected.get_chemical_formula("reduce")
    np.testing.assert_allclose(frame.positions, expected.positions, atol=error)
    np.testing.assert_allclose(frame.cell.array, expected.cell.array, atol=error)
    assert frame.pbc.tolist() == expected.pbc.tolist()


def xyz(folder: Path, comment: str, frame: Atoms | None = None, scale: float = 1.0, name: str = "md.xyz") -> Path:
    """Plain XYZ with a comment line."""
    frame = crystal() if frame is None else frame
    rows = [
        f"{s} {' '.join(map(repr, (scale * p).tolist()))}\n"
        for s, p in zip(frame.symbols, frame.positions, strict=True)
    ]
    (folder / name).write_text(f"{len(frame)}\n{comment}\n{''.join(rows)}")
    return folder / name


def numbers(values: Any) -> str:
    return " ".join(repr(float(value)) for value in np.ravel(values))


def dump(
    path: Path, frames: list[Atoms], columns: str, *, types: str = "Ga As", units: str = "", seed: int = 0
) -> Path:
    """A dump as LAMMPS writes it, atoms in any order."""
    lines = ["ITEM: UNITS", units] if units else []
    for number, frame in enumerate(frames):
        (a, _, _), (xy, b, _), (xz, yz, c) = frame.cell.array.tolist()
        periodic = " ".join("pp" if direction else "ff" for direction in frame.pbc)
        lines += ["ITEM: TIMESTEP", str(10 * number), "ITEM: NUMBER OF ATOMS", str(len(frame))]
        lines += [f"ITEM: BOX BOUNDS xy xz yz {periodic}"]
        lines += [f"{min(0, xy, xz, xy + xz)!r} {a + max(0, xy, xz, xy + xz)!r} {xy!r}"]
        lines += [f"{min(0, yz)!r} {b + max(0, yz)!r} {xz!r}", f"0 {c!r} {yz!r}", f"ITEM: ATOMS {columns}"]
        scaled = frame.get_scaled_positions(wrap=False)
        for atom in np.random.default_rng(number).permutation(len(frame)).tolist():
            symbol = frame.symbols[atom]
            values = {"id": atom + 1, "type": types.split().index(symbol) + 1, "element": symbol, "typelabel": symbol}
            values |= {"mass": frame.get_masses()[atom], "fx": 0.5 * atom, "fy": 0.0, "fz": -1.0, "c_pe": -atom / 7}
            for suffix in ("", "u"):
                values |= {f"{axis}{suffix}": frame.positions[atom, k] for k, axis in enumerate("xyz")}
                values |= {f"{axis}s{suffix}": scaled[atom, k] for k, axis in enumerate("xyz")}
            lines.append(" ".join(str(values[column]) for column in columns.split()))
    path.write_text("\n".join(lines) + "\n")
    return path
