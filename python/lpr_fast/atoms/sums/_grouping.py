"""Groups of atoms of a frame, from labels of the atoms or from weights of sums."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ..._arrays import Array
from ..._errors import InvalidInputError
from ._sums import Members

if TYPE_CHECKING:
    from ase import Atoms

#: A label for each atom, or a mapping from names of sums to weights of the atoms.
Labels: TypeAlias = "ArrayLike | Mapping[str, ArrayLike]"

#: The name of labels in frames, labels, or a function from a frame to labels.
Groups: TypeAlias = "str | Labels | Callable[[Atoms], Labels]"


def members_of(groups: Groups, frame: Atoms, number: int) -> tuple[list[str], Members]:
    """Return the names of the groups of a frame, and their atoms.

    Raises
    ------
    InvalidInputError
        For labels and weights that cannot be used, and for a frame without groups.
    """
    given: Any = groups(frame) if callable(groups) else groups
    if isinstance(given, str):
        given = _carried(given, frame, number)
    if isinstance(given, Mapping):
        names = [str(name) for name in given]
        members = Members.of_weights([_weights(str(n), w, len(frame), number) for n, w in given.items()])
    else:
        names, members = _of_labels(_labels(given, len(frame), number))
    if not names:
        raise InvalidInputError(
            f"frame {number} has no groups, because no atom has a label; leave it out, or label at least one atom."
        )
    return names, members


def _carried(key: str, frame: Atoms, number: int) -> Any:
    """Return the labels of a frame with a given name: one for each atom, or one of the frame for all."""
    if key in frame.arrays:
        return frame.arrays[key]
    if key not in frame.info:
        known = ", ".join(sorted({*frame.arrays, *frame.info} - {"positions"})) or "nothing"
        raise InvalidInputError(
            f"frame {number} has no labels named {key!r}, but {known}; give the name of labels of its atoms, or of the "
            "frame."
        )
    found = frame.info[key]
    return np.full(len(frame), found) if np.ndim(found) == 0 else found


def _labels(given: Any, n_atoms: int, number: int) -> list[str]:
    """Return the labels as strings, "" for no group."""
    try:
        labels = np.asarray(given)
    except ValueError:  # a list of lists
        labels = np.zeros((0, 0))
    if labels.shape != (n_atoms,):
        raise InvalidInputError(
            f"the labels of frame {number} have shape {labels.shape}; give one for each of its atoms, {n_atoms} in all."
        )
    if labels.dtype.kind not in "biuUO":
        raise InvalidInputError(
            f"the labels of frame {number} have dtype {labels.dtype}; give integers or strings, or weights of sums "
            "{'name': weights}."
        )
    return [_word(label) for label in labels.tolist()]


def _word(label: Any) -> str:
    """Return a label as a string; negative integers, None and blanks mean no group."""
    if label is None or (isinstance(label, int) and label < 0):
        return ""
    return " ".join(str(label).split())


def _of_labels(labels: list[str]) -> tuple[list[str], Members]:
    names = sorted({*labels} - {""}, key=_in_order)
    numbers = {name: number for number, name in enumerate(names)}
    sums = np.array([numbers.get(label, -1) for label in labels], dtype=np.int64)
    atoms = np.argsort(sums, kind="stable")[np.count_nonzero(sums < 0) :]
    return names, Members(len(names), sums[atoms], atoms, np.ones(len(atoms)))


def _in_order(name: str) -> tuple[bool, int, str]:
    """Return a sort key: integers by value, then strings."""
    return (not name.isdecimal(), int(name) if name.isdecimal() else 0, name)


def _weights(name: str, given: ArrayLike, n_atoms: int, number: int) -> Array:
    try:
        weights = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        weights = np.zeros((0, 0))
    if weights.shape != (n_atoms,) or not np.isfinite(weights).all() or not weights.any():
        raise InvalidInputError(
            f"the weights of {name!r} in frame {number} cannot be used; give {n_atoms} finite numbers, one for each "
            "atom, not all zero."
        )
    return weights
