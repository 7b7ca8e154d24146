"""SIGKILL during the first start, in which the bot creates its database and sets its commands.

`make test` kills at some of these points, `make crash` at each.
"""

import asyncio
from pathlib import Path

import pytest

from bot.i18n import languages
from bot.ops.bot_commands import OFFERED_COMMANDS
from tests.crash.killable_bot import drop_equivalent_points, parse_points
from tests.crash.test_kill_at_every_point import (
    FIRST_START_DONE,
    KILLABLE_COMMAND,
    MAX_PARALLEL,
    RecordProperty,
    wait_for_exit_or_log_line,
)
from tests.process_harness import make_photo, open_process_harness


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.long), 20], ids=["every point", "some"])
async def test_a_kill_during_the_first_start_leaves_nothing_half_done(
    tmp_path: Path, step: int, record_property: RecordProperty
) -> None:
    async with open_process_harness(tmp_path / "undisturbed") as harness:
        bot = harness.create_bot(command=KILLABLE_COMMAND)
        await bot.start()
        await bot.wait_for_log_line(FIRST_START_DONE)
        await bot.stop()
    points = drop_equivalent_points(parse_points(bot.log))
    assert len(points) > len(OFFERED_COMMANDS) * len(languages())
    record_property("a first start", f"{len(points[::step])} points")
    semaphore = asyncio.Semaphore(MAX_PARALLEL)
    await asyncio.gather(
        *(_killed_at(point, tmp_path / point.replace(" ", "-"), semaphore) for point in points[::step])
    )


async def _killed_at(point: str, folder: Path, semaphore: asyncio.Semaphore) -> None:
    async with semaphore, open_process_harness(folder) as harness:
        killed_bot = harness.create_bot(command=KILLABLE_COMMAND, CRASH_AT=point)
        await killed_bot.start()
        await wait_for_exit_or_log_line(killed_bot, FIRST_START_DONE)
        await killed_bot.kill()
        ada = harness.telegram.person()
        ada.send_photo(make_photo(), caption="make it snow")
        bot = harness.create_bot()
        await bot.start_until_ready()
        await harness.wait_for_pictures(ada.id)
        assert harness.query("PRAGMA integrity_check")[0][0] == "ok"
        assert (
            len(harness.query("SELECT command_menus_digest FROM bot_identity WHERE command_menus_digest IS NOT NULL"))
            == 1
        )
