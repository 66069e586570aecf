"""The file of training rows: a head with everything else that a fit needs, and the rows as records.

Layout: the eight bytes ``LPRROWS1``; the length of the head in eight little-endian bytes; the head, which is a file of
named arrays in the format of `_safetensors`; zeros up to a multiple of 64 bytes; then one record for each row, all of
the same length: phi (M float64), and the fields of `label_type`. Rows are appended, and mapped into memory to be read.
"""

from __future__ import annotations

import json
import os
import secrets
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._errors import InvalidInputError
from . import _safetensors
from ._archive import DescriptorPart
from ._basis import Basis, basis_from_parts, basis_to_parts
from ._fit import ModelFacts
from ._rows import Rows, label_type
from ._settings import FitSettings

_MAGIC = b"LPRROWS1"
_ALIGNMENT = 64
_FORMAT_VERSION = 1

# Settings that are kept: those of the first fit that refits and reading of more structures need.
_SETTINGS = (
    *("kind", "regularizer", "zeta", "loss", "noise"),
    *("energy_key", "force_key", "virial_key", "group_key", "seed"),
)

# Rows that are read at once, and bytes of rows that stay in memory until a fit has ended.
_TOGETHER = 1024
_IN_MEMORY = 2**26

Keep: TypeAlias = Callable[[Rows], None]


@dataclass(frozen=True)
class Head:
    """Data that all rows have in common.

    Attributes
    ----------
    basis : Basis
        The basis, which contains the active set.
    settings : FitSettings
        Settings of the fit that computed the rows.
    facts : ModelFacts
        Facts of the model of that fit: baseline, provenance, descriptor.
    """

    basis: Basis
    settings: FitSettings
    facts: ModelFacts

    @property
    def record(self) -> np.dtype[Any]:
        """Record type of a row in the file."""
        return record_of(self.basis)

    def to_bytes(self) -> bytes:
        """Return the beginning of the file, up to the first record."""
        basis, arrays = basis_to_parts(self.basis)
        settings = {name: getattr(self.settings, name) for name in _SETTINGS}
        keys = {name: value for name in ("weights", "sigmas") if isinstance(value := getattr(self.settings, name), str)}
        baseline, descriptor = self.facts.baseline, self.facts.descriptor
        text = {
            "format": "lpr_fast rows",
            "format_version": _FORMAT_VERSION,
            "basis": basis,
            "settings": settings | keys,
            "baseline": None if baseline is None else {str(s): energy for s, energy in baseline.items()},
            "provenance": self.facts.provenance,
            "descriptor": None if descriptor is None else dict(descriptor.facts),
        }
        arrays |= {} if descriptor is None else dict(descriptor.arrays)
        content = _safetensors.to_bytes(arrays, json.dumps(text))
        start = _MAGIC + struct.pack("<Q", len(content)) + content
        return start + bytes(-len(start) % _ALIGNMENT)

    @classmethod
    def read(cls, path: Path) -> tuple[Head, int]:
        """Return the head of a file, and the offset of its rows.

        Raises
        ------
        InvalidInputError
            For other files, and for damaged ones.
        """
        with path.open("rb") as file:
            start = file.read(16)
            if len(start) < 16 or start[:8] != _MAGIC:
                raise InvalidInputError(f"{path} is not a file of training rows; give one that a fit kept (keep_rows).")
            (length,) = struct.unpack("<Q", start[8:])
            content = file.read(min(length, path.stat().st_size))
        text, arrays = _core.read_parts(content, str(path))
        facts = json.loads(text)
        baseline = facts["baseline"]
        descriptor = None
        if facts["descriptor"] is not None:
            of_descriptor = {name: array for name, array in arrays.items() if name.startswith("descriptor.")}
            descriptor = DescriptorPart(facts["descriptor"], of_descriptor)
        basis = basis_from_parts(facts["basis"], arrays)
        kind = facts["settings"]["kind"]
        active = None if kind == "linear" else max(1, basis.size)
        settings = FitSettings(**facts["settings"], n_active=active, provenance=facts["provenance"])
        of_model = ModelFacts(
            None if baseline is None else {int(s): energy for s, energy in baseline.items()},
            facts["provenance"],
            descriptor,
        )
        begin = 16 + length
        return cls(basis, settings, of_model), begin + -begin % _ALIGNMENT


class RowsWriter:
    """Writer of a file of rows; `path` is its temporary name."""

    def __init__(self, path: Path, head: bytes, record: np.dtype[Any]) -> None:
        self._path = path
        self._head = head
        self._record = record
        exists = path.exists() and path.stat().st_size >= len(self._head)
        self._file = path.open("r+b" if exists else "w+b")

    def begin(self, n_rows: int) -> None:
        """Keep the first `n_rows` rows of the file, and write after them.

        Raises
        ------
        InvalidInputError
            If the file has fewer rows.
        """
        length = len(self._head) + n_rows * self._record.itemsize
        self._file.seek(0)
        is_same = self._file.read(len(self._head)) == self._head
        if n_rows and (not is_same or self._path.stat().st_size < length):
            raise InvalidInputError(f"{self._path} has lost rows; delete it and its journal, and begin again.")
        self._file.seek(0)
        self._file.write(self._head)
        self._file.truncate(length)
        self._file.seek(length)

    def write(self, rows: Rows) -> None:
        """Append rows."""
        self._file.write(records_of(rows, self._record).tobytes())

    def blocks(self) -> Iterator[Rows]:
        """Yield all rows written so far, in blocks."""
        self._file.flush()
        count = (self._path.stat().st_size - len(self._head)) // self._record.itemsize
        if not count:
            return
        records: NDArray[Any] = np.memmap(self._path, self._record, "r", offset=len(self._head), shape=(count,))
        for start in range(0, count, _TOGETHER):
            yield as_rows(records[start : start + _TOGETHER])

    def sync(self) -> None:
        """Write everything to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class SpooledRows:
    """Rows that are needed again before a fit ends: in memory if they are few, otherwise in a temporary file."""

    def __init__(self, record: np.dtype[Any], file: IO[bytes]) -> None:
        self._record = record
        self._file = file

    def write(self, rows: Rows) -> None:
        """Append rows."""
        self._file.write(records_of(rows, self._record).tobytes())

    def blocks(self) -> Iterator[Rows]:
        """Yield all rows, in blocks."""
        self._file.seek(0)
        while content := self._file.read(_TOGETHER * self._record.itemsize):
            yield as_rows(np.frombuffer(content, self._record))


class NoRows:
    """Replacement of `SpooledRows` for a fit that does not need the rows again."""

    def write(self, rows: Rows) -> None:
        """Do nothing."""

    def blocks(self) -> Iterator[Rows]:
        """Yield nothing."""
        yield from ()


@contextmanager
def spooled_rows(basis: Basis, *, is_needed: bool) -> Iterator[SpooledRows | NoRows]:
    """Open the storage for rows that an uninterrupted fit needs again."""
    if not is_needed:
        yield NoRows()
        return
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        yield SpooledRows(record_of(basis), file)


def record_of(basis: Basis) -> np.dtype[Any]:
    """Return the record type of rows in files."""
    labels = label_type(len(basis.species))
    fields = [(name, labels.fields[name][0]) for name in labels.names or ()]  # type: ignore[index]
    return np.dtype([("phi", "<f8", (basis.size,)), *fields])


def as_rows(records: NDArray[Any]) -> Rows:
    """Convert records to rows."""
    return Rows(np.ascontiguousarray(records["phi"]), records)


def records_of(rows: Rows, record: np.dtype[Any]) -> NDArray[Any]:
    """Convert rows to records."""
    records = np.zeros(len(rows), record)
    records["phi"] = rows.phi
    for name in rows.labels.dtype.names or ():
        records[name] = rows.labels[name]
    return records


@contextmanager
def rows_file(path: Path | None, settings: FitSettings, basis: Basis, facts: ModelFacts) -> Iterator[Keep]:
    """Open the file of rows of an uninterrupted fit, which is written completely or not at all; none without a path."""
    if path is None:
        yield lambda rows: None  # noqa: ARG005
        return
    part = path.resolve().with_name(f".{path.name[:100]}.{secrets.token_hex(8)}.part")
    head = Head(basis, settings, facts)
    writer = RowsWriter(part, head.to_bytes(), head.record)
    try:
        writer.begin(0)
        yield writer.write
        writer.sync()
        part.replace(path.resolve())
    finally:
        writer.close()
        part.unlink(missing_ok=True)


def mapped(path: Path, head: Head, begin: int) -> NDArray[Any]:
    """Map the records of a file into memory, up to the last complete structure."""
    count = max(0, path.stat().st_size - begin) // head.record.itemsize
    if not count:
        return np.zeros(0, head.record)
    records: NDArray[Any] = np.memmap(path, head.record, "r", offset=begin, shape=(count,))
    last = records[-1]
    whole = count if last["index"] + 1 == last["count"] else count - int(last["index"]) - 1
    return records[:whole]
