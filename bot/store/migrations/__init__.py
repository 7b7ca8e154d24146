"""The schema, a numbered file per step; applied once each, in order, in a transaction of its own."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.resources import files

from bot.settings import CannotRun

#: "Dark" in ASCII, SQLite's application_id: says that a file is ours.
APPLICATION_ID = 0x4461726B

#: Steps of SQLite's machine between two moments at which it can say how far it is; a millisecond or so.
PROGRESS_INTERVAL = 10_000


def migrate(db: sqlite3.Connection, tell: Callable[[str], None]) -> None:
    """Bring the schema up to date. Raises CannotRun for a file that is not ours, or is of a later version.

    While it works, `tell` hears often how far it is.
    """
    steps = _read_migrations()
    version = read_schema_version(db)
    # dropping a table in order to replace it must not take with it what refers to it
    db.execute("PRAGMA foreign_keys = OFF")
    for number, script in enumerate(steps[version:], start=version + 1):
        words = f"the database is brought from schema {version} to {len(steps)}, which may take minutes: at {number}"
        with _report_progress(db, partial(tell, words)):
            db.executescript(
                f"BEGIN IMMEDIATE; {script}\n"
                f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number}; COMMIT;"
            )
    db.execute("PRAGMA foreign_keys = ON")


@contextmanager
def _report_progress(db: sqlite3.Connection, tell: Callable[[], None]) -> Iterator[None]:
    """Have SQLite tell again and again that it works."""

    db.set_progress_handler(tell, PROGRESS_INTERVAL)  # which would break it off if it returned anything
    try:
        yield
    finally:
        db.set_progress_handler(None, 0)


def read_schema_version(db: sqlite3.Connection) -> int:
    """Return how many steps the schema has taken, without changing anything. Raises CannotRun like `migrate`."""
    version, newest = int(db.execute("PRAGMA user_version").fetchone()[0]), newest_schema_version()
    _refuse_foreign(db, version)
    if version > newest:
        raise CannotRun(
            f"DATABASE_PATH holds a database of a later version of Darkroom (schema {version}, this one "
            f"knows {newest}): run that version, or give this one another DATABASE_PATH"
        )
    return version


def newest_schema_version() -> int:
    """Return how many steps there are."""
    return len(_read_migrations())


def _read_migrations() -> list[str]:
    scripts = (entry for entry in files(__package__).iterdir() if entry.name.endswith(".sql"))
    return [entry.read_text(encoding="utf-8") for entry in sorted(scripts, key=lambda entry: entry.name)]


def _refuse_foreign(db: sqlite3.Connection, version: int) -> None:
    owner = int(db.execute("PRAGMA application_id").fetchone()[0])
    is_empty = db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is None
    if owner == APPLICATION_ID or (is_empty and version == 0 and owner == 0):
        return
    raise CannotRun(
        "DATABASE_PATH is a database of another program: name a file that does not exist yet, it will be made"
    )
