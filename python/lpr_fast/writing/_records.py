"""Sinks for the numbers of all atoms, kept as records on disk until the end of the run."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from .. import _core
from .._cpu import n_cores
from .._errors import MissingPackageError
from .._files import publish
from ..atoms._pipeline import Scores
from ..atoms.sums._totals import Totals
from ..models._columns import COLUMNS, FORCE_COLUMNS, columns_of
from ._sinks import About, Spooled, total_columns
from ._spool import SUFFIX, beside

T = TypeVar("T")

FORMAT = "lpr_fast scores"
FORMAT_VERSION = 1

# Atoms in a compressed chunk.
_CHUNK = 2**14

# Level of compression, from 1 to 9.
_LEVEL = 4

_UNITS = {column.name: column.unit for column in (*COLUMNS, *FORCE_COLUMNS)}


class _Records(Spooled):
    """A sink that appends a record for each atom, and makes the file from the records at the end."""

    def __init__(self, output: Path, about: About, tag: str = "") -> None:
        super().__init__(output, tag)
        self._about = about
        self._staged = beside(output, ".assembled")
        reals = [(name, "<f8") for name in (*about.columns, *about.totals)]
        self._type = np.dtype([*reals, ("frame", "<i8"), ("atom", "<i8"), ("species", "<i4")])

    def open(self, length: int | None) -> None:
        self._spool.open(length)

    def add(self, first: int, frames: list[Atoms], scores: Scores, totals: Totals | None = None) -> None:  # noqa: ARG002
        records = np.empty(len(scores), self._type)
        sizes = [len(frame) for frame in frames]
        for name, values in total_columns(totals).items():
            records[name] = np.repeat(values, sizes)
        for name, values in columns_of(scores).items():
            records[name] = values
        records["frame"] = scores.frame
        records["atom"] = scores.atom
        records["species"] = np.concatenate([frame.numbers for frame in frames])
        self._spool.write(records.tobytes())

    def checkpoint(self) -> int:
        return self._spool.checkpoint()

    def absorb(self, tag: str) -> None:
        self._spool.append(beside(self.output, tag + SUFFIX), 0)

    def assemble(self) -> None:
        self._spool.close()
        self._write(self._staged, _Atoms(self._spool.path, self._type))
        with self._staged.open("rb") as file:
            os.fsync(file.fileno())

    def publish(self) -> None:
        publish(self._staged, self.output)

    def remove(self) -> None:
        self._staged.unlink(missing_ok=True)
        super().remove()

    def _write(self, path: Path, atoms: _Atoms) -> None:
        raise NotImplementedError


class _Atoms:
    """Records on disk, read in chunks."""

    def __init__(self, path: Path, kind: np.dtype[Any]) -> None:
        self._path = path
        self._type = kind
        self.count = path.stat().st_size // kind.itemsize

    def chunks(self) -> Iterator[tuple[slice, NDArray[Any]]]:
        with self._path.open("rb") as file:
            start = 0
            while len(records := np.fromfile(file, self._type, _CHUNK)):
                yield slice(start, start + len(records)), records
                start += len(records)

    def frames(self) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Records of the first atom of each frame; the numbers of these atoms, followed by the number of all atoms."""
        records, first = [np.zeros(0, self._type)], [np.zeros(0, dtype=np.int64)]
        for part, some in self.chunks():
            starts = np.flatnonzero(some["atom"] == 0)
            records.append(some[starts])
            first.append(part.start + starts)
        return np.concatenate(records), np.concatenate([*first, [self.count]])


class HDF5(_Records):
    """Compressed columns; docs/guides/trajectories.md describes them."""

    def __init__(self, output: Path, about: About, tag: str = "") -> None:
        super().__init__(output, about, tag)
        _h5py()  # fail before the run, not after it

    def _write(self, path: Path, atoms: _Atoms) -> None:
        with _h5py().File(path, "w", locking=False) as file:  # the run's own lock is held
            self._describe(file)
            group = file.create_group("atoms")
            columns = {name: self._column(group, name, atoms.count) for name in (*self._about.columns, "species")}
            n_threads = n_cores()
            with ThreadPoolExecutor(n_threads) as pool:
                for chunks in _together(atoms.chunks(), n_threads):
                    places = [(column, part.start) for part, _ in chunks for column in columns.values()]
                    values = [records[name].astype(columns[name].dtype) for _, records in chunks for name in columns]
                    for (column, start), packed in zip(places, pool.map(_packed, values), strict=True):
                        column.id.write_direct_chunk((start,), packed)
            records, first = atoms.frames()
            group = file.create_group("frames")
            group["number"], group["first_atom"] = records["frame"], first
            for name in self._about.totals:
                group[name] = records[name]

    def _column(self, group: Any, name: str, count: int) -> Any:
        kind = "<i2" if name == "species" else "<f8"
        options = {"chunks": (_CHUNK,), "compression": "gzip", "compression_opts": _LEVEL, "shuffle": True}
        column = group.create_dataset(name, (count,), kind, maxshape=(None,), **options)
        if name in _UNITS:
            column.attrs["unit"] = _UNITS[name]
        return column

    def _describe(self, file: Any) -> None:
        about = self._about
        file.attrs["format"] = FORMAT
        file.attrs["format_version"] = FORMAT_VERSION
        file.attrs["model_sha256"] = about.model_sha256
        file.attrs["loss"] = about.loss
        file.attrs["regularizer"] = about.regularizer
        file.attrs["instruction_set"] = _core.cpu_info()[0]
        for name, version in about.versions.items():
            file.attrs[f"{name}_version"] = version


class NumPyArrays(_Records):
    """The arrays of `Scores` in a ``.npz`` file."""

    def _write(self, path: Path, atoms: _Atoms) -> None:
        count = (atoms.count,)
        records = np.memmap(self._spool.path, self._type, "r") if atoms.count else np.empty(count, self._type)
        arrays: dict[str, Any] = {name: records[name] for name in self._about.columns}
        arrays |= {"frame": records["frame"], "atom": records["atom"]}
        arrays["species"] = records["species"].astype(np.int64)
        if self._about.totals:
            of_frames, _ = atoms.frames()
            arrays |= {name: of_frames[name] for name in self._about.totals}
            arrays["frame_of_total"] = of_frames["frame"]
        with path.open("wb") as file:
            np.savez(file, **arrays)


def _together(items: Iterator[T], count: int) -> Iterator[list[T]]:
    """Lists of `count` items."""
    while found := list(islice(items, count)):
        yield found


def _packed(values: NDArray[Any]) -> bytes:
    """A chunk as HDF5's filters shuffle and gzip make it; those use one core only."""
    whole = np.zeros(_CHUNK, values.dtype)
    whole[: len(values)] = values
    return zlib.compress(whole.view(np.uint8).reshape(_CHUNK, -1).T.tobytes(), _LEVEL)


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise MissingPackageError("HDF5 files need h5py; install it with: pip install 'lpr-fast[cli]'") from error
    return h5py
