"""A database of any earlier version is brought up to date with all that is in it."""

import sqlite3
from pathlib import Path

import pytest

from bot.job import State
from bot.store.daily_usage import EVERYONE_ID, UsageScope
from bot.store.database import Database
from bot.store.migrations import APPLICATION_ID, _read_migrations, migrate
from bot.store.transaction import Transaction
from tests.process_harness import TOKEN, query_database

VERSIONS = range(1, len(_read_migrations()))

ROWS = """
INSERT INTO jobs (id, state, chat_id, user_id, message_id, prompt, received_at, queued_at)
    VALUES (1, 'queued', 5, 5, 77, 'make it snow', 1, 1), (2, 'succeeded', 5, 5, 78, '', 1, 1);
UPDATE jobs SET erased_at = 9 WHERE id = 2;
INSERT INTO sources (job_id, place, file_id, file_unique_id, is_photo) VALUES (1, 0, 'file', 'unique', 1);
INSERT INTO line (job_id, chat_id, turn, place, is_ready) VALUES (1, 5, 1.0, 1.0, 0);
INSERT INTO outbox (id, key, kind, chat_id, body, job_id, written_at, due_at)
    VALUES (7, 'job:1:accepted', 'reaction', 5, 'x', 1, 1, 2);
"""


def _create_database_of_version(version: int, path: Path) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    for script in _read_migrations()[:version]:
        db.executescript(script)
    db.executescript(f"{ROWS} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version};")
    db.close()


def _schema(path: Path) -> set[tuple[str, str]]:
    db = sqlite3.connect(path)
    found = db.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    db.close()
    return set(found)


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_an_earlier_version_stored_is_still_there(tmp_path: Path, version: int) -> None:
    path = tmp_path / "darkroom.db"
    _create_database_of_version(version, path)
    db = await Database.open(str(path))
    job = await db.transact(lambda tx: tx.jobs.get(1))
    [parcel] = await db.transact(lambda tx: tx.outbox._db.execute("SELECT * FROM outbox").fetchall())
    assert job is not None
    assert (job.request.prompt, job.request.sources[0].file_id, job.request.language) == ("make it snow", "file", "en")
    assert (parcel["key"], parcel["due_at"], parcel["job_id"]) == ("job:1:accepted", 2, 1)
    assert await db.transact(lambda tx: tx.request_messages._db.execute("PRAGMA foreign_key_check").fetchall()) == []
    await db.close()


async def test_the_caption_of_a_job_that_an_earlier_version_queued_can_still_be_changed(tmp_path: Path) -> None:
    path = tmp_path / "darkroom.db"
    _create_database_of_version(1, path)
    db = await Database.open(str(path))
    part = await db.transact(lambda tx: tx.request_messages.get(5, 77))
    assert part is not None
    assert (part.job_id, part.text) == (1, "make it snow")
    assert await db.transact(lambda tx: tx.request_messages.get(5, 78)) is None, "what was erased stays erased"
    await db.close()


async def test_what_waits_for_words_in_an_earlier_version_holds_no_place_of_others_any_more(tmp_path: Path) -> None:
    path = tmp_path / "darkroom.db"
    _create_database_of_version(6, path)
    old = sqlite3.connect(path, isolation_level=None)
    old.executescript("""
        INSERT INTO jobs (id, state, chat_id, user_id, prompt, received_at, counted_on)
            VALUES (3, 'gathering', -9, 5, '', 1, 7), (4, 'running', -9, 5, '', 1, 7);
        INSERT INTO counts VALUES (7, 'person', 5, 2), (7, 'chat', -9, 2), (7, 'all', 0, 2);
    """)
    old.close()
    db = await Database.open(str(path))

    def counted(tx: Transaction) -> list[int]:
        return [
            tx.daily_usage.get(*which, 7)
            for which in ((UsageScope.USER, 5), (UsageScope.CHAT, -9), (UsageScope.ALL, EVERYONE_ID))
        ]

    assert await db.transact(counted) == [2, 1, 1]
    jobs = await db.transact(lambda tx: [tx.jobs.get(3), tx.jobs.get(4)])
    await db.transact(lambda tx: [tx.jobs.transition(job, State.CANCELLED) for job in jobs if job and job.id == 3])
    assert await db.transact(counted) == [1, 1, 1]
    assert [job and job.request.charged_to for job in jobs] == [5, 5]
    await db.close()


async def test_a_token_that_an_earlier_version_stored_in_kies_words_is_erased(tmp_path: Path) -> None:
    path = tmp_path / "darkroom.db"
    _create_database_of_version(6, path)
    words = f"no picture at https://api.telegram.org/file/bot{TOKEN}/photos/file_7.jpg, at 12:30"
    db = sqlite3.connect(path, isolation_level=None)
    insert = (
        "INSERT INTO outbox (key, kind, chat_id, body, written_at, due_at, ended_at, ending) VALUES (?,?,5,?,1,?,?,?)"
    )
    db.execute(insert, ("sent", "text", words, None, 2, "sent"))
    db.execute(insert, ("waits", "text", words, 2, None, None))
    db.execute(insert, ("other", "text", "Job 1234567: done at 12:30", None, 2, "sent"))
    db.close()
    await (await Database.open(str(path))).close()
    said = {row["key"]: row["body"] for row in query_database(path, "SELECT key, body FROM outbox WHERE kind = 'text'")}
    assert said == {
        "sent": "",
        "waits": "Kie.ai could not make this picture. Please send it again.",
        "other": "Job 1234567: done at 12:30",
    }
    assert all(TOKEN.partition(":")[2].encode() not in file.read_bytes() for file in tmp_path.iterdir())


def test_while_a_large_database_is_brought_up_to_date_it_is_said_where_it_is(tmp_path: Path) -> None:
    _create_database_of_version(1, tmp_path / "old.db")
    db = sqlite3.connect(tmp_path / "old.db", isolation_level=None)
    db.execute(
        "WITH RECURSIVE n (i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
        " INSERT INTO jobs (id, state, chat_id, user_id, message_id, prompt, received_at)"
        " SELECT i, 'failed', 5, 5, i, '', 1 FROM n"
    )
    said: list[str] = []
    migrate(db, said.append)
    db.close()
    newest = len(_read_migrations())
    assert {words.rpartition(": ")[0] for words in said} == {
        f"the database is brought from schema 1 to {newest}, which may take minutes"
    }
    steps = [int(words.split()[-1]) for words in said]
    assert steps == sorted(steps)
    assert len(set(steps)) > 1


async def test_an_answer_that_was_deleted_in_an_earlier_version_stays_deleted(tmp_path: Path) -> None:
    path = tmp_path / "darkroom.db"
    _create_database_of_version(
        next(number for number, step in enumerate(_read_migrations()) if "answer_deleted_at" in step), path
    )
    raw = sqlite3.connect(path, isolation_level=None)
    raw.executescript(
        "UPDATE jobs SET state = 'succeeded', result_url = 'https://kie.example/1';"
        "INSERT INTO outbox (key, kind, chat_id, reply_to, body, job_id, written_at)"
        " VALUES ('delete:5:80', 'deletion', 5, 80, '', 1, 44)"
    )
    raw.close()
    db = await Database.open(str(path))
    deleted, other = await db.transact(lambda tx: (tx.jobs.get(1), tx.jobs.get(2)))
    assert deleted is not None
    assert other is not None
    assert (deleted.answer_deleted_at, deleted.result_url) == (44, None)
    assert (other.answer_deleted_at, other.result_url) == (None, "https://kie.example/1")
    await db.close()


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_schema_is_the_same_by_whichever_way_it_came_about(tmp_path: Path, version: int) -> None:
    _create_database_of_version(version, tmp_path / "old.db")
    for name in ("old.db", "new.db"):
        await (await Database.open(str(tmp_path / name))).close()
    assert _schema(tmp_path / "old.db") == _schema(tmp_path / "new.db")
