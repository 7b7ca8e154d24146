"""No trace of deleted data stays in the file, and scrubbing does not block others for long."""

import random
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest

from bot import job_operations
from bot.job import State
from bot.store import secure_delete
from bot.store.base_table import DELETE_BATCH_SIZE
from bot.store.database import Database, Transaction
from bot.store.migrations import migrate
from bot.store.outbox import MessageDraft
from bot.store.request_messages import RequestMessageKind
from tests.store.large_database import create_large_database
from tests.store.sample_requests import NOON, make_request

#: Requests of seven users in turn.
MANY_ROWS = 1000

SECRET_WORDS = "words that nobody is to find "


def _write_texts(tx: Transaction) -> None:
    """Write short and long texts, so that pages split and merge, and copies of rows stay in unallocated space."""
    lengths = random.Random(1)  # noqa: S311 - a seed with which that happens
    for number in range(1, MANY_ROWS):
        words = (SECRET_WORDS if number % 7 == 3 else "what others say ") * lengths.choice((1, 3, 30, 400))
        request = replace(make_request(number, chat_id=number % 7, user_id=number % 7), prompt=words)
        job_id = tx.jobs.add(request, State.CANCELLED, NOON)
        tx.request_messages.add(job_id, number % 7, number, RequestMessageKind.TEXT, words)
        tx.outbox.add(MessageDraft(key=f"{number}", chat_id=number % 7, body=words, job_id=job_id), NOON)


def _file_bytes(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


async def test_nothing_is_left_of_what_was_deleted(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "darkroom.db"
    await db.transact(_write_texts)
    assert SECRET_WORDS.encode() in _file_bytes(path)
    await db.transact(lambda tx: tx.erasure.erase_requests(range(3, MANY_ROWS, 7), NOON))
    assert await db.scrub()
    assert SECRET_WORDS.encode() not in _file_bytes(path)


async def test_whoever_reads_is_not_waited_for_and_it_is_done_later(db: Database, tmp_path: Path) -> None:
    await db.transact(lambda tx: tx.users.set_language(5, "en"))
    with closing(sqlite3.connect(tmp_path / "darkroom.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM request_messages").fetchone()
        assert not await db.scrub()
    assert await db.scrub()


async def test_without_a_change_the_file_is_not_written_again(db: Database, tmp_path: Path) -> None:
    await db.transact(lambda tx: tx.users.set_language(5, "en"))
    assert await db.scrub()
    before = (tmp_path / "darkroom.db").stat().st_mtime_ns
    assert await db.scrub()
    assert (tmp_path / "darkroom.db").stat().st_mtime_ns == before


#: Two of the letters are four bytes that occur nowhere else, so that any trace of the user's texts is found; the id is
#: long for the same reason.
USER_LETTERS, USER_ID = "ЖЖ", 4_321_987_654_321

PAGE = 4096


@asynccontextmanager
async def _open_database(path: Path) -> AsyncIterator[Database]:
    db = await Database.open(str(path))
    try:
        yield db
    finally:
        await db.close()


def _count_traces(path: Path) -> tuple[int, int]:
    found = _file_bytes(path)
    return found.count(USER_LETTERS.encode()), found.count(USER_ID.to_bytes(6, "big"))


def _play_random_edits(tx: Transaction, chance: random.Random, hers: float) -> None:
    """Add, change and erase edits at random places in the tables and indexes."""
    for _ in range(chance.choice((5, 60))):
        is_hers = chance.random() < hers
        user_id = USER_ID if is_hers else chance.randrange(1, 8)
        words = (USER_LETTERS if is_hers else "what others say ") * chance.choice((1, 3, 30, 300))
        message_id = chance.randrange(1 << 40)
        request = replace(make_request(message_id, chat_id=user_id, user_id=user_id), prompt=words)
        job_id = tx.jobs.add(request, State.CANCELLED, NOON)
        tx.request_messages.add(job_id, user_id, message_id, RequestMessageKind.TEXT, words)
        tx.outbox.add(MessageDraft(key=f"{chance.random()}", chat_id=user_id, body=words, job_id=job_id), NOON)
        for other in chance.choices(range(1, job_id + 1), k=4):
            job = tx.jobs.get(other)
            if job is not None and job.request.user_id not in (USER_ID, 0):
                tx.jobs.update(job, prompt="what others say instead " * chance.choice((1, 9, 90)))
                if chance.random() < 0.1:
                    tx.erasure.erase_requests([other], NOON)


def _delete_user_data(tx: Transaction) -> None:
    job_operations.erase_user(tx, USER_ID, NOON)
    while tx.erasure.continue_erasure(NOON):
        pass
    while tx.daily_usage.delete_before(1_000_000):  # which is otherwise kept for two days
        pass


def _rewrite_every_page(tx: Transaction) -> None:
    for change in ("jobs SET tries = tries + 1", "outbox SET tries = tries + 1", "request_messages SET kind = 'other'"):
        tx.jobs._db.execute(f"UPDATE {change}")


def _rows(tx: Transaction) -> dict[str, list[tuple[object, ...]]]:
    tables = ("jobs", "request_messages", "source_images", "outbox")
    return {table: [tuple(row) for row in tx.jobs._db.execute(f"SELECT * FROM {table}")] for table in tables}  # noqa: S608 - names from above


def _check_integrity(tx: Transaction) -> bool:
    return [row[0] for row in tx.jobs._db.execute("PRAGMA integrity_check")] == ["ok"]


async def _live(db: Database, chance: random.Random) -> None:
    for _ in range(12):
        await db.transact(lambda tx: _play_random_edits(tx, chance, 0.3))


@pytest.mark.parametrize("seed", [0, 1, 5, 7])
async def test_nothing_is_left_of_somebody_whatever_others_do_meanwhile(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(secure_delete, "SCRUBBED_PAGES_PER_STEP", 16)
    monkeypatch.setattr(secure_delete, "MAX_SCRUBBED_PAGES_PER_STEP", 64)
    path, chance, steps = tmp_path / "darkroom.db", random.Random(seed), 0  # noqa: S311 - repeatable

    async def others_have_their_turn(_: float) -> None:
        nonlocal steps
        steps += 1
        if steps < 30:
            await db.transact(lambda tx: _play_random_edits(tx, chance, 0.0))

    await _live(db, chance)
    assert min(_count_traces(path)) > 0
    await db.transact(_delete_user_data)
    assert await db.scrub(others_have_their_turn)
    assert _count_traces(path) == (0, 0)
    assert steps > 5
    assert await db.transact(_check_integrity)


async def test_nothing_comes_back_that_was_still_in_the_memory_of_the_connection(db: Database, tmp_path: Path) -> None:
    await _live(db, random.Random(0))  # noqa: S311 - the same each time
    await db.transact(_delete_user_data)
    await db.transact(_rows)
    assert await db.scrub()
    await db.transact(_rewrite_every_page)
    assert _count_traces(tmp_path / "darkroom.db") == (0, 0)


async def test_it_comes_to_an_end_while_others_write_all_the_time(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secure_delete, "SCRUBBED_PAGES_PER_STEP", 1)
    await _live(db, random.Random(5))  # noqa: S311 - the same each time
    assert await db.scrub()
    steps = 0

    async def others_write(_: float) -> None:
        nonlocal steps
        steps += 1
        assert steps < 100
        await db.transact(lambda tx: tx.jobs.add(make_request(steps, chat_id=9), State.QUEUED, NOON))

    await db.transact(lambda tx: tx.jobs.add(make_request(99, chat_id=9), State.QUEUED, NOON))
    assert await db.scrub(others_write)


async def test_everything_else_stays_as_it_is(db: Database, tmp_path: Path) -> None:
    await _live(db, random.Random(7))  # noqa: S311 - the same each time
    before = await db.transact(_rows)
    unused = (tmp_path / "darkroom.db").read_bytes()
    assert await db.scrub()
    assert (tmp_path / "darkroom.db").read_bytes() != unused
    assert await db.transact(_rows) == before
    assert await db.transact(_check_integrity)
    await db.close()
    async with _open_database(tmp_path / "darkroom.db") as again:
        assert await again.transact(_rows) == before


async def test_a_file_with_pointer_maps_is_cleaned_and_stays_sound(tmp_path: Path) -> None:
    path = tmp_path / "darkroom.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA auto_vacuum = FULL")  # the default of some builds of SQLite
        migrate(raw, lambda _: None)
    async with _open_database(path) as db:
        assert await db.transact(lambda tx: tx.jobs._db.execute("PRAGMA auto_vacuum").fetchone()[0]) == 1
        await _live(db, random.Random(8))  # noqa: S311 - the same each time
        await db.transact(_delete_user_data)
        assert await db.scrub()
        assert _count_traces(path) == (0, 0)
        assert await db.transact(_check_integrity)


class StepCounter:
    """Counts the steps of a scrub."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, _: float) -> None:
        """Count a step."""
        self.count += 1


@pytest.mark.parametrize("edits", [500, 2000])
async def test_a_step_is_no_longer_where_there_is_more_and_the_next_time_is_about_what_has_changed(
    tmp_path: Path, edits: int
) -> None:
    path = tmp_path / "darkroom.db"
    create_large_database(path, edits, since=NOON, prompt_length=2000)
    turns, again = StepCounter(), StepCounter()
    async with _open_database(path) as db:
        await db.transact(lambda tx: tx.users.set_language(5, "en"))
        assert await db.scrub(turns)
        assert turns.count == pytest.approx(path.stat().st_size // PAGE / secure_delete.SCRUBBED_PAGES_PER_STEP, abs=2)
        await db.transact(lambda tx: tx.erasure.erase_requests([7], NOON))
        assert await db.scrub(again)
        assert again.count == 1


async def test_at_the_start_nothing_is_written_but_what_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "darkroom.db"
    create_large_database(path, 1000, since=NOON)
    before = path.read_bytes()
    async with _open_database(path) as db:
        await db.transact(lambda tx: tx.jobs.add(make_request(7_000_000), State.QUEUED, NOON))
        assert path.read_bytes() == before
        assert path.with_name("darkroom.db-wal").stat().st_size < 20 * PAGE


async def test_the_wal_is_copied_before_it_grows_long(tmp_path: Path) -> None:
    chance = random.Random(9)  # noqa: S311 - the same each time
    async with _open_database(tmp_path / "darkroom.db") as db:
        for _ in range(60):
            await db.transact(lambda tx: _play_random_edits(tx, chance, 0.0))
        assert (tmp_path / "darkroom.db-wal").stat().st_size < 2 * secure_delete.CHECKPOINT_AFTER_FRAMES * PAGE
    assert (tmp_path / "darkroom.db").stat().st_size > 100 * PAGE


async def _run_in_steps(db: Database, work: Callable[[Transaction], bool]) -> list[int]:
    """Repeat until there is no more; return how many rows each call changed."""
    changed, is_more = [], True
    while is_more:
        before = db.total_changes
        is_more = await db.transact(work)
        changed.append(db.total_changes - before)
    return changed


async def test_whoever_has_very_much_is_erased_by_and_by_and_what_comes_later_stays(tmp_path: Path) -> None:
    path = tmp_path / "darkroom.db"
    create_large_database(path, 3 * 250, since=NOON - 10**9, prompt_length=20, users=3)
    async with _open_database(path) as db:
        before = db.total_changes
        await db.transact(lambda tx: job_operations.erase_user(tx, 1001, NOON))
        assert db.total_changes - before < DELETE_BATCH_SIZE * 20
        await db.transact(lambda tx: tx.jobs.add(make_request(1, chat_id=1001, user_id=1001), State.QUEUED, NOON))
    async with _open_database(path) as db:  # the next process knows what is left to do
        changed = await _run_in_steps(db, lambda tx: tx.erasure.continue_erasure(NOON + 1))
        assert len(changed) > 2
        assert max(changed) < DELETE_BATCH_SIZE * 20
        held = await db.transact(lambda tx: tx.erasure.count_stored_data(1001))
        assert (held.edits, held.unordered, held.messages, held.is_truncated) == (1, 1, 0, False)
        assert await db.transact(lambda tx: tx.jobs._db.execute("SELECT count(*) FROM erasures").fetchone()[0]) == 0
