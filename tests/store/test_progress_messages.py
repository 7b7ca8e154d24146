"""Progress messages: when they are due again, and which messages are sent first."""

from bot.job import Job, State
from bot.store.database import Database, Transaction
from bot.store.outbox import DeliveryOutcome, MessageDraft, MessageKind, OutboxExclusions, OutboxMessage
from tests.store.sample_requests import NOON, make_request

SECOND = 1000


def _queue_job_with_progress_message(tx: Transaction, message_id: int = 1, chat_id: int = 5) -> Job:
    """Queue a job with a progress message that is due."""
    job = tx.jobs.get(tx.jobs.add(make_request(message_id, chat_id=chat_id), State.QUEUED, NOON))
    assert job is not None
    tx.progress_messages.open_or_refresh(job, NOON)
    return job


def _due_messages(tx: Transaction, now: int) -> list[OutboxMessage]:
    return tx.outbox.list_due(now, OutboxExclusions(), 16)


def _only_due_message(tx: Transaction, now: int) -> OutboxMessage:
    [message] = _due_messages(tx, now)
    return message


def _show_due_message(tx: Transaction, now: int, refresh_at: int | None = None) -> OutboxMessage:
    """Send the due progress message as message 77."""
    status = _only_due_message(tx, now)
    tx.progress_messages.mark_shown(status, "something", 77, now, refresh_at)
    return status


async def test_a_job_has_one_status_however_often_it_is_opened(db: Database) -> None:
    job = await db.transact(_queue_job_with_progress_message)
    await db.transact(lambda tx: tx.progress_messages.open_or_refresh(job, NOON + 1))
    await db.transact(lambda tx: _show_due_message(tx, NOON + 1))
    await db.transact(lambda tx: tx.progress_messages.open_or_refresh(job, NOON + 5 * SECOND))
    assert (await db.transact(lambda tx: _only_due_message(tx, NOON + 5 * SECOND))).message_id == 77


async def test_a_group_gets_no_status(db: Database) -> None:
    await db.transact(lambda tx: _queue_job_with_progress_message(tx, chat_id=-100))
    assert await db.transact(lambda tx: _due_messages(tx, NOON)) == []


async def test_what_was_shown_is_due_again_when_it_is_touched_and_three_seconds_later_at_the_earliest(
    db: Database,
) -> None:
    job = await db.transact(_queue_job_with_progress_message)
    await db.transact(lambda tx: _show_due_message(tx, NOON))
    assert await db.transact(lambda tx: tx.outbox.next_due_at(NOON)) is None
    await db.transact(lambda tx: tx.progress_messages.mark_stale(job.id, NOON + SECOND))
    assert await db.transact(lambda tx: tx.outbox.next_due_at(NOON)) == NOON + 3 * SECOND


async def test_what_was_shown_long_ago_is_due_at_once_when_it_is_touched(db: Database) -> None:
    job = await db.transact(_queue_job_with_progress_message)
    await db.transact(lambda tx: _show_due_message(tx, NOON))
    await db.transact(lambda tx: tx.progress_messages.mark_stale(job.id, NOON + 60 * SECOND))
    assert (await db.transact(lambda tx: _only_due_message(tx, NOON + 60 * SECOND))).shown == "something"


async def test_what_changed_while_the_message_was_on_its_way_is_shown_afterwards(db: Database) -> None:
    job = await db.transact(_queue_job_with_progress_message)
    on_its_way = await db.transact(lambda tx: _only_due_message(tx, NOON))
    await db.transact(lambda tx: tx.progress_messages.mark_stale(job.id, NOON + SECOND))
    await db.transact(lambda tx: tx.progress_messages.mark_shown(on_its_way, "older", 77, NOON + 2 * SECOND, None))
    assert await db.transact(lambda tx: tx.outbox.next_due_at(NOON)) == NOON + 5 * SECOND


async def test_a_status_that_ended_while_it_was_on_its_way_is_taken_away_at_once(db: Database) -> None:
    job = await db.transact(_queue_job_with_progress_message)
    on_its_way = await db.transact(lambda tx: _only_due_message(tx, NOON))
    await db.transact(lambda tx: tx.progress_messages.queue_deletion(job.id, NOON + SECOND))
    await db.transact(lambda tx: tx.progress_messages.mark_shown(on_its_way, "older", 77, NOON + 2 * SECOND, None))
    status = await db.transact(lambda tx: _only_due_message(tx, NOON + 2 * SECOND))
    assert (status.is_to_be_deleted, status.message_id) == (True, 77)


async def test_a_status_is_looked_after_at_the_moment_that_it_named(db: Database) -> None:
    await db.transact(_queue_job_with_progress_message)
    await db.transact(lambda tx: _show_due_message(tx, NOON, refresh_at=NOON + 10 * SECOND))
    assert await db.transact(lambda tx: tx.outbox.next_due_at(NOON)) == NOON + 10 * SECOND


async def test_a_fresh_status_leaves_the_old_one_to_be_taken_away_and_not_to_be_changed(db: Database) -> None:
    job = await db.transact(_queue_job_with_progress_message)
    await db.transact(lambda tx: _show_due_message(tx, NOON))
    await db.transact(lambda tx: tx.progress_messages.send_anew(job, NOON + SECOND))
    old = await db.transact(lambda tx: _only_due_message(tx, NOON + SECOND))
    await db.transact(lambda tx: tx.outbox.mark_ended(old.id, DeliveryOutcome.SENT, NOON + SECOND))
    await db.transact(lambda tx: tx.progress_messages.mark_stale(job.id, NOON + SECOND))
    fresh = await db.transact(lambda tx: _only_due_message(tx, NOON + SECOND))
    assert (old.is_to_be_deleted, fresh.is_to_be_deleted, fresh.message_id) == (True, False, None)


async def test_only_a_message_that_stands_in_the_chat_can_be_turned_into_something_else(db: Database) -> None:
    job = await db.transact(_queue_job_with_progress_message)
    assert await db.transact(lambda tx: tx.progress_messages.get(job.id)) is None
    await db.transact(lambda tx: _show_due_message(tx, NOON))
    status = await db.transact(lambda tx: tx.progress_messages.get(job.id))
    assert status is not None
    assert status.message_id == 77
    await db.transact(lambda tx: tx.progress_messages.queue_deletion(job.id, NOON))
    assert await db.transact(lambda tx: tx.progress_messages.get(job.id)) is None


async def test_an_answer_goes_before_a_status_of_its_chat_that_has_been_due_for_longer(db: Database) -> None:
    await db.transact(_queue_job_with_progress_message)
    await db.transact(
        lambda tx: tx.outbox.add(MessageDraft(key="answer", chat_id=5, body="Here it is."), NOON + SECOND)
    )
    assert (await db.transact(lambda tx: _only_due_message(tx, NOON + SECOND))).draft.key == "answer"


async def test_an_answer_goes_before_however_many_statuses_that_are_due(db: Database) -> None:
    for number in range(20):
        await db.transact(lambda tx, chat_id=100 + number: _queue_job_with_progress_message(tx, chat_id=chat_id))  # type: ignore[misc]  # mypy: a default in a lambda
    await db.transact(
        lambda tx: tx.outbox.add(MessageDraft(key="answer", chat_id=5, body="Here it is."), NOON + SECOND)
    )
    due = await db.transact(lambda tx: _due_messages(tx, NOON + SECOND))
    assert "answer" in [message.draft.key for message in due]
    assert {message.draft.kind for message in due[1:]} == {MessageKind.PROGRESS_MESSAGE}
