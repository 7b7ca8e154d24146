"""Two workers over one database, which the lock file forbids: even so the row decides, and nothing is paid twice.

An order is begun by a compare-and-set on the state that was read. Messages are
another matter: what is being sent is known to the worker that sends it.
"""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot.app import Clocks, _worker
from bot.chat.client import Chat, certificates
from bot.job import State
from bot.jobs.callbacks import Callbacks
from bot.jobs.measure import Measure
from bot.jobs.worker import Worker
from bot.meters import Meters
from tests.house import House, a_house
from tests.world import TOKEN, a_photo


async def _another_worker(house: House, stack: AsyncExitStack) -> Worker:
    """Wire a second worker over the database of the first."""
    bot, tls = house.bot, certificates()
    chat = Chat(token=TOKEN, api_url=house.telegram.url, tls=tls, redact=str)
    stack.push_async_callback(chat.aclose)
    clocks = Clocks(house.clock.instant, house.clock)
    return _worker(
        bot.settings,
        stack,
        bot.db,
        chat,
        Callbacks(None, b""),
        Measure(Meters()),
        clocks,
        tls,
        str,
        wake_intake=bot.intake.wake,
    )


async def _race(house: House, workers: tuple[Worker, Worker], turns: int) -> None:
    for _ in range(turns):
        async with asyncio.TaskGroup() as tasks:
            for worker in workers:
                await worker.start_due(tasks)
        await house.kie.wait_for(lambda: all(task.prepared_at is not None for task in house.kie.tasks.values()))
        house.clock.now += 1.0


@pytest.mark.parametrize("which", [0, 1], ids=["the first is faster", "the second is faster"])
async def test_two_workers_order_no_job_twice(tmp_path: Path, which: int) -> None:
    async with a_house(tmp_path) as house, AsyncExitStack() as stack:
        for number in range(6):
            person = house.telegram.person(user_id=2000 + number)
            person.send_photo(a_photo(size=(32, 24)), caption=f"wish {number}")
        await house.receive()
        workers = house.bot.worker, await _another_worker(house, stack)
        await _race(house, workers if which == 0 else workers[::-1], turns=6)
        jobs = [await house.job(number) for number in range(1, 7)]
    assert [job.state for job in jobs] == [State.RUNNING] * 6
    assert sorted(task.prompt for task in house.kie.tasks.values()) == [f"wish {number}" for number in range(6)]
