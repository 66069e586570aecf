"""How featomic is called: never in a forked process, and its errors become one sentence."""

from __future__ import annotations

import os
from typing import Any

from .._errors import InvalidInputError, LprError, MissingPackageError

try:
    import featomic
    from featomic import SphericalExpansionByPair
    from featomic._hypers import hypers_to_json
    from featomic.systems import SystemBase
    from metatensor import Labels
except ImportError as error:
    raise MissingPackageError(
        f"a fit samples the radial integrals of its descriptor from featomic ({error}); install it with: "
        "pip install 'lpr-fast[fit]'"
    ) from error

__all__ = ["Labels", "SphericalExpansionByPair", "SystemBase", "hypers_to_json", "run"]


class _Process:
    """Remembers which process used featomic: its threads do not survive a fork, and a child would wait for ever."""

    def __init__(self) -> None:
        self._used_by: int | None = None

    def refuse_forked(self) -> None:
        if self._used_by not in (None, os.getpid()):
            raise LprError(
                "featomic cannot work in a process that was forked from one that has used it; make processes with "
                "multiprocessing.get_context('spawn') or 'forkserver'."
            )
        self._used_by = os.getpid()


_process = _Process()


def run(call: Any) -> Any:
    """What featomic answers, its errors put into one sentence."""
    _process.refuse_forked()
    try:
        return call()
    except (featomic.FeatomicError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split()).removeprefix("invalid parameter: ").rstrip(".")
        raise InvalidInputError(f"featomic refused the hypers or the structures: {reason}.") from error
