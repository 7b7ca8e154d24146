"""The lock that keeps a second process away from the database file."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.settings import CannotRun, MustRestart

#: Seconds after which a lock is tried again: somebody may only have looked whether it is held.
RETRY_DELAY = 0.05


class ProcessLock:
    """A lock file that is held."""

    def __init__(self, name: Path, handle: int) -> None:
        self._name = name
        self._handle = handle

    def check(self) -> None:
        """Raise MustRestart if the file was taken away: what is held by nobody keeps no second process out."""
        ours = os.fstat(self._handle)
        try:
            there = self._name.stat()
        except OSError:
            there = None
        if there is None or (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino):
            raise MustRestart(
                f"{self._name} was deleted or replaced while the bot ran: a restart is needed, and loses nothing; "
                "let nobody but the bot touch it"
            )


@contextmanager
def hold_process_lock(path: str) -> Iterator[ProcessLock]:
    """Hold the lock file beside `path`; the kernel lets go of it when the process dies, however it dies.

    Raises CannotRun when another process holds it.
    """
    name = Path(f"{path}.lock")
    try:
        name.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CannotRun(f"DATABASE_PATH {path} cannot be written ({error.strerror}): name another file") from error
    try:
        _acquire(handle, path)
        yield ProcessLock(name, handle)
    finally:
        os.close(handle)


def is_process_lock_held(path: str) -> bool:
    """Say whether a process holds the lock beside `path`, without holding it up or making anything."""
    try:
        handle = os.open(f"{path}.lock", os.O_RDONLY)
    except OSError:  # there is none; where we may not look, the database cannot be opened either
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
    """Take the lock if it is to be had at once, and say whether it was."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
