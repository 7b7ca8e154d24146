"""Crashes at points that generated runs rarely reach."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.sandbox.telegram import Person
from bot.sandbox.telegram.errors import too_many_requests
from tests.process_harness import make_photo, query_database
from tests.stateful.crashable_bot import CrashableBot, skip_certificate_loading
from tests.stateful.simulated_crash import CrashPoint, SimulatedCrash


@pytest.fixture
async def bot(tmp_path: Path) -> AsyncIterator[CrashableBot]:
    """A bot that was not started yet."""
    crash = SimulatedCrash()
    with crash.installed(), skip_certificate_loading():
        opened = CrashableBot(tmp_path, crash)
        await opened.open()
        yield opened
        await opened.close()


async def _request_edit(bot: CrashableBot) -> Person:
    ada = bot.telegram.person(user_id=1001)
    ada.send_photo(make_photo(size=(48, 32)), caption="make it snow")
    await bot.process_updates()
    await bot.settle()
    return ada


def _count_calls(bot: CrashableBot, method: str) -> int:
    return sum(call.method == method for call in bot.telegram.calls)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_crash_at_the_paid_call_never_pays_twice(bot: CrashableBot, when: str) -> None:
    bot.crash.schedule(CrashPoint(when, "createTask", 1))
    await _request_edit(bot)
    assert not bot.is_running()
    await bot.advance_time(60)
    assert len(bot.kie.tasks) == (when == "after")
    assert [tuple(row) for row in query_database(bot.path, "SELECT state, asked_at IS NULL FROM jobs")] == [
        ("submitting", 0)
    ]


async def test_an_answer_that_may_have_arrived_before_a_crash_is_given_by_an_edit_even_after_long_flood_waits(
    bot: CrashableBot,
) -> None:
    bot.crash.schedule(CrashPoint("after", "sendPhoto", 1))
    await _request_edit(bot)
    await bot.advance_time(10)
    assert not bot.is_running()
    bot.telegram.faults.add("editMessageMedia", too_many_requests(5), 2)
    await bot.advance_time(60)
    assert (_count_calls(bot, "sendPhoto"), _count_calls(bot, "editMessageMedia")) == (1, 3)


async def test_a_crashed_bot_stores_and_sends_nothing(bot: CrashableBot) -> None:
    bot.crash.schedule(CrashPoint("before", "sendMessage", 1))
    ada = await _request_edit(bot)
    assert bot.telegram.bot_messages(ada.id) == []
    await bot.settle()
    assert len(bot.telegram.bot_messages(ada.id)) == 1
    assert bot.start_count == 2
