"""The cost of an event does not grow with the backlog, and a user with few requests does not wait for one with many.

The cost is the number of SQLite virtual machine steps, not a time.
"""

import json
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bot.clock import Instant
from bot.pipeline import circuit_breakers
from bot.pipeline.work_plan import DispatchPlan, WorkInFlight, make_plan
from bot.store import outbox
from bot.store.circuit_breakers import CircuitBreaker
from bot.store.database import Database, Transaction
from bot.store.inbox import StoredUpdate
from bot.store.outbox import MessageDraft
from tests.bot_harness import BotHarness, open_bot_harness
from tests.process_harness import make_photo, render_english

FEW, MANY = 200, 10_000

#: The factor by which the cost may grow if the backlog grows fifty-fold: just the deeper b-trees.
MAX_FACTOR = 1.5

FillBacklog = Callable[[Any, int, int, int], None]


async def _compare_costs(house: BotHarness, fill: FillBacklog, work: Callable[[Transaction], Any]) -> tuple[int, int]:
    """Return the cost of a unit of work with a small backlog, and with a large one."""
    db, now = house.bot.db, house.clock.instant()
    await db.transact(lambda tx: fill(tx.jobs._db, 1, FEW, now))
    few = await _settle_database(db, work)
    await db.transact(lambda tx: fill(tx.jobs._db, FEW + 1, MANY, now))
    return few, await _settle_database(db, work)


async def _settle_database(db: Database, work: Callable[[Transaction], Any]) -> int:
    await db.transact(work)  # the first run also does what is done only once
    return await count_vm_steps(db, work)


def _make_plan(house: BotHarness, *held: int) -> Callable[[Transaction], DispatchPlan]:
    """Return a unit of work that makes a plan with nothing in flight and some chats held back."""
    in_flight = WorkInFlight(messages=outbox.OutboxExclusions(held_chat_ids=frozenset(held)))
    worker = house.bot.worker
    return lambda tx: make_plan(
        tx, worker._steps.order_submitter, worker._containment, house.clock.instant(), in_flight
    )


async def test_a_plan_costs_the_same_however_much_waits_for_a_chat_that_is_left_alone(house: BotHarness) -> None:
    say = MessageDraft("reply", chat_id=5001, body="no")
    await house.bot.db.transact(lambda tx: tx.outbox.add(say, house.clock.instant()))
    few, many = await _compare_costs(house, insert_texts, _make_plan(house, EVE))
    assert many <= MAX_FACTOR * few
    plan = await house.bot.db.transact(_make_plan(house, EVE))
    assert [message.draft.key for message in plan.messages] == ["reply"]


async def test_a_plan_costs_the_same_however_much_waits_for_a_chat_that_is_written_to(house: BotHarness) -> None:
    few, many = await _compare_costs(house, insert_texts, _make_plan(house))
    assert many <= MAX_FACTOR * few


async def test_a_plan_costs_the_same_however_many_requests_wait_with_a_status_each(house: BotHarness) -> None:
    few, many = await _compare_costs(house, insert_requests, _make_plan(house, *range(FIRST_CHAT, FIRST_CHAT + 30)))
    assert many <= MAX_FACTOR * few


async def test_a_plan_costs_the_same_however_many_preparations_are_put_off(house: BotHarness) -> None:
    put_off = partial(insert_requests, due_at=house.clock.instant() + 60_000)
    few, many = await _compare_costs(house, put_off, _make_plan(house, *range(FIRST_CHAT, FIRST_CHAT + 100)))
    assert many <= MAX_FACTOR * few


async def test_a_plan_costs_the_same_however_many_preparations_may_be_tried_again(house: BotHarness) -> None:
    put_off = partial(insert_requests, due_at=house.clock.instant() - 1)
    plan = _make_plan(house, *range(FIRST_CHAT, FIRST_CHAT + 100))
    db, now = house.bot.db, house.clock.instant()
    await db.transact(lambda tx: put_off(tx.jobs._db, 1, FEW, now))
    few = await count_vm_steps(db, plan)
    await db.transact(lambda tx: put_off(tx.jobs._db, FEW + 1, MANY, now))
    assert await count_vm_steps(db, plan) <= MAX_FACTOR * few
    first = await db.transact(lambda tx: tx.fair_queue.list_to_prepare(now, 1))
    assert first == [FIRST_JOB + 1], "they are taken in their turn"


async def test_finding_due_requests_costs_the_same_however_many_updates_wait(house: BotHarness) -> None:
    house.ada.send_photo(make_photo())
    await house.receive_updates()
    db, now = house.bot.db, house.clock.instant() + 7_200_000

    def insert(tx: Transaction, first: int, count: int) -> None:
        for number in range(first, first + count):
            message = {"message_id": number, "chat": {"id": number}}
            tx.inbox.add([StoredUpdate(number, json.dumps({"update_id": number, "message": message}), now)])

    def find(tx: Transaction) -> list[int]:
        return tx.jobs.list_due_incomplete(now, 9)

    await db.transact(partial(insert, first=5000, count=FEW))
    few = await count_vm_steps(db, find)
    await db.transact(partial(insert, first=5000 + FEW, count=MANY))
    assert await db.transact(find) == [1]
    assert await count_vm_steps(db, find) <= MAX_FACTOR * few


async def test_a_plan_costs_the_same_however_many_wait_in_groups_that_were_told_why(house: BotHarness) -> None:
    now = house.clock.instant()
    await house.bot.db.transact(
        lambda tx: tx.circuit_breakers.open(CircuitBreaker("credits", now - 60_000, now + 600_000, 1))
    )
    limits = house.bot.worker._steps.order_submitter.limits

    def notify(tx: Transaction) -> None:
        while circuit_breakers.notify_groups(tx, house.bot.worker._containment, limits, now):
            pass
        tx.outbox._db.execute("UPDATE outbox SET due_at = NULL")

    def fill(db: Any, first: int, last: int, now: int) -> None:
        insert_requests(db, first, last, now, in_groups=True, is_ready=True)

    db = house.bot.db
    await db.transact(lambda tx: fill(tx.jobs._db, 1, FEW, now))
    await db.transact(notify)
    few = await _settle_database(db, _make_plan(house))
    await db.transact(lambda tx: fill(tx.jobs._db, FEW + 1, MANY, now))
    await db.transact(notify)
    assert await _settle_database(db, _make_plan(house)) <= MAX_FACTOR * few
    keys = await db.transact(
        lambda tx: tx.outbox._db.execute("SELECT key FROM outbox WHERE key GLOB 'halted:*'").fetchall()
    )
    assert len(keys) == 100, "each group was notified once"


async def test_to_accept_a_request_costs_the_same_however_many_wait(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, daily_credits=1_000_000) as house:
        photo = house.telegram.state.files.add("document", b"x", "a.jpg")

        def handled(tx: Transaction) -> None:
            house.bot.dispatcher._handle_in_transaction(tx, [])

        async def cost() -> int:
            house.ada.send({"document": photo, "caption": "make it snow"})
            await house.bot.long_poller.poll_once()
            return await count_vm_steps(house.bot.db, handled)

        await cost()  # a user's first request costs more
        few = await cost()
        await house.bot.db.transact(lambda tx: insert_requests(tx.jobs._db, 1, MANY - 10, house.clock.instant()))
        assert await cost() <= MAX_FACTOR * few
        assert await house.bot.db.transact(lambda tx: tx.jobs.count_waiting(MANY)) == MANY - 7


async def test_to_handle_an_update_costs_the_same_however_many_wait(house: BotHarness) -> None:
    def keep(db: Any, first: int, last: int, now: int) -> None:
        Transaction(db).inbox.add(make_stored_updates(first, last, now))

    def asked(tx: Transaction) -> None:
        tx.inbox.get_next_waiting()
        assert not tx.inbox.has_waiting(EVE, message_id=5_000_000)
        assert not tx.inbox.has_waiting(EVE, album="7")
        tx.inbox.add(make_stored_updates(5_000_000, 5_000_000, 1, chat_id=5))
        tx.inbox.mark_handled(5_000_000, 1)

    few, many = await _compare_costs(house, keep, asked)
    assert many <= MAX_FACTOR * few


async def test_a_newcomer_is_answered_within_seconds_beside_more_than_can_be_said(house: BotHarness) -> None:
    now = house.clock.instant()
    for number in range(60):
        house.telegram.person(user_id=FIRST_CHAT + number)
        await house.bot.db.transact(
            lambda tx, number=number: insert_texts(tx.jobs._db, 1, 20, now, chat_id=FIRST_CHAT + number)  # type: ignore[misc]  # mypy: a default in a lambda
        )
    await house.advance_time(3)
    bob = house.telegram.person(user_id=5001)
    bob.send_text("/help")
    await house.receive_updates()
    await house.advance_time(3)
    assert house.sent_texts(bob.id) == [render_english("help")]


async def test_a_newcomer_is_asked_for_words_beside_more_than_can_be_said(house: BotHarness) -> None:
    now = house.clock.instant()
    for number in range(60):
        house.telegram.person(user_id=FIRST_CHAT + number)
        await house.bot.db.transact(
            lambda tx, number=number: insert_texts(tx.jobs._db, 1, 20, now, chat_id=FIRST_CHAT + number)  # type: ignore[misc]  # mypy: a default in a lambda
        )
    house.ada.send_photo(make_photo())
    await house.receive_updates()
    await house.advance_time(2)
    assert house.progress_message()["text"] == render_english("question", count=1)


async def test_each_chat_is_served_in_turn(house: BotHarness) -> None:
    """It does not matter how long ago its messages were due."""
    db, now = house.bot.db, house.clock.instant()

    def serve(tx: Transaction, after: int) -> int:
        [message] = tx.outbox.list_due(now + after, outbox.OutboxExclusions(), 1)
        tx.outbox.mark_sent(message, 1, now + after)
        return message.draft.chat_id

    for chat_id in (5, 6, 7):
        await db.transact(lambda tx, chat_id=chat_id: insert_texts(tx.jobs._db, 1, 3, now - chat_id, chat_id=chat_id))  # type: ignore[misc]  # mypy: a default in a lambda
    assert [await db.transact(partial(serve, after=after)) for after in (1, 2, 3, 5, 6)] == [7, 6, 5, 7, 6]
    await db.transact(lambda tx: tx.outbox.add(MessageDraft("new", chat_id=8, body="no"), now + 4))
    served = [await db.transact(partial(serve, after=after)) for after in (7, 8, 9)]
    assert served == [5, 8, 7], "who comes goes before those who were served since"


async def test_a_chat_that_was_served_does_not_wait_for_a_clock_that_was_set_back(house: BotHarness) -> None:
    now = house.clock.instant()
    before = now - 86_400_000

    def turned_back(tx: Transaction) -> list[str]:
        insert_texts(tx.jobs._db, 1, 2, now)
        [first] = tx.outbox.list_due(now, outbox.OutboxExclusions(), 9)
        tx.outbox.mark_sent(first, 1, now)
        tx.clock_shift.shift_due_times(before)
        return [message.draft.key for message in tx.outbox.list_due(before, outbox.OutboxExclusions(), 9)]

    assert await house.bot.db.transact(turned_back) == [f"text:{EVE}:2"]


async def test_what_only_refreshes_a_status_is_bounded_and_keeps_no_message_waiting(house: BotHarness) -> None:
    await house.kie.stop()
    db, now = house.bot.db, house.clock.instant()
    await db.transact(lambda tx: insert_requests(tx.jobs._db, 1, 60, now, is_ready=False))
    await db.transact(lambda tx: tx.jobs._db.execute("UPDATE fair_queue SET is_ready = 1"))
    await db.transact(lambda tx: tx.circuit_breakers.open(CircuitBreaker("credits", now, now + 600_000, 1)))
    for number in range(61):
        house.telegram.person(user_id=FIRST_CHAT + number)
    await db.transact(
        lambda tx: tx.outbox._db.execute("UPDATE outbox SET message_id = 9, shown = 'older', shown_at = 1")
    )
    bob = house.telegram.person(user_id=5001)
    bob.send_text("/help")
    await house.receive_updates()
    await house.run_due_work()
    assert house.sent_texts(bob.id) == [render_english("help")], "at once"
    await house.advance_time(1)
    assert 5 <= sum(call.method == "editMessageText" for call in house.telegram.calls) <= 11


async def test_a_place_is_exact_at_the_front_and_that_of_a_moment_ago_far_behind(house: BotHarness) -> None:
    db, now = house.bot.db, house.clock.instant()
    await db.transact(lambda tx: insert_requests(tx.jobs._db, 1, 3000, now))

    async def places(*numbers: int, after: int = 0) -> list[int | None]:
        return await db.transact(
            lambda tx: [tx.fair_queue.get_position(FIRST_JOB + each, now + after) for each in numbers]
        )

    assert await places(1, 99, 100, 101, 2500) == [1, 99, 100, 101, 2500]
    await db.transact(lambda tx: tx.fair_queue.remove(FIRST_JOB + 1))
    assert await places(1, 99, 2500, after=9_999) == [None, 98, 2500]
    assert await places(1, 99, 2500, after=10_000) == [None, 98, 2499]


EVE = 6666

#: The first id of the jobs of a backlog, and of their chats.
FIRST_JOB, FIRST_CHAT = 1_000_000, 7000

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)"


async def count_vm_steps(db: Database, work: Callable[[Transaction], Any]) -> int:
    """Return how many SQLite virtual machine steps a unit of work takes, which is deterministic."""

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

    return await db.transact(counted)


def insert_texts(db: sqlite3.Connection, first: int, last: int, now: Instant, *, chat_id: int = EVE) -> None:
    """Insert overdue texts for a chat."""
    db.execute(
        f"{_NUMBERS} INSERT INTO outbox (key, kind, chat_id, body, written_at, due_at)"  # noqa: S608 - no data in it
        " SELECT printf('text:%d:%d', ?3, i), 'text', ?3, 'no', ?4, ?4 - 1000000 + i FROM n",
        (first, last, chat_id, now),
    )


def insert_requests(
    db: sqlite3.Connection,
    first: int,
    last: int,
    now: Instant,
    *,
    due_at: Instant | None = None,
    is_ready: bool = False,
    in_groups: bool = False,
) -> None:
    """Insert queued requests of a hundred chats, each with a progress message that is due, the last one first."""
    sign = -1 if in_groups else 1
    db.execute(
        f"{_NUMBERS} INSERT INTO jobs"  # noqa: S608 - no data in it
        " (id, state, chat_id, user_id, charged_to, message_id, prompt, received_at, queued_at, due_at)"
        " SELECT ?3 + i, 'queued', ?4 * (?5 + i % 100), ?5 + i % 100, ?5 + i % 100, i, 'snow', ?6, ?6, ?7 FROM n",
        (first, last, FIRST_JOB, sign, FIRST_CHAT, now, due_at),
    )
    theirs = (FIRST_JOB + first, FIRST_JOB + last)
    db.execute(
        "INSERT INTO source_images (job_id, position, file_id, file_unique_id, is_photo)"
        " SELECT id, 0, 'f', 'u', 1 FROM jobs WHERE id BETWEEN ? AND ?",
        theirs,
    )
    db.execute(
        "INSERT INTO fair_queue (job_id, chat_id, chat_turn, user_turn, is_ready)"
        " SELECT id, chat_id, id, id, ?3 FROM jobs WHERE id BETWEEN ?1 AND ?2",
        (*theirs, is_ready),
    )
    db.execute(
        "INSERT INTO outbox (key, kind, chat_id, body, job_id, written_at, due_at)"
        " SELECT printf('job:%d:progress:0', id), 'progress_message', chat_id, '', id, ?3, ?3 - id FROM jobs"
        " WHERE id BETWEEN ?1 AND ?2",
        (*theirs, now),
    )


def make_stored_updates(first: int, last: int, now: Instant, *, chat_id: int = EVE) -> list[StoredUpdate]:
    """Return updates with text messages of one user."""
    body = (
        '{"update_id": %d, "message": {"message_id": %d, "date": 1, "text": "word", "chat": {"id": %d, "type": "%s"},'
    )
    body += ' "from": {"id": 6666, "is_bot": false, "first_name": "Eve"}}}'
    kind = "private" if chat_id > 0 else "supergroup"
    return [StoredUpdate(number, body % (number, number, chat_id, kind), now) for number in range(first, last + 1)]
