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
    """Throw for an output that cannot be written, before anything is computed."""
    if output.is_dir():
        raise InvalidInputError(f"{output} is a folder; give the name of a file to write.")
    if not output.absolute().parent.is_dir():
        raise InvalidInputError(f"the folder of {output} does not exist; make it first.")
    for path in inputs:
        if path.exists() and output.exists() and path.samefile(output):
            raise InvalidInputError(f"{output} would overwrite an input; give another name.")


def shown(path: str | Path) -> str:
    """A path as messages and files can hold it, whatever its bytes."""
    return str(path).encode(errors="backslashreplace").decode()


def sha256_of(path: Path) -> str:
    """Hash of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when all has gone well; otherwise what was there before stays.

    Links are followed, and the permissions of a file that is replaced are kept.
    """
    target = path.resolve()
    if target.exists() and not target.is_file() and not target.is_dir():
        raise InvalidInputError(f"{path} exists and is no regular file; give the name of a file to write.")
    part = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.part")
    with part.open("xb") as file:
        try:
            if target.is_file():
                shutil.copymode(target, part)
            yield file
            file.flush()
            os.fsync(file.fileno())
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
