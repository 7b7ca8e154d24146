"""Polls of a running task: unless something has changed they read no row, and then they read the current one."""

from pathlib import Path

import pytest

from bot.job import FailureReason, State
from tests.bot_harness import BotHarness, open_bot_harness
from tests.group_harness import create_group
from tests.process_harness import make_photo

#: Seconds that a task takes here, long enough for several polls.
TASK_SECONDS = 25.0

SLOW_KIE = {"duration": lambda: TASK_SECONDS}


def _count_polls(house: BotHarness) -> int:
    return len(house.kie.calls_named("recordInfo"))


async def test_a_look_that_finds_nothing_new_asks_the_database_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_bot_harness(tmp_path, kie=SLOW_KIE) as house:
        await house.request_edit(make_photo())
        while _count_polls(house) < 1:
            await house.advance_time(1)
        seen = _count_polls(house)
        with monkeypatch.context() as patch:
            patch.setattr(house.bot.db, "transact", None)  # any transaction fails
            assert await house.bot.worker._steps.task_poller.poll(1) is not None
        assert _count_polls(house) == seen + 1
        await house.advance_time(TASK_SECONDS + 10)
        assert len(house.pictures()) == 1


async def test_a_group_that_moves_between_two_looks_gets_its_answer_where_it_is(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, kie=SLOW_KIE) as house:
        here = create_group(house, -5)
        here.ada.send_photo(make_photo(), caption="/edit make it snow", chat=here.group)
        await here.process_updates()
        while _count_polls(house) < 2:
            await house.advance_time(1)
        here.group = here.group.migrate(here.ada.user)
        [answer] = await here.finish_edits()
        assert answer["chat"]["id"] == here.group.id
        assert (await house.read_job()).state is State.SUCCEEDED


async def test_what_was_erased_between_two_looks_stays_erased(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, kie=SLOW_KIE) as house:
        await house.request_edit(make_photo())
        while _count_polls(house) < 2:
            await house.advance_time(1)
        house.ada.send_text("/delete")
        await house.process_updates()
        question = [m for m in house.telegram.bot_messages(house.ada.id) if "reply_markup" in m][-1]
        house.ada.press_button(question["message_id"], "Delete everything")
        await house.process_updates()
        job = await house.read_job()
        await house.advance_time(TASK_SECONDS + 10)
        assert house.pictures() == []
        assert await house.read_job() == job
        assert job.reason is FailureReason.DELETED
