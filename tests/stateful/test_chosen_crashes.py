"""Deaths at points that were chosen by hand, in stories that a machine seldom makes up."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.sandbox.telegram import Person
from bot.sandbox.telegram.errors import too_many_requests
from tests.process_harness import make_photo, query_database
from tests.stateful.crashable_bot import CrashableBot, skip_certificate_loading
from tests.stateful.simulated_crash import CrashPoint, SimulatedCrash


@pytest.fixture
async def life(tmp_path: Path) -> AsyncIterator[CrashableBot]:
    """A life that has not begun."""
    doom = SimulatedCrash()
    with doom.installed(), skip_certificate_loading():
        opened = CrashableBot(tmp_path, doom)
        await opened.open()
        yield opened
        await opened.close()


async def _request_edit(life: CrashableBot) -> Person:
    ada = life.telegram.person(user_id=1001)
    ada.send_photo(make_photo(size=(48, 32)), caption="make it snow")
    await life.process_updates()
    await life.settle()
    return ada


def _count_calls(life: CrashableBot, method: str) -> int:
    return sum(call.method == method for call in life.telegram.calls)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_death_at_the_paid_call_is_never_paid_twice(life: CrashableBot, when: str) -> None:
    life.crash.schedule(CrashPoint(when, "createTask", 1))
    await _request_edit(life)
    assert not life.is_running()
    await life.advance_time(60)
    assert len(life.kie.tasks) == (when == "after")
    assert [tuple(row) for row in query_database(life.path, "SELECT state, asked_at IS NULL FROM jobs")] == [
        ("submitting", 0)
    ]


async def test_an_answer_that_may_have_arrived_before_a_death_is_turned_however_long_telegram_wants_to_wait(
    life: CrashableBot,
) -> None:
    life.crash.schedule(CrashPoint("after", "sendPhoto", 1))
    await _request_edit(life)
    await life.advance_time(10)
    assert not life.is_running()
    life.telegram.faults.add("editMessageMedia", too_many_requests(5), 2)
    await life.advance_time(60)
    assert (_count_calls(life, "sendPhoto"), _count_calls(life, "editMessageMedia")) == (1, 3)


async def test_nothing_of_a_dead_bot_is_stored_or_sent(life: CrashableBot) -> None:
    life.crash.schedule(CrashPoint("before", "sendMessage", 1))
    ada = await _request_edit(life)
    assert life.telegram.bot_messages(ada.id) == []
    await life.settle()
    assert len(life.telegram.bot_messages(ada.id)) == 1
    assert life.start_count == 2
