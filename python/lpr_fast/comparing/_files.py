"""Files of a comparison."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .._errors import InvalidInputError, MissingPackageError
from .._files import refuse_output, replacing
from .._species import symbol
from ..writing._chemiscope import SUFFIXES
from ..writing._extxyz import write_frame
from ._compared import CHANGES

if TYPE_CHECKING:
    from ._comparison import Comparison

Indices = NDArray[np.int64]

PICTURES = (".png", ".pdf", ".svg")

# Columns of the table, which has their medians for each frame and species.
_MEDIANS = ("lpr_a", "lpr_b", "lpr_held_a", "lpr_held_b", *CHANGES)


def check_suffix(path: Path) -> None:
    """Refuse names with other suffixes.

    Raises
    ------
    InvalidInputError
        For other suffixes.
    """
    if path.suffix not in (*_WRITERS, *PICTURES) and not path.name.endswith(SUFFIXES):
        raise InvalidInputError(
            f"{path} has no known format; give a name that ends in {', '.join((*_WRITERS, *PICTURES, *SUFFIXES))}."
        )


def write(comparison: Comparison, path: Path) -> Path:
    """See `Comparison.save`."""
    check_suffix(path)
    if path.suffix in PICTURES:
        return comparison.plot(path)
    if path.name.endswith(SUFFIXES):
        return comparison.map(path)
    refuse_output(path, [])
    with replacing(path) as file:
        _WRITERS[path.suffix](comparison, file)
    return path


def _csv(comparison: Comparison, file: BinaryIO) -> None:
    names = [name for name in _MEDIANS if name in comparison]
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(["frame", "species", "atoms", *names, *(f"{name}_mean" for name in names if name in CHANGES)])
    for frame, species, atoms in _groups(comparison):
        medians = [_finite(np.median, comparison[name][atoms]) for name in names]
        means = [_finite(np.mean, comparison[name][atoms]) for name in names if name in CHANGES]
        writer.writerow([frame, symbol(species), len(atoms), *medians, *means])
    file.write(lines.getvalue().encode())


def _groups(comparison: Comparison) -> Iterator[tuple[int, int, Indices]]:
    """Atoms of each frame and species."""
    order = np.lexsort((comparison.species, comparison.frame))
    keys = np.stack([comparison.frame[order], comparison.species[order]], axis=1)
    firsts = np.flatnonzero(np.any(np.diff(keys, axis=0, prepend=-1), axis=1)) if len(keys) else np.zeros(0, np.int64)
    for atoms in np.split(order, firsts[1:]) if len(firsts) else []:
        yield int(comparison.frame[atoms[0]]), int(comparison.species[atoms[0]]), atoms


def _finite(function: Callable[[Indices], float], values: np.ndarray) -> str:
    """A function of the finite values, as text; empty without any."""
    finite = values[np.isfinite(values)]
    return repr(float(function(finite))) if len(finite) else ""


def _npz(comparison: Comparison, file: BinaryIO) -> None:
    np.savez(file, **comparison)  # type: ignore[arg-type]


def _hdf5(comparison: Comparison, file: BinaryIO) -> None:
    try:
        import h5py
    except ImportError as error:
        raise MissingPackageError("HDF5 files need h5py; install it with: pip install 'lpr-fast[cli]'") from error
    with h5py.File(file, "w") as content:
        content.attrs["format"] = "lpr_fast comparison"
        content.attrs["loss"] = comparison.models[0].loss
        content.attrs["regularizers"] = comparison.differences.regularizers
        for name, values in comparison.items():
            content.create_dataset(f"atoms/{name}", data=values, compression="gzip", shuffle=True)


def _extended_xyz(comparison: Comparison, file: BinaryIO) -> None:
    columns = {
        name if name.startswith("lpr") else f"lpr_{name}": values
        for name, values in comparison.items()
        if name not in ("frame", "atom", "species")
    }
    starts = np.cumsum([0, *map(len, comparison.frames)]).tolist()
    for frame, start in zip(comparison.frames, starts, strict=False):
        write_frame(file, frame, {name: values[start : start + len(frame)] for name, values in columns.items()})


_WRITERS: dict[str, Callable[[Comparison, BinaryIO], None]] = {
    ".csv": _csv,
    ".npz": _npz,
    ".h5": _hdf5,
    ".hdf5": _hdf5,
    ".xyz": _extended_xyz,
    ".extxyz": _extended_xyz,
}
