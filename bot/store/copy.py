"""A copy of the database while a bot writes to it: consistent, checked, and there as a whole or not at all."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bot.settings import CannotRun
from bot.store.migrations import APPLICATION_ID

#: Pages copied at a time; between two of them the bot can write.
AT_ONCE = 1000

#: Steps of SQLite's machine between two moments at which it can say that it still checks the copy.
CHECKED_AT_ONCE = 100_000


def copy_database(source: Path, target: Path, tell: Callable[[str], None]) -> None:
    """Copy a database of ours to a new file that only its owner can read; `tell` hears often how far it is.

    Raises CannotRun when there is no such database, when `target` exists, or when the copy is not sound.
    """
    if target.exists():
        raise CannotRun(f"{target} exists already: name a file that does not, so that no backup is overwritten")
    try:
        with new_file(target) as part:
            _copied(source, part, tell)
    except OSError as error:
        raise CannotRun(f"{target} cannot be written ({error.strerror}): name another file") from error
    except sqlite3.Error as error:
        raise CannotRun(f"DATABASE_PATH {source} cannot be copied ({error})") from error


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """Have a file filled that only its owner can read, and that is there afterwards as a whole or not at all."""
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        yield part
        _flush(part)
        part.rename(target)
        _flush(target.parent)
    finally:
        part.unlink(missing_ok=True)


def copy_pages(ours: sqlite3.Connection, copy: sqlite3.Connection, tell: Callable[[str], None]) -> None:
    """Copy what a connection sees into a single file; `tell` hears often how far it is."""
    ours.backup(copy, pages=AT_ONCE, progress=lambda _, left, of: tell(f"copied {of - left} of {of} pages"))
    copy.execute("PRAGMA journal_mode = DELETE")  # until a bot opens it


def _copied(source: Path, part: Path, tell: Callable[[str], None]) -> None:
    with closing(_opened(source)) as ours, closing(sqlite3.connect(part)) as copy:
        # as it is now: else SQLite begins anew whenever the bot has written, and of a large one never comes to an end
        ours.execute("BEGIN")
        ours.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
        copy_pages(ours, copy, tell)
        copy.set_progress_handler(lambda: tell("checking the copy"), CHECKED_AT_ONCE)
        problems = [row[0] for row in copy.execute("PRAGMA integrity_check").fetchall()]
    if problems != ["ok"]:
        raise CannotRun(f"DATABASE_PATH {source} is damaged ({problems[0]}): no backup was made of it")


def _opened(source: Path) -> sqlite3.Connection:
    """Open a database of ours without writing to it."""
    if not source.is_file():
        raise CannotRun(f"DATABASE_PATH {source} does not exist: start the bot once, or name its database")
    db = sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True, timeout=30)
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        db.close()
        raise CannotRun(f"DATABASE_PATH {source} is a database of another program")
    return db


def _flush(path: Path) -> None:
    """Have the disk keep a file, or the entries of a folder, before anybody is told that it is there."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
