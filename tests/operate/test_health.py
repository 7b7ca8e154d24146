"""Whether the bot can serve: each thing that has to be there is looked at for real, and named when it is missing."""

import asyncio
import resource
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.doors import poll, webhook
from bot.operate.health import BELIEVED, CONDITIONS, DATABASE, RECEIVER, WORKER, Writable
from bot.sandbox.faults import Fault, Kind
from bot.store.migrations import known_version
from tests.house import House, a_house

#: Seconds for which a part lives here, which is longer than any test.
PATIENCE = 100.0


@asynccontextmanager
async def _living(house: House) -> AsyncIterator[House]:
    """Let a bot's parts live, as far as health can see."""
    part = asyncio.create_task(asyncio.sleep(PATIENCE))
    house.bot.health.parts.append(part)
    yield house
    part.cancel()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A bot whose door is open, and whose parts live."""
    async with a_house(tmp_path, is_called=True) as opened, _living(opened):
        yield opened


async def _asked(house: House) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as http, http.get(f"{house.front.door}/readyz") as answer:
        return answer.status, await answer.json()


async def _missing(house: House) -> list[str]:
    """Return what a stranger reads; the words are always the same, and an answer without a fault says nothing more."""
    status, body = await _asked(house)
    assert body == {"ready": status == 200, "missing": body["missing"]}
    assert set(body["missing"]) <= set(CONDITIONS)
    assert (status == 200) == (body["missing"] == [])
    return list(body["missing"])


async def test_a_bot_that_has_everything_is_ready(house: House) -> None:
    assert await _missing(house) == []


async def test_a_bot_that_does_not_serve_yet_says_what_it_waits_for(tmp_path: Path) -> None:
    async with a_house(tmp_path, is_called=True) as house:
        assert await _missing(house) == [WORKER]


async def test_a_telegram_that_does_not_answer_the_receiver_is_noticed_and_so_is_its_return(house: House) -> None:
    house.clock.now += poll.FRESH_FOR - 1
    assert await _missing(house) == []
    house.telegram.faults.add("getUpdates", Fault(Kind.CUT_BEFORE))
    await house.bot.poll.once()
    house.clock.now += 1
    assert await _missing(house) == [RECEIVER]
    house.ada.send_text("/help")
    await house.bot.poll.once()
    assert await _missing(house) == []


async def test_a_part_that_has_died_is_noticed(house: House) -> None:
    house.bot.health.parts[0].cancel()
    await asyncio.wait(house.bot.health.parts)
    assert await _missing(house) == [WORKER]


@pytest.mark.parametrize("part", ["worker", "intake"])
async def test_a_part_that_hangs_is_noticed(house: House, part: str) -> None:
    getattr(house.bot, part).late_at = house.clock.now - 1
    assert await _missing(house) == [WORKER]


@contextmanager
def _full_disk() -> Iterator[None]:
    """Let no file of this process grow, which is how a full disk looks to SQLite."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


async def test_a_full_disk_is_noticed_and_so_is_that_there_is_room_again(house: House) -> None:
    with _full_disk():
        assert await _missing(house) == [DATABASE]
    assert await _missing(house) == [DATABASE], "it is believed for a few seconds, because strangers may ask"
    house.clock.now += BELIEVED
    assert await _missing(house) == []


async def test_a_file_that_has_become_read_only_is_noticed(house: House) -> None:
    await house.bot.db.unit(lambda tx: tx.owner._db.execute("PRAGMA query_only = ON"))
    assert await _missing(house) == [DATABASE]


async def test_what_is_written_for_the_try_changes_nothing(house: House) -> None:
    wal = Path(f"{house.bot.settings.database_path}-wal")
    assert await house.bot.db.scrub()
    size, version = wal.stat().st_size, await house.bot.db.unit(lambda tx: known_version(tx.sight._db))
    assert await _missing(house) == []
    written = wal.stat().st_size
    assert written > size
    assert await house.bot.db.unit(lambda tx: known_version(tx.sight._db)) == version
    assert await house.bot.db.scrub()
    assert wal.stat().st_size == written, "nothing has to be written anew for it"


async def test_a_disk_that_hangs_counts_as_one_that_cannot_be_written_to(house: House) -> None:
    released, clock, tries = threading.Event(), house.clock, []

    async def write() -> None:
        tries.append(await house.bot.db.unit(lambda _: released.wait(20)))

    writable = Writable(write, monotonic=clock, patience=0.02)
    assert [await writable() for _ in range(3)] == [False] * 3
    released.set()
    await house.bot.db.unit(lambda _: None)
    assert await writable()
    assert len(tries) == 1, "nobody piles up behind it"


async def test_whoever_asks_often_has_nothing_written_each_time() -> None:
    tries, now = [], [0.0]

    async def write() -> None:
        tries.append(now[0])

    writable = Writable(write, monotonic=lambda: now[0])
    for moment in (0.0, 1.0, BELIEVED - 1, BELIEVED, BELIEVED + 1):
        now[0] = moment
        assert await writable()
    assert tries == [0.0, BELIEVED]


@pytest.fixture
async def hooked(tmp_path: Path) -> AsyncIterator[House]:
    """A bot to which Telegram brings the updates."""
    async with a_house(tmp_path, is_called=True, telegram_updates="webhook") as opened, _living(opened):
        assert opened.bot.hook is not None
        await opened.bot.hook.set()
        yield opened


async def test_a_webhook_about_which_telegram_says_nothing_any_more_is_noticed(hooked: House) -> None:
    assert hooked.bot.hook is not None
    hooked.clock.now += webhook.FRESH_FOR - 1
    assert await _missing(hooked) == []
    hooked.telegram.faults.add("getWebhookInfo", Fault(Kind.CUT_BEFORE))
    await hooked.bot.hook.look()
    hooked.clock.now += 1
    assert await _missing(hooked) == [RECEIVER]
    await hooked.bot.hook.look()
    assert await _missing(hooked) == []


async def test_a_webhook_through_which_nothing_comes_is_noticed(hooked: House) -> None:
    hook, door = hooked.bot.hook, hooked.front.door
    assert hook is not None
    hooked.front.door = None  # what stands in front of the bot finds nothing behind it
    hooked.ada.send_text("/help")
    await hooked.telegram.wait_for(lambda telegram: "last_error_date" in (telegram.cloud.webhook or {}), 10)
    hooked.clock.now += webhook.FRESH_FOR
    await hook.look()
    hooked.front.door = door
    assert await _missing(hooked) == [RECEIVER]
