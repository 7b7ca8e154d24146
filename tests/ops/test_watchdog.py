"""A part that hangs or fails ends the process, so that a supervisor starts a fresh one."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bot.__main__ import _leaf_errors
from bot.ops import watchdog
from bot.ops.watchdog import Watchdog
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.settings import MustRestart
from bot.store.database import StoreError
from bot.telegram.client import POLL_DEADLINE
from tests.bot_harness import BotHarness
from tests.process_harness import make_photo

#: Seconds; longer than the deadline of any part.
TOO_LONG = POLL_DEADLINE + 61.0


@contextmanager
def _hang_database(house: BotHarness) -> Iterator[None]:
    """Let every transaction wait behind one that hangs."""
    answered = threading.Event()
    hanging = asyncio.ensure_future(house.bot.db.transact(lambda _: answered.wait(30)))
    try:
        yield
    finally:
        answered.set()
        hanging.add_done_callback(lambda done: done.exception())


async def _run_until_waiting(*work: "asyncio.Task[None]") -> None:
    for _ in range(20):
        await asyncio.sleep(0)
    assert not any(task.done() for task in work)


async def _ended(*work: "asyncio.Task[None]") -> None:
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)


def _make_watchdog(house: BotHarness) -> Watchdog:
    """Return the bot's watchdog, without the forced exit."""
    house.bot.watchdog._force_exit = lambda: None
    return house.bot.watchdog


async def test_a_part_that_is_late_is_named(house: BotHarness) -> None:
    ends: list[str] = []
    dog = Watchdog(
        {"one": lambda: 5.0, "other": lambda: 3.0}, monotonic=lambda: 4.0, force_exit=lambda: ends.append("end")
    )
    with pytest.raises(MustRestart, match="the other hangs"):
        dog.check_parts()
    assert ends == ["end"], "it ends in any case, even where the orderly end hangs too"


async def test_an_idle_bot_is_not_taken_for_dead(house: BotHarness) -> None:
    working = asyncio.create_task(house.bot.worker.run())
    await house.bot.dispatcher.handle_all()
    for _ in range(5):
        await house.bot.db.transact(lambda _: None)  # by then, the worker's earlier transactions are done
    await _run_until_waiting(working)
    house.clock.now += 599
    _make_watchdog(house).check_parts()
    await _ended(working)


async def test_a_worker_that_waits_for_its_disk_for_ever_is_noticed(house: BotHarness) -> None:
    with _hang_database(house):
        working = asyncio.create_task(house.bot.worker.run())
        await _run_until_waiting(working)
        house.clock.now += TOO_LONG
        with pytest.raises(MustRestart, match="worker"):
            _make_watchdog(house).check_parts()
    await _ended(working)


async def test_an_intake_that_waits_for_its_disk_for_ever_is_noticed(house: BotHarness) -> None:
    with _hang_database(house):
        handling = asyncio.create_task(house.bot.dispatcher.handle_all())
        await _run_until_waiting(handling)
        house.clock.now += TOO_LONG
        with pytest.raises(MustRestart, match="intake"):
            _make_watchdog(house).check_parts()
    await _ended(handling)


async def test_a_receiver_whose_connection_is_dead_is_noticed(house: BotHarness) -> None:
    house.telegram.faults.always("getUpdates", Fault(FaultKind.HANG))
    receiving = asyncio.create_task(house.bot.long_poller.run())
    await house.telegram.wait_for(lambda telegram: telegram.calls, 10)
    house.clock.now += POLL_DEADLINE + 59
    _make_watchdog(house).check_parts()
    house.clock.now += 2
    with pytest.raises(MustRestart, match="receiver"):
        _make_watchdog(house).check_parts()
    await _ended(receiving)


async def test_a_telegram_that_is_away_is_no_reason_to_restart(house: BotHarness) -> None:
    house.telegram.faults.always("getUpdates", Fault(FaultKind.DISCONNECT_BEFORE))
    for _ in range(5):
        pause = await house.bot.long_poller.poll_once()
        house.clock.now += pause
        _make_watchdog(house).check_parts()


async def test_a_part_that_hangs_ends_the_whole(house: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "CHECK_INTERVAL", 0.01)
    house.telegram.faults.always("getUpdates", Fault(FaultKind.HANG))
    _make_watchdog(house)
    serving = asyncio.create_task(house.bot._run_parts(asyncio.Event()))
    await house.telegram.wait_for(lambda telegram: any(c.method == "getUpdates" for c in telegram.calls), 10)
    house.clock.now += TOO_LONG
    with pytest.raises(MustRestart, match="hangs"):
        await serving


async def test_a_part_that_dies_ends_the_whole(house: BotHarness) -> None:
    house.telegram.faults.always("getUpdates", Fault(FaultKind.HANG))
    serving = asyncio.create_task(house.bot._run_parts(asyncio.Event()))
    await house.telegram.wait_for(lambda telegram: any(c.method == "getUpdates" for c in telegram.calls), 10)
    await house.bot.db.close()
    house.ada.send_photo(make_photo())
    house.bot.dispatcher.wake()
    with pytest.raises((MustRestart, ExceptionGroup)) as ended:
        await serving
    assert {type(each) for each in _leaf_errors(ended.value)} == {StoreError}
