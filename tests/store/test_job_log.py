"""The job log: one line for each step of a job, with structured fields and without any text of the user."""

import asyncio
import json
import logging
import sqlite3
from functools import partial
from typing import Any

import pytest

from bot import logs
from bot.clock import add_seconds
from bot.job import TRANSITIONS, FailureReason, Job, State
from bot.logs import Redaction
from bot.store import database
from bot.store.base_table import Value
from bot.store.database import Database, StoreError, Transaction, UnitOfWork
from tests.bot_harness import BotHarness
from tests.process_harness import make_photo
from tests.store.sample_requests import NOON, make_request

STEPS = [(start, end) for start, onward in TRANSITIONS.items() for end in sorted(onward)]


def _job_in_state(tx: Transaction, state: State) -> Job:
    job_id = tx.jobs.add(make_request(), state, NOON)
    tx.jobs._db.execute("UPDATE jobs SET queued_at = ? WHERE id = ?", (add_seconds(NOON, 2), job_id))
    job = tx.jobs.get(job_id)
    assert job is not None
    return job


@pytest.mark.parametrize(("start", "end"), STEPS, ids=str)
async def test_each_step_is_one_line_with_its_facts_in_fields(
    db: Database, caplog: pytest.LogCaptureFixture, start: State, end: State
) -> None:
    job = await db.transact(lambda tx: _job_in_state(tx, start))
    caplog.set_level(logging.INFO, "bot")
    caplog.clear()
    changes: dict[str, Value] = {
        "reason": FailureReason.REFUSED,
        "task_id": "3f",
        "finished_at": add_seconds(NOON, 9),
        "prompt": "make it snow",
    }
    assert await db.transact(lambda tx: tx.jobs.transition(job, end, **changes))
    [entry] = _read_job_log_entries(caplog)
    assert entry["message"] == f"job {job.id}: {end} task_id 3f reason {FailureReason.REFUSED}"
    facts = {name: entry[name] for name in ("job", "from", "to", "task", "reason", "seconds")}
    assert list(facts.values()) == [job.id, start, end, "3f", FailureReason.REFUSED, 7.0]
    assert "snow" not in json.dumps(entry)


def _order_and_roll_back(tx: Transaction, job: Job) -> None:
    tx.jobs.transition(job, State.SUBMITTING)
    tx.log(logging.getLogger("bot").warning, "something that did not come about")
    raise KeyError("a mistake")


@pytest.mark.parametrize("position", range(3))
async def test_what_is_undone_is_in_no_log(db: Database, caplog: pytest.LogCaptureFixture, position: int) -> None:
    jobs = [await db.transact(lambda tx: _job_in_state(tx, State.QUEUED)) for _ in range(3)]
    caplog.set_level(logging.INFO, "bot")
    caplog.clear()
    works: list[UnitOfWork] = [partial(_cancel, job=job) for job in jobs[1:]]
    works.insert(position, partial(_order_and_roll_back, job=jobs[0]))
    await asyncio.gather(*map(db.transact, works), return_exceptions=True)
    assert [record.getMessage() for record in caplog.records] == [f"job {job.id}: cancelled" for job in jobs[1:]]


def _cancel(tx: Transaction, job: Job) -> None:
    tx.jobs.transition(job, State.CANCELLED)


async def test_what_cannot_be_committed_is_in_no_log(
    db: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await db.transact(lambda tx: _job_in_state(tx, State.QUEUED))

    def commit(_: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(database, "commit", commit)
    caplog.set_level(logging.INFO, "bot")
    caplog.clear()
    with pytest.raises(StoreError):
        await db.transact(lambda tx: tx.jobs.transition(job, State.CANCELLED))
    assert caplog.records == []


async def test_who_loses_a_race_tells_nothing(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    job = await db.transact(lambda tx: _job_in_state(tx, State.QUEUED))
    assert await db.transact(lambda tx: tx.jobs.transition(job, State.CANCELLED))
    caplog.set_level(logging.INFO, "bot")
    caplog.clear()
    assert not await db.transact(lambda tx: tx.jobs.transition(job, State.CANCELLED))
    assert _read_job_log_entries(caplog) == []


async def test_an_edit_tells_when_it_was_ordered_taken_made_and_answered(
    house: BotHarness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bot")
    await house.request_edit(make_photo(), caption="make it snow")
    await house.advance_time(60)
    said = _read_job_log_entries(caplog)
    assert [each.get("to", each.get("milestone")) for each in said] == [
        State.QUEUED,
        State.SUBMITTING,
        State.RUNNING,
        State.SUCCEEDED,
        "answered",
    ]
    task = (await house.read_job()).task_id
    assert [each.get("task") for each in said] == [None, None, task, None, None]
    assert said[3]["credits"] > 0
    assert said[3]["seconds"] >= 20, "since it was ordered"
    assert {each["job"] for each in said} == {1}
    assert "snow" not in json.dumps(said)


def _read_job_log_entries(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the fields of the INFO lines about jobs."""
    form = logs.JsonFormatter(Redaction([]))
    said = [json.loads(form.format(record)) for record in caplog.records if record.levelno == logging.INFO]
    return [each for each in said if "job" in each]
