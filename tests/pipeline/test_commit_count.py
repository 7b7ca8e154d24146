"""The number of commits, which dominates the cost of an edit; `make bench` measures the rest."""

import asyncio
from pathlib import Path

from bot.job import State
from bot.sandbox.fault_injection import Fault, FaultKind
from tests.bench.resource_usage import count_commits
from tests.bot_harness import open_bot_harness
from tests.process_harness import make_photo


async def test_what_follows_at_once_is_committed_together(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path) as house:
        database, status = Path(house.bot.settings.database_path), Fault(FaultKind.HOLD_RESPONSE)
        house.telegram.faults.add("sendMessage", status)  # its own commit might come at any time
        working = asyncio.create_task(house.bot.worker.run())
        handling = asyncio.create_task(house.bot.dispatcher.run())
        await asyncio.sleep(0)
        for _ in range(2):  # until the work of the start is done
            await house.bot.db.transact(lambda tx: tx.total_changes)
        before = count_commits(database)
        house.ada.send_photo(make_photo(), caption="make it snow")
        await house.bot.long_poller.poll_once()
        await house.kie.wait_for(lambda: house.kie.tasks, 30.0)
        while (await house.read_job()).state is not State.RUNNING:  # noqa: ASYNC110 - there is no event for a row
            await asyncio.sleep(0)
        # the update with its job; the preparation with the order; the acceptance by Kie
        assert count_commits(database) - before == 3
        status.release.set()
        handling.cancel()
        house.bot.worker.stop()
        await asyncio.wait([working, handling])
