"""Daily usage and credits: refunds, the daily budget, and a clock that is set back."""

from dataclasses import replace

from bot import job_operations
from bot.clock import start_of_day
from bot.i18n import sentence
from bot.job import FailureReason, Job, State
from bot.job_operations import DEFAULT_PRICE
from bot.kie.models import TaskOutcome, TaskRecord
from bot.pipeline import finish_job, progress_message
from bot.pipeline.order_limits import OrderAllowance, OrderLimits, compute_order_allowance
from bot.store.daily_usage import EVERYONE_ID, UsageScope
from bot.store.database import Database, Transaction
from bot.store.outbox import DeliveryOutcome, MessageDraft, MessageKind, OutboxExclusions
from tests.process_harness import render_english
from tests.store.sample_requests import NOON, make_request

DAY = 86_400_000
TODAY = NOON // DAY


async def test_what_was_forgotten_and_is_given_back_takes_nothing_from_others(db: Database) -> None:
    def counted(tx: Transaction) -> list[int]:
        for chat_id in (5, 5, 6):
            tx.daily_usage.add(5, chat_id, TODAY)
        tx.daily_usage.delete_before(TODAY + 1)
        tx.daily_usage.add(5, 5, TODAY)  # the clock was set forward and back again
        for chat_id in (5, 5, 6):
            tx.daily_usage.subtract(5, chat_id, TODAY)
        return [tx.daily_usage.get(UsageScope.USER, 5, TODAY), tx.daily_usage.get(UsageScope.ALL, EVERYONE_ID, TODAY)]

    assert await db.transact(counted) == [0, 0]


async def test_what_was_asked_for_in_a_groups_name_is_counted_for_the_supergroup(db: Database) -> None:
    def counted(tx: Transaction) -> list[int]:
        for chat_id in (-4, -9):
            tx.daily_usage.add(chat_id, chat_id, TODAY)
        tx.daily_usage.migrate_chat(-4, -9)
        tx.daily_usage.migrate_chat(-4, -9)
        return [tx.daily_usage.get(scope, -9, TODAY) for scope in (UsageScope.USER, UsageScope.CHAT)]

    assert await db.transact(counted) == [2, 2]


async def test_an_edit_that_seems_dearer_than_the_whole_ceiling_is_tried_once_a_day(db: Database) -> None:
    def affords(tx: Transaction) -> list[int]:
        allowed = [job_operations.count_affordable_edits(tx, 3, committed, TODAY) for committed in (0, 1)]
        tx.credits.add_spending(0.5, TODAY)
        return [
            *allowed,
            job_operations.count_affordable_edits(tx, 3, 0, TODAY),
            job_operations.count_affordable_edits(tx, 3, 0, TODAY + 1),
        ]

    assert await db.transact(affords) == [1, 0, 0, 1]


def _insert_running_job(tx: Transaction, message_id: int) -> Job:
    job = tx.jobs.get(tx.jobs.add(make_request(message_id), State.QUEUED, NOON))
    assert job is not None
    tx.jobs.transition(job, State.SUBMITTING, submitted_at=NOON)
    tx.jobs.transition(replace(job, state=State.SUBMITTING), State.RUNNING, task_id="a task")
    return replace(job, state=State.RUNNING)


async def test_no_more_leaves_than_can_be_paid_beside_what_is_under_way_until_the_next_day(db: Database) -> None:
    limits = OrderLimits(orders_per_window=20, max_running=5, deadline=900, daily_credits=8)

    def opened(tx: Transaction) -> list[OrderAllowance]:
        _insert_running_job(tx, 1)
        one_more = compute_order_allowance(tx, limits, NOON)
        tx.credits.add_spending(4, TODAY)
        return [one_more, compute_order_allowance(tx, limits, NOON)]

    assert await db.transact(opened) == [
        OrderAllowance(1, start_of_day(TODAY + 1)),
        OrderAllowance(0, start_of_day(TODAY + 1)),
    ]


async def test_what_kie_charges_is_spent_and_where_it_does_not_say_what_edits_usually_cost(db: Database) -> None:
    seen = TaskRecord("a task", TaskOutcome.SUCCESS, "success", result_url="https://example.org/a.png")

    def spent(tx: Transaction) -> list[float]:
        finish_job.fail_job(
            tx, _insert_running_job(tx, 1), FailureReason.TASK_FAILED, sentence("no-result"), NOON, credits_=3
        )
        of_failed = tx.credits.get_spending(TODAY)
        finish_job.succeed_job(tx, _insert_running_job(tx, 2), seen, NOON)
        return [of_failed, tx.credits.get_spending(TODAY)]

    assert await db.transact(spent) == [3, 3 + DEFAULT_PRICE]


async def test_the_balance_is_asked_for_as_soon_as_without_a_clock_that_was_set_back(db: Database) -> None:
    def turned_back(tx: Transaction) -> list[int | None]:
        tx.outbox.add(MessageDraft(key="any", kind=MessageKind.TEXT, chat_id=5, body="any"), NOON)
        tx.outbox.mark_ended(1, DeliveryOutcome.SENT, NOON)
        tx.credits.set_balance(50, NOON)
        tx.credits.request_balance(NOON)
        tx.clock_shift.shift_due_times(NOON - DAY)
        balance = tx.credits.get_balance()
        return [tx.credits.get_balance_due_at(), None if balance is None else balance.asked_at]

    assert await db.transact(turned_back) == [NOON - DAY, NOON - DAY]


async def test_administrators_are_looked_up_and_looked_up_anew_as_soon_as_without_a_clock_that_was_set_back(
    db: Database,
) -> None:
    def turned_back(tx: Transaction) -> tuple[list[int], frozenset[int] | None]:
        tx.outbox.add(MessageDraft(key="any", kind=MessageKind.TEXT, chat_id=5, body="any"), NOON)
        tx.outbox.mark_ended(1, DeliveryOutcome.SENT, NOON)
        tx.chats.request_admins(-6, NOON)
        tx.chats.set_admins(-7, [1], NOON)
        tx.clock_shift.shift_due_times(NOON - DAY)
        return tx.chats.list_admins_due(NOON - DAY, 9), tx.chats.get_admins(-7, NOON - DAY + 60_000)

    assert await db.transact(turned_back) == ([-6], None)


async def test_the_last_edit_of_the_day_is_not_said_to_wait_while_it_is_ordered(db: Database) -> None:
    limits = OrderLimits(orders_per_window=20, max_running=5, deadline=900, daily_credits=4)

    def progress_texts(tx: Transaction) -> list[str]:
        job = tx.jobs.get(tx.jobs.add(make_request(), State.QUEUED, NOON))
        assert job is not None
        job_operations.enqueue(tx, job, NOON)
        [message] = [
            each
            for each in tx.outbox.list_due(NOON + 60_000, OutboxExclusions(), 9)
            if each.draft.kind is MessageKind.PROGRESS_MESSAGE
        ]
        queued = progress_message.plan_progress_update(tx, message, limits, NOON)
        tx.jobs.transition(job, State.SUBMITTING, submitted_at=NOON)
        ordering = progress_message.plan_progress_update(tx, message, limits, NOON)
        return [each.content.text for each in (queued, ordering) if each is not None and each.content is not None]

    assert await db.transact(progress_texts) == [render_english("got-it")] * 2
