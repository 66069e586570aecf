"""What scoring, merging and fitting have in common: either nothing is left of a run, or it can go on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ._journal import Journal


class RunInterruptedError(KeyboardInterrupt):
    """Ctrl-C, with a sentence that says how to go on."""


class Restartable(ABC):
    """A run with a journal. Its lock is held by whoever makes it.

    Parameters
    ----------
    journal : Journal or None
        Where to go on from; None if that is not possible.
    """

    def __init__(self, journal: Journal | None) -> None:
        self._journal = journal
        self._before = journal.read() if journal else None

    @contextmanager
    def consistent(self) -> Iterator[None]:
        """Whatever happens within, either all is left as it was before the run, or it can go on."""
        try:
            yield
        except BaseException as error:
            # The file itself is asked: an interrupt may come just after it was written.
            kept = self._journal.read() if self._journal else None
            self._give_up(remove=kept is None)
            if isinstance(error, KeyboardInterrupt) and self._journal and kept is not None:
                raise RunInterruptedError(
                    f"interrupted, {self._safe(kept)} are safe; give the same command again to go on, or delete "
                    f"{self._journal.path} to start afresh."
                ) from None
            raise

    def _is(self, state: str) -> bool:
        """Whether an earlier run has left this state."""
        return self._before is not None and self._before["state"] == state

    @abstractmethod
    def _give_up(self, *, remove: bool) -> None:
        """Let go of all files, and remove them if there is no going on."""

    @abstractmethod
    def _safe(self, kept: dict[str, Any]) -> str:
        """What an interrupted run need not do again."""
