"""What an edit costs is decided by how many commits it takes; `make bench` measures the rest."""

import asyncio
import gc
from pathlib import Path

import httpx

from bot.job import State
from bot.sandbox.faults import Fault, Kind
from tests.bench.commits import commits_in
from tests.house import House, a_house
from tests.world import a_photo


async def test_what_follows_at_once_is_committed_together(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        database, status = Path(house.bot.settings.database_path), Fault(Kind.HELD)
        house.telegram.faults.add("sendMessage", status)  # whose own commit would come at any time
        working = asyncio.create_task(house.bot.worker.run())
        handling = asyncio.create_task(house.bot.intake.run())
        await asyncio.sleep(0)
        for _ in range(2):  # what the start had to learn, and to write
            await house.bot.db.unit(lambda tx: tx.changes)
        before = commits_in(database)
        house.ada.send_photo(a_photo(), caption="make it snow")
        await house.bot.poll.once()
        await house.kie.wait_for(lambda: house.kie.tasks, 30.0)
        while (await house.job()).state is not State.RUNNING:  # noqa: ASYNC110 - a row is no event
            await asyncio.sleep(0)
        # the update with its job; that it is prepared, and ordered; that Kie took it
        assert commits_in(database) - before == 3
        status.gate.set()
        handling.cancel()
        house.bot.worker.stop()
        await asyncio.wait([working, handling])


async def test_nothing_of_an_edit_is_left_to_the_collector_of_garbage(house: House) -> None:
    gc.collect()
    gc.disable()
    try:
        await house.ask(a_photo())
        await house.pass_time(60)
        assert len(house.pictures()) == 1
        assert [each for each in gc.get_objects() if isinstance(each, httpx.Response | httpx.Request)] == []
    finally:
        gc.enable()
