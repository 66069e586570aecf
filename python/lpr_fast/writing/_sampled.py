"""Base of the sinks for chosen environments."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from .._arrays import Array
from .._files import remove_whole, write_whole
from ..atoms._pipeline import Scores
from ..atoms.sums._totals import Totals
from ._kept_frames import KeptFrames
from ._sample import Place, Sample
from ._sinks import Spooled
from ._spool import beside

# Features of some atoms of a frame, in their order: (n, D).
Describe: TypeAlias = Callable[[Atoms, NDArray[np.int64]], Array]


class Sampled(Spooled):
    """A sink that keeps chosen environments, with their frames, in memory and in a file beside the output.

    The spool is written at the end.

    Parameters
    ----------
    describe : callable, optional
        Computes features; not needed to merge shards, whose features are in files.
    """

    def __init__(self, output: Path, sample: Sample, kept: KeptFrames, describe: Describe | None, tag: str) -> None:
        super().__init__(output, tag)
        self._sample = sample
        self._kept = kept
        self._describe = describe
        self._features: dict[Place, Array] = {}
        self._state = beside(output, tag + ".state")
        self._features_path = beside(output, tag + ".features")
        self._changed = True

    def open(self, length: int | None) -> None:
        """See `Sink`; a checkpoint that is newer than the journal is harmless."""
        self._spool.open(0)
        if length is not None:
            self._absorb(self._state)

    def add(self, first: int, frames: list[Atoms], scores: Scores, totals: Totals | None = None) -> None:  # noqa: ARG002
        """Keep environments that are chosen now, and drop those that no longer are."""
        start = 0
        for number, frame in enumerate(frames, start=first):
            of_frame = scores.select(slice(start, start + len(frame)))
            start += len(frame)
            lpr = of_frame.lpr if of_frame.lpr_held is None else of_frame.lpr_held
            chosen = self._sample.add(number, self._eligible(frame, lpr))
            if chosen:
                self._kept.keep(number, frame, of_frame, chosen)
                self._forget()

    def complete(self) -> None:
        """Compute the features of the chosen environments, and write them for a merge."""
        assert self._describe is not None
        for atoms, members in self._kept.structures(self._sample.places):
            described = self._describe(atoms, np.array(list(members.values())))
            self._features |= dict(zip(members, described, strict=True))
        content = io.BytesIO()
        np.savez(content, places=np.array([*self._features]), rows=np.array([*self._features.values()]))
        write_whole(self._features_path, content.getvalue())

    def absorb(self, tag: str) -> None:
        """See `Sink`."""
        self._absorb(beside(self.output, tag + ".state"))
        with np.load(beside(self.output, tag + ".features")) as found:
            self._features |= {(int(frame), int(atom)): row for (frame, atom), row in zip(*found.values(), strict=True)}
        self._features = {place: self._features[place] for place in self._sample.places}

    def checkpoint(self) -> int:
        """Write the environments, if they have changed."""
        if self._changed:
            state = {"sample": self._sample.to_json(), "texts": self._kept.texts}
            write_whole(self._state, json.dumps(state).encode())
            self._changed = False
        return 0

    def remove(self) -> None:
        """See `Sink`."""
        super().remove()
        remove_whole(self._state)
        remove_whole(self._features_path)

    def _eligible(self, frame: Atoms, lpr: Array) -> Array:  # noqa: ARG002
        """The (held) LPR of the atoms of a frame, NaN for atoms that must not be chosen."""
        return lpr

    def _absorb(self, path: Path) -> None:
        state = json.loads(path.read_text())
        self._sample.merge(state["sample"])
        self._kept.texts |= state["texts"]
        self._forget()

    def _forget(self) -> None:
        self._kept.forget_all_but(self._sample.places)
        self._changed = True
