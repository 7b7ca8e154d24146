"""Outages of Kie and Telegram: nothing is lost, and nobody is flooded afterwards."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.pipeline.order_limits import MAX_ORDERS_IN_FLIGHT
from bot.sandbox.fault_injection import HTML_502, Fault, FaultKind
from bot.sandbox.telegram import Person
from tests.bot_harness import BotHarness, open_bot_harness
from tests.process_harness import make_photo, render_english

HOUR = 3600.0

#: Kie's rate limit.
RATE_LIMITED = Fault(FaultKind.RESPOND, status=200, body=b'{"code": 429, "msg": "frequency too high"}')

CALLS = ("createTask", "recordInfo", "credit", "upload", "result")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[BotHarness]:
    """A bot whose Telegram enforces its flood limits."""
    async with open_bot_harness(tmp_path, kie={"credits": 10_000.0}) as opened:
        opened.telegram.state.enforce_flood_control = True
        yield opened


async def _request_edits(house: BotHarness, count: int) -> list[Person]:
    people = [house.telegram.person(user_id=5000 + number) for number in range(count)]
    photo = make_photo(size=(16, 16))
    for person in people:
        person.send_photo(photo, caption="make it snow")
    await house.receive_updates()
    return people


async def _advance_in_steps(house: BotHarness, seconds: float, step: float) -> None:
    """Advance the time in steps, in which only the bot acts."""
    for _ in range(round(seconds / step)):
        await house.run_due_work()
        house.clock.now += step
    await house.run_due_work()


async def _advance_with_kie_working(house: BotHarness) -> None:
    """Let some minutes pass in which Kie finishes its tasks."""
    for _ in range(4):
        await house.advance_time(45)


def _assert_no_flood_and_no_double_payment(house: BotHarness) -> None:
    refused = [call for call in house.telegram.calls if call.error is not None and "Too Many" in call.error]
    assert refused == []
    assert house.kie.refused_by_rate == 0
    assert house.kie.creates_in_window() <= 20


def _answered_users(house: BotHarness, people: list[Person]) -> Counter[int]:
    return Counter(len(house.pictures(person.id)) for person in people)


async def test_an_hour_without_kie_is_caught_up_within_its_limits(house: BotHarness) -> None:
    await house.kie.stop()
    people = await _request_edits(house, 12)
    await _advance_in_steps(house, HOUR, 60)
    fetched = [call for call in house.telegram.calls if call.method == "getFile"]
    assert len(fetched) < 120, "who waits is not fetched from Telegram again and again in vain"
    await house.kie.start(int(house.kie.url.rpartition(":")[2]))
    await _advance_with_kie_working(house)
    assert _answered_users(house, people) == {1: 12}
    assert len(house.kie.tasks) == 12
    _assert_no_flood_and_no_double_payment(house)


@pytest.mark.parametrize("fault", [HTML_502, Fault(FaultKind.DISCONNECT_AFTER)], ids=["error pages", "no answers"])
async def test_an_hour_of_orders_without_a_clear_answer_leaves_few_in_doubt(house: BotHarness, fault: Fault) -> None:
    for call in CALLS[:3]:
        house.kie.faults.always(call, fault)
    people = await _request_edits(house, 14)
    await _advance_in_steps(house, HOUR, 60)
    house.kie.faults.clear()
    taken = len(house.kie.tasks)
    await _advance_with_kie_working(house)
    asked = [
        person
        for person in people
        if any(s["text"] == render_english("doubt") for s in house.progress_messages(person.id))
    ]
    assert len(asked) <= MAX_ORDERS_IN_FLIGHT
    assert _answered_users(house, people) == {0: len(asked), 1: 14 - len(asked)}
    assert len(house.kie.tasks) == 14 - len(asked) + taken, "nobody's order was repeated"
    _assert_no_flood_and_no_double_payment(house)


async def test_orders_alone_without_a_clear_answer_are_tried_less_and_less(house: BotHarness) -> None:
    house.kie.faults.always("createTask", HTML_502)
    people = await _request_edits(house, 40)
    await _advance_in_steps(house, HOUR, 60)
    asked = [
        person
        for person in people
        if any(s["text"] == render_english("doubt") for s in house.progress_messages(person.id))
    ]
    assert len(asked) <= MAX_ORDERS_IN_FLIGHT + 12


async def test_an_hour_of_too_many_requests_is_caught_up_within_the_limits(house: BotHarness) -> None:
    house.kie.faults.always("createTask", RATE_LIMITED)
    people = await _request_edits(house, 14)
    await _advance_in_steps(house, HOUR, 60)
    assert len(house.kie.calls_named("createTask")) < 100
    house.kie.faults.clear()
    await _advance_with_kie_working(house)
    assert _answered_users(house, people) == {1: 14}
    _assert_no_flood_and_no_double_payment(house)


async def test_a_day_without_telegram_loses_no_picture(house: BotHarness) -> None:
    people = await _request_edits(house, 6)
    await house.settle()
    await house.kie.wait_for(house._are_results_ready)
    await house.telegram.stop()
    await _advance_in_steps(house, 24 * HOUR, 900)
    assert await house.bot.long_poller.poll_once() > 0
    await house.telegram.start()
    await _advance_with_kie_working(house)
    assert _answered_users(house, people) == {1: 6}
    _assert_no_flood_and_no_double_payment(house)


async def test_what_is_asked_for_while_telegram_was_away_is_served_afterwards(house: BotHarness) -> None:
    house.telegram.faults.always("getUpdates", Fault(FaultKind.DISCONNECT_BEFORE))
    house.ada.send_photo(make_photo(), caption="make it snow")
    pauses = [await house.bot.long_poller.poll_once() for _ in range(8)]
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    house.telegram.faults.clear()
    await house.process_updates()
    await house.advance_time(30)
    assert len(house.pictures()) == 1


async def test_a_picture_that_was_uploaded_too_long_ago_is_uploaded_again_before_it_is_ordered(
    house: BotHarness,
) -> None:
    house.kie.faults.always("createTask", RATE_LIMITED)
    await house.request_edit(make_photo())
    await _advance_in_steps(house, 21 * HOUR, 900)
    house.kie.faults.clear()
    await _advance_with_kie_working(house)
    [first, second] = house.kie.calls_named("upload")
    assert second.at - first.at >= 20 * HOUR
    assert len(house.pictures()) == 1
