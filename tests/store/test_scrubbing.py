"""What was deleted is in no byte of the file any more, and nobody has to wait long for that."""

import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from bot.job import State
from bot.store.connection import Database
from bot.store.outbox import Say
from bot.store.parts import PartKind
from bot.store.transaction import Transaction
from tests.store.rows import NOON, a_request

#: Requests of seven people in turn.
MANY = 1000

WORDS = "words that nobody is to find "


def _written(tx: Transaction) -> None:
    """Write words short and long, so that pages are split and joined: copies stay behind that no row knows of."""
    lengths = random.Random(1)  # noqa: S311 - with these it happens
    for number in range(1, MANY):
        words = (WORDS if number % 7 == 3 else "what others say ") * lengths.choice((1, 3, 30, 400))
        request = replace(a_request(number, chat_id=number % 7, user_id=number % 7), prompt=words)
        job_id = tx.jobs.add(request, State.CANCELLED, NOON)
        tx.parts.add(job_id, number % 7, number, PartKind.TEXT, words)
        tx.outbox.add(Say(key=f"{number}", chat_id=number % 7, body=words, job_id=job_id), NOON)


def _bytes(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


async def test_nothing_is_left_of_what_was_deleted(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "darkroom.db"
    await db.unit(_written)
    assert WORDS.encode() in _bytes(path)
    await db.unit(lambda tx: tx.erasure.forget_requests(range(3, MANY, 7), NOON))
    assert await db.scrub()
    assert WORDS.encode() not in _bytes(path)


async def test_whoever_reads_is_not_waited_for_and_it_is_done_later(db: Database, tmp_path: Path) -> None:
    await db.unit(lambda tx: tx.people.heard(5, "en"))
    with closing(sqlite3.connect(tmp_path / "darkroom.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM parts").fetchone()
        assert not await db.scrub()
    assert await db.scrub()


async def test_without_a_change_the_file_is_not_written_again(db: Database, tmp_path: Path) -> None:
    await db.unit(lambda tx: tx.people.heard(5, "en"))
    assert await db.scrub()
    before = (tmp_path / "darkroom.db").stat().st_mtime_ns
    assert await db.scrub()
    assert (tmp_path / "darkroom.db").stat().st_mtime_ns == before
