"""Looks at a running task: those that find nothing cost nothing, and the one that finds the end goes by the row."""

from pathlib import Path

import pytest

from bot.job import Reason, State
from tests.group import friends
from tests.house import House, a_house
from tests.world import a_photo

#: Seconds that a task takes here; by then it was looked at several times.
LONG = 25.0

SLOW = {"duration": lambda: LONG}


def _looks(house: House) -> int:
    return len(house.kie.called("recordInfo"))


async def test_a_look_that_finds_nothing_new_asks_the_database_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_house(tmp_path, kie=SLOW) as house:
        await house.ask(a_photo())
        while _looks(house) < 1:
            await house.pass_time(1)
        seen = _looks(house)
        with monkeypatch.context() as patch:
            patch.setattr(house.bot.db, "unit", None)  # whoever asks for anything fails
            assert await house.bot.worker._steps.watch.look(1) is not None
        assert _looks(house) == seen + 1
        await house.pass_time(LONG + 10)
        assert len(house.pictures()) == 1


async def test_a_group_that_moves_between_two_looks_gets_its_answer_where_it_is(tmp_path: Path) -> None:
    async with a_house(tmp_path, kie=SLOW) as house:
        here = friends(house, -5)
        here.ada.send_photo(a_photo(), caption="/edit make it snow", chat=here.group)
        await here.hear()
        while _looks(house) < 2:
            await house.pass_time(1)
        here.group = here.group.migrate(here.ada.user)
        [answer] = await here.answered()
        assert answer["chat"]["id"] == here.group.id
        assert (await house.job()).state is State.SUCCEEDED


async def test_what_was_erased_between_two_looks_stays_erased(tmp_path: Path) -> None:
    async with a_house(tmp_path, kie=SLOW) as house:
        await house.ask(a_photo())
        while _looks(house) < 2:
            await house.pass_time(1)
        house.ada.send_text("/delete")
        await house.hear()
        question = [m for m in house.telegram.bot_messages(house.ada.id) if "reply_markup" in m][-1]
        house.ada.press(question["message_id"], "Delete everything")
        await house.hear()
        job = await house.job()
        await house.pass_time(LONG + 10)
        assert house.pictures() == []
        assert await house.job() == job
        assert job.reason is Reason.DELETED
