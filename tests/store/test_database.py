"""Transactions on one connection are atomic and durable, and the file is opened only if it is ours."""

import asyncio
import sqlite3
import stat
from functools import partial
from pathlib import Path

import pytest

from bot.job import State
from bot.settings import CannotRun
from bot.store.database import Database, Transaction, UnitOfWork
from bot.store.outbox import MessageDraft
from bot.store.process_lock import hold_process_lock
from tests.store.sample_requests import NOON, make_request


def _add_job(tx: Transaction, message_id: int) -> int | None:
    return tx.jobs.add(make_request(message_id), State.QUEUED, NOON, due_at=NOON)


async def _count_jobs(db: Database) -> int:
    return len(await db.transact(lambda tx: tx.jobs.list_due(State.QUEUED, NOON, 1000)))


async def test_a_cancelled_caller_leaves_no_transaction_open(db: Database) -> None:
    caller = asyncio.ensure_future(db.transact(lambda tx: _add_job(tx, 1)))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await db.transact(lambda tx: _add_job(tx, 2))
    assert await _count_jobs(db) == 2


@pytest.mark.parametrize("position", range(3))
async def test_a_unit_that_fails_is_undone_alone(db: Database, position: int) -> None:
    def fail(tx: Transaction) -> None:
        _add_job(tx, 1)
        raise KeyError("a mistake")

    works: list[UnitOfWork] = [partial(_add_job, message_id=2), partial(_add_job, message_id=3)]
    works.insert(position, fail)
    outcomes = await asyncio.gather(*map(db.transact, works), return_exceptions=True)
    assert isinstance(outcomes[position], KeyError)
    assert await _count_jobs(db) == 2


async def test_units_that_wait_together_are_committed_together(db: Database) -> None:
    statements: list[str] = []
    await db.transact(lambda tx: tx.jobs._db.set_trace_callback(statements.append))
    statements.clear()
    await asyncio.gather(*(db.transact(partial(_add_job, message_id=number)) for number in range(100)))
    assert statements.count("COMMIT") <= 2
    assert await _count_jobs(db) == 100


async def test_a_unit_that_comes_last_sees_what_the_others_of_its_commit_wrote(db: Database) -> None:
    seen = asyncio.ensure_future(db.transact(lambda tx: (tx.outbox.has_key("one"), tx.total_changes), runs_last=True))
    written = asyncio.ensure_future(
        db.transact(lambda tx: tx.outbox.add(MessageDraft(key="one", chat_id=5, body="one"), 1))
    )
    assert await seen == (True, db.total_changes)
    assert await written


async def test_a_unit_that_is_alone_and_fails_is_undone(db: Database) -> None:
    def half_done(tx: Transaction) -> None:
        tx.outbox.add(MessageDraft(key="half", chat_id=5, body="half"), 1)
        raise ValueError("a mistake")

    with pytest.raises(ValueError, match="a mistake"):
        await db.transact(half_done)
    assert not await db.transact(lambda tx: tx.outbox.has_key("half"))


async def test_what_was_committed_is_there_after_a_restart(tmp_path: Path) -> None:
    path = str(tmp_path / "new" / "folder" / "darkroom.db")
    first = await Database.open(path)
    await first.transact(lambda tx: _add_job(tx, 1))
    await first.close()
    second = await Database.open(path)
    assert await _count_jobs(second) == 1
    await second.close()


async def test_a_commit_survives_a_power_cut_and_not_only_a_crash(db: Database) -> None:
    def settings(tx: Transaction) -> tuple[str, int]:
        raw = tx.jobs._db
        return (
            raw.execute("PRAGMA journal_mode").fetchone()[0],
            raw.execute("PRAGMA synchronous").fetchone()[0],
        )

    assert await db.transact(settings) == ("wal", 2)


async def test_the_file_and_its_folder_belong_to_the_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "darkroom.db"
    db = await Database.open(str(path))
    await db.transact(lambda tx: _add_job(tx, 1))
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (path.parent, *path.parent.iterdir())]
    await db.close()
    assert modes[0] == 0o700
    assert all(mode == 0o600 for mode in modes[1:])


def test_a_second_process_is_turned_away_with_a_remedy(tmp_path: Path) -> None:
    path = str(tmp_path / "darkroom.db")
    with (
        hold_process_lock(path),
        pytest.raises(CannotRun, match=r"DATABASE_PATH .* in use by another"),
        hold_process_lock(path),
    ):
        pass
    with hold_process_lock(path):
        pass


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"this is no database at all" * 100, "put back a backup"),
        (None, "database of another program"),
    ],
)
async def test_a_file_that_is_not_ours_is_left_alone(tmp_path: Path, content: bytes | None, error: str) -> None:
    path = tmp_path / "other.db"
    if content is None:
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE theirs (a)")
        other.close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(CannotRun, match=error):
        await Database.open(str(path))
    assert path.read_bytes()[: len(before)][100:] == before[100:]


async def test_a_database_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "darkroom.db"
    await (await Database.open(str(path))).close()
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA user_version = 999")
    raw.close()
    with pytest.raises(CannotRun, match="later version"):
        await Database.open(str(path))


async def test_an_unwritable_path_is_named_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(CannotRun, match=r"DATABASE_PATH .* name another file"):
        await Database.open(str(tmp_path / "file" / "darkroom.db"))
