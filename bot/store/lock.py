"""The lock that keeps a second process away from the database file."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.settings import CannotRun


@contextmanager
def only_process(path: str) -> Iterator[None]:
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
        _take(handle, path)
        yield
    finally:
        os.close(handle)


def _take(handle: int, path: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise CannotRun(
            f"DATABASE_PATH {path} is in use by another Darkroom: stop that one, or give this one its own file"
        ) from error
