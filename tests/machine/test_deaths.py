"""Deaths at points that were chosen by hand, in stories that a machine seldom makes up."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.sandbox.telegram import Person
from bot.sandbox.telegram.refusals import too_many
from tests.machine.doom import Doom, Fate
from tests.machine.life import Life, quickened
from tests.world import a_photo, rows


@pytest.fixture
async def life(tmp_path: Path) -> AsyncIterator[Life]:
    """A life that has not begun."""
    doom = Doom()
    with doom.installed(), quickened():
        opened = Life(tmp_path, doom)
        await opened.open()
        yield opened
        await opened.close()


async def _asks(life: Life) -> Person:
    ada = life.telegram.person(user_id=1001)
    ada.send_photo(a_photo(size=(48, 32)), caption="make it snow")
    await life.hear()
    await life.settle()
    return ada


def _calls(life: Life, method: str) -> int:
    return sum(call.method == method for call in life.telegram.calls)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_death_at_the_paid_call_is_never_paid_twice(life: Life, when: str) -> None:
    life.doom.awaits(Fate(when, "createTask", 1))
    await _asks(life)
    assert not life.is_alive()
    await life.pass_time(60)
    assert len(life.kie.tasks) == (when == "after")
    assert [tuple(row) for row in rows(life.path, "SELECT state, asked_at IS NULL FROM jobs")] == [("submitting", 0)]


async def test_an_answer_that_may_have_arrived_before_a_death_is_turned_however_long_telegram_wants_to_wait(
    life: Life,
) -> None:
    life.doom.awaits(Fate("after", "sendPhoto", 1))
    await _asks(life)
    await life.pass_time(10)
    assert not life.is_alive()
    life.telegram.faults.add("editMessageMedia", too_many(5), 2)
    await life.pass_time(60)
    assert (_calls(life, "sendPhoto"), _calls(life, "editMessageMedia")) == (1, 3)


async def test_nothing_of_a_dead_bot_is_stored_or_sent(life: Life) -> None:
    life.doom.awaits(Fate("before", "sendMessage", 1))
    ada = await _asks(life)
    assert life.telegram.bot_messages(ada.id) == []
    await life.settle()
    assert len(life.telegram.bot_messages(ada.id)) == 1
    assert life.births == 2
