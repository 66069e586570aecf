"""The executors of the command line: processes on this machine, or the workers of a Dask cluster."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from .._arrays import as_count
from .._errors import InvalidInputError, MissingPackageError

# Seconds to wait for a scheduler, and for its first worker.
_PATIENCE = 10.0
_PATIENCE_WITH_WORKERS = 60.0

# Each local worker uses one thread.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), "1")


@contextmanager
def executor_of(*, workers: int, scheduler: str | None) -> Iterator[Executor | None]:
    """The executor that the options ask for; None for this process.

    Parameters
    ----------
    workers : int
        Number of processes on this machine.
    scheduler : str, optional
        Address of a Dask scheduler, for example ``tcp://host:8786``, or its file (``.json``).

    Raises
    ------
    InvalidInputError
        For both options at once, and for a scheduler that does not answer or has no workers.
    MissingPackageError
        For a scheduler without Dask.
    """
    count = as_count("workers", workers)
    if count < 0:
        raise InvalidInputError(f"workers is {count}; it must not be negative.")
    if scheduler is not None and count:
        raise InvalidInputError(
            "a scheduler and a number of workers were given, but a scheduler has its own workers; give one of them."
        )
    if scheduler is not None:
        with _dask_client(scheduler) as client:
            yield client.get_executor(pure=False)
    elif count:
        with local_processes(count) as executor:
            yield executor
    else:
        yield None


@contextmanager
def local_processes(count: int) -> Iterator[Executor]:
    """A pool of processes of one thread each. They are spawned, because threads do not survive a fork.

    They end at once when the block is left or this process dies; the next run resumes.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(count, context, _end_with_parent, (receiver,))
    try:
        with _started_quietly():
            for _ in range(count):
                pool.submit(os.getpid)  # starts a process
        yield pool
    finally:
        sender.close()
        pool.shutdown(cancel_futures=True)


@contextmanager
def _started_quietly() -> Iterator[None]:
    """Processes that are started in the block ignore Ctrl-C, which the parent handles, and have one thread each."""
    resource_tracker.ensure_running()  # it would unblock the signal that is blocked below
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(_ONE_THREAD)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _end_with_parent(receiver: Connection) -> None:
    """In a process of the pool: exit when the parent does, which closes the pipe."""

    def wait() -> None:
        receiver.poll(None)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _address_of(scheduler: str) -> str:
    if not scheduler.endswith(".json"):
        return scheduler
    try:
        return str(json.loads(Path(scheduler).read_bytes())["address"])
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInputError(
            f"{scheduler} is not a scheduler file of Dask; give the file that the scheduler wrote."
        ) from error


@contextmanager
def _dask_client(scheduler: str) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingPackageError(
            "workers of a scheduler need dask.distributed; install it with: pip install 'lpr-fast[dask]'"
        ) from error
    address = _address_of(scheduler)
    try:
        client = Client(address, timeout=_PATIENCE, set_as_default=False)
    except (ValueError, OSError) as error:
        raise InvalidInputError(
            f"no Dask scheduler answers at {scheduler}; give the address that it printed when it started, or the file "
            "that it wrote."
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_PATIENCE_WITH_WORKERS)
        except TimeoutError as error:
            raise InvalidInputError(
                f"the scheduler at {scheduler} has had no workers for {_PATIENCE_WITH_WORKERS:.0f} seconds; start "
                "some, "
                "and give the same command again."
            ) from error
        yield client
