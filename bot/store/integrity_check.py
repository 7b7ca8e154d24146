"""A look at a database that changes nothing: is it ours, is it sound, whose is it?

It works beside a bot that writes, and leaves no file behind whose owner could keep the bot out.
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
from bot.store.read_only import open_read_only

#: Steps of SQLite's machine between two looks at the time.
DEADLINE_CHECK_INTERVAL = 10_000


@dataclass(frozen=True)
class DatabaseInspection:
    """What a file turned out to be."""

    #: how many steps its schema has taken, of those that this program knows; 0 for an empty file
    schema_version: int
    newest_schema_version: int
    #: the id of the bot that it belongs to; None while it is nobody's
    bot_id: int | None
    #: whether there was time to look at all of it
    is_complete: bool


def inspect_database(path: Path, *, is_written: bool, seconds: float) -> DatabaseInspection:
    """Look at a database file for so long at most; `is_written` says whether a bot has it open.

    Raises CannotRun when it cannot be read, is damaged, is not ours, or is of a later version.
    """
    until = time.monotonic() + seconds
    try:
        with closing(open_read_only(path, is_written=is_written)) as db:
            version = read_schema_version(db)
            return DatabaseInspection(
                version, newest_schema_version(), _read_bot_id(db, version), _check_integrity(db, path, until)
            )
    except sqlite3.Error as error:
        raise CannotRun(f"DATABASE_PATH {path} cannot be used ({error}): {suggest_remedy(error)}") from error


def _read_bot_id(db: sqlite3.Connection, version: int) -> int | None:
    row = db.execute("SELECT bot_id FROM bot_identity").fetchone() if version else None
    return None if row is None else int(row[0])


def _check_integrity(db: sqlite3.Connection, path: Path, until: float) -> bool:
    """Look at every page and index; False when the time was up before. Raises CannotRun for damage."""
    problems = ["ok"]
    with _interrupt_at(db, until) as is_over:
        problems = [str(row[0]) for row in db.execute("PRAGMA integrity_check(1)")]
    if problems != ["ok"]:
        raise CannotRun(f"DATABASE_PATH {path} is damaged ({problems[0]}): stop the bot and put back a backup")
    return not is_over


@contextmanager
def _interrupt_at(db: sqlite3.Connection, until: float) -> Iterator[list[bool]]:
    """Break off what SQLite does in here at that moment; what is given is no longer empty then."""
    broken_off: list[bool] = []
    db.set_progress_handler(lambda: time.monotonic() > until, DEADLINE_CHECK_INTERVAL)
    try:
        yield broken_off
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        broken_off.append(True)
