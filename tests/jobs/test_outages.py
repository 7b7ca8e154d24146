"""An hour without Kie and a day without Telegram: nothing is lost, and nobody is flooded when they are back."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.jobs.gates import MOST_UNDER_WAY
from bot.sandbox.faults import HTML_502, Fault, Kind
from bot.sandbox.telegram import Person
from tests.house import House, a_house
from tests.world import a_photo, english

HOUR = 3600.0

#: Too often, as Kie says it.
TOO_OFTEN = Fault(Kind.ANSWER, status=200, body=b'{"code": 429, "msg": "frequency too high"}')

CALLS = ("createTask", "recordInfo", "credit", "upload", "result")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A bot whose Telegram refuses whatever comes faster than it allows."""
    async with a_house(tmp_path, kie={"credits": 10_000.0}) as opened:
        opened.telegram.cloud.enforce_limits = True
        yield opened


async def _asked(house: House, count: int) -> list[Person]:
    """Let so many people ask for something."""
    people = [house.telegram.person(user_id=5000 + number) for number in range(count)]
    photo = a_photo(size=(16, 16))
    for person in people:
        person.send_photo(photo, caption="make it snow")
    await house.receive()
    return people


async def _pass(house: House, seconds: float, step: float) -> None:
    """Let time pass in which nothing moves but the bot's own tries."""
    for _ in range(round(seconds / step)):
        await house.turn()
        house.clock.now += step
    await house.turn()


async def _recover(house: House) -> None:
    """Let some minutes pass, in which Kie really makes what was ordered."""
    for _ in range(4):
        await house.pass_time(45)


def _all_is_well(house: House) -> None:
    """Nobody was flooded, and nothing was paid twice."""
    refused = [call for call in house.telegram.calls if call.error is not None and "Too Many" in call.error]
    assert refused == []
    assert house.kie.refused_by_rate == 0
    assert house.kie.creates_in_window() <= 20


def _answered(house: House, people: list[Person]) -> Counter[int]:
    return Counter(len(house.pictures(person.id)) for person in people)


async def test_an_hour_without_kie_is_caught_up_within_its_limits(house: House) -> None:
    await house.kie.stop()
    people = await _asked(house, 12)
    await _pass(house, HOUR, 60)
    fetched = [call for call in house.telegram.calls if call.method == "getFile"]
    assert len(fetched) < 120, "who waits is not fetched from Telegram again and again in vain"
    await house.kie.start(int(house.kie.url.rpartition(":")[2]))
    await _recover(house)
    assert _answered(house, people) == {1: 12}
    assert len(house.kie.tasks) == 12
    _all_is_well(house)


@pytest.mark.parametrize("fault", [HTML_502, Fault(Kind.CUT_AFTER)], ids=["error pages", "no answers"])
async def test_an_hour_of_orders_without_a_clear_answer_leaves_few_in_doubt(house: House, fault: Fault) -> None:
    for call in CALLS[:3]:
        house.kie.faults.always(call, fault)
    people = await _asked(house, 14)
    await _pass(house, HOUR, 60)
    house.kie.faults.clear()
    taken = len(house.kie.tasks)
    await _recover(house)
    asked = [person for person in people if any(s["text"] == english("doubt") for s in house.statuses(person.id))]
    assert len(asked) <= MOST_UNDER_WAY
    assert _answered(house, people) == {0: len(asked), 1: 14 - len(asked)}
    assert len(house.kie.tasks) == 14 - len(asked) + taken, "nobody's order was repeated"
    _all_is_well(house)


async def test_orders_alone_without_a_clear_answer_are_tried_less_and_less(house: House) -> None:
    house.kie.faults.always("createTask", HTML_502)
    people = await _asked(house, 40)
    await _pass(house, HOUR, 60)
    asked = [person for person in people if any(s["text"] == english("doubt") for s in house.statuses(person.id))]
    assert len(asked) <= MOST_UNDER_WAY + 12


async def test_an_hour_of_too_many_requests_is_caught_up_within_the_limits(house: House) -> None:
    house.kie.faults.always("createTask", TOO_OFTEN)
    people = await _asked(house, 14)
    await _pass(house, HOUR, 60)
    assert len(house.kie.called("createTask")) < 100
    house.kie.faults.clear()
    await _recover(house)
    assert _answered(house, people) == {1: 14}
    _all_is_well(house)


async def test_a_day_without_telegram_loses_no_picture(house: House) -> None:
    people = await _asked(house, 6)
    await house.settle()
    await house.kie.wait_for(house._pictures_are_made)
    await house.telegram.stop()
    await _pass(house, 24 * HOUR, 900)
    assert await house.bot.poll.once() > 0
    await house.telegram.start()
    await _recover(house)
    assert _answered(house, people) == {1: 6}
    _all_is_well(house)


async def test_what_is_asked_for_while_telegram_was_away_is_served_afterwards(house: House) -> None:
    house.telegram.faults.always("getUpdates", Fault(Kind.CUT_BEFORE))
    house.ada.send_photo(a_photo(), caption="make it snow")
    pauses = [await house.bot.poll.once() for _ in range(8)]
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    house.telegram.faults.clear()
    await house.hear()
    await house.pass_time(30)
    assert len(house.pictures()) == 1


async def test_a_picture_that_was_uploaded_too_long_ago_is_uploaded_again_before_it_is_ordered(house: House) -> None:
    house.kie.faults.always("createTask", TOO_OFTEN)
    await house.ask(a_photo())
    await _pass(house, 21 * HOUR, 900)
    house.kie.faults.clear()
    await _recover(house)
    [first, second] = house.kie.called("upload")
    assert second.at - first.at >= 20 * HOUR
    assert len(house.pictures()) == 1
