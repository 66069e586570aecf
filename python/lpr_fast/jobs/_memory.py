"""How many atoms are scored together, for a cap on memory."""

from __future__ import annotations

import os

from .._errors import InvalidInputError
from ..atoms import _frames
from ..atoms._model import StructureModel
from ..models._memory import as_bytes

# An atom on its way: text, numbers and scores of the batches that wait, are scored and are written.
_BYTES_PER_ATOM = 4000

# Environments whose features a thread holds at a time, at most, and how many copies of them.
_ENVIRONMENTS_PER_THREAD = 768
_COPIES = 2

_FEWEST_ATOMS = 64


def atoms_together(memory: str | int | None, model: StructureModel) -> int:
    """Atoms that may be scored together under a cap, never more than without one. Results do not depend on it."""
    if memory is None:
        return _frames.BATCH_ATOMS
    cap, needed = as_bytes(memory), _used() + _workspace(model)
    if cap < needed + _FEWEST_ATOMS * _BYTES_PER_ATOM:
        least = (needed + _FEWEST_ATOMS * _BYTES_PER_ATOM) * 5 // 4
        raise InvalidInputError(
            f"memory is {memory}, but model and libraries alone take {needed / 1e6:.0f} MB; give at least "
            f"{least / 1e6:.0f}MB."
        )
    return min(_frames.BATCH_ATOMS, (cap - needed) // _BYTES_PER_ATOM)


def _workspace(model: StructureModel) -> int:
    """Bytes that scoring takes beside the model: factors packed for it, and features of a tile for each thread."""
    packed = 2 * 8 * model.rigidity.size**2
    return packed + (os.cpu_count() or 1) * 8 * model.n_features * _ENVIRONMENTS_PER_THREAD * _COPIES


def _used() -> int:
    """Bytes of this process in memory."""
    try:
        with open("/proc/self/statm") as file:  # noqa: PTH123
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource  # the most that it ever was, where there is no /proc

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
