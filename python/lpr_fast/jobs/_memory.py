"""Number of atoms that are scored at once, from a limit on memory."""

from __future__ import annotations

import os

from .._errors import InvalidInputError
from ..atoms import _frames
from ..atoms._model import StructureModel
from ..atoms.rows._gradient_rows import ROWS_TOGETHER
from ..models._memory import as_bytes

# Bytes of an atom in all stages: text, numbers and scores.
_BYTES_PER_ATOM = 4000

# Largest number of environments whose features a thread holds, and copies of them.
_ENVIRONMENTS_PER_THREAD = 768
_COPIES = 2

_FEWEST_ATOMS = 64

# Smaller batches with forces, which take long: checkpoints and progress come more often.
_ATOMS_WITH_FORCES = 256


def atoms_together(memory: str | int | None, model: StructureModel, *, forces: bool = False) -> int:
    """Number of atoms to score at once; results do not depend on it."""
    most = _ATOMS_WITH_FORCES if forces else _frames.BATCH_ATOMS
    if memory is None:
        return most
    cap, needed = as_bytes(memory), _used() + _workspace(model) + (_force_workspace(model) if forces else 0)
    if cap < needed + _FEWEST_ATOMS * _BYTES_PER_ATOM:
        least = (needed + _FEWEST_ATOMS * _BYTES_PER_ATOM) * 5 // 4
        raise InvalidInputError(
            f"memory is {memory}, but the model and libraries alone need {needed / 1e6:.0f} MB; give at least "
            f"{least / 1e6:.0f}MB."
        )
    return min(most, (cap - needed) // _BYTES_PER_ATOM)


def _force_workspace(model: StructureModel) -> int:
    """Bytes that forces need: rows and their solutions, Jacobians, the active set."""
    return 8 * (2 * max(ROWS_TOGETHER, 3 * model.rigidity.size) + 2**21 + model.n_features * model.rigidity.size)


def _workspace(model: StructureModel) -> int:
    """Bytes that scoring needs beside the model: packed factors, and features of a tile for each thread."""
    packed = 2 * 8 * model.rigidity.size**2
    return packed + (os.cpu_count() or 1) * 8 * model.n_features * _ENVIRONMENTS_PER_THREAD * _COPIES


def _used() -> int:
    """Bytes of this process in memory."""
    try:
        with open("/proc/self/statm") as file:  # noqa: PTH123
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource  # the peak, on systems without /proc

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
