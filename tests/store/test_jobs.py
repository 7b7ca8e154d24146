"""Jobs in the database: compare-and-set, due jobs, and erasure."""

from functools import partial

import pytest

from bot.edit_options import AspectRatio
from bot.job import IllegalTransition, State
from bot.store.database import Database, Transaction
from bot.store.jobs import KieDuration
from bot.store.outbox import DeliveryOutcome, MessageDraft, MessageKind
from tests.store.sample_requests import NOON, make_request


async def _insert_queued_job(db: Database, message_id: int = 1, due_at: int | None = NOON) -> int:
    job_id = await db.transact(lambda tx: tx.jobs.add(make_request(message_id), State.QUEUED, NOON, due_at))
    assert job_id is not None
    return job_id


async def test_a_job_is_read_back_as_it_was_asked_for(db: Database) -> None:
    job_id = await _insert_queued_job(db)
    job = await db.transact(lambda tx: tx.jobs.get(job_id))
    assert job is not None
    assert job.request == make_request()
    assert (job.state, job.queued_at) == (State.QUEUED, NOON)


async def test_the_loser_of_a_race_changes_nothing(db: Database) -> None:
    job_id = await _insert_queued_job(db)
    seen = await db.transact(lambda tx: tx.jobs.get(job_id))
    assert seen is not None
    assert await db.transact(lambda tx: tx.jobs.transition(seen, State.SUBMITTING, submitted_at=NOON))
    assert not await db.transact(lambda tx: tx.jobs.transition(seen, State.CANCELLED))
    assert not await db.transact(lambda tx: tx.jobs.update(seen, due_at=None))


async def test_a_way_that_the_rules_do_not_know_is_refused(db: Database) -> None:
    job_id = await _insert_queued_job(db)
    seen = await db.transact(lambda tx: tx.jobs.get(job_id))
    assert seen is not None
    with pytest.raises(IllegalTransition):
        await db.transact(lambda tx: tx.jobs.transition(seen, State.SUCCEEDED))


async def test_only_what_is_due_is_found_and_the_next_moment_is_known(db: Database) -> None:
    late, early = await _insert_queued_job(db, 1, NOON + 5), await _insert_queued_job(db, 2, NOON - 5)
    await _insert_queued_job(db, 3, None)
    assert await db.transact(lambda tx: tx.jobs.list_due(State.QUEUED, NOON, 10)) == [early]
    assert await db.transact(lambda tx: tx.jobs.next_due_at(NOON)) == NOON + 5
    assert await db.transact(lambda tx: tx.jobs.list_due(State.QUEUED, NOON + 5, 10)) == [early, late]


async def test_old_jobs_forget_what_was_asked_and_keep_that_it_was(db: Database) -> None:
    job_id = await _insert_queued_job(db)
    seen = await db.transact(lambda tx: tx.jobs.get(job_id))
    assert seen is not None
    draft = MessageDraft(key="answer", kind=MessageKind.TEXT, chat_id=5, body="no", job_id=job_id)
    await db.transact(lambda tx: tx.outbox.add(draft, NOON))
    await db.transact(lambda tx: tx.outbox.mark_ended(1, DeliveryOutcome.SENT, NOON))
    await db.transact(lambda tx: tx.jobs.transition(seen, State.CANCELLED, finished_at=NOON, due_at=None))
    assert await db.transact(lambda tx: tx.erasure.list_ended_before(NOON)) == []
    assert await db.transact(lambda tx: tx.erasure.list_ended_before(NOON + 1)) == [job_id]
    await db.transact(lambda tx: tx.erasure.erase_requests([job_id], NOON + 1))
    erased = await db.transact(lambda tx: tx.jobs.get(job_id))
    assert erased is not None
    assert (erased.request.prompt, erased.request.sources, erased.result_url) == ("", (), None)
    assert erased.state is State.CANCELLED


async def test_an_unfinished_job_is_never_erased(db: Database) -> None:
    await _insert_queued_job(db)
    assert await db.transact(lambda tx: tx.erasure.list_ended_before(NOON * 2)) == []


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("SELECT id FROM jobs WHERE due_at <= 1 AND +state = 'a' ORDER BY due_at LIMIT 9", "jobs_due"),
        ("SELECT min(due_at) FROM jobs WHERE due_at > 1", "jobs_due"),
        ("SELECT count(*) FROM jobs WHERE state IN ('a', 'b') AND submitted_at > 1", "jobs_by_state"),
        ("SELECT job_id FROM fair_queue WHERE is_ready = 1 ORDER BY chat_turn, job_id LIMIT 1", "fair_queue_ready"),
        (
            "SELECT job_id FROM fair_queue WHERE is_ready = 1 AND chat_id = 1 ORDER BY user_turn LIMIT 1",
            "fair_queue_by_chat",
        ),
        ("SELECT * FROM outbox WHERE due_at <= 1 ORDER BY due_at, id LIMIT 9", "outbox_due"),
        ("SELECT min(due_at) FROM outbox WHERE due_at > 1", "outbox_due"),
        (
            "SELECT * FROM inbox WHERE handled_at IS NULL AND waits_for_admins_of IS NULL ORDER BY update_id LIMIT 1",
            "inbox_waiting",
        ),
        ("SELECT chat_id FROM chats WHERE admins_due_at <= 1 ORDER BY admins_due_at LIMIT 4", "chats_admins_due"),
        (
            "SELECT * FROM outbox_lanes WHERE lane = 'message' AND queue_turn <= 1 ORDER BY queue_turn LIMIT 4",
            "outbox_lanes_by_turn",
        ),
        ("SELECT min(queue_turn) FROM outbox_lanes WHERE lane = 'progress'", "outbox_lanes_by_turn"),
        ("SELECT ended_at FROM attempts WHERE ended_at > 1 ORDER BY ended_at DESC LIMIT 20", "attempts_ended"),
        ("SELECT count(*) FROM attempts WHERE ended_at IS NULL", "attempts_open"),
    ],
)
async def test_the_questions_of_an_idle_bot_are_answered_by_an_index(db: Database, query: str, index: str) -> None:
    plan = await db.transact(lambda tx: tx.jobs._db.execute(f"EXPLAIN QUERY PLAN {query}").fetchall())
    assert [row["detail"] for row in plan if index in row["detail"]]
    assert not [row["detail"] for row in plan if "TEMP B-TREE" in row["detail"]]


def _insert_finished_job(
    job_id: int, kie_duration_ms: int, finished_at: int, aspect_ratio: str, tx: Transaction
) -> None:
    tx.jobs._db.execute(
        "UPDATE jobs SET kie_duration_ms = ?, finished_at = ?, aspect_ratio = ? WHERE id = ?",
        (kie_duration_ms, finished_at, aspect_ratio, job_id),
    )


async def test_how_long_the_latest_pictures_took_is_told_with_their_shape_and_the_last_one_first(db: Database) -> None:
    for number, aspect_ratio in enumerate(("auto", "16:9", "1:1")):
        await db.transact(
            partial(
                _insert_finished_job,
                await _insert_queued_job(db, 10 + number),
                1500 * number,
                NOON + number,
                aspect_ratio,
            )
        )
    latest = await db.transact(lambda tx: tx.jobs.list_latest_durations(2))
    assert latest == [KieDuration(AspectRatio.SQUARE, 3.0), KieDuration(AspectRatio.WIDE, 1.5)]
