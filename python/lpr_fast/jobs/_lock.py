"""One process at a time for each output, from before its first byte until after its last rename."""

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

# What the system says when another process has the lock, and where there are no locks: Lustre without -o flock, NFS
# without a lock daemon, file systems in user space.
_TAKEN = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL, errno.EPERM}

# Seconds between two tries of who waits.
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
        Whose locks are taken.
    tag : str
        What tells the locks of shards apart.
    shared : bool
        Others may have the lock too if they share it: shards of one run do, and nobody merges meanwhile.
    patience : float
        Seconds to wait for another process.
    stacklevel : int
        Who is told where there are no locks: 2 is the caller.

    Raises
    ------
    InUseError
        If another process has one of them.
    """
    with ExitStack() as stack:
        have_locks = [stack.enter_context(_Lock(output, tag, shared=shared).held(patience)) for output in outputs]
        if not all(have_locks):
            warnings.warn(
                "the file system has no locks, so that nobody is kept away from these outputs; do not start the same "
                "command twice.",
                LprWarning,
                stacklevel=stacklevel + 1,
            )
        yield


class _Lock:
    """A file beside an output that exists while somebody holds its lock, and after a crash."""

    def __init__(self, output: Path, tag: str, *, shared: bool) -> None:
        self._output = output
        self._path = beside(output, tag + SUFFIX)
        self._is_shared = shared

    @contextmanager
    def held(self, patience: float) -> Iterator[bool]:
        """Whether there are locks at all; no other process has this one."""
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
        """The open file, and whether there are locks; None if another process has it."""
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
            file.close()  # whoever had the lock has removed the file meanwhile: it is nobody's any more

    def _is_there(self, file: BinaryIO) -> bool:
        try:
            return os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        except FileNotFoundError:
            return False

    def _leave(self, file: BinaryIO) -> None:
        """Remove the file while the lock is held, unless others share it."""
        with suppress(OSError):  # a file that stays does no harm
            if self._is_shared:
                _flock(file, shared=False)
            self._path.unlink(missing_ok=True)
        with suppress(OSError):
            _unlock(file)  # processes that were forked meanwhile have the file too


def _flock(file: BinaryIO, *, shared: bool) -> bool:
    """Take a lock, or raise BlockingIOError; return whether there are locks."""
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
