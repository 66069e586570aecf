"""Workers of dask.distributed: those of a cluster that is there, or processes on this machine."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pickle
import signal
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib.metadata import version
from itertools import product
from multiprocessing import resource_tracker
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from .. import __version__, _core
from .._errors import InvalidInputError, LprError, LprWarning, MissingPackageError
from ..writing._outputs import PACKAGES

if TYPE_CHECKING:
    from distributed import Client, Future, LocalCluster

T = TypeVar("T")

# Seconds until a scheduler has to answer, and until the first worker has to be there.
_PATIENCE = 10.0
_PATIENCE_WITH_WORKERS = 60.0

# Seconds between two looks whether there are any workers.
_BETWEEN_LOOKS = 20.0

# Each local worker computes on one thread, whatever its libraries would like.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

# On a worker: what was told to stop, and what each thread is working for.
_stopped: set[str] = set()
_working_for = threading.local()


class StoppedError(Exception):
    """On a worker: nobody waits for this task any more."""


class Cluster:
    """Workers that compute the same bits as this process, now and when others join them.

    Attributes
    ----------
    client : distributed.Client
        For whatever is not offered here.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self._facts = facts()
        self._token = uuid.uuid4().hex
        self._futures: WeakSet[Future] = WeakSet()  # what nobody else holds, the cluster may forget

    def send(self, value: Any) -> Future:
        """Hand a value to the cluster once; tasks take the future as an argument, and get the value.

        It is kept for as long as the future is.
        Workers pass it on to one another. The scheduler keeps its bytes, so that it outlives any worker.
        """
        import dask

        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
            future = self.submit(pickle.loads, pickle.dumps(value))
        with suppress(Exception):  # of workers that leave meanwhile; tasks ask for it in any case
            self.client.replicate([future])
        return future

    def submit(self, function: Callable[..., T], *arguments: Any) -> Future:
        """The future of a call on a worker; arguments may be futures too.

        When the worker dies, with the task or with its result, another one does it again.
        """
        future = self.client.submit(
            _call, self._facts, self._token, function, *arguments, key=(f"lpr_fast-{uuid.uuid4().hex}", 0), pure=False
        )
        self._futures.add(future)
        return future

    def result(self, future: Future) -> Any:
        """What a future came to.

        Raises
        ------
        LprError
            What the function raised, and if workers keep dying of it, or the scheduler is gone.
        """
        from distributed import CancelledError
        from distributed.scheduler import KilledWorker

        self._futures.discard(future)
        try:
            return future.result()
        except LprError as error:
            raise error from None
        except KilledWorker as error:
            raise LprError(
                f"every worker that tried a task has died ({error.allowed_failures + 1} of them, the last "
                f"{error.last_worker.address}); look into their logs, and give them more memory if that is what they "
                "lacked."
            ) from None
        except CancelledError:
            raise LprError("the scheduler is gone, or dropped the tasks; give the same command again.") from None

    def run(self, function: Callable[..., T], ranges: Sequence[Any], *common: Any) -> Iterator[tuple[int, T]]:
        """Call ``function(range, *common)`` for each of `ranges`; yield numbers and results as they come.

        The first failure is raised, and all others are stopped.
        """
        from distributed import as_completed

        # As one group of keys: Dask hands such tasks to whoever is idle, not to whoever has the common arguments.
        arguments = [(self._facts, self._token, function, item, *common) for item in ranges]
        keys = list(product([f"lpr_fast-{uuid.uuid4().hex}"], range(len(ranges))))
        futures = self.client.map(_call, *zip(*arguments, strict=True), key=keys, pure=False)
        self._futures.update(futures)
        numbers = {future: number for number, future in enumerate(futures)}
        for future in as_completed(futures, loop=self.client.loop):
            yield numbers.pop(future), self.result(future)

    def stop(self) -> None:
        """Let go of everything that was sent or submitted; tasks under way end at their next `check`."""
        futures, self._futures = list(self._futures), WeakSet()
        with suppress(Exception):  # the scheduler may be what has failed
            self.client.cancel(futures, force=True)
            self.client.run(_stopped.add, self._token, on_error="ignore")


@contextmanager
def connected(scheduler: Any, workers: int = 0) -> Iterator[Cluster]:
    """Workers to compute on, and none left behind that was started here.

    Parameters
    ----------
    scheduler : str, path, distributed.Client, cluster of Dask, or None
        An address such as ``tcp://host:8786``, a scheduler file (``.json``), or an object of Dask.
    workers : int
        With None for a scheduler: so many processes of one thread each, on this machine.

    Raises
    ------
    InvalidInputError
        For a scheduler that does not answer or has no workers, and workers that would compute other bits.
    MissingPackageError
        Without dask.distributed.
    """
    client_of = _local if scheduler is None else _joined
    with _quiet(), client_of(scheduler if scheduler is not None else workers) as client:
        cluster = Cluster(client)
        _check_workers(client)
        try:
            with _watched(client):
                yield cluster
        finally:
            cluster.stop()


def check_wanted(scheduler: Any, workers: int) -> None:
    """Throw for workers that nobody can want."""
    if scheduler is not None and workers:
        raise InvalidInputError("a scheduler has its own workers; give a scheduler, or a number of workers.")
    if workers < 0:
        raise InvalidInputError(f"workers is {workers}; it must not be negative.")


def facts() -> dict[str, Any]:
    """What has to be the same wherever the same bits are to come out, and the instruction sets that there are."""
    level, available = _core.cpu_info()
    packages = {name: version(name) for name in PACKAGES}
    return {"lpr_fast": __version__, **packages, "instruction set": level, "available": list(available)}


def check() -> None:
    """On a worker: end the task if nobody waits for it any more."""
    if getattr(_working_for, "token", None) in _stopped:
        raise StoppedError("stopped")


def dask_setup(_: Any) -> None:
    """Called by Dask in a worker of ours: Ctrl-C, which all processes of a terminal get, is the client's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _call(expected: dict[str, Any], token: str, function: Callable[..., T], *arguments: Any) -> T:
    """A task, on a worker, which may have joined after the others were looked at."""
    from distributed import get_worker

    _refuse_others(expected, facts(), get_worker().address)
    _working_for.token = token
    try:
        check()
        return function(*arguments)
    finally:
        _working_for.token = None


def _refuse_others(expected: dict[str, Any], found: dict[str, Any], worker: str) -> None:
    for name in ("lpr_fast", *PACKAGES):
        if found[name] != expected[name]:
            raise InvalidInputError(
                f"the worker {worker} has {name} {found[name]}, but here it is {expected[name]}; install the same "
                "version everywhere."
            )
    if found["instruction set"] != expected["instruction set"]:
        common = [level for level in expected["available"] if level in found["available"]]
        remedy = f"set LPR_FAST_INSTRUCTION_SET={common[-1]} here and for all workers" if common else "use one kind"
        raise InvalidInputError(
            f"the worker {worker} computes with {found['instruction set']}, but this process with "
            f"{expected['instruction set']}, which gives other bits; {remedy}."
        )


def _wait_for_workers(client: Client, count: int) -> None:
    from distributed import TimeoutError as TimeOut

    try:
        client.wait_for_workers(count, timeout=_PATIENCE_WITH_WORKERS)
    except TimeOut as error:
        raise InvalidInputError(
            f"the scheduler at {client.scheduler.address} has had no workers for {_PATIENCE_WITH_WORKERS:.0f} seconds; "
            "start some, then give the same command again."
        ) from error


def _check_workers(client: Client) -> None:
    _wait_for_workers(client, 1)
    here = facts()
    for worker, found in client.run(facts, on_error="return").items():
        if isinstance(found, OSError):
            continue  # it has just died; whoever comes in its place is looked at by its first task
        if isinstance(found, Exception):
            reason = " ".join(f"{type(found).__name__}: {found}".split()).rstrip(".")
            raise InvalidInputError(
                f"the worker {worker} cannot use lpr_fast ({reason}); install the same environment everywhere."
            )
        _refuse_others(here, found, worker)


@contextmanager
def _joined(scheduler: Any) -> Iterator[Client]:
    """A client of a scheduler that is there already."""
    distributed = _distributed()
    if isinstance(scheduler, distributed.Client):
        yield scheduler
        return
    address = _address_of(scheduler)
    try:
        # A client that finds nobody cannot be closed without noise; notebooks have an event loop of their own.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, _reach(address)).result()
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"no Dask scheduler answers at {address}; give the address that it printed, or the file that it wrote, "
            "when it was started."
        ) from error
    with distributed.Client(address, timeout=_PATIENCE, set_as_default=False) as client:
        yield client


async def _reach(address: str) -> None:
    from distributed.comm import connect
    from distributed.security import Security

    comm = await connect(address, timeout=_PATIENCE, **Security().get_connection_args("client"))
    await comm.close()


def _address_of(scheduler: Any) -> str:
    if hasattr(scheduler, "scheduler_address"):
        return str(scheduler.scheduler_address)
    if not isinstance(scheduler, str | PathLike):
        raise InvalidInputError(
            f"scheduler is a {type(scheduler).__name__}; give an address, a scheduler file, or a Client of Dask."
        )
    path = Path(scheduler)
    if path.suffix != ".json":
        return str(scheduler)
    try:
        return str(json.loads(path.read_text())["address"])
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInputError(f"{path} is no scheduler file of Dask; give the one that it wrote.") from error


@contextmanager
def _local(workers: int) -> Iterator[Client]:
    """A client of processes on this machine; they are spawned, for threads of ours do not survive a fork."""
    distributed = _distributed()
    import dask

    before = dict(os.environ)  # the nannies live here, and set the variables here
    settings = {
        "distributed.nanny.pre-spawn-environ": _ONE_THREAD,
        "distributed.worker.multiprocessing-method": "spawn",
    }
    with dask.config.set(settings):
        os.environ.update(_ONE_THREAD)
        try:
            with _interrupts_later():  # Dask does not end a half-made cluster in peace
                cluster = _started(workers)
            with cluster, distributed.Client(cluster, set_as_default=False) as client:
                _wait_for_workers(client, workers)
                yield client
        finally:
            os.environ.clear()
            os.environ.update(before)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise MissingPackageError(
            "workers need dask.distributed; install it with: pip install 'lpr-fast[dask]'"
        ) from error
    return distributed


def _started(workers: int) -> LocalCluster:
    try:
        return _distributed().LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",  # without an address it would look for a port, and warn
            scheduler_kwargs={"dashboard": False},
            silence_logs=logging.CRITICAL,
            preload=[__name__],
            memory_limit=0,
        )
    except RuntimeError as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise LprError(f"a worker died while it was started ({reason}); give the same command again.") from error


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Keep Ctrl-C until the end; processes that are started within do not get it at all."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda n, _: came.append(n)) for number in (signal.SIGINT, signal.SIGTERM)}
    resource_tracker.ensure_running()  # it would unblock what is blocked now
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    except LprError:
        if not came:
            raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt


@contextmanager
def _watched(client: Client) -> Iterator[None]:
    """Warn when all workers are gone: to wait for others is right, but not in silence."""
    over = threading.Event()

    def watch() -> None:
        had_some = True
        while not over.wait(_BETWEEN_LOOKS):
            try:
                has_some = bool(client.nthreads())
            except BaseException:  # the scheduler is gone too, and whoever waits for results says so
                return
            if had_some and not has_some:
                warnings.warn(
                    "there are no workers any more; the run goes on when others come.", LprWarning, stacklevel=2
                )
            had_some = has_some

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()


@contextmanager
def _quiet() -> Iterator[None]:
    """What Dask would say of workers that die, and of a scheduler that is gone, is told in a sentence of ours."""
    loggers = [logging.getLogger(name) for name in ("distributed", "tornado.application", "asyncio")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
