"""SIGKILL in every state, and between every commit and call of one request.

The points are those that an undisturbed run passes, so a call or a commit that
somebody adds to the bot gets its kill points by itself. Between the end of one
and the beginning of the next a single kill is enough. `make test` kills at some
points, and where an order or an answer has left; `make crash` at each.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.sandbox.telegram import LocalTelegram
from tests.crash.killable_bot import drop_equivalent_points, parse_points
from tests.process_harness import BotSubprocess, ProcessHarness, make_photo, open_process_harness

KILLABLE_COMMAND = ("-m", "tests.crash.killable_bot")

#: What somebody reads who is asked about an order in doubt.
UNCERTAIN_ORDER_QUESTION = "cannot find out"

#: Worlds side by side.
MAX_PARALLEL = 4

#: Where a call that cannot be repeated has left, and nothing is known of it yet.
ALWAYS_TESTED = frozenset({"after createTask 1", "after sendPhoto 1"})

#: What a bot logs when it has introduced itself and its commands to Telegram.
FIRST_START_DONE = "set the bot commands"

#: Notes something for the end of a run.
RecordProperty = Callable[[str, object], None]

FINAL_LOG_LINES = ("job 1: answered", "job 1: in doubt")


@dataclass(frozen=True)
class KillOutcome:
    """What the servers, which were never killed, know in the end; and what the database said at the kill."""

    point: str
    was_ordering: bool
    was_answering: bool
    orders: int
    pictures: int
    questions: int
    is_sound: bool


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.long), 12], ids=["every point", "some"])
async def test_a_kill_anywhere_loses_nothing_and_pays_nothing_twice(
    step: int, tmp_path: Path, used: Path, record_property: RecordProperty
) -> None:
    points = await _list_points(tmp_path / "undisturbed", used)
    assert ALWAYS_TESTED | {"after file-stream-upload 1", "after commit 1"} <= set(points)
    points = [point for number, point in enumerate(points) if number % step == 0 or point in ALWAYS_TESTED]
    room = asyncio.Semaphore(MAX_PARALLEL)
    truths = await asyncio.gather(
        *(_killed_at(point, tmp_path / point.replace(" ", "-"), used, room) for point in points)
    )

    asked, twice = sum(truth.questions for truth in truths), sum(truth.pictures > 1 for truth in truths)
    record_property("an edit", f"{len(truths)} points, asked {asked}, answered twice in the window {twice}")
    assert [truth for truth in truths if not truth.is_sound] == []
    assert [truth for truth in truths if truth.orders > 1] == [], "paid twice"
    # asked instead of answered only where it could not be known, and never for nothing
    assert [truth for truth in truths if truth.questions != truth.was_ordering] == []
    assert [truth for truth in truths if truth.pictures == 0 and not truth.was_ordering] == [], "lost"
    # twice is possible in the documented window, and only there
    assert [truth for truth in truths if truth.pictures > 1 + truth.was_answering] == []


async def create_used_database(folder: Path) -> Path:
    """Return the database of a bot that has done once what a first start has to do."""
    async with open_process_harness(folder) as world:
        bot = world.create_bot()
        await bot.start()
        await bot.wait_for_log_line(FIRST_START_DONE)
        await bot.stop()
        return world.database


async def _list_points(folder: Path, used: Path) -> list[str]:
    async with open_process_harness(folder) as world:
        world.copy_database_from(used)
        world.telegram.person().send_photo(make_photo(), caption="make it snow")
        bot = world.create_bot(command=KILLABLE_COMMAND)
        await bot.start()
        await bot.wait_for_log_line("job 1: answered")
        await bot.stop()
    return drop_equivalent_points(parse_points(bot.log))


async def _killed_at(point: str, folder: Path, used: Path, room: asyncio.Semaphore) -> KillOutcome:
    async with room, open_process_harness(folder) as world:
        world.copy_database_from(used)
        ada = world.telegram.person()
        ada.send_photo(make_photo(), caption="make it snow")
        doomed = world.create_bot(command=KILLABLE_COMMAND, CRASH_AT=point)
        await doomed.start()
        await wait_for_exit_or_log_line(doomed, *FINAL_LOG_LINES)
        await doomed.kill()
        at_death = read_only_job(world)
        await _finish_after_restart(world, at_death)
        if at_death is not None and at_death["state"] == "submitting":
            await world.wait_for_question(ada.id)
        await world.close()
        return _read_outcome(world, point, ada.id, at_death)


async def wait_for_exit_or_log_line(bot: BotSubprocess, *words: str) -> None:
    """Wait until the process has ended, or has logged one of these words."""
    ways = [asyncio.ensure_future(bot.wait_for_exit()), asyncio.ensure_future(bot.wait_for_log_line(*words))]
    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    for way in ways:
        way.cancel()
    await asyncio.gather(*ways, return_exceptions=True)


async def _finish_after_restart(world: ProcessHarness, at_death: sqlite3.Row | None) -> None:
    """Start the bot again and let it do what is left to do."""
    bot = world.create_bot()
    await bot.start_until_ready()
    if at_death is None or at_death["answered_at"] is None:
        await bot.wait_for_log_line(*FINAL_LOG_LINES)


def read_only_job(world: ProcessHarness) -> sqlite3.Row | None:
    """Return what the database says of the only job, None while there is none."""
    try:
        rows = world.query("SELECT state, answering_at, answered_at FROM jobs")
    except sqlite3.OperationalError:
        return None  # it was killed before there was a database
    return rows[0] if rows else None


def _count_questions(telegram: LocalTelegram, chat_id: int) -> int:
    """Count how often a person was asked what to do about an order in doubt."""
    return sum(UNCERTAIN_ORDER_QUESTION in message.get("text", "") for message in telegram.bot_messages(chat_id))


def _read_outcome(world: ProcessHarness, point: str, chat_id: int, at_death: sqlite3.Row | None) -> KillOutcome:
    messages = world.telegram.bot_messages(chat_id)
    answering = at_death is not None and at_death["answering_at"] is not None and at_death["answered_at"] is None
    return KillOutcome(
        point=point,
        was_ordering=at_death is not None and at_death["state"] == "submitting",
        was_answering=answering,
        orders=world.count_orders(),
        pictures=sum("photo" in message for message in messages),
        questions=_count_questions(world.telegram, chat_id),
        is_sound=world.query("PRAGMA integrity_check")[0][0] == "ok",
    )
