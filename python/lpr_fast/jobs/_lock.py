"""Locks: one process at a time writes an output."""

from __future__ import annotations

import errno
import os
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .._errors import InvalidInputError, LprWarning
from .._files import named_errors
from ..writing._spool import beside

SUFFIX = ".running"

# Error numbers if another process holds the lock, and on file systems without locks: Lustre without -o flock, NFS
# without a lock daemon, file systems in user space.
_TAKEN = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL, errno.EPERM}

# Seconds between two attempts to take a lock.
_BETWEEN_TRIES = 0.1


class InUseError(InvalidInputError):
    """Another process is writing an output."""


@contextmanager
def locked(
    outputs: Iterable[Path], *, tag: str = "", shared: bool = False, patience: float = 0.0, stacklevel: int = 2
) -> Iterator[None]:
    """Keep other processes away from some outputs.

    Parameters
    ----------
    outputs : iterable of pathlib.Path
        Files to lock.
    tag : str
        Part of the name of the lock of a shard.
    shared : bool
        Whether others may share the lock: shards of one run do, which keeps a merge away.
    patience : float
        Seconds to wait for another process.
    stacklevel : int
        Where a warning about missing locks points; 2 is the caller.

    Raises
    ------
    InUseError
        If another process holds one of the locks.
    """
    with ExitStack() as stack:
        have_locks = [stack.enter_context(_Lock(output, tag, shared=shared).held(patience)) for output in outputs]
        if not all(have_locks):
            warnings.warn(
                "the file system has no locks, so another process could write the same outputs; do not start the same "
                "command twice.",
                LprWarning,
                stacklevel=stacklevel + 1,
            )
        yield


class _Lock:
    """A file beside an output that exists while a process holds the lock, and after a crash."""

    def __init__(self, output: Path, tag: str, *, shared: bool) -> None:
        self._output = output
        self._path = beside(output, tag + SUFFIX)
        self._is_shared = shared

    @contextmanager
    def held(self, patience: float) -> Iterator[bool]:
        """Hold the lock; the value says whether the file system has locks."""
        deadline = time.monotonic() + patience
        while (found := self._taken()) is None:
            if time.monotonic() >= deadline:
                raise InUseError(f"another process is writing {self._output}; wait for it, or give another output.")
            time.sleep(_BETWEEN_TRIES)
        file, has_locks = found
        with file:
            try:
                yield has_locks
            finally:
                self._leave(file)

    def _taken(self) -> tuple[BinaryIO, bool] | None:
        """The open file, and whether the file system has locks; None if another process holds the lock."""
        while True:
            file = self._path.open("ab")
            try:
                with named_errors(self._path):
                    has_locks = _flock(file, shared=self._is_shared)
                if not has_locks or self._is_there(file):
                    return file, has_locks
            except BlockingIOError:
                file.close()
                return None
            except BaseException:
                file.close()
                raise
            file.close()  # the previous holder has removed the file meanwhile

    def _is_there(self, file: BinaryIO) -> bool:
        try:
            return os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        except FileNotFoundError:
            return False

    def _leave(self, file: BinaryIO) -> None:
        """Remove the file while the lock is held, unless other processes share it."""
        with suppress(OSError):  # a file that stays is harmless
            if self._is_shared:
                _flock(file, shared=False)
            self._path.unlink(missing_ok=True)
        with suppress(OSError):
            _unlock(file)  # forked processes have the file open too


def _flock(file: BinaryIO, *, shared: bool) -> bool:
    """Take a lock, or raise BlockingIOError; return whether the file system has locks."""
    try:
        import fcntl
    except ImportError:
        return False
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            raise BlockingIOError from error
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True


def _unlock(file: BinaryIO) -> None:
    with suppress(ImportError):
        import fcntl

        fcntl.flock(file, fcntl.LOCK_UN)
