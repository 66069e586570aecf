"""Writer of files of named arrays and one text, which `_core.read_parts` reads and checks.

The format is safetensors: the length of the header in eight little-endian bytes, the header in JSON, then the arrays,
little-endian, row by row. In addition, every array begins at a multiple of 64 bytes (by padding arrays named
``_padding.N``), and the header contains a SHA-256 of all other bytes of the file.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT = "lpr_fast model"
VERSION = 2

_ALIGNMENT = 64
_NAMES: dict[np.dtype[Any], str] = {np.dtype("<f8"): "F64", np.dtype("<i8"): "I64", np.dtype("u1"): "U8"}
_NO_HASH = "0" * 64

Tensors = Mapping[str, NDArray[Any]]


def to_bytes(tensors: Tensors, text: str) -> bytes:
    """Return the content of the file; arrays have dtype float64, int64 or uint8."""
    parts: list[bytes] = []
    entries = {}
    for name, array in _with_padding(tensors):
        start = sum(len(part) for part in parts)
        parts.append(array.tobytes())
        offsets = [start, start + len(parts[-1])]
        entries[name] = {"dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": offsets}
    metadata = {"format": FORMAT, "format_version": str(VERSION), "sha256": _NO_HASH, "model": text}
    header = json.dumps({"__metadata__": metadata, **entries}, separators=(",", ":")).encode()
    header += b" " * (-(len(header) + 8) % _ALIGNMENT)
    unsigned = struct.pack("<Q", len(header)) + header + b"".join(parts)
    return unsigned.replace(_NO_HASH.encode(), _digest(unsigned).encode(), 1)


def _with_padding(tensors: Tensors) -> Iterator[tuple[str, NDArray[Any]]]:
    for number, (name, array) in enumerate(tensors.items()):
        yield name, array
        if missing := -array.nbytes % _ALIGNMENT:
            yield f"_padding.{number}", np.zeros(missing, dtype=np.uint8)


def _digest(unsigned: bytes) -> str:
    return hashlib.sha256(unsigned).hexdigest()
