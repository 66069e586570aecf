"""Environments chosen from a whole run: those of lowest LPR, and a random sample of the others."""

from __future__ import annotations

import heapq
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._arrays import Array
from ..models._active_set import priorities

# Number of the frame, and atom.
Place: TypeAlias = tuple[int, int]

# Sort key, LPR or a pseudo-random number, and the place.
_Ranked: TypeAlias = tuple[float, int, int]


class Sample:
    """The `n_lowest` environments of lowest LPR, and a uniform random sample of `n_fair` of the others.

    The choice depends on rigidities and numbers of frames and atoms only, not on how a run is cut into parts. NaN is
    never chosen.
    """

    def __init__(self, n_lowest: int, n_fair: int = 0) -> None:
        self._n_lowest = n_lowest
        self._n_fair = n_fair
        self._lowest: list[_Ranked] = []
        self._fair: list[_Ranked] = []

    @property
    def lowest(self) -> list[Place]:
        """The environments of lowest LPR, in ascending order."""
        return [(frame, atom) for _, frame, atom in self._lowest]

    @property
    def limit(self) -> float:
        """LPR above which no environment will be among the lowest."""
        return self._lowest[-1][0] if len(self._lowest) == self._n_lowest else np.inf

    @property
    def places(self) -> list[Place]:
        """All chosen environments, in order of frames and atoms."""
        return sorted((frame, atom) for _, frame, atom in [*self._lowest, *self._fair])

    def add(self, frame: int, lpr: Array) -> list[int]:
        """Consider the atoms of the next frame; return those that are chosen so far."""
        known = ~np.isnan(lpr)
        found = _ranked(lpr, frame, _smallest(lpr, known, self._n_lowest, self._lowest))
        lost = self._consider(found)
        if found:
            known[[atom for _, of, atom in self._lowest if of == frame]] = False
        drawn = [_drawn(of, atom) for _, of, atom in lost if of != frame] if self._n_fair else []
        if self._n_fair:
            keys = priorities(np.arange(len(lpr)), frame)
            drawn += _ranked(keys, frame, _smallest(keys, known, self._n_fair, self._fair))
            self._draw(drawn)
        if not found and not drawn:
            return []
        return [atom for _, of, atom in [*self._lowest, *self._fair] if of == frame]

    def merge(self, state: dict[str, Any]) -> None:
        """Add a sample of other frames, as `to_json` returned it."""
        lost = self._consider([(float(lpr), frame, atom) for lpr, frame, atom in state["lowest"]])
        fair = [(key, frame, atom) for key, frame, atom in state["fair"]]
        self._draw([*fair, *(_drawn(frame, atom) for _, frame, atom in lost)])

    def to_json(self) -> dict[str, Any]:
        """The state, for JSON."""
        return {"lowest": self._lowest, "fair": self._fair}

    def _consider(self, found: list[_Ranked]) -> list[_Ranked]:
        """Update the environments of lowest LPR; return those that are not among them."""
        if not found:
            return []
        considered = {*self._lowest, *found}
        self._lowest = heapq.nsmallest(self._n_lowest, considered)
        return sorted(considered - set(self._lowest))

    def _draw(self, found: list[_Ranked]) -> None:
        if found:
            self._fair = heapq.nsmallest(self._n_fair, {*self._fair, *found})


def _smallest(keys: NDArray[Any], known: NDArray[np.bool_], count: int, so_far: list[_Ranked]) -> NDArray[np.int64]:
    """At most `count` known atoms of the smallest keys, ties in order, that may be chosen."""
    candidates = np.flatnonzero(known if count else False)
    if candidates.size and len(so_far) == count:
        # Equal keys too: after a crash a frame may come again, with atoms that are chosen already.
        candidates = candidates[keys[candidates] <= keys.dtype.type(so_far[-1][0])]
    if len(candidates) > count:
        limit = np.partition(keys[candidates], count - 1)[count - 1]
        candidates = candidates[keys[candidates] <= limit]
    return candidates[np.argsort(keys[candidates], kind="stable")][:count]


def _ranked(keys: NDArray[Any], frame: int, atoms: NDArray[np.int64]) -> list[_Ranked]:
    return [(key, frame, atom) for key, atom in zip(keys[atoms].tolist(), atoms.tolist(), strict=True)]


def _drawn(frame: int, atom: int) -> _Ranked:
    return int(priorities(np.array([atom]), frame)[0]), frame, atom
