"""Two workers on one database, which the lock file forbids: even then nothing is paid twice.

An order begins with a compare-and-set on the state that was read. Messages have no such protection: only the worker
that sends one knows that it is in flight.
"""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot.app import _build_worker
from bot.clock import Clocks
from bot.job import State
from bot.metrics import Metrics
from bot.pipeline.callback_tracker import CallbackTracker
from bot.pipeline.job_metrics import JobMetrics
from bot.pipeline.worker import Worker
from bot.telegram.client import TelegramClient, load_tls_context
from tests.bot_harness import BotHarness, open_bot_harness
from tests.process_harness import TOKEN, make_photo


async def _wire_second_worker(house: BotHarness, stack: AsyncExitStack) -> Worker:
    bot, tls = house.bot, load_tls_context()
    chat = TelegramClient(token=TOKEN, api_url=house.telegram.url, tls=tls, redact=str)
    stack.push_async_callback(chat.aclose)
    clocks = Clocks(house.clock.instant, house.clock)
    return _build_worker(
        bot.settings,
        stack,
        bot.db,
        chat,
        CallbackTracker(None, b""),
        JobMetrics(Metrics()),
        clocks,
        tls,
        str,
        wake_dispatcher=bot.dispatcher.wake,
    )


async def _race_workers(house: BotHarness, workers: tuple[Worker, Worker], turns: int) -> None:
    for _ in range(turns):
        async with asyncio.TaskGroup() as tasks:
            for worker in workers:
                await worker.start_due(tasks)
        await house.kie.wait_for(lambda: all(task.prepared_at is not None for task in house.kie.tasks.values()))
        house.clock.now += 1.0


@pytest.mark.parametrize("which", [0, 1], ids=["the first is faster", "the second is faster"])
async def test_two_workers_order_no_job_twice(tmp_path: Path, which: int) -> None:
    async with open_bot_harness(tmp_path) as house, AsyncExitStack() as stack:
        for number in range(6):
            person = house.telegram.person(user_id=2000 + number)
            person.send_photo(make_photo(size=(32, 24)), caption=f"wish {number}")
        await house.receive_updates()
        workers = house.bot.worker, await _wire_second_worker(house, stack)
        await _race_workers(house, workers if which == 0 else workers[::-1], turns=6)
        jobs = [await house.read_job(number) for number in range(1, 7)]
    assert [job.state for job in jobs] == [State.RUNNING] * 6
    assert sorted(task.prompt for task in house.kie.tasks.values()) == [f"wish {number}" for number in range(6)]
