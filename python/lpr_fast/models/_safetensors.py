"""Named arrays and one text in a file that is checked when it is read.

The layout is safetensors: the length of the header in eight little-endian bytes, the header in JSON, then the arrays as
they are, little-endian, row by row. Beyond that every array begins at a multiple of 64 bytes (arrays of padding, named
``_padding.N``, see to it), and the header holds a SHA-256 of all other bytes of the file.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import InvalidInputError

FORMAT = "lpr_fast model"
VERSION = 1

_ALIGNMENT = 64
_DTYPES: dict[str, np.dtype[Any]] = {"F64": np.dtype("<f8"), "I64": np.dtype("<i8"), "U8": np.dtype("u1")}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_NO_HASH = "0" * 64
_LARGEST_HEADER = 100_000_000
_LARGEST_EXTENT = 2**48

Tensors = Mapping[str, NDArray[Any]]


def to_bytes(tensors: Tensors, text: str) -> bytes:
    """The file's content."""
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
        little = np.ascontiguousarray(array, dtype=_DTYPES["I64" if array.dtype.kind in "iu" else "F64"])
        yield name, little
        if missing := -little.nbytes % _ALIGNMENT:
            yield f"_padding.{number}", np.zeros(missing, dtype=np.uint8)


def _digest(unsigned: bytes) -> str:
    return hashlib.sha256(unsigned).hexdigest()


def from_bytes(content: bytes, name: str) -> tuple[dict[str, NDArray[Any]], str]:
    """Arrays and text of a file's content; they are views of it, read-only.

    Raises
    ------
    InvalidInputError
        For content that is no model file, is truncated or changed, or comes from a newer version.
    """
    entries, metadata, start = _header(content, name)
    if metadata["format_version"] != str(VERSION):
        raise InvalidInputError(
            f"{name} has format version {metadata['format_version']}, this lpr_fast reads version {VERSION}; install a "
            "newer lpr_fast."
        )
    payload = memoryview(content)[start:]
    end = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
    if len(payload) != end:
        what = "truncated" if len(payload) < end else "longer than it was written"
        raise InvalidInputError(
            f"{name} is {what} ({len(payload)} bytes of arrays, expected {end}); copy or fit it again."
        )
    digest = metadata["sha256"]
    if _digest(content.replace(digest.encode(), _NO_HASH.encode(), 1)) != digest:
        raise InvalidInputError(f"{name} was changed or damaged after it was written; copy or fit it again.")
    tensors = {key: _array(entry, payload) for key, entry in entries.items() if not key.startswith("_padding.")}
    return tensors, metadata["model"]


def _header(content: bytes, name: str) -> tuple[dict[str, Any], dict[str, str], int]:
    """Entries of the arrays, metadata, and where the arrays begin; checked, but for the hash."""
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 + length and content[8:9] == b"{" and length < _LARGEST_HEADER:
        raise InvalidInputError(f"{name} is truncated within its header; copy or fit it again.")
    try:
        if not 0 < length < _LARGEST_HEADER:
            raise ValueError
        entries = json.loads(content[8 : 8 + length])
        metadata = entries.pop("__metadata__")
        texts = [metadata[key] for key in ("format", "format_version", "sha256", "model")]
        is_ours = all(isinstance(text, str) for text in texts) and metadata["format"] == FORMAT
        if not (is_ours and re.fullmatch("[0-9a-f]{64}", metadata["sha256"]) and _follow(entries.values())):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidInputError(
            f"{name} is not a model file of lpr_fast; give one that `save` or `lpr-fast fit` wrote."
        ) from error
    return entries, metadata, 8 + length


def _follow(entries: Iterable[dict[str, Any]]) -> bool:
    """Whether arrays follow one another without gaps, and are as long as their shapes say."""
    place = 0
    for entry in entries:
        (first, last), shape = entry["data_offsets"], entry["shape"]
        if type(shape) is not list or len(shape) > 2 or any(type(n) is not int for n in (first, last, *shape)):
            return False
        if any(not 0 <= n < _LARGEST_EXTENT for n in shape) or first != place:
            return False
        if last - first != math.prod(shape) * _DTYPES[entry["dtype"]].itemsize:
            return False
        place = last
    return True


def _array(entry: Mapping[str, Any], payload: memoryview) -> NDArray[Any]:
    first, last = entry["data_offsets"]
    array: NDArray[Any] = np.frombuffer(payload[first:last], dtype=_DTYPES[entry["dtype"]])
    return array.reshape(entry["shape"])
