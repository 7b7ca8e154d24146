"""Counts and credits by themselves: what is given back, what a ceiling allows, and a clock that was set back."""

from dataclasses import replace

from bot.job import Job, Reason, State, begin_of
from bot.jobs import outcome, status
from bot.jobs.gates import Limits, Opening, opening
from bot.kie.models import Look, Outcome
from bot.store.account import USUAL_PRICE
from bot.store.connection import Database
from bot.store.counts import ALL, Whose
from bot.store.outbox import Busy, Ending, Kind, Say
from bot.store.transaction import Transaction
from bot.texts import sentence
from tests.store.rows import NOON, a_request
from tests.world import english

DAY = 86_400_000
TODAY = NOON // DAY


async def test_what_was_forgotten_and_is_given_back_takes_nothing_from_others(db: Database) -> None:
    def counted(tx: Transaction) -> list[int]:
        for chat_id in (5, 5, 6):
            tx.counts.take(5, chat_id, TODAY)
        tx.counts.forget(TODAY + 1)
        tx.counts.take(5, 5, TODAY)  # the clock was set forward, and back again
        for chat_id in (5, 5, 6):
            tx.counts.give_back(5, chat_id, TODAY)
        return [tx.counts.of(Whose.PERSON, 5, TODAY), tx.counts.of(Whose.ALL, ALL, TODAY)]

    assert await db.unit(counted) == [0, 0]


async def test_what_was_asked_for_in_a_groups_name_is_counted_for_the_supergroup(db: Database) -> None:
    def counted(tx: Transaction) -> list[int]:
        for chat_id in (-4, -9):
            tx.counts.take(chat_id, chat_id, TODAY)
        tx.counts.move_chat(-4, -9)
        tx.counts.move_chat(-4, -9)
        return [tx.counts.of(whose, -9, TODAY) for whose in (Whose.PERSON, Whose.CHAT)]

    assert await db.unit(counted) == [2, 2]


async def test_an_edit_that_seems_dearer_than_the_whole_ceiling_is_tried_once_a_day(db: Database) -> None:
    def affords(tx: Transaction) -> list[int]:
        allowed = [tx.account.affords(3, committed, TODAY) for committed in (0, 1)]
        tx.account.spend(0.5, TODAY)
        return [*allowed, tx.account.affords(3, 0, TODAY), tx.account.affords(3, 0, TODAY + 1)]

    assert await db.unit(affords) == [1, 0, 0, 1]


def _running(tx: Transaction, message_id: int) -> Job:
    job = tx.jobs.get(tx.jobs.add(a_request(message_id), State.QUEUED, NOON))
    assert job is not None
    tx.jobs.move(job, State.SUBMITTING, submitted_at=NOON)
    tx.jobs.move(replace(job, state=State.SUBMITTING), State.RUNNING, task_id="a task")
    return replace(job, state=State.RUNNING)


async def test_no_more_leaves_than_can_be_paid_beside_what_is_under_way_until_the_next_day(db: Database) -> None:
    limits = Limits(creates_per_window=20, running=5, deadline=900, daily_credits=8)

    def opened(tx: Transaction) -> list[Opening]:
        _running(tx, 1)
        one_more = opening(tx, limits, NOON)
        tx.account.spend(4, TODAY)
        return [one_more, opening(tx, limits, NOON)]

    assert await db.unit(opened) == [Opening(1, begin_of(TODAY + 1)), Opening(0, begin_of(TODAY + 1))]


async def test_what_kie_charges_is_spent_and_where_it_does_not_say_what_edits_usually_cost(db: Database) -> None:
    seen = Look("a task", Outcome.SUCCESS, "success", result_url="https://example.org/a.png")

    def spent(tx: Transaction) -> list[float]:
        outcome.fail(tx, _running(tx, 1), Reason.BROKE, sentence("no-result"), NOON, credits_=3)
        of_failed = tx.account.spent(TODAY)
        outcome.succeed(tx, _running(tx, 2), seen, NOON)
        return [of_failed, tx.account.spent(TODAY)]

    assert await db.unit(spent) == [3, 3 + USUAL_PRICE]


async def test_the_balance_is_asked_for_as_soon_as_without_a_clock_that_was_set_back(db: Database) -> None:
    def turned_back(tx: Transaction) -> list[int | None]:
        tx.outbox.add(Say(key="any", kind=Kind.TEXT, chat_id=5, body="any"), NOON)
        tx.outbox.ended(1, Ending.SENT, NOON)
        tx.account.answered(50, NOON)
        tx.account.want_balance(NOON)
        tx.moments.turn_back(NOON - DAY)
        balance = tx.account.balance()
        return [tx.account.due_at(), None if balance is None else balance.asked_at]

    assert await db.unit(turned_back) == [NOON - DAY, NOON - DAY]


async def test_the_last_edit_of_the_day_is_not_said_to_wait_while_it_is_ordered(db: Database) -> None:
    limits = Limits(creates_per_window=20, running=5, deadline=900, daily_credits=4)

    def told(tx: Transaction) -> list[str]:
        job = tx.jobs.get(tx.jobs.add(a_request(), State.QUEUED, NOON))
        assert job is not None
        tx.enter_line(job, NOON)
        [parcel] = [each for each in tx.outbox.due(NOON + 60_000, Busy(), 9) if each.say.kind is Kind.STATUS]
        queued = status.errand(tx, parcel, limits, NOON)
        tx.jobs.move(job, State.SUBMITTING, submitted_at=NOON)
        ordering = status.errand(tx, parcel, limits, NOON)
        return [each.showing.text for each in (queued, ordering) if each is not None and each.showing is not None]

    assert await db.unit(told) == [english("got-it")] * 2
