"""SIGKILL between every commit and call of one request.

The kill points are those of an undisturbed run, so new calls and commits of the bot are
covered automatically; one kill between the end of one and the beginning of the next is
enough. `make test` kills at some points, and after each call that cannot be repeated;
`make crash` at every point.
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

#: part of the question about an uncertain order
UNCERTAIN_ORDER_QUESTION = "cannot find out"

#: how many bots run at the same time
MAX_PARALLEL = 4

#: after a call that cannot be repeated, before its result is stored
ALWAYS_TESTED = frozenset({"after createTask 1", "after sendPhoto 1"})

#: What a bot logs when it has introduced itself and its commands to Telegram.
FIRST_START_DONE = "set the bot commands"

#: records a figure for the end of the test run
RecordProperty = Callable[[str, object], None]

FINAL_LOG_LINES = ("job 1: answered", "job 1: uncertain order")


@dataclass(frozen=True)
class KillOutcome:
    """The servers' final state, and the database's state at the kill."""

    point: str
    was_ordering: bool
    was_answering: bool
    orders: int
    pictures: int
    questions: int
    is_sound: bool


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.long), 12], ids=["every point", "some"])
async def test_a_kill_anywhere_loses_nothing_and_pays_nothing_twice(
    step: int, tmp_path: Path, used_database: Path, record_property: RecordProperty
) -> None:
    points = await _list_points(tmp_path / "undisturbed", used_database)
    assert ALWAYS_TESTED | {"after file-stream-upload 1", "after commit 1"} <= set(points)
    points = [point for number, point in enumerate(points) if number % step == 0 or point in ALWAYS_TESTED]
    semaphore = asyncio.Semaphore(MAX_PARALLEL)
    outcomes = await asyncio.gather(
        *(_killed_at(point, tmp_path / point.replace(" ", "-"), used_database, semaphore) for point in points)
    )

    asked, repeated = sum(outcome.questions for outcome in outcomes), sum(outcome.pictures > 1 for outcome in outcomes)
    record_property("an edit", f"{len(outcomes)} points, asked {asked}, repeated in the window {repeated}")
    assert [outcome for outcome in outcomes if not outcome.is_sound] == []
    assert [outcome for outcome in outcomes if outcome.orders > 1] == [], "paid twice"
    # a question only for an uncertain order
    assert [outcome for outcome in outcomes if outcome.questions != outcome.was_ordering] == []
    assert [outcome for outcome in outcomes if outcome.pictures == 0 and not outcome.was_ordering] == [], "lost"
    # answers are repeated only in the documented window
    assert [outcome for outcome in outcomes if outcome.pictures > 1 + outcome.was_answering] == []


async def create_used_database(folder: Path) -> Path:
    """Return a database after a complete first start."""
    async with open_process_harness(folder) as harness:
        bot = harness.create_bot()
        await bot.start()
        await bot.wait_for_log_line(FIRST_START_DONE)
        await bot.stop()
        return harness.database


async def _list_points(folder: Path, used_database: Path) -> list[str]:
    async with open_process_harness(folder) as harness:
        harness.copy_database_from(used_database)
        harness.telegram.person().send_photo(make_photo(), caption="make it snow")
        bot = harness.create_bot(command=KILLABLE_COMMAND)
        await bot.start()
        await bot.wait_for_log_line("job 1: answered")
        await bot.stop()
    return drop_equivalent_points(parse_points(bot.log))


async def _killed_at(point: str, folder: Path, used_database: Path, semaphore: asyncio.Semaphore) -> KillOutcome:
    async with semaphore, open_process_harness(folder) as harness:
        harness.copy_database_from(used_database)
        ada = harness.telegram.person()
        ada.send_photo(make_photo(), caption="make it snow")
        killed_bot = harness.create_bot(command=KILLABLE_COMMAND, CRASH_AT=point)
        await killed_bot.start()
        await wait_for_exit_or_log_line(killed_bot, *FINAL_LOG_LINES)
        await killed_bot.kill()
        job_at_crash = read_only_job(harness)
        await _finish_after_restart(harness, job_at_crash)
        if job_at_crash is not None and job_at_crash["state"] == "submitting":
            await harness.wait_for_question(ada.id)
        await harness.close()
        return _read_outcome(harness, point, ada.id, job_at_crash)


async def wait_for_exit_or_log_line(bot: BotSubprocess, *words: str) -> None:
    """Wait until the process has ended, or has logged one of these texts."""
    ways = [asyncio.ensure_future(bot.wait_for_exit()), asyncio.ensure_future(bot.wait_for_log_line(*words))]
    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    for way in ways:
        way.cancel()
    await asyncio.gather(*ways, return_exceptions=True)


async def _finish_after_restart(harness: ProcessHarness, job_at_crash: sqlite3.Row | None) -> None:
    """Start the bot again and let it finish its work."""
    bot = harness.create_bot()
    await bot.start_until_ready()
    if job_at_crash is None or job_at_crash["answered_at"] is None:
        await bot.wait_for_log_line(*FINAL_LOG_LINES)


def read_only_job(harness: ProcessHarness) -> sqlite3.Row | None:
    """Return the only job, None while there is none."""
    try:
        rows = harness.query("SELECT state, answering_at, answered_at FROM jobs")
    except sqlite3.OperationalError:
        return None  # it was killed before there was a database
    return rows[0] if rows else None


def _count_questions(telegram: LocalTelegram, chat_id: int) -> int:
    """Count the questions about an uncertain order in a chat."""
    return sum(UNCERTAIN_ORDER_QUESTION in message.get("text", "") for message in telegram.bot_messages(chat_id))


def _read_outcome(harness: ProcessHarness, point: str, chat_id: int, job_at_crash: sqlite3.Row | None) -> KillOutcome:
    messages = harness.telegram.bot_messages(chat_id)
    answering = (
        job_at_crash is not None and job_at_crash["answering_at"] is not None and job_at_crash["answered_at"] is None
    )
    return KillOutcome(
        point=point,
        was_ordering=job_at_crash is not None and job_at_crash["state"] == "submitting",
        was_answering=answering,
        orders=harness.count_orders(),
        pictures=sum("photo" in message for message in messages),
        questions=_count_questions(harness.telegram, chat_id),
        is_sound=harness.query("PRAGMA integrity_check")[0][0] == "ok",
    )
