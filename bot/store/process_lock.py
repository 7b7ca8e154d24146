"""The lock file that keeps a second bot process away from the database."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.settings import CannotRun, MustRestart

#: Seconds before the second try to take the lock: another process may only have checked whether it is held.
RETRY_DELAY = 0.05


class ProcessLock:
    """A lock file that this process holds."""

    def __init__(self, path: Path, handle: int) -> None:
        self._path = path
        self._handle = handle

    def check(self) -> None:
        """Raise MustRestart if the file was deleted or replaced, so that it no longer keeps a second process out."""
        ours = os.fstat(self._handle)
        try:
            there = self._path.stat()
        except OSError:
            there = None
        if there is None or (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino):
            raise MustRestart(
                f"{self._path} was deleted or replaced while the bot ran: a restart is needed, and loses nothing; "
                "let nobody but the bot touch it"
            )


@contextmanager
def hold_process_lock(path: str) -> Iterator[ProcessLock]:
    """Hold the lock file beside `path`; the kernel releases it however the process dies.

    Raises CannotRun if another process holds it.
    """
    lock_path = Path(f"{path}.lock")
    try:
        lock_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(lock_path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CannotRun(f"DATABASE_PATH {path} cannot be written ({error.strerror}): name another file") from error
    try:
        _acquire(handle, path)
        yield ProcessLock(lock_path, handle)
    finally:
        os.close(handle)


def is_process_lock_held(path: str) -> bool:
    """Say whether a process holds the lock beside `path`, without disturbing it or creating a file."""
    try:
        handle = os.open(f"{path}.lock", os.O_RDONLY)
    except OSError:  # no lock file, or no permission, without which the database cannot be opened either
        return False
    try:
        return not _try_acquire(handle, fcntl.LOCK_SH)
    finally:
        os.close(handle)


def _acquire(handle: int, path: str) -> None:
    if not _try_acquire(handle, fcntl.LOCK_EX):
        time.sleep(RETRY_DELAY)
        if not _try_acquire(handle, fcntl.LOCK_EX):
            raise CannotRun(
                f"DATABASE_PATH {path} is in use by another Darkroom: stop that one, or give this one its own file"
            )


def _try_acquire(handle: int, kind: int) -> bool:
    """Take the lock without waiting; return whether that worked."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
