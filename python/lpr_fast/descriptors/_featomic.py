"""Calls of featomic: never in a forked process, and with errors in one sentence."""

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
        f"a fit needs featomic for the radial integrals of its descriptor ({error}); install it with: "
        "pip install 'lpr-fast[fit]'"
    ) from error

__all__ = ["Labels", "SphericalExpansionByPair", "SystemBase", "hypers_to_json", "run"]


class _Process:
    """The process that used featomic: featomic's threads do not survive a fork, so that a child would wait forever."""

    def __init__(self) -> None:
        self._used_by: int | None = None

    def refuse_forked(self) -> None:
        if self._used_by not in (None, os.getpid()):
            raise LprError(
                "featomic does not work in a process forked from one that has used it; start processes with "
                "multiprocessing.get_context('spawn') or 'forkserver'."
            )
        self._used_by = os.getpid()


_process = _Process()


def run(call: Any) -> Any:
    """Return the result of a call of featomic, with its errors in one sentence."""
    _process.refuse_forked()
    try:
        return call()
    except (featomic.FeatomicError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split()).removeprefix("invalid parameter: ").rstrip(".")
        raise InvalidInputError(f"featomic does not accept the hypers or the structures: {reason}.") from error
