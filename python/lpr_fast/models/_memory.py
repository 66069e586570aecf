"""Memory of a fit, and the part of a limit that is left for the pool of the active set."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping

from .._cpu import memory_of_machine
from .._errors import InvalidInputError, LprWarning
from ._active_set import pool_size
from ._batches import TOGETHER
from ._structures import Structures

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}

# Default memory for features of the pool, in bytes.
_POOL_BYTES = 2**29

# Memory of the interpreter with NumPy, ASE and featomic; of batches of features and their kernels.
_LIBRARIES = 285_000_000
_BATCHES = 3 * 8 * 2**21

# Number of M x M matrices: K_MM and its root, the factor, those of the species and their packed forms; a leaf and the
# levels of the tree while rows are added.
_SQUARES = 24

# Number of blocks of rows: one that is computed, its parts, those that wait, and one that is added.
_BLOCKS = 6


def as_bytes(size: str | int) -> int:
    """Convert a number of bytes, or a string such as "2GB" or "500 MB" (powers of 1000), to bytes.

    Raises
    ------
    InvalidInputError
        For other values.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kMGT]?)i?B?\s*", str(size), flags=re.IGNORECASE)
    unit = match.group(2) if match else ""
    unit = "k" if unit in ("k", "K") else unit.upper()
    if match is None or isinstance(size, bool | float):
        raise InvalidInputError(f"memory is {size!r}; give a size such as 2GB or 500MB.")
    return int(float(match.group(1)) * _UNITS[unit])


def needed(structures: Structures, n_features: int, size: int) -> int:
    """Return the bytes that a fit of `size` weights needs without the pool of its active set."""
    of_structures = 8 * len(structures) * (len(structures.species) + 8)
    return _LIBRARIES + _BATCHES + of_structures + 8 * size * (n_features + _SQUARES * size + _rows(structures))


def _rows(structures: Structures) -> int:
    """Return the number of rows of forces and virials in memory at once; a block has at least a whole structure."""
    largest = int(structures.n_rows.max(initial=1))
    return 0 if largest == 1 else _BLOCKS * max(largest, TOGETHER)


def largest_pool(available: Mapping[int, int], n_features: int, wanted: Mapping[int, int]) -> int:
    """Return the bytes of the largest pool of one species, and of the copy that sampling makes of it."""
    sizes = [min(pool_size(count), available[s]) for s, count in wanted.items()]
    return 2 * 8 * n_features * max(sizes, default=0)


def pool_bytes(
    structures: Structures, available: Mapping[int, int], n_features: int, wanted: Mapping[int, int], memory: int | None
) -> int:
    """Return the bytes for features of pools; that of the largest species must fit in any case."""
    largest = largest_pool(available, n_features, wanted)
    if memory is None:
        return max(_POOL_BYTES, largest // 2)
    return memory - needed(structures, n_features, sum(wanted.values())) - largest // 2


def check_memory(memory: int | None, wanted: int, size: int, n_features: int, *, stacklevel: int) -> None:
    """Raise for a limit of memory that is too small for the fit; without a limit, warn if the machine has too little.

    `wanted` bytes are an upper bound, so they are no reason to refuse a fit whose caller has set no limit.

    Raises
    ------
    InvalidInputError
        If the limit is below `wanted`.
    """
    if wanted <= (available := memory_of_machine() if memory is None else memory):
        return
    what = f"{size} weights and {n_features} features of each environment"
    if memory is not None:
        raise InvalidInputError(
            f"memory is {available / 1e6:.0f} MB, but this fit needs {wanted / 1e6:.0f} MB, with {what}; give more "
            "memory, or a smaller active set or fewer features."
        )
    warnings.warn(
        f"this fit may need {wanted / 1e9:.1f} GB, with {what}, but this machine has {available / 1e9:.1f} GB; if it "
        "fails, use a smaller active set or fewer features.",
        LprWarning,
        stacklevel=stacklevel + 1,
    )
