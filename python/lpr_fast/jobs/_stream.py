"""Stages that run in parallel threads, with short queues between them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")

# What a stage passes on: an item, or the exception that ended it.
_Answer: TypeAlias = tuple[T | None, BaseException | None]

# Seconds to wait for threads after a failure: a thread that computes must end before the interpreter does. A thread
# that waits for a pipe may wait for ever, but is harmless.
_PATIENCE = 60.0
_PATIENCE_WITH_PIPES = 0.5


class Clock:
    """Seconds of each kind of work, of all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to that of `name`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    def add(self, seconds: dict[str, float]) -> None:
        """Add the seconds of another clock."""
        with self._lock:
            for name, spent in seconds.items():
                self.seconds[name] = self.seconds.get(name, 0.0) + spent

    def timed(self, name: str, items: Iterator[T]) -> Iterator[T]:
        """The items; the time to make each is added to that of `name`."""
        while True:
            with self.stage(name):
                try:
                    item = next(items)
                except StopIteration:
                    return
            yield item


class _StoppedError(Exception):
    """The other end of a channel has stopped."""


class _Channel(Generic[T]):
    """A bounded queue between two threads, which either of them can stop."""

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
    """Threads that make items ahead of their consumers.

    Order is kept. An exception of a stage is raised in place of its next item. All stages stop at the end of the `with`
    block.
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
        """The items, made in a separate thread, one ahead.

        With `may_wait` the thread may block in a pipe; the end of the `with` block then does not wait long for it.
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
    except BaseException as error:  # the consumer raises it
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
