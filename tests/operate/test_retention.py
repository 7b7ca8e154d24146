"""What KEEP_DAYS says is forgotten is forgotten, and nothing else."""

import asyncio
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from bot.job import Instant, Request, State
from bot.operate.retention import SOON, TOLD_AFTER, Retention
from bot.store.transaction import Transaction
from tests.group import friends
from tests.house import a_house
from tests.store.rows import a_request
from tests.world import a_photo

DAY = 86_400.0


async def test_prompts_and_picture_references_are_erased_when_their_days_are_over(tmp_path: Path) -> None:
    async with a_house(tmp_path, keep_days=2) as house:
        await house.ask(a_photo(), caption="a private wish")
        await house.pass_time(30)
        house.clock.now += 1 * DAY
        await house.bot.db.unit(house.bot.retention.erase)
        assert (await house.job()).request.prompt == "a private wish"
        house.clock.now += 1 * DAY
        await house.bot.db.unit(house.bot.retention.erase)
        job = await house.job()
        assert (job.request.prompt, job.request.sources, job.result_url) == ("", (), None)
    assert all(b"a private wish" not in file.read_bytes() for file in tmp_path.glob("*.db"))


async def test_an_edit_under_way_keeps_what_it_needs(tmp_path: Path) -> None:
    async with a_house(tmp_path, keep_days=0.001) as house:
        await house.ask(a_photo(), caption="a private wish")
        house.clock.now += DAY
        await house.bot.db.unit(house.bot.retention.erase)
        assert (await house.job()).request.prompt == "a private wish"


async def test_it_begins_when_those_are_served_who_have_waited_and_leaves_the_disk_to_others(tmp_path: Path) -> None:
    async with a_house(tmp_path, keep_days=2) as house:
        for number in range(250):
            request = a_request(number, chat_id=7, user_id=7)
            await house.bot.db.unit(partial(_an_edit_that_ended, request=request, now=house.clock.instant()))
        house.clock.now += 3 * DAY
        left: list[tuple[float, int]] = []
        enough = asyncio.Event()

        async def sleep(seconds: float) -> None:
            left.append((seconds, await house.bot.db.unit(_kept)))
            if len(left) > 4:
                enough.set()
                await asyncio.Event().wait()

        retention = Retention(house.bot.db, keep_days=2, admins=(), clock=house.clock.instant, sleep=sleep)
        running = asyncio.create_task(retention.run())
        await enough.wait()
        running.cancel()
    first, *others = left
    assert first == (SOON, 250), "nothing was done before"
    assert [kept for _, kept in others[:3]] == [150, 50, 0], "a portion at a time"
    assert all(seconds > 0 for seconds, _ in others), "and a pause after each"


async def test_it_is_told_when_another_program_keeps_the_traces_in_the_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_house(tmp_path) as house:
        with closing(sqlite3.connect(tmp_path / "darkroom.db", isolation_level=None)) as reader:
            await house.bot.db.unit(lambda tx: tx.people.heard(5, "en"))
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM jobs").fetchone()
            for _ in range(TOLD_AFTER + 5):
                assert await house.bot.retention.round() == SOON
    assert [each.getMessage() for each in caplog.records if "traces" in each.getMessage()] == [
        "traces of what was deleted have stayed in the database for 30 minutes: another program has it open"
    ]


def _an_edit_that_ended(tx: Transaction, request: Request, now: Instant) -> None:
    job = tx.jobs.get(tx.jobs.add(request, State.QUEUED, now))
    assert job is not None
    tx.jobs.move(job, State.CANCELLED, finished_at=now)


def _kept(tx: Transaction) -> int:
    return tx.erasure.held(7).edits


async def test_who_administers_a_group_is_known_for_a_moment_only(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        here = friends(house)
        here.group.promote(here.ada.user)
        here.grace.send_text("/settings", chat=here.group)
        await here.hear()
        known_since = house.clock.instant() - 60_000
        assert await house.bot.db.unit(lambda tx: tx.chats.admins(here.group.id, known_since)) == frozenset(
            {here.ada.id}
        )
        house.clock.now += DAY
        await house.bot.db.unit(house.bot.retention.erase)
        assert await house.bot.db.unit(lambda tx: tx.chats.admins(here.group.id, known_since)) is None
