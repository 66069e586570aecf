"""What sinks of chosen environments have in common."""

from __future__ import annotations

import json
from pathlib import Path

from ase import Atoms

from ..atoms._model import Scores
from ._kept_frames import KeptFrames
from ._sample import Sample
from ._sinks import Spooled
from ._spool import beside, remove_whole, write_whole


class Sampled(Spooled):
    """Chosen environments and the frames that hold them, in memory, and in a file beside the output.

    Nothing is written to the spool until the end: it keeps other processes away.
    """

    def __init__(self, output: Path, sample: Sample, kept: KeptFrames, tag: str) -> None:
        super().__init__(output, tag)
        self._sample = sample
        self._kept = kept
        self._state = beside(output, tag + ".state")
        self._changed = True

    def open(self, length: int | None) -> None:
        """Begin, or go on with what the last checkpoint left; a later one than the journal's does no harm."""
        self._spool.open(0)
        if length is not None:
            self._absorb(self._state)

    def add(self, first: int, frames: list[Atoms], scores: Scores) -> None:
        """Keep what is chosen now, and drop what is so no longer."""
        start = 0
        for number, frame in enumerate(frames, start=first):
            of_frame = scores.taken(slice(start, start + len(frame)))
            start += len(frame)
            chosen = self._sample.add(number, of_frame.lpr)
            if chosen:
                self._kept.keep(number, frame, of_frame, chosen)
                self._forget()

    def absorb(self, tag: str) -> None:
        """Take the next shard's."""
        self._absorb(beside(self.output, tag + ".state"))

    def checkpoint(self) -> int:
        """Write what is kept, if it has changed."""
        if self._changed:
            state = {"sample": self._sample.to_json(), "texts": self._kept.texts}
            write_whole(self._state, json.dumps(state).encode())
            self._changed = False
        return 0

    def remove(self) -> None:
        """See `Sink`."""
        super().remove()
        remove_whole(self._state)

    def _absorb(self, path: Path) -> None:
        state = json.loads(path.read_text())
        self._sample.merge(state["sample"])
        self._kept.texts |= state["texts"]
        self._forget()

    def _forget(self) -> None:
        self._kept.forget_all_but(self._sample.places)
        self._changed = True
