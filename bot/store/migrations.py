"""Schema migrations: each step is applied once, in order, in a transaction of its own.

`schema.sql` is step 1. A later change is a file beside it, `migration_0002_<what>.sql` and so on, and has a test.
"""

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from importlib.resources import files

from bot.settings import CannotRun

#: SQLite's application_id ("Drkm" in ASCII), which marks a database of ours.
APPLICATION_ID = 0x44726B6D

#: The application_id ("Dark") of databases from before the first release, which had other names in their schema.
UNRELEASED_APPLICATION_ID = 0x4461726B

#: SQLite virtual machine instructions between two progress reports; about a millisecond.
PROGRESS_INTERVAL = 10_000


def load_migrations() -> list[str]:
    """Return the SQL script of each step."""
    folder = files(__package__)
    later = sorted(entry.name for entry in folder.iterdir() if entry.name.startswith("migration_"))
    return [folder.joinpath(name).read_text(encoding="utf-8") for name in ("schema.sql", *later)]


def migrate(db: sqlite3.Connection, report: Callable[[str], None], steps: Sequence[str] | None = None) -> None:
    """Bring the schema up to date, calling `report` about every millisecond.

    Raises CannotRun like `read_schema_version`.
    """
    steps = load_migrations() if steps is None else steps
    version = read_schema_version(db, len(steps))
    db.execute("PRAGMA foreign_keys = OFF")  # or a step that replaces a table would delete the rows that refer to it
    for number, script in enumerate(steps[version:], start=version + 1):
        text = f"upgrading the database from schema {version} to {len(steps)}, which may take minutes: at {number}"
        db.set_progress_handler(partial(report, text), PROGRESS_INTERVAL)
        try:
            db.executescript(
                f"BEGIN IMMEDIATE; {script}\n"
                f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number}; COMMIT;"
            )
        finally:
            db.set_progress_handler(None, 0)
    db.execute("PRAGMA foreign_keys = ON")


def newest_schema_version() -> int:
    """Return how many steps there are."""
    return len(load_migrations())


def read_schema_version(db: sqlite3.Connection, newest: int | None = None) -> int:
    """Return how many steps have been applied, 0 for an empty file, without changing anything.

    Raises CannotRun for a database of another program, of a later version or from before the first release.
    """
    newest = newest_schema_version() if newest is None else newest
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    application_id = int(db.execute("PRAGMA application_id").fetchone()[0])
    is_empty = db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is None
    if application_id == UNRELEASED_APPLICATION_ID:
        raise CannotRun(
            "DATABASE_PATH holds a database from before the first release of Darkroom, which cannot be upgraded: "
            "delete that file, or name one that does not exist yet, and a new one is made"
        )
    if application_id != APPLICATION_ID and not (is_empty and application_id == version == 0):
        raise CannotRun(
            "DATABASE_PATH is a database of another program: name a file that does not exist yet, it will be made"
        )
    if version > newest:
        raise CannotRun(
            f"DATABASE_PATH holds a database of a later version of Darkroom (schema {version}, this one "
            f"knows {newest}): run that version, or give this one another DATABASE_PATH"
        )
    return version
