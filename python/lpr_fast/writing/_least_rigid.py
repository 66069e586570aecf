"""The least rigid environments of a run, all different, in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from .. import _core
from .._arrays import Array
from ..descriptors._structures import structure_of
from . import _extxyz
from ._kept_frames import KeptFrames
from ._sample import Place, Sample
from ._sampled import Describe, Sampled

# Candidates for each wanted environment: most of them may be similar to others.
_CANDIDATES = 10

# Environments of one species are similar if the cosine of their features is larger.
_ALIKE = 0.999


class LeastRigid(Sampled):
    """The `count` environments of lowest LPR that differ from one another, written with their surroundings.

    LPR is `lpr_held` here if the model has it: otherwise the shift between species would dominate.

    Within a frame, atoms within the cutoff of a candidate of lower LPR are not candidates. Of the ten times `count`
    candidates of lowest LPR, those with nearly the features of a chosen one are left out, unless too few others remain.
    The choice depends on the frames only, not on how a run is cut into parts.

    The array ``lpr_rank`` is 1 for the lowest LPR of the run, and 0 for other atoms; ``lpr_frame`` in the header is the
    number of the frame.

    Parameters
    ----------
    cutoff : float or None
        Cutoff of the descriptor; None: an environment is a whole frame.
    """

    def __init__(
        self, output: Path, *, count: int, cutoff: float | None, describe: Describe | None = None, tag: str = ""
    ) -> None:
        kept = KeptFrames(largest_whole=0, radius=None if cutoff is None else 2.0 * cutoff)
        super().__init__(output, Sample(_CANDIDATES * count), kept, describe, tag)
        self._count = count
        self._cutoff = cutoff

    def assemble(self) -> None:
        """Write frames in order, each with the ranks of its atoms."""
        species = {
            place: int(atoms.numbers[index])
            for atoms, members in self._kept.structures(self._sample.places)
            for place, index in members.items()
        }
        chosen = self._unlike(species)
        ranks = {place: rank for rank, place in enumerate(chosen, start=1)}
        for atoms, members in self._kept.structures(ranks):
            rank = np.zeros(len(atoms), dtype=np.int64)
            for place, index in members.items():
                rank[index] = ranks[place]
            _extxyz.write_frame(self._spool, atoms, {"lpr_rank": rank})
        self._spool.checkpoint()
        self._spool.close()

    def _eligible(self, frame: Atoms, lpr: Array) -> Array:
        """The least rigid atoms of a frame; of two neighbours only the less rigid one."""
        left = np.full(len(lpr), np.nan)
        order = np.argsort(lpr, kind="stable")
        order = order[lpr[order] <= self._sample.limit]
        if not len(order):
            return left
        structure = None if self._cutoff is None else structure_of(frame, self._cutoff)
        free = np.ones(len(lpr), dtype=bool)
        n_left = _CANDIDATES * self._count
        for atom in order.tolist():
            if not free[atom]:
                continue
            left[atom] = lpr[atom]
            n_left -= 1
            if structure is None or not n_left:
                break
            free[structure.neighbours(atom)[0]] = False
        return left

    def _unlike(self, species: dict[Place, int]) -> Sequence[Place]:
        """The chosen places, in order of LPR."""
        chosen: list[Place] = []
        alike: list[Place] = []
        for place in self._sample.lowest:
            if len(chosen) == self._count:
                break
            others = [self._features[other] for other in chosen if species[other] == species[place]]
            (alike if others and _largest_cosine(self._features[place], others) > _ALIKE else chosen).append(place)
        wanted = {*chosen, *alike[: self._count - len(chosen)]}
        return [place for place in self._sample.lowest if place in wanted]


def _largest_cosine(features: Array, others: list[Array]) -> float:
    """The largest cosine, by products of the core, which have the same bits in any process."""
    rows = np.array([features, *others])
    lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    rows = rows / np.where(lengths > 0.0, lengths, 1.0)
    return float(_core.kernel_rows(rows[:1], np.ascontiguousarray(rows[1:]), 1.0, 0).max())
