"""Stages that work side by side, with short queues between them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")

# What a stage hands over: an item, or what it ended with.
_Answer: TypeAlias = tuple[T | None, BaseException | None]

# After a failure, threads that compute are waited for: they may not meet the end of the interpreter. One that waits
# for a pipe may wait for ever, and does no harm.
_PATIENCE = 60.0
_PATIENCE_WITH_PIPES = 0.5


class Clock:
    """Seconds of each kind of work, whichever thread does it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time within as that of `name`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    def add(self, seconds: dict[str, float]) -> None:
        """Count what another clock has counted."""
        with self._lock:
            for name, spent in seconds.items():
                self.seconds[name] = self.seconds.get(name, 0.0) + spent

    def timed(self, name: str, items: Iterator[T]) -> Iterator[T]:
        """The items; the time that each takes to come counts as that of `name`."""
        while True:
            with self.stage(name):
                try:
                    item = next(items)
                except StopIteration:
                    return
            yield item


class _StoppedError(Exception):
    """The other end of a channel is gone."""


class _Channel(Generic[T]):
    """A queue of bounded length, between two threads, that either of them can end."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._stopped = False

    def put(self, item: T) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or len(self._items) < self._depth)
            if self._stopped:
                raise _StoppedError
            self._items.append(item)
            self._changed.notify_all()

    def get(self) -> T:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._items)
            if self._stopped:
                raise _StoppedError
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify_all()


class Stream:
    """Threads, each of which makes items ahead of those who take them.

    Order is kept. What a stage raises is raised where its next item would have come. When the `with` block is left, for
    whatever reason, all stages stop.
    """

    def __init__(self) -> None:
        self._stages: list[tuple[threading.Thread, Callable[[], None], float]] = []

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        for _thread, stop, _patience in self._stages:
            stop()
        for thread, _stop, patience in self._stages:
            thread.join(patience)

    def ahead(self, items: Iterator[T], *, may_wait: bool = False) -> Iterator[T]:
        """The items, made in a thread of their own, one of them before it is asked for.

        With `may_wait` the thread may hang in a pipe, and is not waited for.
        """
        channel: _Channel[_Answer[T]] = _Channel(depth=1)
        thread = threading.Thread(target=_fill, args=(channel, items), daemon=True)
        self._stages.append((thread, channel.stop, _PATIENCE_WITH_PIPES if may_wait else _PATIENCE))
        thread.start()
        return _taken(channel)


def _fill(channel: _Channel[_Answer[T]], items: Iterator[T]) -> None:
    end: BaseException = StopIteration()
    try:
        for item in items:
            channel.put((item, None))
    except _StoppedError:
        return
    except BaseException as error:  # whatever it is, it is the taker's
        end = error
    with suppress(_StoppedError):
        channel.put((None, end))


def _taken(channel: _Channel[_Answer[T]]) -> Iterator[T]:
    while True:
        item, end = channel.get()
        if isinstance(end, StopIteration):
            return
        if end is not None:
            raise end
        yield item  # type: ignore[misc]
