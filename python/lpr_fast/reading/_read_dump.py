"""Frames of LAMMPS dumps, as ASE reads them, but without invented elements, orders and energies."""

from __future__ import annotations

from typing import IO, Any

import numpy as np
from ase import Atoms
from ase.calculators.lammps import convert
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.typing import NDArray

from .. import _core
from .._errors import InvalidInputError
from ._labels import Found, symbol_of_mass
from ._options import ReadOptions

# Columns with the element or the type of an atom; the first existing one counts.
_LABELS = ("element", "typelabel", "type")
_PLACES = (("x", "y", "z"), ("xs", "ys", "zs"), ("xu", "yu", "zu"), ("xsu", "ysu", "zsu"))
_VECTORS = {"velocity": ("vx", "vy", "vz"), "force": ("fx", "fy", "fz")}
_INTEGERS = ("id", "type", "i_", "i2_")
_OF_USERS = ("f_", "v_", "c_", "d_", "d2_", "i_", "i2_")

# Without units in the file, lengths are in Å, as in metal and real; there is no Å in reduced units.
_UNITS = ("metal", "real", "si", "cgs", "electron", "micro", "nano")


def units_of(file: IO[bytes]) -> str:
    """Units that a dump names before its first frame; metal by default."""
    first, second = file.readline(), file.readline()
    units = second.decode(errors="replace").strip() if first.startswith(b"ITEM: UNITS") else "metal"
    if units not in _UNITS:
        raise InvalidInputError(
            f"it is in units {units}, whose lengths cannot be converted to Å; convert the file first."
        )
    return units


def found_in(n_atoms: int, text: bytes, options: ReadOptions, units: str) -> Found:
    """A frame, from its text, sorted by the identifiers of the atoms.

    Raises
    ------
    InvalidInputError
        For columns that are missing or damaged, elements that LAMMPS has made up, and atoms without identifiers where
        their order matters.
    """
    items = _items(text)
    names = items["ATOMS"][0]
    start = text.index(b"\n", text.index(b"ITEM: ATOMS")) + 1
    columns, words = _columns(text, start, n_atoms, names)
    label_name = _label_column(names, options)
    labels = _labels(label_name, columns, words)
    _refuse_default(labels, label_name, columns)
    order = _order(columns, options)
    columns = {name: values[order] for name, values in columns.items()}
    frame = _atoms(columns, items["BOX BOUNDS"], units)
    frame.info["timestep"] = int(items["TIMESTEP"][1][0])
    _attach(frame, columns, units)
    return Found(frame, [labels[atom] for atom in order.tolist()])


def _items(text: bytes) -> dict[str, tuple[list[str], list[str]]]:
    """The text after the name of each item, and the lines below it."""
    items: dict[str, tuple[list[str], list[str]]] = {}
    header = text[: text.index(b"ITEM: ATOMS")].decode() + "ITEM: ATOMS"
    header += text[text.index(b"ITEM: ATOMS") + len(b"ITEM: ATOMS") :].partition(b"\n")[0].decode()
    for part in header.split("ITEM: ")[1:]:
        first, *below = part.strip("\r\n").split("\n")
        name = next((name for name in ("BOX BOUNDS", "ATOMS", "TIMESTEP") if first.startswith(name)), first.strip())
        items[name] = (first.removeprefix(name).split(), below)
    for name in ("TIMESTEP", "BOX BOUNDS"):
        if name not in items:
            raise InvalidInputError(f"it has no ITEM: {name}; it is damaged.")
    return items


def _columns(
    text: bytes, start: int, n_atoms: int, names: list[str]
) -> tuple[dict[str, NDArray[np.float64]], dict[str, list[str]]]:
    """Columns of numbers, and of words."""
    of_words = [name for name in names if name in ("element", "typelabel")]
    kinds = "".join("-" if name in of_words else "R" for name in names)
    found = _core.read_atom_lines(text, start, n_atoms, kinds, 0)
    if found is None:
        raise InvalidInputError(_damage(text[start:], names, of_words))
    reals = [name for name in names if name not in of_words]
    all_words = text[start:].decode().split() if of_words else []
    columns = dict(zip(reals, found[1].T, strict=True))
    return columns, {name: all_words[names.index(name) :: len(names)] for name in of_words}


def _damage(lines: bytes, names: list[str], of_words: list[str]) -> str:
    for atom, line in enumerate(lines.decode(errors="replace").splitlines()):
        words = line.split()
        if len(words) != len(names):
            return f"line {atom} of its atoms has {len(words)} columns in place of {len(names)}; it is damaged."
        for name, word in zip(names, words, strict=True):
            try:
                if name not in of_words:
                    float(word)
            except ValueError:
                return f"atom {atom} has {word!r} as {name}, where a number should be; leave out this column."
    return "its numbers are not in a form that is known here; leave out columns that are not needed."


def _label_column(names: list[str], options: ReadOptions) -> str:
    present = [name for name in _LABELS if name in names]
    are_for_types = any(label.isdigit() for label, _ in options.species)
    if are_for_types and "type" in names:
        return "type"
    if present and not (present == ["type"] and "mass" in names and not options.topology):
        return present[0]
    if "mass" in names:
        return "mass"
    if options.topology is not None:
        return ""
    raise InvalidInputError(
        "its atoms have neither element nor type; dump these columns, or give a structure with the same atoms "
        "(topology, --topology)."
    )


def _labels(name: str, columns: dict[str, NDArray[np.float64]], words: dict[str, list[str]]) -> list[str]:
    if name == "":
        return ["X"] * len(next(iter(columns.values())))
    if name in words:
        return words[name]
    if name == "type":
        return [str(kind) for kind in columns["type"].astype(int).tolist()]
    symbols = {mass: symbol_of_mass(mass) for mass in np.unique(columns["mass"]).tolist()}
    unknown = [mass for mass, symbol in symbols.items() if symbol is None]
    if unknown:
        raise InvalidInputError(
            f"it names no elements, and the mass {unknown[0]:g} is that of none; say which elements the types are "
            "(species='In,P', --species In,P)."
        )
    return [str(symbols[mass]) for mass in columns["mass"].tolist()]


def _refuse_default(labels: list[str], name: str, columns: dict[str, NDArray[np.float64]]) -> None:
    """Refuse elements that are all C, which LAMMPS writes for unknown elements."""
    if name == "element" and "type" in columns and set(labels) == {"C"}:
        n_types = len(np.unique(columns["type"]))
        if n_types > 1:
            raise InvalidInputError(
                f"its {n_types} types are all of the element C, which LAMMPS writes where dump_modify element is "
                "missing; say which elements the types are (species='In,P', --species In,P)."
            )


def _order(columns: dict[str, NDArray[np.float64]], options: ReadOptions) -> NDArray[np.int64]:
    """Atoms by their identifiers."""
    if "id" not in columns:
        if options.topology is not None:
            raise InvalidInputError(
                "its atoms have no id, and LAMMPS changes their order, so that a topology fits by chance alone; dump "
                "the column id, or say which elements the types are (species='In,P', --species In,P)."
            )
        return np.arange(len(next(iter(columns.values()))))
    order = np.argsort(columns["id"], kind="stable")
    if not np.diff(columns["id"][order]).all():
        raise InvalidInputError("an id stands at two of its atoms; it is damaged, or of several simulations.")
    return order


def _atoms(columns: dict[str, NDArray[np.float64]], bounds: tuple[list[str], list[str]], units: str) -> Atoms:
    cell, periodic = _cell(*bounds)
    angstrom = _in_ase(1.0, "distance", units)
    cell = cell * angstrom
    n_atoms = len(next(iter(columns.values())))
    frame = Atoms(numbers=np.zeros(n_atoms, dtype=int), cell=cell, pbc=periodic)
    names = next((names for names in _PLACES if set(names) <= set(columns)), None)
    if names is None:
        raise InvalidInputError("its atoms have no positions; dump the columns x, y and z.")
    places = np.column_stack([columns[name] for name in names])
    frame.positions = places @ cell if "s" in names[0] else places * angstrom
    return frame


def _cell(labels: list[str], lines: list[str]) -> tuple[NDArray[np.float64], list[bool]]:
    """Cell vectors, and the periodicity along each."""
    try:
        numbers = np.array([[float(word) for word in line.split()] for line in lines])
    except ValueError:
        numbers = np.zeros((0, 0))
    n_columns = numbers.shape[-1]
    if numbers.shape[0] != 3 or n_columns not in (2, 3, 4):
        raise InvalidInputError("the bounds of its box are damaged.")
    periodic = [label.startswith("p") for label in labels[-3:]] if len(labels) >= 3 else [False] * 3
    if n_columns == 4:
        return numbers[:, :3], periodic
    low, high = numbers[:, 0], numbers[:, 1]
    xy, xz, yz = numbers[:, 2] if n_columns == 3 else (0.0, 0.0, 0.0)
    a, b, c = high - low - [abs(xy) + abs(xz), abs(yz), 0.0]  # the file has the bounding box
    return np.array([[a, 0.0, 0.0], [xy, b, 0.0], [xz, yz, c]]), periodic


def _in_ase(values: Any, quantity: str, units: str) -> Any:
    return convert(values, quantity, units, "ASE")  # type: ignore[no-untyped-call]


def _attach(frame: Any, columns: dict[str, NDArray[np.float64]], units: str) -> None:
    """Add the other columns to the frame; there is no energy."""
    for name, values in columns.items():
        if name in _INTEGERS or name.startswith(_OF_USERS):
            kind: Any = int if name.startswith(_INTEGERS) else float
            frame.set_array(name, values, kind)
    if "q" in columns:
        frame.set_initial_charges(_in_ase(columns["q"], "charge", units))
    for quantity, names in _VECTORS.items():
        if set(names) <= set(columns):
            vectors = _in_ase(np.column_stack([columns[name] for name in names]), quantity, units)
            if quantity == "velocity":
                frame.set_array("velocities", vectors)  # momenta would need masses, and these elements
            else:
                frame.calc = SinglePointCalculator(frame, forces=vectors)  # type: ignore[no-untyped-call]
