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
from bot.sandbox.telegram.people import Person
from tests.crash.launcher import points_in, without_doubles
from tests.crash.test_every_point import AT_ONCE, LAUNCHER, Note, job_of
from tests.world import PATIENCE, World, a_photo, a_world

COLOURS = ("red", "green", "blue")
COMPLETE = "before getFile 1"
QUICK = {"ALBUM_WINDOW_SECONDS": "0.2"}


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.long), 8], ids=["every point", "every eighth"])
async def test_a_kill_while_a_request_gathers_loses_nothing_of_it(
    tmp_path: Path, used: Path, step: int, record_property: Note
) -> None:
    passed = await _points(tmp_path / "undisturbed", used)
    room = asyncio.Semaphore(AT_ONCE)
    points = without_doubles(passed[: passed.index(COMPLETE)])[::step]
    assert len(points) > 8 / step
    truths = await asyncio.gather(
        *(_killed_at(point, tmp_path / point.replace(" ", "-"), used, room) for point in points)
    )
    record_property("a request that gathers", f"{len(truths) - truths.count(None)} points")
    assert [truth for truth in truths if truth is not None and truth[1:] != (1, 1, True)] == []
    assert truths.count(None) < len(truths) / 2


async def _points(folder: Path, used: Path) -> Sequence[str]:
    async with a_world(folder) as world:
        world.begin_with(used)
        bot = world.bot(command=LAUNCHER, **QUICK)
        await bot.start()
        await _ask(world)
        await bot.said("job 1: answered")
        await bot.stop()
    return points_in(bot.log)


async def _killed_at(
    point: str, folder: Path, used: Path, room: asyncio.Semaphore
) -> tuple[str, int, int, bool] | None:
    """Kill the bot at a point and start it again; return the orders and pictures, and whether all came in order.

    None when the order was under way: uploads side by side make the points differ a little from run to run.
    """
    async with room, a_world(folder) as world:
        world.begin_with(used)
        doomed = world.bot(command=LAUNCHER, CRASH_AT=point, **QUICK)
        await doomed.start()
        asking = asyncio.create_task(_ask(world))
        await doomed.ended()
        if _was_ordering(world):
            asking.cancel()
            return None
        await world.bot(**QUICK).ready()
        ada, album = await asking
        pictures = await world.pictures(ada.id)
        sent = [world.telegram.message_photo_bytes(message) for message in album]
        [task] = world.kie.tasks.values()
        return point, world.creates(), len(pictures), task.inputs == sent


async def _ask(world: World) -> tuple[Person, list[dict[str, object]]]:
    """Send an album, wait for the question, and answer it."""
    ada = world.telegram.person()
    ids = ada.send_album([a_photo(colour) for colour in COLOURS])
    await world.telegram.wait_for(lambda telegram: _is_asked(telegram, ada), PATIENCE)
    ada.send_text("make it snow")
    return ada, [message for message in world.telegram.messages(ada.id) if message["message_id"] in ids]


def _is_asked(telegram: LocalTelegram, person: Person) -> bool:
    return any("these 3 pictures" in message.get("text", "") for message in telegram.bot_messages(person.id))


def _was_ordering(world: World) -> bool:
    job = job_of(world)
    return job is not None and job["state"] == "submitting"
