"""A copy of the database while a bot writes to it: consistent, checked, and there as a whole or not at all."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bot.settings import CannotRun
from bot.store.migrations import APPLICATION_ID

#: Pages copied at a time; between two of them the bot can write.
PAGES_PER_STEP = 1000

#: Steps of SQLite's machine between two moments at which it can say that it still checks the copy.
CHECK_PROGRESS_INTERVAL = 100_000


def copy_database(source: Path, target: Path, tell: Callable[[str], None]) -> None:
    """Copy a database of ours to a new file that only its owner can read; `tell` hears often how far it is.

    Raises CannotRun when there is no such database, when `target` exists, or when the copy is not sound.
    """
    if target.exists():
        raise CannotRun(f"{target} exists already: name a file that does not, so that no backup is overwritten")
    try:
        with create_file_atomically(target) as part:
            _copy_and_check(source, part, tell)
    except OSError as error:
        raise CannotRun(f"{target} cannot be written ({error.strerror}): name another file") from error
    except sqlite3.Error as error:
        raise CannotRun(f"DATABASE_PATH {source} cannot be copied ({error})") from error


@contextmanager
def create_file_atomically(target: Path) -> Iterator[Path]:
    """Have a file filled that only its owner can read, and that is there afterwards as a whole or not at all."""
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        yield part
        _fsync(part)
        part.rename(target)
        _fsync(target.parent)
    finally:
        part.unlink(missing_ok=True)


def copy_pages(ours: sqlite3.Connection, copy: sqlite3.Connection, tell: Callable[[str], None]) -> None:
    """Copy what a connection sees into a single file; `tell` hears often how far it is."""
    ours.backup(copy, pages=PAGES_PER_STEP, progress=lambda _, left, of: tell(f"copied {of - left} of {of} pages"))
    copy.execute("PRAGMA journal_mode = DELETE")  # until a bot opens it


def _copy_and_check(source: Path, part: Path, tell: Callable[[str], None]) -> None:
    with closing(_open_source(source)) as ours, closing(sqlite3.connect(part)) as copy:
        # One snapshot, held until all is copied: SQLite begins anew after each commit of the bot otherwise, and beside
        # a busy one never comes to an end (https://www.sqlite.org/backup.html).
        ours.execute("BEGIN")
        ours.execute("SELECT 1 FROM sqlite_schema").fetchone()
        copy_pages(ours, copy, tell)
        copy.set_progress_handler(lambda: tell("checking the copy"), CHECK_PROGRESS_INTERVAL)
        problems = [row[0] for row in copy.execute("PRAGMA integrity_check").fetchall()]
    if problems != ["ok"]:
        raise CannotRun(f"DATABASE_PATH {source} is damaged ({problems[0]}): no backup was made of it")


def _open_source(source: Path) -> sqlite3.Connection:
    """Open a database of ours without writing to it."""
    if not source.is_file():
        raise CannotRun(f"DATABASE_PATH {source} does not exist: start the bot once, or name its database")
    db = sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True, timeout=30)
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        db.close()
        raise CannotRun(f"DATABASE_PATH {source} is a database of another program")
    return db


def _fsync(path: Path) -> None:
    """Have the disk keep a file, or the entries of a folder, before anybody is told that it is there."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
