"""The worker plans after every wakeup, but never in a hot loop, and misses no wakeup."""

import asyncio
from typing import Any

import pytest

from bot.pipeline import work_plan, worker
from bot.pipeline.worker import MAX_SLEEP
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.telegram.errors import too_many_requests
from bot.store.database import Transaction
from bot.store.outbox import MessageDraft
from tests.bot_harness import BotHarness
from tests.process_harness import make_photo


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The plans that are made, in order."""
    made: list[Any] = []

    def record(*arguments: Any) -> Any:
        made.append(work_plan.make_plan(*arguments))
        return made[-1]

    monkeypatch.setattr(worker, "make_plan", record)
    return made


async def test_an_idle_worker_plans_once_every_ten_minutes(house: BotHarness, plans: list[Any]) -> None:
    await house.run_due_work()
    plans.clear()
    await house.advance_time(6 * MAX_SLEEP)
    assert len(plans) <= 8


async def test_an_edit_takes_few_plans(house: BotHarness, plans: list[Any]) -> None:
    await house.request_edit(make_photo())
    await house.advance_time(30)
    assert len(house.pictures()) == 1
    assert len(plans) <= 60


async def test_a_chat_that_has_to_wait_is_not_planned_again_and_again(house: BotHarness, plans: list[Any]) -> None:
    def add_texts(tx: Transaction) -> None:
        for number in range(10):
            tx.outbox.add(MessageDraft(f"{number}", chat_id=house.ada.id, body=f"{number}"), house.clock.instant())

    await house.bot.db.transact(add_texts)
    await house.advance_time(12)
    assert house.sent_texts() == [f"{number}" for number in range(10)]
    assert len(plans) <= 6 * 10


async def test_a_pause_for_all_chats_takes_few_plans(house: BotHarness, plans: list[Any]) -> None:
    house.telegram.faults.add("sendMessage", too_many_requests(60))
    house.telegram.faults.add("sendMessage", too_many_requests(60))
    for user_id in (2001, 2002, 2003):
        house.telegram.person(user_id=user_id).send_text("/help")
    await house.receive_updates()
    await house.advance_time(59)
    assert len(plans) <= 20
    await house.advance_time(10)
    assert [len(house.sent_texts(user_id)) for user_id in (2001, 2002, 2003)] == [1, 1, 1]


async def test_what_cannot_be_started_before_something_ends_takes_no_plan(house: BotHarness, plans: list[Any]) -> None:
    held = Fault(FaultKind.HOLD_RESPONSE)
    house.telegram.faults.always("sendMessage", held)
    for _ in range(5):
        house.ada.send_text("/help")
    await house.receive_updates()
    working = asyncio.create_task(house.bot.worker.run())
    while not house.bot.worker._messages_in_flight:  # noqa: ASYNC110 - there is no event for the start of a call
        await asyncio.sleep(0)
    house.clock.now += 1.0  # past every rate limit
    house.bot.worker.wake()
    for _ in range(1000):
        await asyncio.sleep(0)
    plans.clear()
    for _ in range(1000):
        await asyncio.sleep(0)
    assert len(plans) <= 1
    house.telegram.faults.clear("sendMessage")
    held.release.set()
    house.bot.worker.stop()
    await working
