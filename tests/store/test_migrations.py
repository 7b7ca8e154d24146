"""Migrations: a new file gets the schema, and an older one the missing steps, without losing rows."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bot.settings import CannotRun
from bot.store.database import Database
from bot.store.migrations import APPLICATION_ID, UNRELEASED_APPLICATION_ID, load_migrations, migrate

CREATE = "CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT); CREATE TABLE uses (word REFERENCES words);"
FILL = "INSERT INTO words (id, word) VALUES (1, 'snow'); INSERT INTO uses VALUES (1);"
REPLACE = """
    CREATE TABLE new_words (id INTEGER PRIMARY KEY, word TEXT, language TEXT NOT NULL DEFAULT 'en') STRICT;
    INSERT INTO new_words (id, word) SELECT id, word FROM words; DROP TABLE words;
    ALTER TABLE new_words RENAME TO words;
"""
ADD = "ALTER TABLE words ADD COLUMN seen INTEGER;"
FAIL = "ALTER TABLE words ADD COLUMN lost INTEGER; INSERT INTO no_such_table VALUES (1);"
COUNT = """
    INSERT INTO words WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
        SELECT i, '' FROM n;
"""
MARK = "UPDATE words SET word = 'rain';"


@pytest.fixture
def raw() -> Iterator[sqlite3.Connection]:
    """An empty database."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.execute("PRAGMA foreign_keys = ON")
        yield db


def _marks(db: sqlite3.Connection) -> tuple[int, int]:
    return db.execute("PRAGMA application_id").fetchone()[0], db.execute("PRAGMA user_version").fetchone()[0]


def _schema(db: sqlite3.Connection) -> set[tuple[str, str]]:
    return set(db.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))


def _ignore(_: str) -> None:
    """Report nothing."""


def test_a_new_file_takes_every_step_and_is_marked(raw: sqlite3.Connection) -> None:
    migrate(raw, _ignore)
    assert _marks(raw) == (APPLICATION_ID, len(load_migrations()))
    before = _schema(raw)
    migrate(raw, _ignore)
    assert _schema(raw) == before, "nothing is done twice"


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_database_takes_the_steps_that_it_lacks_and_keeps_its_rows(
    raw: sqlite3.Connection, version: int
) -> None:
    steps = [CREATE, REPLACE, ADD]
    migrate(raw, _ignore, steps[:version])
    raw.executescript(FILL)
    migrate(raw, _ignore, steps)
    assert raw.execute("SELECT * FROM words").fetchall() == [(1, "snow", "en", None)]
    assert raw.execute("SELECT word FROM uses").fetchall() == [(1,)], "a replaced table takes no other rows with it"
    assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
    assert raw.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    assert _marks(raw) == (APPLICATION_ID, 3)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as new:
        migrate(new, _ignore, steps)
        assert _schema(raw) == _schema(new), "the schema is the same whichever way it came about"


def test_a_step_that_fails_changes_nothing_and_those_before_it_stay(raw: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError):
        migrate(raw, _ignore, [CREATE, ADD, FAIL])
    raw.execute("ROLLBACK")
    assert [row[1] for row in raw.execute("PRAGMA table_info(words)")] == ["id", "word", "seen"]
    assert _marks(raw) == (APPLICATION_ID, 2)


def test_while_a_large_database_is_upgraded_the_step_is_reported(raw: sqlite3.Connection) -> None:
    migrate(raw, _ignore, [CREATE])
    reports: list[str] = []
    migrate(raw, reports.append, [CREATE, COUNT, MARK])
    assert {text.rpartition(": ")[0] for text in reports} == {
        "upgrading the database from schema 1 to 3, which may take minutes"
    }
    assert list(dict.fromkeys(text.rpartition(" ")[2] for text in reports)) == ["2", "3"]


async def test_a_database_from_before_the_first_release_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "darkroom.db"
    await (await Database.open(str(path))).close()
    with closing(sqlite3.connect(path)) as old:
        old.execute(f"PRAGMA application_id = {UNRELEASED_APPLICATION_ID}")
        old.execute("PRAGMA user_version = 15")
    with pytest.raises(CannotRun, match=r"before the first release of Darkroom, .*: delete that file, or name one"):
        await Database.open(str(path))
