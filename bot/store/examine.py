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
from bot.store.connection import remedy
from bot.store.migrations import known_version, newest_version
from bot.store.reading import opened_to_read

#: Steps of SQLite's machine between two looks at the time.
AT_ONCE = 10_000


@dataclass(frozen=True)
class Examined:
    """What a file turned out to be."""

    #: how many steps its schema has taken, of those that this program knows; 0 for an empty file
    version: int
    newest: int
    #: the id of the bot that it belongs to; None while it is nobody's
    owner: int | None
    #: whether there was time to look at all of it
    is_complete: bool


def examine(path: Path, *, is_written: bool, seconds: float) -> Examined:
    """Look at a database file for so long at most; `is_written` says whether a bot has it open.

    Raises CannotRun when it cannot be read, is damaged, is not ours, or is of a later version.
    """
    until = time.monotonic() + seconds
    try:
        with closing(opened_to_read(path, is_written=is_written)) as db:
            version = known_version(db)
            return Examined(version, newest_version(), _owner(db, version), _is_sound(db, path, until))
    except sqlite3.Error as error:
        raise CannotRun(f"DATABASE_PATH {path} cannot be used ({error}): {remedy(error)}") from error


def _owner(db: sqlite3.Connection, version: int) -> int | None:
    row = db.execute("SELECT bot_id FROM owner").fetchone() if version else None
    return None if row is None else int(row[0])


def _is_sound(db: sqlite3.Connection, path: Path, until: float) -> bool:
    """Look at every page and index; False when the time was up before. Raises CannotRun for damage."""
    problems = ["ok"]
    with _until(db, until) as is_over:
        problems = [str(row[0]) for row in db.execute("PRAGMA integrity_check(1)")]
    if problems != ["ok"]:
        raise CannotRun(f"DATABASE_PATH {path} is damaged ({problems[0]}): stop the bot and put back a backup")
    return not is_over


@contextmanager
def _until(db: sqlite3.Connection, until: float) -> Iterator[list[bool]]:
    """Break off what SQLite does in here at that moment; what is given is no longer empty then."""
    broken_off: list[bool] = []
    db.set_progress_handler(lambda: time.monotonic() > until, AT_ONCE)
    try:
        yield broken_off
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        broken_off.append(True)
