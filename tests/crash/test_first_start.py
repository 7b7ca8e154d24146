"""SIGKILL during a bot's very first start, in which it makes its database and tells Telegram its commands.

`make test` kills at some of these points, `make crash` at each.
"""

import asyncio
from pathlib import Path

import pytest

from bot.operate.menus import OFFERED
from bot.texts import languages
from tests.crash.launcher import points_in, without_doubles
from tests.crash.test_every_point import AT_ONCE, FIRST_START_DONE, LAUNCHER, Note, ends_or_says
from tests.world import a_photo, a_world


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.long), 20], ids=["every point", "some"])
async def test_a_kill_during_the_first_start_leaves_nothing_half_done(
    tmp_path: Path, step: int, record_property: Note
) -> None:
    async with a_world(tmp_path / "undisturbed") as world:
        bot = world.bot(command=LAUNCHER)
        await bot.start()
        await bot.said(FIRST_START_DONE)
        await bot.stop()
    points = without_doubles(points_in(bot.log))
    assert len(points) > len(OFFERED) * len(languages())
    record_property("a first start", f"{len(points[::step])} points")
    room = asyncio.Semaphore(AT_ONCE)
    await asyncio.gather(*(_killed_at(point, tmp_path / point.replace(" ", "-"), room) for point in points[::step]))


async def _killed_at(point: str, folder: Path, room: asyncio.Semaphore) -> None:
    async with room, a_world(folder) as world:
        doomed = world.bot(command=LAUNCHER, CRASH_AT=point)
        await doomed.start()
        await ends_or_says(doomed, FIRST_START_DONE)
        await doomed.kill()
        ada = world.telegram.person()
        ada.send_photo(a_photo(), caption="make it snow")
        bot = world.bot()
        await bot.ready()
        await world.pictures(ada.id)
        assert world.rows("PRAGMA integrity_check")[0][0] == "ok"
        assert len(world.rows("SELECT menus FROM owner WHERE menus IS NOT NULL")) == 1
