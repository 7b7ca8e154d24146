"""SIGKILL while a request gathers: three pictures of an album, and words that come when the bot has asked for them.

Killed between every commit and call before the request is complete; from there
on it is a job like any other. Whatever happens, one order with the pictures in order. `make test` kills at
every eighth of these points, `make crash` at each.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.sandbox.telegram import LocalTelegram
from bot.sandbox.telegram.people_and_groups import Person
from tests.crash.killable_bot import drop_equivalent_points, parse_points
from tests.crash.test_kill_at_every_point import KILLABLE_COMMAND, MAX_PARALLEL, RecordProperty, read_only_job
from tests.process_harness import TIMEOUT_SECONDS, ProcessHarness, make_photo, open_process_harness

COLOURS = ("red", "green", "blue")
FIRST_POINT_AFTER_COLLECTING = "before getFile 1"
QUICK_SETTINGS = {"ALBUM_WINDOW_SECONDS": "0.2"}


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.long), 8], ids=["every point", "every eighth"])
async def test_a_kill_while_a_request_gathers_loses_nothing_of_it(
    tmp_path: Path, used: Path, step: int, record_property: RecordProperty
) -> None:
    passed = await _list_points(tmp_path / "undisturbed", used)
    room = asyncio.Semaphore(MAX_PARALLEL)
    points = drop_equivalent_points(passed[: passed.index(FIRST_POINT_AFTER_COLLECTING)])[::step]
    assert len(points) > 8 / step
    truths = await asyncio.gather(
        *(_killed_at(point, tmp_path / point.replace(" ", "-"), used, room) for point in points)
    )
    record_property("a request that gathers", f"{len(truths) - truths.count(None)} points")
    assert [truth for truth in truths if truth is not None and truth[1:] != (1, 1, True)] == []
    assert truths.count(None) < len(truths) / 2


async def _list_points(folder: Path, used: Path) -> Sequence[str]:
    async with open_process_harness(folder) as world:
        world.copy_database_from(used)
        bot = world.create_bot(command=KILLABLE_COMMAND, **QUICK_SETTINGS)
        await bot.start()
        await _send_request(world)
        await bot.wait_for_log_line("job 1: answered")
        await bot.stop()
    return parse_points(bot.log)


async def _killed_at(
    point: str, folder: Path, used: Path, room: asyncio.Semaphore
) -> tuple[str, int, int, bool] | None:
    """Kill the bot at a point and start it again; return the orders and pictures, and whether all came in order.

    None when the order was under way: uploads side by side make the points differ a little from run to run.
    """
    async with room, open_process_harness(folder) as world:
        world.copy_database_from(used)
        doomed = world.create_bot(command=KILLABLE_COMMAND, CRASH_AT=point, **QUICK_SETTINGS)
        await doomed.start()
        asking = asyncio.create_task(_send_request(world))
        await doomed.wait_for_exit()
        if _was_ordering(world):
            asking.cancel()
            return None
        await world.create_bot(**QUICK_SETTINGS).start_until_ready()
        ada, album = await asking
        pictures = await world.wait_for_pictures(ada.id)
        sent = [world.telegram.message_photo_bytes(message) for message in album]
        [task] = world.kie.tasks.values()
        return point, world.count_orders(), len(pictures), task.inputs == sent


async def _send_request(world: ProcessHarness) -> tuple[Person, list[dict[str, object]]]:
    """Send an album, wait for the question, and answer it."""
    ada = world.telegram.person()
    ids = ada.send_album([make_photo(colour) for colour in COLOURS])
    await world.telegram.wait_for(lambda telegram: _is_asked(telegram, ada), TIMEOUT_SECONDS)
    ada.send_text("make it snow")
    return ada, [message for message in world.telegram.messages(ada.id) if message["message_id"] in ids]


def _is_asked(telegram: LocalTelegram, person: Person) -> bool:
    return any("these 3 pictures" in message.get("text", "") for message in telegram.bot_messages(person.id))


def _was_ordering(world: ProcessHarness) -> bool:
    job = read_only_job(world)
    return job is not None and job["state"] == "submitting"
