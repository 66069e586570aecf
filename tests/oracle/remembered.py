"""Exact answers of earlier runs, which depend on the oracle and its inputs alone.

Other instruction sets, and the other worker of the tests, need the same ones.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import astuple
from functools import cache
from pathlib import Path

import flint
import numpy as np
from flint import arb

from .problems import Array, Problem

# The folder of pytest's cache, when pytest runs.
_folder: list[Path] = []

Answer = tuple[list[arb], Array]


def keep_in(folder: Path) -> None:
    """Keep exact answers in this folder from now on."""
    _folder[:] = [folder]


@cache
def _oracle() -> bytes:
    """What else decides the answers: how they are computed."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return b"\0".join([flint.__version__.encode(), np.__version__.encode(), *(path.read_bytes() for path in sources)])


def _key(problem: Problem, settings: tuple[object, ...]) -> str:
    digest = hashlib.sha256(_oracle())
    for value in (*astuple(problem), *settings):
        if isinstance(value, np.ndarray):
            digest.update(f"{value.dtype} {value.shape}".encode() + np.ascontiguousarray(value).tobytes())
        else:
            digest.update(repr(value).encode() + b"\0")
    return digest.hexdigest()


def _to_text(answer: Answer) -> str:
    forms, s = answer
    return json.dumps([[[str(part) for part in form.man_exp()] for form in forms], [x.hex() for x in s.tolist()]])


def _from_text(text: str) -> Answer:
    forms, s = json.loads(text)
    return [arb((int(man), int(exp))) for man, exp in forms], np.array([float.fromhex(x) for x in s])


def remembered(problem: Problem, settings: tuple[object, ...], compute: Callable[[], Answer]) -> Answer:
    """What was computed for this problem and these settings before, or now."""
    if not _folder:
        return compute()
    path = _folder[0] / f"{_key(problem, settings)}.json"
    if not path.exists():
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_text(_to_text(compute()))
        unfinished.replace(path)
    return _from_text(path.read_text())
