"""Calls in the processes of any executor: results in order, the same bits, and one sentence when something fails."""

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

# Seconds until a file that was just written has to be seen by other machines.
_PATIENCE = 30.0


@dataclass(frozen=True)
class Common:
    """Where workers find what all tasks have in common: a file beside the output, and its hash."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class _Outcome(Generic[T]):
    """What a task came to, whichever it is, with the remarks that it made."""

    value: T | None
    error: Exception | None
    remarks: list[str]


class Tasks:
    """Calls of one run on an executor.

    Parameters
    ----------
    executor : concurrent.futures.Executor
        Any. What comes of a dead worker is its matter, as long as it says so.
    output : pathlib.Path
        The first output, which workers see under the same name.
    """

    def __init__(self, executor: Executor, output: Path) -> None:
        if not isinstance(executor, Executor):
            raise InvalidInputError(
                f"executor is {executor!r}; give a concurrent.futures.Executor, such as Client(...).get_executor() of "
                "Dask."
            )
        self._executor = executor
        self._path = common_path(output.resolve())
        self._told: set[str] = set()

    @contextmanager
    def sharing(self, value: Any) -> Iterator[Common]:
        """Write a value for all workers; it is gone afterwards."""
        content = pickle.dumps(value)
        write_whole(self._path, content)
        try:
            yield Common(self._path, hashlib.sha256(content).hexdigest())
        finally:
            remove_whole(self._path)

    def results(
        self, function: Callable[[Any, T], Any], items: Iterable[T], common: Common, *, most: int, stacklevel: int
    ) -> Iterator[Any]:
        """What ``function(value, item)`` gives for each item, in order; `most` of them are under way at a time.

        Raises
        ------
        LprError
            What a call raised, of the first item for which one did, and if workers die. What has not begun then never
            does.
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
                f"a worker died, or the executor gave up ({reason or 'it does not say why'}); what is done is safe: "
                "give the same command again to go on."
            ) from error
        for remark in outcome.remarks:
            if remark not in self._told:
                self._told.add(remark)
                warnings.warn(remark, LprWarning, stacklevel=stacklevel + 1)
        if outcome.error is not None:
            raise outcome.error
        return outcome.value


def common_path(output: Path) -> Path:
    """The file that `Tasks.sharing` writes; a run that is killed leaves it."""
    return beside(output, ".common" + SUFFIX)


def facts() -> dict[str, Any]:
    """What has to be the same wherever the same bits are to come out, and the instruction sets that there are."""
    from ..writing._outputs import versions  # loads ASE

    level, available = _core.cpu_info()
    return {"versions": versions(), "instruction set": level, "available": list(available)}


def _call(expected: dict[str, Any], function: Callable[[Any, Any], T], common: Common, item: Any) -> _Outcome[T]:
    """A task, on a worker. Its exceptions are results, so that those of the executor can be told from them."""
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
    """What all tasks have in common, read once by each worker."""
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
                f"a worker on {platform.node()} does not see {common.path} as it was written; give outputs on a file "
                "system that all machines share."
            )
        time.sleep(0.1)


def refuse_others(expected: dict[str, Any], found: dict[str, Any]) -> None:
    """Throw on a worker that would compute other bits.

    Raises
    ------
    InvalidInputError
        If its versions, or its instruction set, are not those that are expected.
    """
    for name, here in expected["versions"].items():
        there = found["versions"].get(name)
        if there != here:
            raise InvalidInputError(
                f"a worker on {platform.node()} has {name} {there}, but where the run was begun it is {here}; install "
                "the same version everywhere."
            )
    if found["instruction set"] != expected["instruction set"]:
        shared = [level for level in expected["available"] if level in found["available"]]
        remedy = f"set LPR_FAST_INSTRUCTION_SET={shared[-1]} everywhere" if shared else "use one kind of machines"
        raise InvalidInputError(
            f"a worker on {platform.node()} computes with {found['instruction set']}, but where the run was begun it "
            f"is {expected['instruction set']}, which gives other bits; {remedy}."
        )
