"""Files that are written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ._errors import InvalidInputError


def refuse_output(output: Path, inputs: list[Path]) -> None:
    """Raise for an output that cannot be written, before anything is computed."""
    if output.is_dir():
        raise InvalidInputError(f"{output} is a folder; give the name of a file to write.")
    if not output.absolute().parent.is_dir():
        raise InvalidInputError(f"the folder of {output} does not exist; make it first.")
    if not os.access(output.absolute().parent, os.W_OK):
        raise InvalidInputError(f"the folder of {output} cannot be written to; name a file in another one.")
    for path in inputs:
        if path.exists() and output.exists() and path.samefile(output):
            raise InvalidInputError(f"{output} would overwrite an input; give another name.")


def printable(path: str | Path) -> str:
    """Return a path as text that can be encoded, with bytes that are not UTF-8 escaped."""
    return str(path).encode(errors="backslashreplace").decode()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def replacing(path: Path, part: Path | None = None) -> Iterator[BinaryIO]:
    """Open a temporary file that replaces `path` at the end of the block; after an exception `path` is unchanged.

    Links are followed, and the permissions of a replaced file are kept. The temporary file is `part`, which is
    overwritten, or a file with a random name.
    """
    target = path.resolve()
    if target.exists() and not target.is_file() and not target.is_dir():
        raise InvalidInputError(f"{path} exists and is not a regular file; give another name.")
    part = part or target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.part")
    with named_errors(path), part.open("wb") as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            _rename(part, target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file at once. The temporary file has a fixed name, so that the next write removes it after a kill."""
    with replacing(path, _part_of(path)) as file:
        file.write(content)


def remove_whole(path: Path) -> None:
    """Remove a file of `write_whole` and its temporary file."""
    path.unlink(missing_ok=True)
    _part_of(path).unlink(missing_ok=True)


def publish(staged: Path, output: Path) -> None:
    """Give a complete file its final name; do nothing if that has been done before."""
    target = output.resolve()
    try:
        _rename(staged, target)
    except FileNotFoundError:
        if not target.is_file():
            raise


def _rename(part: Path, target: Path) -> None:
    if target.is_file():
        shutil.copymode(target, part)
    part.replace(target)


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Add the path to errors of the operating system: those of an open file do not name it."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def _part_of(path: Path) -> Path:
    target = path.resolve()
    return target.with_name(target.name + ".part")
