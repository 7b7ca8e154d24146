"""A full disk, a read-only file or a damaged one: the error is clear, and users get no wrong information."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from bot.__main__ import _log_fatal_error
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.settings import CannotRun
from bot.store.database import Database, StoreError, Transaction
from tests.bot_harness import BotHarness, open_bot_harness
from tests.process_harness import make_photo, open_process_harness, render_english
from tests.store.sample_requests import NOON

DISK_FULL_REMEDY = "make room on the disk"
UNWRITABLE_REMEDY = "let this user write the file and its folder"
DAMAGED_REMEDY = "put back a backup"

#: Too long for the free space of a page.
LONG_PROMPT = "make it snow " * 300


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[BotHarness]:
    """The bot with its usual settings."""
    async with open_bot_harness(tmp_path) as opened:
        yield opened


def _simulate_full_disk(tx: Transaction) -> None:
    """Keep the file from growing, as a full disk does."""
    pages = tx.jobs._db.execute("PRAGMA page_count").fetchone()[0]
    tx.jobs._db.execute(f"PRAGMA max_page_count = {pages}")


def _make_read_only(tx: Transaction) -> None:
    """Refuse writes, as to a read-only file."""
    tx.jobs._db.execute("PRAGMA query_only = ON")


def _damage_page(path: Path, name: str) -> None:
    """Overwrite the first page of a table or an index in a closed database."""
    db = sqlite3.connect(path)
    [(page,)] = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchall()
    db.close()
    content = bytearray(path.read_bytes())
    content[4096 * (page - 1) : 4096 * page] = b"\xa5" * 4096
    path.write_bytes(content)


async def _send_until_failure(house: BotHarness) -> str:
    """Let Ada send images until the bot cannot store them; return the error."""
    for _ in range(20):
        house.ada.send_photo(make_photo(size=(16, 16)), caption=LONG_PROMPT[:900])
        try:
            await house.receive_updates()
            await house.settle()
        except (StoreError, ExceptionGroup) as error:
            return str(error.exceptions[0] if isinstance(error, ExceptionGroup) else error)
    raise AssertionError("it could keep everything")


def _jobs(house: BotHarness) -> int:
    with sqlite3.connect(f"file:{house.bot.settings.database_path}?mode=ro", uri=True) as db:
        [(count,)] = db.execute("SELECT count(*) FROM jobs").fetchall()
    db.close()
    return int(count)


@pytest.mark.parametrize(
    ("fault", "remedy"), [(_simulate_full_disk, DISK_FULL_REMEDY), (_make_read_only, UNWRITABLE_REMEDY)]
)
async def test_what_could_not_be_kept_was_not_confirmed_and_is_done_when_it_can(
    house: BotHarness, fault: Callable[[Transaction], None], remedy: str
) -> None:
    await house.bot.db.transact(fault)
    assert remedy in await _send_until_failure(house)
    assert len(house.progress_messages()) <= _jobs(house), "nobody was told that something was accepted which was not"
    asked_for = [
        message for message in house.telegram.state.chats[house.ada.id].messages.values() if "photo" in message
    ]
    await house.restart()
    await house.process_updates()
    for _ in range(3):
        await house.advance_time(30)
    # if the disk was full when Kie was called, it is unknown whether it accepted the order
    questions = [message for message in house.progress_messages() if message["text"] == render_english("doubt")]
    assert len(house.pictures()) + len(questions) == len(asked_for)
    assert len(questions) <= 1


@pytest.mark.parametrize(
    ("fault", "remedy"), [(_simulate_full_disk, DISK_FULL_REMEDY), (_make_read_only, UNWRITABLE_REMEDY)]
)
async def test_a_bot_whose_disk_fails_ends_with_a_reason_and_asks_for_a_restart(
    house: BotHarness, fault: Callable[[Transaction], None], remedy: str, caplog: pytest.LogCaptureFixture
) -> None:
    house.telegram.faults.add("getMe", Fault(FaultKind.DISCONNECT_BEFORE), 50)
    serving = asyncio.create_task(house.bot._run_parts(asyncio.Event()))
    await house.telegram.wait_for(lambda telegram: any(c.method == "getUpdates" for c in telegram.calls), 10)
    with suppress(StoreError):
        await house.bot.db.transact(fault)
    for _ in range(20):
        house.ada.send_photo(make_photo(size=(16, 16)), caption=LONG_PROMPT[:900])
    with pytest.raises((StoreError, ExceptionGroup)) as failed:
        await serving
    assert _log_fatal_error(failed.value) == 1
    last = caplog.records[-1].getMessage()
    assert "DATABASE_PATH" in last
    assert remedy in last


async def test_a_file_that_is_damaged_while_the_bot_runs_is_named_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "darkroom.db"
    await (await Database.open(str(path))).close()
    _damage_page(path, "inbox_handled")
    db = await Database.open(str(path))  # the damage is not in what is read first, so it is not noticed yet
    with pytest.raises(StoreError, match=rf"DATABASE_PATH .*{DAMAGED_REMEDY}"):
        await db.transact(lambda tx: tx.clock_shift.shift_due_times(NOON))
    await db.close()


async def test_a_place_where_nothing_can_be_written_is_named_with_a_remedy() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("there is no /proc")
    with pytest.raises(CannotRun, match=r"DATABASE_PATH /proc/darkroom.db cannot be written .*: name another file"):
        await Database.open("/proc/darkroom.db")


async def test_a_disk_that_is_full_at_the_start_is_named_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.store.database.PRAGMAS", ("PRAGMA max_page_count = 3",))
    with pytest.raises(CannotRun, match=rf"DATABASE_PATH .*{DISK_FULL_REMEDY}"):
        await Database.open(str(tmp_path / "darkroom.db"))


async def test_a_damaged_file_ends_the_start_with_one_line_and_code_2(tmp_path: Path) -> None:
    async with open_process_harness(tmp_path) as world:
        bot = world.create_bot()
        world.database.parent.mkdir()
        world.database.write_bytes(b"SQLite format 3\x00" + b"\xa5" * 8000)
        await bot.start()
        assert await bot.wait_for_exit() == 2
        last = bot.log.splitlines()[-1]
        assert "DATABASE_PATH" in last
        assert DAMAGED_REMEDY in last
