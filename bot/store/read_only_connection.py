"""Read-only access to a database that a bot may be writing: rows, and an integrity check.

Nothing is changed, and no file is left behind that another user would own and the bot could not open.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.settings import CannotRun
from bot.store.database import suggest_remedy
from bot.store.migrations import newest_schema_version, read_schema_version
from bot.store.process_lock import is_process_lock_held

#: Seconds to wait for a lock while the bot writes.
BUSY_TIMEOUT_SECONDS = 5.0

#: SQLite virtual machine instructions between two checks of the deadline.
DEADLINE_CHECK_INTERVAL = 10_000


def open_read_only(path: Path, *, is_written: bool) -> sqlite3.Connection:
    """Open a database read-only; `is_written`: a bot has it open."""
    wal = path.with_name(f"{path.name}-wal")
    # with `immutable`, SQLite creates no files beside it, but does not read a WAL either
    is_immutable = not is_written and not (wal.exists() and wal.stat().st_size)
    uri = f"{path.resolve().as_uri()}?mode=ro{'&immutable=1' if is_immutable else ''}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_SECONDS)


@contextmanager
def read_database(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a consistent snapshot of a database of ours.

    Raises CannotRun if it is missing, not ours, of another version, or cannot be read.
    """
    if not path.is_file():
        raise CannotRun(f"DATABASE_PATH {path} does not exist: start the bot once, or name its database")
    try:
        with closing(open_read_only(path, is_written=is_process_lock_held(str(path)))) as db:
            if read_schema_version(db) < newest_schema_version():
                raise CannotRun(
                    f"DATABASE_PATH {path} is of an earlier version: start this version of the bot once, which brings "
                    "it up to date"
                )
            db.row_factory = sqlite3.Row
            db.execute("BEGIN")
            yield db
    except sqlite3.Error as error:
        raise CannotRun(f"DATABASE_PATH {path} cannot be read ({error}): {suggest_remedy(error)}") from error


@dataclass(frozen=True)
class DatabaseInspection:
    """The result of checking a database file."""

    #: the migrations applied to it, and those that this program knows; 0 for an empty file
    schema_version: int
    newest_schema_version: int
    #: the id of the bot that it belongs to, None for a new database
    bot_id: int | None
    #: whether there was time for the whole check
    is_complete: bool


def inspect_database(path: Path, *, is_written: bool, seconds: float) -> DatabaseInspection:
    """Check a database file for at most `seconds`; `is_written`: a bot has it open.

    Raises CannotRun if it cannot be read, is damaged, is not ours, or is of a later version.
    """
    deadline = time.monotonic() + seconds
    try:
        with closing(open_read_only(path, is_written=is_written)) as db:
            version = read_schema_version(db)
            row = db.execute("SELECT bot_id FROM bot_identity").fetchone() if version else None
            bot_id = None if row is None else int(row[0])
            return DatabaseInspection(version, newest_schema_version(), bot_id, _check_integrity(db, path, deadline))
    except sqlite3.Error as error:
        raise CannotRun(f"DATABASE_PATH {path} cannot be used ({error}): {suggest_remedy(error)}") from error


def _check_integrity(db: sqlite3.Connection, path: Path, deadline: float) -> bool:
    """Check every page and index; return False if the deadline came first. Raises CannotRun for damage."""
    db.set_progress_handler(lambda: time.monotonic() > deadline, DEADLINE_CHECK_INTERVAL)
    try:
        problems = [str(row[0]) for row in db.execute("PRAGMA integrity_check(1)")]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return False
    if problems != ["ok"]:
        raise CannotRun(f"DATABASE_PATH {path} is damaged ({problems[0]}): stop the bot and put back a backup")
    return True
