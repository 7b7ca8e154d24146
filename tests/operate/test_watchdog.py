"""A part that hangs, or dies, ends the process, so that a supervisor starts a fresh one."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.__main__ import _leaves
from bot.chat.updates import OVERDUE
from bot.operate import watchdog
from bot.operate.watchdog import Watchdog
from bot.sandbox.faults import Fault, Kind
from bot.settings import MustRestart
from bot.store.connection import StoreFailed
from tests.house import House, a_house
from tests.world import a_photo

#: More than any part is allowed to take, in seconds.
TOO_LONG = OVERDUE + 61.0


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """The bot with its usual settings."""
    async with a_house(tmp_path) as opened:
        yield opened


@contextmanager
def _a_disk_that_does_not_answer(house: House) -> Iterator[None]:
    """Let every unit of work wait behind one that hangs."""
    answered = threading.Event()
    hanging = asyncio.ensure_future(house.bot.db.unit(lambda _: answered.wait(30)))
    try:
        yield
    finally:
        answered.set()
        hanging.add_done_callback(lambda done: done.exception())


async def _begun(*work: "asyncio.Task[None]") -> None:
    """Let tasks run until each waits for something."""
    for _ in range(20):
        await asyncio.sleep(0)
    assert not any(task.done() for task in work)


async def _ended(*work: "asyncio.Task[None]") -> None:
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)


def _watchdog(house: House) -> Watchdog:
    """Return the bot's own watchdog, with nothing that would end this process."""
    house.bot.watchdog._end = lambda: None
    return house.bot.watchdog


async def test_a_part_that_is_late_is_named(house: House) -> None:
    ends: list[str] = []
    dog = Watchdog({"one": lambda: 5.0, "other": lambda: 3.0}, monotonic=lambda: 4.0, end=lambda: ends.append("end"))
    with pytest.raises(MustRestart, match="the other does not move"):
        dog.look()
    assert ends == ["end"], "it ends in any case, even where the orderly end hangs too"


async def test_an_idle_bot_is_not_taken_for_dead(house: House) -> None:
    working = asyncio.create_task(house.bot.worker.run())
    await house.bot.intake.handle_all()
    for _ in range(5):
        await house.bot.db.unit(lambda _: None)  # what the worker asked for before is answered with it
    await _begun(working)
    house.clock.now += 599
    _watchdog(house).look()
    await _ended(working)


async def test_a_worker_that_waits_for_its_disk_for_ever_is_noticed(house: House) -> None:
    with _a_disk_that_does_not_answer(house):
        working = asyncio.create_task(house.bot.worker.run())
        await _begun(working)
        house.clock.now += TOO_LONG
        with pytest.raises(MustRestart, match="worker"):
            _watchdog(house).look()
    await _ended(working)


async def test_an_intake_that_waits_for_its_disk_for_ever_is_noticed(house: House) -> None:
    with _a_disk_that_does_not_answer(house):
        handling = asyncio.create_task(house.bot.intake.handle_all())
        await _begun(handling)
        house.clock.now += TOO_LONG
        with pytest.raises(MustRestart, match="intake"):
            _watchdog(house).look()
    await _ended(handling)


async def test_a_receiver_whose_connection_is_dead_is_noticed(house: House) -> None:
    house.telegram.faults.always("getUpdates", Fault(Kind.HANG))
    receiving = asyncio.create_task(house.bot.poll.run())
    await house.telegram.wait_for(lambda telegram: telegram.calls, 10)
    house.clock.now += OVERDUE + 59
    _watchdog(house).look()
    house.clock.now += 2
    with pytest.raises(MustRestart, match="receiver"):
        _watchdog(house).look()
    await _ended(receiving)


async def test_a_telegram_that_is_away_is_no_reason_to_restart(house: House) -> None:
    house.telegram.faults.always("getUpdates", Fault(Kind.CUT_BEFORE))
    for _ in range(5):
        pause = await house.bot.poll.once()
        house.clock.now += pause
        _watchdog(house).look()


async def test_a_part_that_hangs_ends_the_whole(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "EVERY", 0.01)
    house.telegram.faults.always("getUpdates", Fault(Kind.HANG))
    _watchdog(house)
    serving = asyncio.create_task(house.bot._serve(asyncio.Event()))
    await house.telegram.wait_for(lambda telegram: any(c.method == "getUpdates" for c in telegram.calls), 10)
    house.clock.now += TOO_LONG
    with pytest.raises(MustRestart, match="does not move"):
        await serving


async def test_a_part_that_dies_ends_the_whole(house: House) -> None:
    house.telegram.faults.always("getUpdates", Fault(Kind.HANG))
    serving = asyncio.create_task(house.bot._serve(asyncio.Event()))
    await house.telegram.wait_for(lambda telegram: any(c.method == "getUpdates" for c in telegram.calls), 10)
    await house.bot.db.close()
    house.ada.send_photo(a_photo())
    house.bot.intake.wake()
    with pytest.raises((MustRestart, ExceptionGroup)) as ended:
        await serving
    assert {type(each) for each in _leaves(ended.value)} == {StoreFailed}
