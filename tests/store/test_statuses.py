"""The status of a job: when it is due again, and what comes before it."""

from bot.job import Job, State
from bot.store.connection import Database
from bot.store.outbox import Busy, Ending, Kind, Parcel, Say
from bot.store.transaction import Transaction
from tests.store.rows import NOON, a_request

SECOND = 1000


def _job(tx: Transaction, message_id: int = 1, chat_id: int = 5) -> Job:
    """Queue a job that has a status, which is due."""
    job = tx.jobs.get(tx.jobs.add(a_request(message_id, chat_id=chat_id), State.QUEUED, NOON))
    assert job is not None
    tx.statuses.open(job, NOON)
    return job


def _due(tx: Transaction, now: int) -> list[Parcel]:
    return tx.outbox.due(now, Busy(), 16)


def _only(tx: Transaction, now: int) -> Parcel:
    [parcel] = _due(tx, now)
    return parcel


def _shown(tx: Transaction, now: int, look_at: int | None = None) -> Parcel:
    """Show the status that is due as the message 77."""
    status = _only(tx, now)
    tx.statuses.shown(status, "something", 77, now, look_at)
    return status


async def test_a_job_has_one_status_however_often_it_is_opened(db: Database) -> None:
    job = await db.unit(_job)
    await db.unit(lambda tx: tx.statuses.open(job, NOON + 1))
    await db.unit(lambda tx: _shown(tx, NOON + 1))
    await db.unit(lambda tx: tx.statuses.open(job, NOON + 5 * SECOND))
    assert (await db.unit(lambda tx: _only(tx, NOON + 5 * SECOND))).message_id == 77


async def test_a_group_gets_no_status(db: Database) -> None:
    await db.unit(lambda tx: _job(tx, chat_id=-100))
    assert await db.unit(lambda tx: _due(tx, NOON)) == []


async def test_what_was_shown_is_due_again_when_it_is_touched_and_three_seconds_later_at_the_earliest(
    db: Database,
) -> None:
    job = await db.unit(_job)
    await db.unit(lambda tx: _shown(tx, NOON))
    assert await db.unit(lambda tx: tx.outbox.next_due(NOON)) is None
    await db.unit(lambda tx: tx.statuses.touch(job.id, NOON + SECOND))
    assert await db.unit(lambda tx: tx.outbox.next_due(NOON)) == NOON + 3 * SECOND


async def test_what_was_shown_long_ago_is_due_at_once_when_it_is_touched(db: Database) -> None:
    job = await db.unit(_job)
    await db.unit(lambda tx: _shown(tx, NOON))
    await db.unit(lambda tx: tx.statuses.touch(job.id, NOON + 60 * SECOND))
    assert (await db.unit(lambda tx: _only(tx, NOON + 60 * SECOND))).shown == "something"


async def test_what_changed_while_the_message_was_on_its_way_is_shown_afterwards(db: Database) -> None:
    job = await db.unit(_job)
    on_its_way = await db.unit(lambda tx: _only(tx, NOON))
    await db.unit(lambda tx: tx.statuses.touch(job.id, NOON + SECOND))
    await db.unit(lambda tx: tx.statuses.shown(on_its_way, "older", 77, NOON + 2 * SECOND, None))
    assert await db.unit(lambda tx: tx.outbox.next_due(NOON)) == NOON + 5 * SECOND


async def test_a_status_that_ended_while_it_was_on_its_way_is_taken_away_at_once(db: Database) -> None:
    job = await db.unit(_job)
    on_its_way = await db.unit(lambda tx: _only(tx, NOON))
    await db.unit(lambda tx: tx.statuses.over(job.id, NOON + SECOND))
    await db.unit(lambda tx: tx.statuses.shown(on_its_way, "older", 77, NOON + 2 * SECOND, None))
    status = await db.unit(lambda tx: _only(tx, NOON + 2 * SECOND))
    assert (status.is_over, status.message_id) == (True, 77)


async def test_a_status_is_looked_after_at_the_moment_that_it_named(db: Database) -> None:
    await db.unit(_job)
    await db.unit(lambda tx: _shown(tx, NOON, look_at=NOON + 10 * SECOND))
    assert await db.unit(lambda tx: tx.outbox.next_due(NOON)) == NOON + 10 * SECOND


async def test_a_fresh_status_leaves_the_old_one_to_be_taken_away_and_not_to_be_changed(db: Database) -> None:
    job = await db.unit(_job)
    await db.unit(lambda tx: _shown(tx, NOON))
    await db.unit(lambda tx: tx.statuses.anew(job, NOON + SECOND))
    old = await db.unit(lambda tx: _only(tx, NOON + SECOND))
    await db.unit(lambda tx: tx.outbox.ended(old.id, Ending.SENT, NOON + SECOND))
    await db.unit(lambda tx: tx.statuses.touch(job.id, NOON + SECOND))
    fresh = await db.unit(lambda tx: _only(tx, NOON + SECOND))
    assert (old.is_over, fresh.is_over, fresh.message_id) == (True, False, None)


async def test_only_a_message_that_stands_in_the_chat_can_be_turned_into_something_else(db: Database) -> None:
    job = await db.unit(_job)
    assert await db.unit(lambda tx: tx.statuses.of(job.id)) is None
    await db.unit(lambda tx: _shown(tx, NOON))
    status = await db.unit(lambda tx: tx.statuses.of(job.id))
    assert status is not None
    assert status.message_id == 77
    await db.unit(lambda tx: tx.statuses.over(job.id, NOON))
    assert await db.unit(lambda tx: tx.statuses.of(job.id)) is None


async def test_an_answer_goes_before_a_status_of_its_chat_that_has_been_due_for_longer(db: Database) -> None:
    await db.unit(_job)
    await db.unit(lambda tx: tx.outbox.add(Say(key="answer", chat_id=5, body="Here it is."), NOON + SECOND))
    assert (await db.unit(lambda tx: _only(tx, NOON + SECOND))).say.key == "answer"


async def test_an_answer_goes_before_however_many_statuses_that_are_due(db: Database) -> None:
    for number in range(20):
        await db.unit(lambda tx, chat_id=100 + number: _job(tx, chat_id=chat_id))  # type: ignore[misc]  # mypy: a default in a lambda
    await db.unit(lambda tx: tx.outbox.add(Say(key="answer", chat_id=5, body="Here it is."), NOON + SECOND))
    due = await db.unit(lambda tx: _due(tx, NOON + SECOND))
    assert "answer" in [parcel.say.key for parcel in due]
    assert {parcel.say.kind for parcel in due[1:]} == {Kind.STATUS}
