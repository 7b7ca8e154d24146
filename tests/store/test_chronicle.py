"""The log of a job is its biography: a line for each step, with the facts in fields, and no word of the person's."""

import json
import logging

import pytest

from bot.job import TRANSITIONS, Job, Reason, State, later
from bot.store.chronicle import Change
from bot.store.connection import Database
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


async def test_who_loses_a_race_tells_nothing(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    job = await db.unit(lambda tx: _in(tx, State.QUEUED))
    assert await db.unit(lambda tx: tx.jobs.move(job, State.CANCELLED))
    caplog.set_level(logging.INFO, "bot")
    caplog.clear()
    assert not await db.unit(lambda tx: tx.jobs.move(job, State.CANCELLED))
    assert entries(caplog) == []
