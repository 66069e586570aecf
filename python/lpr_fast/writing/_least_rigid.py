"""The least rigid environments of a whole run, in bounded memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..atoms._pieces import LARGEST_WHOLE
from . import _extxyz
from ._kept_frames import KeptFrames
from ._sample import Sample
from ._sampled import Sampled


class LeastRigid(Sampled):
    """The `count` environments of lowest LPR, written as the frames that hold them.

    Of a large frame only what is around each of the atoms is kept, as a cluster. The array ``lpr_rank`` (1 for the
    lowest of all, 0 for atoms that are not meant) and ``lpr_frame`` in the header say what is what.
    """

    def __init__(self, output: Path, *, count: int, cutoff: float, tag: str = "") -> None:
        kept = KeptFrames(largest_whole=LARGEST_WHOLE, radius=2.0 * cutoff)
        super().__init__(output, Sample(count), kept, tag)

    def assemble(self) -> None:
        """Frames in order, each with the ranks of its atoms."""
        ranks = {place: rank for rank, place in enumerate(self._sample.lowest, start=1)}
        for atoms, members in self._kept.structures(ranks):
            rank = np.zeros(len(atoms), dtype=np.int64)
            for place, index in members.items():
                rank[index] = ranks[place]
            _extxyz.write_frame(self._spool, atoms, {"lpr_rank": rank})
        self._spool.checkpoint()
        self._spool.close()
