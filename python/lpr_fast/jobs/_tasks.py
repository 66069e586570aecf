"""Calls on the workers of an executor: results in order, with the same bits; errors are one sentence."""

from __future__ import annotations

import hashlib
import pickle
import platform
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from .. import _core
from .._errors import InvalidInputError, LprError, LprWarning
from .._files import remove_whole, write_whole
from ..writing._spool import SUFFIX, beside

T = TypeVar("T")

# Seconds until other machines must see a file that was just written.
_PATIENCE = 30.0


@dataclass(frozen=True)
class Common:
    """A file beside the output with what all tasks have in common, and its hash."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class _Outcome(Generic[T]):
    """Value or error of a task, and its warnings."""

    value: T | None
    error: Exception | None
    remarks: list[str]


class Tasks:
    """Calls of one run on an executor.

    Parameters
    ----------
    executor : concurrent.futures.Executor
        Any executor; it must report workers that die.
    output : pathlib.Path
        The first output; workers must see it under the same name.
    """

    def __init__(self, executor: Executor, output: Path) -> None:
        if not isinstance(executor, Executor):
            raise InvalidInputError(
                f"executor is {executor!r}; give a concurrent.futures.Executor, for example "
                "Client(...).get_executor() of "
                "Dask."
            )
        self._executor = executor
        self._path = common_path(output.resolve())
        self._told: set[str] = set()

    @contextmanager
    def sharing(self, value: Any) -> Iterator[Common]:
        """Write a value for all workers, and remove it afterwards."""
        content = pickle.dumps(value)
        write_whole(self._path, content)
        try:
            yield Common(self._path, hashlib.sha256(content).hexdigest())
        finally:
            remove_whole(self._path)

    def results(
        self, function: Callable[[Any, T], Any], items: Iterable[T], common: Common, *, most: int, stacklevel: int
    ) -> Iterator[Any]:
        """Results of ``function(value, item)``, in order of the items; at most `most` tasks are pending.

        Raises
        ------
        LprError
            The error of the first item that failed, or if a worker dies. Tasks that have not begun are cancelled.
        """
        under_way: deque[Future[_Outcome[Any]]] = deque()
        expected = facts()
        try:
            for item in items:
                under_way.append(self._executor.submit(_call, expected, function, common, item))
                if len(under_way) >= most:
                    yield self._result(under_way.popleft(), stacklevel + 1)
            while under_way:
                yield self._result(under_way.popleft(), stacklevel + 1)
        finally:
            for future in under_way:
                future.cancel()

    def _result(self, future: Future[_Outcome[T]], stacklevel: int) -> T | None:
        try:
            outcome = future.result()
        except Exception as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise LprError(
                f"a worker died, or the executor failed ({reason or 'no reason is given'}); finished work is kept: "
                "give the same command again to resume."
            ) from error
        for remark in outcome.remarks:
            if remark not in self._told:
                self._told.add(remark)
                warnings.warn(remark, LprWarning, stacklevel=stacklevel + 1)
        if outcome.error is not None:
            raise outcome.error
        return outcome.value


def common_path(output: Path) -> Path:
    """The file that `Tasks.sharing` writes; a killed run leaves it."""
    return beside(output, ".common" + SUFFIX)


def facts() -> dict[str, Any]:
    """Versions and instruction set, which determine the bits, and the available instruction sets."""
    from ..writing._outputs import versions  # loads ASE

    level, available = _core.cpu_info()
    return {"versions": versions(), "instruction set": level, "available": list(available)}


def _call(expected: dict[str, Any], function: Callable[[Any, Any], T], common: Common, item: Any) -> _Outcome[T]:
    """Do a task, on a worker. Its exception is a result, so that it differs from those of the executor."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", LprWarning)
        value, failure = None, None
        try:
            refuse_others(expected, facts())
            value = function(_value(common), item)
        except Exception as error:
            failure = error.with_traceback(None)
    remarks = [str(remark.message) for remark in caught if issubclass(remark.category, LprWarning)]
    return _Outcome(value, failure, remarks)


@lru_cache(maxsize=2)
def _value(common: Common) -> Any:
    """The value that all tasks have in common; each worker reads it once."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            content = common.path.read_bytes()
            if hashlib.sha256(content).hexdigest() == common.sha256:
                return pickle.loads(content)
        except FileNotFoundError:
            pass
        if time.monotonic() > deadline:
            raise InvalidInputError(
                f"a worker on {platform.node()} cannot read {common.path}; write outputs to a file system that all "
                "machines share."
            )
        time.sleep(0.1)


def refuse_others(expected: dict[str, Any], found: dict[str, Any]) -> None:
    """Refuse a worker that would compute other bits.

    Raises
    ------
    InvalidInputError
        If its versions or its instruction set differ.
    """
    for name, here in expected["versions"].items():
        there = found["versions"].get(name)
        if there != here:
            raise InvalidInputError(
                f"a worker on {platform.node()} has {name} {there}, but the main process has {here}; install "
                "the same version everywhere."
            )
    if found["instruction set"] != expected["instruction set"]:
        shared = [level for level in expected["available"] if level in found["available"]]
        remedy = f"set LPR_FAST_INSTRUCTION_SET={shared[-1]} everywhere" if shared else "use machines of one kind"
        raise InvalidInputError(
            f"a worker on {platform.node()} computes with {found['instruction set']}, but the main process with "
            f"{expected['instruction set']}, which gives other bits; {remedy}."
        )
