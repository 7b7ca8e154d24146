"""What an event costs does not grow with what waits, and who asks little is not kept waiting by who asks much.

The cost is counted in steps of SQLite's machine, not timed.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bot.jobs import halt
from bot.jobs.plan import Busy, Plan, plan_for
from bot.jobs.preparation_plan import UnderWay
from bot.store import outbox
from bot.store.breakers import Breaker
from bot.store.connection import Database
from bot.store.outbox import Say
from bot.store.transaction import Transaction
from tests.backlog import EVE, FIRST_CHAT, FIRST_JOB, letters, requests, steps_of, texts
from tests.house import House, a_house
from tests.world import a_photo, english

FEW, MANY = 200, 10_000

#: How much more may be done beside fifty times as much that waits: a tree that is deeper, and no more.
MORE = 1.5

Fill = Callable[[Any, int, int, int], None]


async def _costs(house: House, fill: Fill, work: Callable[[Transaction], Any]) -> tuple[int, int]:
    """Return the steps of a unit of work beside few things that wait, and beside many."""
    db, now = house.bot.db, house.clock.instant()
    await db.unit(lambda tx: fill(tx.jobs._db, 1, FEW, now))
    few = await _settled(db, work)
    await db.unit(lambda tx: fill(tx.jobs._db, FEW + 1, MANY, now))
    return few, await _settled(db, work)


async def _settled(db: Database, work: Callable[[Transaction], Any]) -> int:
    await db.unit(work)  # the first one does what is to be done once
    return await steps_of(db, work)


def _plan(house: House, *held: int) -> Callable[[Transaction], Plan]:
    """Return what makes a plan while nothing is under way, and some chats are left alone."""
    busy = Busy(
        jobs=UnderWay({}, {}),
        messages=outbox.Busy(held=frozenset(held)),
        probes=frozenset(),
        groups=frozenset(),
        deliveries=0,
        asks_balance=False,
    )
    worker = house.bot.worker
    return lambda tx: plan_for(tx, worker._steps.submit, worker._containment, house.clock.instant(), busy)


async def test_a_plan_costs_the_same_however_much_waits_for_a_chat_that_is_left_alone(house: House) -> None:
    say = Say("reply", chat_id=5001, body="no")
    await house.bot.db.unit(lambda tx: tx.outbox.add(say, house.clock.instant()))
    few, many = await _costs(house, texts, _plan(house, EVE))
    assert many <= MORE * few
    plan = await house.bot.db.unit(_plan(house, EVE))
    assert [parcel.say.key for parcel in plan.parcels] == ["reply"]


async def test_a_plan_costs_the_same_however_much_waits_for_a_chat_that_is_written_to(house: House) -> None:
    few, many = await _costs(house, texts, _plan(house))
    assert many <= MORE * few


async def test_a_plan_costs_the_same_however_many_requests_wait_with_a_status_each(house: House) -> None:
    few, many = await _costs(house, requests, _plan(house, *range(FIRST_CHAT, FIRST_CHAT + 30)))
    assert many <= MORE * few


async def test_a_plan_costs_the_same_however_many_preparations_are_put_off(house: House) -> None:
    put_off = partial(requests, due_at=house.clock.instant() + 60_000)
    few, many = await _costs(house, put_off, _plan(house, *range(FIRST_CHAT, FIRST_CHAT + 100)))
    assert many <= MORE * few


async def test_a_plan_costs_the_same_however_many_preparations_may_be_tried_again(house: House) -> None:
    put_off = partial(requests, due_at=house.clock.instant() - 1)
    plan = _plan(house, *range(FIRST_CHAT, FIRST_CHAT + 100))
    db, now = house.bot.db, house.clock.instant()
    await db.unit(lambda tx: put_off(tx.jobs._db, 1, FEW, now))
    few = await steps_of(db, plan)
    await db.unit(lambda tx: put_off(tx.jobs._db, FEW + 1, MANY, now))
    assert await steps_of(db, plan) <= MORE * few
    first = await db.unit(lambda tx: tx.line.to_prepare(now, 1))
    assert first == [FIRST_JOB + 1], "they are taken in their turn"


async def test_a_plan_costs_the_same_however_many_wait_in_groups_that_were_told_why(house: House) -> None:
    now = house.clock.instant()
    await house.bot.db.unit(lambda tx: tx.breakers.open(Breaker("credits", now - 60_000, now + 600_000, 1)))
    limits = house.bot.worker._steps.submit.limits

    def told(tx: Transaction) -> None:
        while halt.tell_groups(tx, house.bot.worker._containment, limits, now):
            pass
        tx.outbox._db.execute("UPDATE outbox SET due_at = NULL")

    def fill(db: Any, first: int, last: int, now: int) -> None:
        requests(db, first, last, now, in_groups=True, is_ready=True)

    db = house.bot.db
    await db.unit(lambda tx: fill(tx.jobs._db, 1, FEW, now))
    await db.unit(told)
    few = await _settled(db, _plan(house))
    await db.unit(lambda tx: fill(tx.jobs._db, FEW + 1, MANY, now))
    await db.unit(told)
    assert await _settled(db, _plan(house)) <= MORE * few
    keys = await db.unit(
        lambda tx: tx.outbox._db.execute("SELECT key FROM outbox WHERE key GLOB 'halted:*'").fetchall()
    )
    assert len(keys) == 100, "each group was told once"


async def test_to_accept_a_request_costs_the_same_however_many_wait(tmp_path: Path) -> None:
    async with a_house(tmp_path, daily_credits=1_000_000) as house:
        photo = house.telegram.cloud.files.add("document", b"x", "a.jpg")

        def handled(tx: Transaction) -> None:
            house.bot.intake._handle(tx, [])

        async def cost() -> int:
            house.ada.send({"document": photo, "caption": "make it snow"})
            await house.bot.poll.once()
            return await steps_of(house.bot.db, handled)

        await cost()  # a person's first is another matter
        few = await cost()
        await house.bot.db.unit(lambda tx: requests(tx.jobs._db, 1, MANY - 10, house.clock.instant()))
        assert await cost() <= MORE * few
        assert await house.bot.db.unit(lambda tx: tx.jobs.count_waiting(MANY)) == MANY - 7


async def test_to_handle_an_update_costs_the_same_however_many_wait(house: House) -> None:
    def keep(db: Any, first: int, last: int, now: int) -> None:
        Transaction(db).inbox.keep(letters(first, last, now))

    def asked(tx: Transaction) -> None:
        tx.inbox.next_waiting()
        assert not tx.inbox.holds(EVE, message_id=5_000_000)
        assert not tx.inbox.holds(EVE, album="7")
        tx.inbox.keep(letters(5_000_000, 5_000_000, 1, chat_id=5))
        tx.inbox.handled(5_000_000, 1)

    few, many = await _costs(house, keep, asked)
    assert many <= MORE * few


async def test_a_newcomer_is_answered_within_seconds_beside_more_than_can_be_said(house: House) -> None:
    now = house.clock.instant()
    for number in range(60):
        house.telegram.person(user_id=FIRST_CHAT + number)
        await house.bot.db.unit(
            lambda tx, number=number: texts(tx.jobs._db, 1, 20, now, chat_id=FIRST_CHAT + number)  # type: ignore[misc]  # mypy: a default in a lambda
        )
    await house.pass_time(3)
    bob = house.telegram.person(user_id=5001)
    bob.send_text("/help")
    await house.receive()
    await house.pass_time(3)
    assert house.words(bob.id) == [english("help")]


async def test_a_newcomer_is_asked_for_words_beside_more_than_can_be_said(house: House) -> None:
    now = house.clock.instant()
    for number in range(60):
        house.telegram.person(user_id=FIRST_CHAT + number)
        await house.bot.db.unit(
            lambda tx, number=number: texts(tx.jobs._db, 1, 20, now, chat_id=FIRST_CHAT + number)  # type: ignore[misc]  # mypy: a default in a lambda
        )
    house.ada.send_photo(a_photo())
    await house.receive()
    await house.pass_time(2)
    assert house.status()["text"] == english("question", count=1)


async def test_each_chat_is_served_in_turn(house: House) -> None:
    """However long ago its messages were due."""
    db, now = house.bot.db, house.clock.instant()

    def serve(tx: Transaction, after: int) -> int:
        [parcel] = tx.outbox.due(now + after, outbox.Busy(), 1)
        tx.outbox.sent(parcel, 1, now + after)
        return parcel.say.chat_id

    for chat_id in (5, 6, 7):
        await db.unit(lambda tx, chat_id=chat_id: texts(tx.jobs._db, 1, 3, now - chat_id, chat_id=chat_id))  # type: ignore[misc]  # mypy: a default in a lambda
    assert [await db.unit(partial(serve, after=after)) for after in (1, 2, 3, 5, 6)] == [7, 6, 5, 7, 6]
    await db.unit(lambda tx: tx.outbox.add(Say("new", chat_id=8, body="no"), now + 4))
    served = [await db.unit(partial(serve, after=after)) for after in (7, 8, 9)]
    assert served == [5, 8, 7], "who comes goes before those who were served since"


async def test_a_chat_that_was_served_does_not_wait_for_a_clock_that_was_set_back(house: House) -> None:
    now = house.clock.instant()
    before = now - 86_400_000

    def turned_back(tx: Transaction) -> list[str]:
        texts(tx.jobs._db, 1, 2, now)
        [first] = tx.outbox.due(now, outbox.Busy(), 9)
        tx.outbox.sent(first, 1, now)
        tx.moments.turn_back(before)
        return [parcel.say.key for parcel in tx.outbox.due(before, outbox.Busy(), 9)]

    assert await house.bot.db.unit(turned_back) == [f"text:{EVE}:2"]


async def test_what_only_refreshes_a_status_is_bounded_and_keeps_no_message_waiting(house: House) -> None:
    await house.kie.stop()
    db, now = house.bot.db, house.clock.instant()
    await db.unit(lambda tx: requests(tx.jobs._db, 1, 60, now, is_ready=False))
    await db.unit(lambda tx: tx.jobs._db.execute("UPDATE line SET is_ready = 1"))
    await db.unit(lambda tx: tx.breakers.open(Breaker("credits", now, now + 600_000, 1)))
    for number in range(61):
        house.telegram.person(user_id=FIRST_CHAT + number)
    await db.unit(lambda tx: tx.outbox._db.execute("UPDATE outbox SET message_id = 9, shown = 'older', shown_at = 1"))
    bob = house.telegram.person(user_id=5001)
    bob.send_text("/help")
    await house.receive()
    await house.turn()
    assert house.words(bob.id) == [english("help")], "at once"
    await house.pass_time(1)
    assert 5 <= sum(call.method == "editMessageText" for call in house.telegram.calls) <= 11


async def test_a_place_is_exact_at_the_front_and_that_of_a_moment_ago_far_behind(house: House) -> None:
    db, now = house.bot.db, house.clock.instant()
    await db.unit(lambda tx: requests(tx.jobs._db, 1, 3000, now))

    async def places(*numbers: int, after: int = 0) -> list[int | None]:
        return await db.unit(lambda tx: [tx.line.place_of(FIRST_JOB + each, now + after) for each in numbers])

    assert await places(1, 99, 100, 101, 2500) == [1, 99, 100, 101, 2500]
    await db.unit(lambda tx: tx.line.drop(FIRST_JOB + 1))
    assert await places(1, 99, 2500, after=9_999) == [None, 98, 2500]
    assert await places(1, 99, 2500, after=10_000) == [None, 98, 2499]
