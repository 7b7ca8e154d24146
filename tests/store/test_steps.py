"""What is done now and then is done in short steps: how long one of them takes does not depend on what is stored."""

import random
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest

from bot.job import State
from bot.store import database_file
from bot.store.batch import BATCH_SIZE
from bot.store.connection import Database
from bot.store.migrations import APPLICATION_ID, _steps
from bot.store.outbox import Say
from bot.store.parts import PartKind
from bot.store.transaction import Transaction
from tests.store.grown import grow
from tests.store.rows import NOON, a_request

#: Two letters of hers are four bytes that are found nowhere else, however small a piece of her words is left; her id is
#: long for the same reason.
HER_LETTERS, HER_ID = "ЖЖ", 4_321_987_654_321

PAGE = 4096


@asynccontextmanager
async def _opened(path: Path) -> AsyncIterator[Database]:
    db = await Database.open(str(path))
    try:
        yield db
    finally:
        await db.close()


def _bytes(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


def _traces(path: Path) -> tuple[int, int]:
    """Return how often letters of hers, and her id, are found."""
    found = _bytes(path)
    return found.count(HER_LETTERS.encode()), found.count(HER_ID.to_bytes(6, "big"))


def _a_day(tx: Transaction, chance: random.Random, hers: float) -> None:
    """Let people ask for edits, change their minds and delete them, at random places of the tables and the indexes."""
    for _ in range(chance.choice((5, 60))):
        is_hers = chance.random() < hers
        user_id = HER_ID if is_hers else chance.randrange(1, 8)
        words = (HER_LETTERS if is_hers else "what others say ") * chance.choice((1, 3, 30, 300))
        message_id = chance.randrange(1 << 40)
        request = replace(a_request(message_id, chat_id=user_id, user_id=user_id), prompt=words)
        job_id = tx.jobs.add(request, State.CANCELLED, NOON)
        tx.parts.add(job_id, user_id, message_id, PartKind.TEXT, words)
        tx.outbox.add(Say(key=f"{chance.random()}", chat_id=user_id, body=words, job_id=job_id), NOON)
        for other in chance.choices(range(1, job_id + 1), k=4):
            job = tx.jobs.get(other)
            if job is not None and job.request.user_id not in (HER_ID, 0):
                tx.jobs.note(job, prompt="what others say instead " * chance.choice((1, 9, 90)))
                if chance.random() < 0.1:
                    tx.erasure.forget_requests([other], NOON)


def _she_deletes(tx: Transaction) -> None:
    tx.forget_person(HER_ID, NOON)
    while tx.erasure.go_on(NOON):
        pass
    while tx.counts.forget(1_000_000):  # that is kept for two days otherwise
        pass


def _every_page_is_written_again(tx: Transaction) -> None:
    for change in ("jobs SET tries = tries + 1", "outbox SET tries = tries + 1", "parts SET kind = 'other'"):
        tx.jobs._db.execute(f"UPDATE {change}")


def _rows(tx: Transaction) -> dict[str, list[tuple[object, ...]]]:
    tables = ("jobs", "parts", "sources", "outbox")
    return {table: [tuple(row) for row in tx.jobs._db.execute(f"SELECT * FROM {table}")] for table in tables}  # noqa: S608 - names from above


def _is_sound(tx: Transaction) -> bool:
    return [row[0] for row in tx.jobs._db.execute("PRAGMA integrity_check")] == ["ok"]


async def _live(db: Database, chance: random.Random) -> None:
    for _ in range(12):
        await db.unit(lambda tx: _a_day(tx, chance, 0.3))


@pytest.mark.parametrize("seed", [0, 1, 5, 7])
async def test_nothing_is_left_of_somebody_whatever_others_do_meanwhile(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(database_file, "AT_ONCE", 16)
    monkeypatch.setattr(database_file, "MOST_AT_ONCE", 64)
    path, chance, steps = tmp_path / "darkroom.db", random.Random(seed), 0  # noqa: S311 - a story that can be repeated

    async def others_have_their_turn(_: float) -> None:
        nonlocal steps
        steps += 1
        if steps < 30:
            await db.unit(lambda tx: _a_day(tx, chance, 0.0))

    await _live(db, chance)
    assert min(_traces(path)) > 0
    await db.unit(_she_deletes)
    assert await db.scrub(others_have_their_turn)
    assert _traces(path) == (0, 0)
    assert steps > 5
    assert await db.unit(_is_sound)


async def test_nothing_comes_back_that_was_still_in_the_memory_of_the_connection(db: Database, tmp_path: Path) -> None:
    await _live(db, random.Random(0))  # noqa: S311 - the same each time
    await db.unit(_she_deletes)
    await db.unit(_rows)
    assert await db.scrub()
    await db.unit(_every_page_is_written_again)
    assert _traces(tmp_path / "darkroom.db") == (0, 0)


async def test_it_comes_to_an_end_while_others_write_all_the_time(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_file, "AT_ONCE", 1)
    await _live(db, random.Random(5))  # noqa: S311 - the same each time
    assert await db.scrub()
    steps = 0

    async def others_write(_: float) -> None:
        nonlocal steps
        steps += 1
        assert steps < 100
        await db.unit(lambda tx: tx.jobs.add(a_request(steps, chat_id=9), State.QUEUED, NOON))

    await db.unit(lambda tx: tx.jobs.add(a_request(99, chat_id=9), State.QUEUED, NOON))
    assert await db.scrub(others_write)


async def test_everything_else_stays_as_it_is(db: Database, tmp_path: Path) -> None:
    await _live(db, random.Random(7))  # noqa: S311 - the same each time
    before = await db.unit(_rows)
    unused = (tmp_path / "darkroom.db").read_bytes()
    assert await db.scrub()
    assert (tmp_path / "darkroom.db").read_bytes() != unused
    assert await db.unit(_rows) == before
    assert await db.unit(_is_sound)
    await db.close()
    async with _opened(tmp_path / "darkroom.db") as again:
        assert await again.unit(_rows) == before


async def test_a_file_with_pointer_maps_is_cleaned_and_stays_sound(tmp_path: Path) -> None:
    path = tmp_path / "darkroom.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA auto_vacuum = FULL")  # as some builds of SQLite have it
        for script in _steps():
            raw.executescript(script)
        raw.executescript(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {len(_steps())};")
    async with _opened(path) as db:
        assert await db.unit(lambda tx: tx.jobs._db.execute("PRAGMA auto_vacuum").fetchone()[0]) == 1
        await _live(db, random.Random(8))  # noqa: S311 - the same each time
        await db.unit(_she_deletes)
        assert await db.scrub()
        assert _traces(path) == (0, 0)
        assert await db.unit(_is_sound)


class Turns:
    """Counts the steps of long work."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, _: float) -> None:
        """Count one."""
        self.count += 1


@pytest.mark.parametrize("edits", [500, 2000])
async def test_a_step_is_no_longer_where_there_is_more_and_the_next_time_is_about_what_has_changed(
    tmp_path: Path, edits: int
) -> None:
    path = tmp_path / "darkroom.db"
    grow(path, edits, since=NOON, words=2000)
    turns, again = Turns(), Turns()
    async with _opened(path) as db:
        await db.unit(lambda tx: tx.people.heard(5, "en"))
        assert await db.scrub(turns)
        assert turns.count == pytest.approx(path.stat().st_size // PAGE / database_file.AT_ONCE, abs=2)
        await db.unit(lambda tx: tx.erasure.forget_requests([7], NOON))
        assert await db.scrub(again)
        assert again.count == 1


async def test_at_the_start_nothing_is_written_but_what_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "darkroom.db"
    grow(path, 1000, since=NOON)
    before = path.read_bytes()
    async with _opened(path) as db:
        await db.unit(lambda tx: tx.jobs.add(a_request(7_000_000), State.QUEUED, NOON))
        assert path.read_bytes() == before
        assert path.with_name("darkroom.db-wal").stat().st_size < 20 * PAGE


async def test_the_wal_is_copied_before_it_grows_long(tmp_path: Path) -> None:
    chance = random.Random(9)  # noqa: S311 - the same each time
    async with _opened(tmp_path / "darkroom.db") as db:
        for _ in range(60):
            await db.unit(lambda tx: _a_day(tx, chance, 0.0))
        assert (tmp_path / "darkroom.db-wal").stat().st_size < 2 * database_file.LONG * PAGE
    assert (tmp_path / "darkroom.db").stat().st_size > 100 * PAGE


async def _one_by_one(db: Database, work: Callable[[Transaction], bool]) -> list[int]:
    """Do it until there is no more; return how many rows each time had changed."""
    changed, is_more = [], True
    while is_more:
        before = db.changes
        is_more = await db.unit(work)
        changed.append(db.changes - before)
    return changed


async def test_whoever_has_very_much_is_erased_by_and_by_and_what_comes_later_stays(tmp_path: Path) -> None:
    path = tmp_path / "darkroom.db"
    grow(path, 3 * 250, since=NOON - 10**9, words=20, people=3)
    async with _opened(path) as db:
        before = db.changes
        await db.unit(lambda tx: tx.forget_person(1001, NOON))
        assert db.changes - before < BATCH_SIZE * 20
        await db.unit(lambda tx: tx.jobs.add(a_request(1, chat_id=1001, user_id=1001), State.QUEUED, NOON))
    async with _opened(path) as db:  # what is left to do is known to the next process
        changed = await _one_by_one(db, lambda tx: tx.erasure.go_on(NOON + 1))
        assert len(changed) > 2
        assert max(changed) < BATCH_SIZE * 20
        held = await db.unit(lambda tx: tx.erasure.held(1001))
        assert (held.edits, held.waiting, held.messages, held.is_more) == (1, 1, 0, False)
        assert await db.unit(lambda tx: tx.jobs._db.execute("SELECT count(*) FROM erasures").fetchone()[0]) == 0
