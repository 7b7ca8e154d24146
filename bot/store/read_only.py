"""Reading a database that another process may be writing, without changing it or leaving a file behind."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bot.settings import CannotRun
from bot.store.database import suggest_remedy
from bot.store.migrations import newest_schema_version, read_schema_version
from bot.store.process_lock import is_process_lock_held

#: Seconds to wait for a bot that is just writing.
BUSY_TIMEOUT_SECONDS = 5.0


def open_read_only(path: Path, *, is_written: bool) -> sqlite3.Connection:
    """Open a database in which nothing can be changed; `is_written` says whether a bot has it open."""
    log = path.with_name(f"{path.name}-wal")
    # read as a file that nobody writes, SQLite makes no files beside it; but what is in a log would not be seen
    alone = not is_written and not (log.exists() and log.stat().st_size)
    address = f"{path.resolve().as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
    return sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_SECONDS)


@contextmanager
def read_database(path: Path) -> Iterator[sqlite3.Connection]:
    """Read a database of ours as it is at this moment.

    Raises CannotRun when there is none, when it is not ours or of another version, or cannot be read.
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
