"""The log of a job is its biography: a line for each step, with the facts in fields, and no word of the person's."""

import asyncio
import json
import logging
import sqlite3
from functools import partial

import pytest

from bot.job import TRANSITIONS, Job, Reason, State, later
from bot.store import connection
from bot.store.chronicle import Change
from bot.store.connection import Database, StoreFailed, Work
from bot.store.transaction import Transaction
from tests.logged import entries
from tests.store.rows import NOON, a_request

STEPS = [(start, end) for start, onward in TRANSITIONS.items() for end in sorted(onward)]


def _in(tx: Transaction, state: State) -> Job:
    job_id = tx.jobs.add(a_request(), state, NOON)
    tx.jobs._db.execute("UPDATE jobs SET queued_at = ? WHERE id = ?", (later(NOON, 2), job_id))
    job = tx.jobs.get(job_id)
    assert job is not None
    return job


@pytest.mark.parametrize(("start", "end"), STEPS, ids=str)
async def test_each_step_is_one_line_with_its_facts_in_fields(
    db: Database, caplog: pytest.LogCaptureFixture, start: State, end: State
) -> None:
    job = await db.unit(lambda tx: _in(tx, start))
    caplog.set_level(logging.INFO, "bot")
    caplog.clear()
    changes: dict[str, Change] = {
        "reason": Reason.REFUSED,
        "task_id": "3f",
        "finished_at": later(NOON, 9),
        "prompt": "make it snow",
    }
    assert await db.unit(lambda tx: tx.jobs.move(job, end, **changes))
    [entry] = entries(caplog)
    assert entry["message"] == f"job {job.id}: {end} task_id 3f reason {Reason.REFUSED}"
    told = {name: entry[name] for name in ("job", "from", "to", "task", "reason", "seconds")}
    assert list(told.values()) == [job.id, start, end, "3f", Reason.REFUSED, 7.0]
    assert "snow" not in json.dumps(entry)


def _ordered_and_then_undone(tx: Transaction, job: Job) -> None:
    tx.jobs.move(job, State.SUBMITTING)
    tx.log(logging.getLogger("bot").warning, "something that did not come about")
    raise KeyError("a mistake")


@pytest.mark.parametrize("place", range(3))
async def test_what_is_undone_is_in_no_log(db: Database, caplog: pytest.LogCaptureFixture, place: int) -> None:
    jobs = [await db.unit(lambda tx: _in(tx, State.QUEUED)) for _ in range(3)]
    caplog.set_level(logging.INFO, "bot")
    caplog.clear()
    works: list[Work] = [partial(_cancelled, job=job) for job in jobs[1:]]
    works.insert(place, partial(_ordered_and_then_undone, job=jobs[0]))
    await asyncio.gather(*map(db.unit, works), return_exceptions=True)
    assert [record.getMessage() for record in caplog.records] == [f"job {job.id}: cancelled" for job in jobs[1:]]


def _cancelled(tx: Transaction, job: Job) -> None:
    tx.jobs.move(job, State.CANCELLED)


async def test_what_cannot_be_committed_is_in_no_log(
    db: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await db.unit(lambda tx: _in(tx, State.QUEUED))

    def commit(_: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(connection, "commit", commit)
    caplog.set_level(logging.INFO, "bot")
    caplog.clear()
    with pytest.raises(StoreFailed):
        await db.unit(lambda tx: tx.jobs.move(job, State.CANCELLED))
    assert caplog.records == []


async def test_who_loses_a_race_tells_nothing(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    job = await db.unit(lambda tx: _in(tx, State.QUEUED))
    assert await db.unit(lambda tx: tx.jobs.move(job, State.CANCELLED))
    caplog.set_level(logging.INFO, "bot")
    caplog.clear()
    assert not await db.unit(lambda tx: tx.jobs.move(job, State.CANCELLED))
    assert entries(caplog) == []
