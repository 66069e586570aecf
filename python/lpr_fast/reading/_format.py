"""The format of a file."""

from __future__ import annotations

import re
from pathlib import Path

from ase.io.formats import UnknownFileTypeError, filetype, get_compression, ioformats, open_with_compression

from .._errors import InvalidInputError
from . import _chemfiles
from ._options import ReadOptions

XYZ = "extxyz"
DUMP = "lammps-dump-text"
LAMMPS_DATA = "lammps-data"
RUNNER = "runnerdata"
N2P2 = "n2p2"

# Other names of formats. ASE's reader of NetCDF would make atoms without species hydrogen.
_ALIASES = {"xyz": XYZ, "exyz": XYZ, "lammpstrj": DUMP, "netcdftrajectory": "amber-netcdf"}
_SUFFIXES = {".xyz": XYZ, ".extxyz": XYZ, ".exyz": XYZ, ".lammpstrj": DUMP}

_PEEKED = 4096
_ATOMS_OF_DATA = re.compile(rb"^\s*\d+\s+atoms\s*(#.*)?$", re.MULTILINE)
_BOX_OF_DATA = re.compile(rb"\bxlo\s+xhi\b|\bavec\b")
_BEGIN = re.compile(rb"^\s*begin\b[^\n]*$", re.MULTILINE)
_ATOM = re.compile(rb"^\s*(atom|lattice)\s", re.MULTILINE)


def format_of(path: Path, options: ReadOptions) -> str:
    """The name of a file's format: ASE's, or one of chemfiles.

    Raises
    ------
    InvalidInputError
        For unknown formats, and files whose format cannot be determined.
    """
    if options.format is not None:
        return _checked(options.format)
    suffix = Path(get_compression(path.name)[0]).suffix.lower()
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    if suffix in _chemfiles.FORMATS:
        return _chemfiles.FORMATS[suffix]
    return _by_content(path) or _by_ase(path)


def is_binary(format_name: str) -> bool:
    """Whether chemfiles reads a format."""
    return format_name in _chemfiles.FORMATS.values()


def is_text(format_name: str) -> bool:
    """Whether this package reads the format itself, frame by frame."""
    return format_name in (XYZ, DUMP)


def _checked(name: str) -> str:
    known = _ALIASES.get(name, name)
    if is_binary(known) or known == N2P2 or (known in ioformats and ioformats[known].can_read):
        return known
    raise InvalidInputError(
        f"format is {name!r}, which cannot be read; give a name of ASE (ase info --formats), for example extxyz, "
        "lammps-data or vasp."
    )


def _by_content(path: Path) -> str | None:
    with open_with_compression(str(path), "rb") as file:
        beginning = file.read(_PEEKED)
    if _ATOMS_OF_DATA.search(beginning) and _BOX_OF_DATA.search(beginning):
        return LAMMPS_DATA
    if _BEGIN.search(beginning) and _ATOM.search(beginning):
        raise InvalidInputError(
            f"{path} looks like input.data of RuNNer or n2p2, which does not say its units; give the format runnerdata "
            "if it is in Bohr and Hartree, n2p2 if in Å and eV (format, --format)."
        )
    return None


def _by_ase(path: Path) -> str:
    try:
        found = filetype(str(path))
    except UnknownFileTypeError:
        found = ""
    if found in ioformats and ioformats[found].can_read:
        return found
    raise InvalidInputError(
        f"{path} does not tell its format, neither by its name nor by its content; give the format (format, --format), "
        "by its name in ASE: extxyz, lammps-data, vasp."
    )
