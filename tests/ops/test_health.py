"""Readiness: each condition is really checked, and named when it fails."""

import asyncio
import resource
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.inbound import long_polling, telegram_webhook
from bot.ops.health import CONDITIONS, DATABASE, RECEIVER, WORKER, WRITE_CHECK_TTL, WriteCheck
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.store.migrations import read_schema_version
from tests.bot_harness import BotHarness, open_bot_harness

#: Seconds for which a part lives: longer than any test.
TIMEOUT_SECONDS = 100.0


@asynccontextmanager
async def _run_parts(house: BotHarness) -> AsyncIterator[BotHarness]:
    """Let the bot's parts seem to be alive."""
    part = asyncio.create_task(asyncio.sleep(TIMEOUT_SECONDS))
    house.bot.health.tasks.append(part)
    yield house
    part.cancel()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[BotHarness]:
    """A bot whose HTTP server is open, and whose parts are alive."""
    async with open_bot_harness(tmp_path, is_called=True) as opened, _run_parts(opened):
        yield opened


async def _get_readiness(house: BotHarness) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as http, http.get(f"{house.reverse_proxy.upstream}/readyz") as answer:
        return answer.status, await answer.json()


async def _missing_parts(house: BotHarness) -> list[str]:
    """Return the failed conditions, and check that the response says nothing more."""
    status, body = await _get_readiness(house)
    assert body == {"ready": status == 200, "missing": body["missing"]}
    assert set(body["missing"]) <= set(CONDITIONS)
    assert (status == 200) == (body["missing"] == [])
    return list(body["missing"])


async def test_a_bot_that_has_everything_is_ready(house: BotHarness) -> None:
    assert await _missing_parts(house) == []


async def test_a_bot_that_does_not_serve_yet_says_what_it_waits_for(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, is_called=True) as house:
        assert await _missing_parts(house) == [WORKER]


async def test_a_telegram_that_does_not_answer_the_receiver_is_noticed_and_so_is_its_return(house: BotHarness) -> None:
    house.clock.now += long_polling.MAX_SILENCE - 1
    assert await _missing_parts(house) == []
    house.telegram.faults.add("getUpdates", Fault(FaultKind.DISCONNECT_BEFORE))
    await house.bot.long_poller.poll_once()
    house.clock.now += 1
    assert await _missing_parts(house) == [RECEIVER]
    house.ada.send_text("/help")
    await house.bot.long_poller.poll_once()
    assert await _missing_parts(house) == []


async def test_a_part_that_has_died_is_noticed(house: BotHarness) -> None:
    house.bot.health.tasks[0].cancel()
    await asyncio.wait(house.bot.health.tasks)
    assert await _missing_parts(house) == [WORKER]


@pytest.mark.parametrize("part", ["worker", "dispatcher"])
async def test_a_part_that_hangs_is_noticed(house: BotHarness, part: str) -> None:
    getattr(house.bot, part).hang_deadline = house.clock.now - 1
    assert await _missing_parts(house) == [WORKER]


@contextmanager
def _simulate_full_disk() -> Iterator[None]:
    """Keep the files of this process from growing, which looks like a full disk to SQLite."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


async def test_a_full_disk_is_noticed_and_so_is_that_there_is_room_again(house: BotHarness) -> None:
    with _simulate_full_disk():
        assert await _missing_parts(house) == [DATABASE]
    assert await _missing_parts(house) == [DATABASE], "it is believed for a few seconds, because strangers may ask"
    house.clock.now += WRITE_CHECK_TTL
    assert await _missing_parts(house) == []


async def test_a_file_that_has_become_read_only_is_noticed(house: BotHarness) -> None:
    await house.bot.db.transact(lambda tx: tx.bot_identity._db.execute("PRAGMA query_only = ON"))
    assert await _missing_parts(house) == [DATABASE]


async def test_what_is_written_for_the_try_changes_nothing(house: BotHarness) -> None:
    wal = Path(f"{house.bot.settings.database_path}-wal")
    assert await house.bot.db.scrub()
    size, version = wal.stat().st_size, await house.bot.db.transact(lambda tx: read_schema_version(tx.snapshots._db))
    assert await _missing_parts(house) == []
    written = wal.stat().st_size
    assert written > size
    assert await house.bot.db.transact(lambda tx: read_schema_version(tx.snapshots._db)) == version
    assert await house.bot.db.scrub()
    assert wal.stat().st_size == written, "nothing has to be written anew for it"


async def test_a_disk_that_hangs_counts_as_one_that_cannot_be_written_to(house: BotHarness) -> None:
    released, clock, tries = threading.Event(), house.clock, []

    async def write() -> None:
        tries.append(await house.bot.db.transact(lambda _: released.wait(20)))

    writable = WriteCheck(write, monotonic=clock, timeout=0.02)
    assert [await writable() for _ in range(3)] == [False] * 3
    released.set()
    await house.bot.db.transact(lambda _: None)
    assert await writable()
    assert len(tries) == 1, "nobody piles up behind it"


async def test_whoever_asks_often_has_nothing_written_each_time() -> None:
    tries, now = [], [0.0]

    async def write() -> None:
        tries.append(now[0])

    writable = WriteCheck(write, monotonic=lambda: now[0])
    for moment in (0.0, 1.0, WRITE_CHECK_TTL - 1, WRITE_CHECK_TTL, WRITE_CHECK_TTL + 1):
        now[0] = moment
        assert await writable()
    assert tries == [0.0, WRITE_CHECK_TTL]


@pytest.fixture
async def hooked(tmp_path: Path) -> AsyncIterator[BotHarness]:
    """A bot with a webhook."""
    async with open_bot_harness(tmp_path, is_called=True, telegram_updates="webhook") as opened, _run_parts(opened):
        assert opened.bot.webhook is not None
        await opened.bot.webhook.register()
        yield opened


async def test_a_webhook_about_which_telegram_says_nothing_any_more_is_noticed(hooked: BotHarness) -> None:
    assert hooked.bot.webhook is not None
    hooked.clock.now += telegram_webhook.MAX_SILENCE - 1
    assert await _missing_parts(hooked) == []
    hooked.telegram.faults.add("getWebhookInfo", Fault(FaultKind.DISCONNECT_BEFORE))
    await hooked.bot.webhook.check()
    hooked.clock.now += 1
    assert await _missing_parts(hooked) == [RECEIVER]
    await hooked.bot.webhook.check()
    assert await _missing_parts(hooked) == []


async def test_a_webhook_through_which_nothing_comes_is_noticed(hooked: BotHarness) -> None:
    hook, door = hooked.bot.webhook, hooked.reverse_proxy.upstream
    assert hook is not None
    hooked.reverse_proxy.upstream = None  # the reverse proxy does not reach the bot
    hooked.ada.send_text("/help")
    await hooked.telegram.wait_for(lambda telegram: "last_error_date" in (telegram.state.webhook or {}), 10)
    hooked.clock.now += telegram_webhook.MAX_SILENCE
    await hook.check()
    hooked.reverse_proxy.upstream = door
    assert await _missing_parts(hooked) == [RECEIVER]
