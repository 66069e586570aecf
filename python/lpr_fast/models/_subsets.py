"""Subsets of the training structures, as numbers of times that each structure counts in each model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._arrays import as_count, as_integers, as_number
from .._errors import InvalidInputError
from .._words import counted
from ._active_set import as_seed

Indices = NDArray[np.int64]

# Default share of the structures that a member draws.
_FRACTION = 0.8


def drawn(
    usable: Indices, n_structures: int, n_members: int, fraction: float | None, *, repeats: bool, seed: int
) -> Indices:
    """Return random members, (n_members, n_structures): parts of the usable structures, or bootstraps.

    Raises
    ------
    InvalidInputError
        For fewer than two members or structures, and for fractions that leave nothing in or nothing out.
    """
    if as_count("n_members", n_members) < 2:
        raise InvalidInputError(f"n_members is {n_members}; a committee needs at least two.")
    if len(usable) < 2:
        raise InvalidInputError(
            f"got {counted(len(usable), 'structure')} with a weight and an energy; a committee needs at least two."
        )
    size = _size_of_member(len(usable), fraction, repeats=repeats)
    random, counts = np.random.default_rng(as_seed(seed)), np.zeros((n_members, n_structures), dtype=np.int64)
    for of_member in counts:
        np.add.at(of_member, random.choice(usable, size, replace=repeats), 1)
    return counts


def _size_of_member(n_usable: int, fraction: float | None, *, repeats: bool) -> int:
    share = as_number("fraction", (1.0 if repeats else _FRACTION) if fraction is None else fraction)
    if not (0.0 < share <= 1.0) or (share == 1.0 and not repeats):
        raise InvalidInputError(
            f"fraction is {share:g}; it must be above 0 and below 1"
            + (", or 1." if repeats else ", or draw with replacement.")
        )
    most = n_usable if repeats else n_usable - 1
    return min(max(1, round(share * n_usable)), most)


def without_groups(groups: NDArray[Any], usable: Indices) -> tuple[NDArray[Any], Indices]:
    """Return the names of the groups of the usable structures, and a member without each group.

    Raises
    ------
    InvalidInputError
        If there is only one group.
    """
    names = np.unique(groups[usable])
    if len(names) < 2:
        raise InvalidInputError(
            f"all structures are of the group {str(names[0])!r}, so nothing is left without it; give at least two "
            "groups."
        )
    counts = np.zeros((len(names), len(groups)), dtype=np.int64)
    counts[:, usable] = groups[usable] != names[:, None]
    return names, counts


def growing(usable: Indices, n_structures: int, sizes: Any, n_draws: int, seed: int) -> tuple[Indices, Indices]:
    """Return sizes, ascending, and members of each size in each draw, (n_draws, n_sizes, n_structures).

    Within a draw each member contains the structures of the smaller ones.

    Raises
    ------
    InvalidInputError
        For sizes that leave nothing in or nothing out.
    """
    wanted = np.unique(as_integers("sizes", sizes))
    if not len(wanted) or wanted[0] < 1 or wanted[-1] >= len(usable):
        raise InvalidInputError(
            f"sizes are {wanted.tolist()} of {counted(len(usable), 'structure')}; give numbers from 1 to "
            f"{len(usable) - 1}, so that some structures are left to test with."
        )
    if as_count("n_draws", n_draws) < 1:
        raise InvalidInputError(f"n_draws is {n_draws}; give at least one draw.")
    random, counts = np.random.default_rng(as_seed(seed)), np.zeros((n_draws, len(wanted), n_structures), np.int64)
    for of_draw in counts:
        order = random.permutation(usable)
        for of_size, size in zip(of_draw, wanted.tolist(), strict=True):
            of_size[order[:size]] = 1
    return wanted, counts
