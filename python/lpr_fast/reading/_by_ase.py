"""Frames of formats that ASE reads, without what its readers guess."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, cast

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io.formats import ioformats, open_with_compression

from .._errors import InvalidInputError
from . import _lammps_data
from ._format import LAMMPS_DATA, N2P2, RUNNER
from ._labels import Found
from ._options import ReadOptions
from ._specification import Specification

# Formats for which ASE ignores the step of a slice.
_DATA_BASES = ("db", "json", "aselmdb", "mysql", "postgresql")

# In files of the Protein Data Bank, a cell of 1 Å means none.
_NO_CELL = [1.0, 1.0, 1.0, 90.0, 90.0, 90.0]


def frames_of(given: Specification, format_name: str, options: ReadOptions) -> Iterator[Found]:
    """The selected frames.

    Raises
    ------
    InvalidInputError
        For facts that a reader of ASE would invent.
    """
    if format_name == LAMMPS_DATA:
        yield from [_lammps_data.found_in(_text(given.path), options)][given.frames]
        return
    guard = _GUARDS.get(format_name, _unguarded)(given.path)
    for frame in _read(given, format_name, options):
        found = guard(frame)
        if found.labels is None and (options.species or options.ignore):
            found.labels = list(frame.symbols)
        yield found


def _read(given: Specification, format_name: str, options: ReadOptions) -> Iterator[Atoms]:
    source: Any = str(given.path)
    if format_name == "vasp":
        source = io.StringIO(_with_symbols(_text(given.path), given.path, options))
    every: dict[str, Any] = {"format": format_name, "do_not_split_by_at_sign": True}
    if format_name == N2P2:
        from ase.io.runner.runneratoms import Units

        every |= {"format": RUNNER, "input_units": Units.ASE}
    if given.query is not None:
        yield from ase.io.iread(source, given.query, **every)
    elif ioformats[every["format"]].single:
        yield from list(ase.io.iread(source, **every))[given.frames]
    elif format_name in _DATA_BASES:
        yield from _sliced(ase.io.iread(source, ":", **every), given.frames)
    else:
        yield from ase.io.iread(source, given.frames, **every)


def _sliced(frames: Iterator[Atoms], wanted: slice) -> Iterator[Atoms]:
    bounds = (wanted.start, wanted.stop, wanted.step)
    if all(bound is None or bound >= 0 for bound in bounds):
        return islice(frames, *bounds)
    return iter(list(frames)[wanted])


def _text(path: Path) -> str:
    with open_with_compression(str(path), "rb") as file:
        return cast(bytes, file.read()).decode()


# Removal of what ASE invents, by format: functions of a path that return functions of a frame.
_Guard = Callable[[Atoms], Found]


def _unguarded(_: Path) -> _Guard:
    return Found


def _gromacs(_: Path) -> _Guard:
    return lambda frame: Found(frame, frame.arrays["atomtypes"].tolist(), are_names=True)


def _dl_poly(_: Path) -> _Guard:
    def guard(frame: Atoms) -> Found:
        rest = frame.arrays["dlp4_labels"].tolist()
        labels = [symbol + end for symbol, end in zip(frame.symbols, rest, strict=True)]
        return Found(frame, labels, are_names=True)

    return guard


def _protein(path: Path) -> _Guard:
    atoms = [line for line in _text(path).splitlines() if line.startswith(("ATOM  ", "HETATM"))]
    has_elements = all(line[76:78].strip() for line in atoms)

    def guard(frame: Atoms) -> Found:
        if np.allclose(frame.cell.cellpar(), _NO_CELL):
            frame.cell, frame.pbc = np.zeros((3, 3)), False
        return Found(frame) if has_elements else Found(frame, frame.arrays["atomtypes"].tolist(), are_names=True)

    return guard


def _binary_dump(_: Path) -> _Guard:
    def guard(frame: Atoms) -> Found:
        forces = getattr(frame.calc, "results", {}).get("forces")
        frame.calc = None if forces is None else SinglePointCalculator(frame, forces=forces)  # type: ignore[no-untyped-call]
        return Found(frame, [str(kind) for kind in frame.arrays["type"].tolist()])

    return guard


def _gromos(path: Path) -> _Guard:
    block = _text(path).partition("POSITION")[2].partition("END")[0]
    names = [line.split()[2] for line in block.splitlines() if len(line.split()) >= 7]
    return lambda frame: Found(frame, names, are_names=True)


def _without_species(_: Path) -> _Guard:
    return lambda frame: Found(frame, ["X"] * len(frame))


def _crystal(_: Path) -> _Guard:
    def guard(frame: Atoms) -> Found:
        for site in frame.info.get("occupancy", {}).values():
            if len(site) > 1 or min(site.values()) < 1.0:
                elements = ", ".join(f"{element} {share:g}" for element, share in site.items())
                raise InvalidInputError(f"a site is occupied in part ({elements}); give a structure of whole atoms.")
        return Found(frame)

    return guard


_GUARDS: dict[str, Callable[[Path], _Guard]] = {
    "gromacs": _gromacs,
    "gromos": _gromos,
    "dlp4": _dl_poly,
    "dlp-history": _dl_poly,
    "proteindatabank": _protein,
    "lammps-dump-binary": _binary_dump,
    "cp2k-dcd": _without_species,
    "cif": _crystal,
}


def _with_symbols(text: str, path: Path, options: ReadOptions) -> str:
    """A POSCAR with the line of elements, which files of VASP 4 lack; it is taken from the comment if that has them."""
    from ase.data import atomic_numbers, chemical_symbols

    lines = text.split("\n")
    if len(lines) < 7 or not all(word.isdigit() for word in lines[5].partition("!")[0].split()):
        return text
    n_kinds = len(lines[5].partition("!")[0].split())
    known = dict(options.species)
    symbols = [chemical_symbols[known[str(kind)]] for kind in range(1, n_kinds + 1) if str(kind) in known]
    if not symbols:
        symbols = [word for word in lines[0].split() if word in atomic_numbers]
        symbols = symbols if lines[0].split() == symbols else []
    if len(symbols) != n_kinds:
        raise InvalidInputError(
            f"{path} names no elements for its {n_kinds} kinds of atoms; name them in their order (species='In,P', "
            "--species In,P)."
        )
    return "\n".join([*lines[:5], " ".join(symbols), *lines[5:]])


# Python's message for text in place of a number.
_NO_NUMBER = re.compile(r"(?:invalid literal for int\(\) with base 10|could not convert string to float): b?(.*)")


def in_words(error: BaseException) -> str:
    """The reason of an error, without terms of Python."""
    text = " ".join(str(error).split()).rstrip(".: ")
    if isinstance(error, UnicodeDecodeError):
        return "it is no text in UTF-8"
    if isinstance(error, EOFError | StopIteration | IndexError):
        return "it ends too early, or lacks columns"
    if isinstance(error, KeyError):
        return f"nothing is known of {text}"
    if number := _NO_NUMBER.search(text):
        return f"{number[1]} stands where a number should be"
    if isinstance(error, AttributeError | TypeError | AssertionError | NameError) or not text:
        return "it is not in the form that ASE expects"
    return text
