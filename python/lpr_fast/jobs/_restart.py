"""Restart of scoring, merging and fitting: an interrupted run leaves nothing, or it can resume."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ._journal import Journal


class RunInterruptedError(KeyboardInterrupt):
    """Ctrl-C, with a sentence that says how to resume."""


class Restartable(ABC):
    """A run with a journal; the caller holds its lock.

    Parameters
    ----------
    journal : Journal or None
        Journal of the run; None if it cannot resume.
    """

    def __init__(self, journal: Journal | None) -> None:
        self._journal = journal
        self._before = journal.read() if journal else None

    @contextmanager
    def consistent(self) -> Iterator[None]:
        """After an error in the block, remove all files of the run, unless it can resume."""
        try:
            yield
        except BaseException as error:
            # Read the file again: an interrupt may come just after it was written.
            kept = self._journal.read() if self._journal else None
            self._give_up(remove=kept is None)
            if isinstance(error, KeyboardInterrupt) and self._journal and kept is not None:
                raise RunInterruptedError(
                    f"interrupted; {self._safe(kept)} are kept: give the same command again to resume, or delete "
                    f"{self._journal.path} to start anew."
                ) from None
            raise

    def _is(self, state: str) -> bool:
        """Whether an earlier run ended in this state."""
        return self._before is not None and self._before["state"] == state

    @abstractmethod
    def _give_up(self, *, remove: bool) -> None:
        """Close all files; remove them if the run cannot resume."""

    @abstractmethod
    def _safe(self, kept: dict[str, Any]) -> str:
        """What is kept of an interrupted run, for a message."""
