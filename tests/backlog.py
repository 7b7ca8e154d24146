"""A backlog: rows as thousands of messages and requests leave them, and what a unit of work costs beside them."""

import sqlite3
from collections.abc import Callable
from typing import Any

from bot.job import Instant
from bot.store.connection import Database
from bot.store.inbox import Letter
from bot.store.transaction import Transaction

EVE = 6666

#: The first id of the jobs of a backlog, and the first of the chats that they are for.
FIRST_JOB, FIRST_CHAT = 1_000_000, 7000

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)"


async def steps_of(db: Database, work: Callable[[Transaction], Any]) -> int:
    """Return how many steps SQLite's machine takes for a unit of work: a count that knows no clock."""

    def counted(tx: Transaction) -> int:
        steps = 0

        def tick() -> None:
            nonlocal steps
            steps += 1

        tx.jobs._db.set_progress_handler(tick, 1)
        try:
            work(tx)
        finally:
            tx.jobs._db.set_progress_handler(None, 0)
        return steps

    return await db.unit(counted)


def texts(db: sqlite3.Connection, first: int, last: int, now: Instant, *, chat_id: int = EVE) -> None:
    """Let texts wait for a chat, all long due."""
    db.execute(
        f"{_NUMBERS} INSERT INTO outbox (key, kind, chat_id, body, written_at, due_at)"  # noqa: S608 - no data in it
        " SELECT printf('text:%d:%d', ?3, i), 'text', ?3, 'no', ?4, ?4 - 1000000 + i FROM n",
        (first, last, chat_id, now),
    )


def requests(
    db: sqlite3.Connection,
    first: int,
    last: int,
    now: Instant,
    *,
    due_at: Instant | None = None,
    is_ready: bool = False,
    in_groups: bool = False,
) -> None:
    """Let complete requests of a hundred chats wait in the line, with a status each that is due, the last one first."""
    sign = -1 if in_groups else 1
    db.execute(
        f"{_NUMBERS} INSERT INTO jobs"  # noqa: S608 - no data in it
        " (id, state, chat_id, user_id, charged_to, message_id, prompt, received_at, queued_at, due_at)"
        " SELECT ?3 + i, 'queued', ?4 * (?5 + i % 100), ?5 + i % 100, ?5 + i % 100, i, 'snow', ?6, ?6, ?7 FROM n",
        (first, last, FIRST_JOB, sign, FIRST_CHAT, now, due_at),
    )
    theirs = (FIRST_JOB + first, FIRST_JOB + last)
    db.execute(
        "INSERT INTO sources (job_id, place, file_id, file_unique_id, is_photo)"
        " SELECT id, 0, 'f', 'u', 1 FROM jobs WHERE id BETWEEN ? AND ?",
        theirs,
    )
    db.execute(
        "INSERT INTO line (job_id, chat_id, turn, place, is_ready)"
        " SELECT id, chat_id, id, id, ?3 FROM jobs WHERE id BETWEEN ?1 AND ?2",
        (*theirs, is_ready),
    )
    db.execute(
        "INSERT INTO outbox (key, kind, chat_id, body, job_id, written_at, due_at)"
        " SELECT printf('job:%d:status:0', id), 'status', chat_id, '', id, ?3, ?3 - id FROM jobs"
        " WHERE id BETWEEN ?1 AND ?2",
        (*theirs, now),
    )


def letters(first: int, last: int, now: Instant, *, chat_id: int = EVE) -> list[Letter]:
    """Return updates with words of one person."""
    body = (
        '{"update_id": %d, "message": {"message_id": %d, "date": 1, "text": "word", "chat": {"id": %d, "type": "%s"},'
    )
    body += ' "from": {"id": 6666, "is_bot": false, "first_name": "Eve"}}}'
    kind = "private" if chat_id > 0 else "supergroup"
    return [Letter(number, body % (number, number, chat_id, kind), now) for number in range(first, last + 1)]
