"""How many atoms are described together, for a cap on memory."""

from __future__ import annotations

import os
import re

from .._errors import InvalidInputError
from ..atoms._frames import batch_limit

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}

# Copies of an atom's features at a time: the descriptor's unfolded ones, folded, normalised; those of the batch that
# waits, and of the one that is scored; room for neighbours and texts.
_COPIES = 12

_FEWEST_ATOMS = 64


def as_bytes(size: str | int) -> int:
    """A number of bytes, or a text such as "2GB" or "500 MB" (powers of 1000).

    Raises
    ------
    InvalidInputError
        For anything else.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kMGT]?)i?B?\s*", str(size), flags=re.IGNORECASE)
    unit = match.group(2) if match else ""
    unit = "k" if unit in ("k", "K") else unit.upper()
    if match is None or isinstance(size, bool | float):
        raise InvalidInputError(f"memory is {size!r}; give a size such as 2GB or 500MB.")
    return int(float(match.group(1)) * _UNITS[unit])


def atoms_together(memory: str | int | None, n_features: int) -> int:
    """Atoms that may be described together under a cap, never more than without one. Results do not depend on it."""
    usual = batch_limit(n_features)
    if memory is None:
        return usual
    cap, used, per_atom = as_bytes(memory), _used(), 8 * n_features * _COPIES
    if cap < used + _FEWEST_ATOMS * per_atom:
        needed = (used + _FEWEST_ATOMS * per_atom) * 5 // 4
        raise InvalidInputError(
            f"memory is {memory}, but model and libraries alone take {used / 1e6:.0f} MB; give at least "
            f"{needed / 1e6:.0f}MB."
        )
    return min(usual, (cap - used) // per_atom)


def _used() -> int:
    """Bytes of this process in memory."""
    try:
        with open("/proc/self/statm") as file:  # noqa: PTH123
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource  # the most that it ever was, where there is no /proc

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
