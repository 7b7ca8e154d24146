"""SIGKILL while a request is collected: an album of three pictures, and a prompt after the bot's question.

Killed between every commit and call before the request is complete. The result must be one
order with the pictures in order. `make test` kills at every eighth of these points, `make crash` at each.
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
    tmp_path: Path, used_database: Path, step: int, record_property: RecordProperty
) -> None:
    passed = await _list_points(tmp_path / "undisturbed", used_database)
    semaphore = asyncio.Semaphore(MAX_PARALLEL)
    points = drop_equivalent_points(passed[: passed.index(FIRST_POINT_AFTER_COLLECTING)])[::step]
    assert len(points) > 8 / step
    outcomes = await asyncio.gather(
        *(_killed_at(point, tmp_path / point.replace(" ", "-"), used_database, semaphore) for point in points)
    )
    record_property("a request that gathers", f"{len(outcomes) - outcomes.count(None)} points")
    assert [outcome for outcome in outcomes if outcome is not None and outcome[1:] != (1, 1, True)] == []
    assert outcomes.count(None) < len(outcomes) / 2


async def _list_points(folder: Path, used_database: Path) -> Sequence[str]:
    async with open_process_harness(folder) as harness:
        harness.copy_database_from(used_database)
        bot = harness.create_bot(command=KILLABLE_COMMAND, **QUICK_SETTINGS)
        await bot.start()
        await _send_request(harness)
        await bot.wait_for_log_line("job 1: answered")
        await bot.stop()
    return parse_points(bot.log)


async def _killed_at(
    point: str, folder: Path, used_database: Path, semaphore: asyncio.Semaphore
) -> tuple[str, int, int, bool] | None:
    """Kill the bot at a point and restart it; return the orders and pictures, and whether they were in order.

    None when it was already ordering: concurrent uploads make the points differ a little from run to run.
    """
    async with semaphore, open_process_harness(folder) as harness:
        harness.copy_database_from(used_database)
        killed_bot = harness.create_bot(command=KILLABLE_COMMAND, CRASH_AT=point, **QUICK_SETTINGS)
        await killed_bot.start()
        asking = asyncio.create_task(_send_request(harness))
        await killed_bot.wait_for_exit()
        if _was_ordering(harness):
            asking.cancel()
            return None
        await harness.create_bot(**QUICK_SETTINGS).start_until_ready()
        ada, album = await asking
        pictures = await harness.wait_for_pictures(ada.id)
        sent = [harness.telegram.message_photo_bytes(message) for message in album]
        [task] = harness.kie.tasks.values()
        return point, harness.count_orders(), len(pictures), task.inputs == sent


async def _send_request(harness: ProcessHarness) -> tuple[Person, list[dict[str, object]]]:
    """Send an album, wait for the question, and answer it."""
    ada = harness.telegram.person()
    ids = ada.send_album([make_photo(colour) for colour in COLOURS])
    await harness.telegram.wait_for(lambda telegram: _is_asked(telegram, ada), TIMEOUT_SECONDS)
    ada.send_text("make it snow")
    return ada, [message for message in harness.telegram.messages(ada.id) if message["message_id"] in ids]


def _is_asked(telegram: LocalTelegram, person: Person) -> bool:
    return any("these 3 pictures" in message.get("text", "") for message in telegram.bot_messages(person.id))


def _was_ordering(harness: ProcessHarness) -> bool:
    job = read_only_job(harness)
    return job is not None and job["state"] == "submitting"
