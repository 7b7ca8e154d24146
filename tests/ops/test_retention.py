"""Retention erases what is older than KEEP_DAYS, and nothing else."""

import asyncio
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from bot.clock import Instant
from bot.job import EditRequest, State
from bot.ops.retention import SHORT_ROUND_INTERVAL, WARN_AFTER_ROUNDS, Retention
from bot.store.database import Transaction
from tests.bot_harness import open_bot_harness
from tests.group_harness import create_group
from tests.process_harness import make_photo
from tests.store.sample_requests import make_request

DAY = 86_400.0


async def test_prompts_and_picture_references_are_erased_when_their_days_are_over(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, keep_days=2) as house:
        await house.request_edit(make_photo(), caption="a private wish")
        await house.advance_time(30)
        house.clock.now += 1 * DAY
        await house.bot.db.transact(house.bot.retention.erase_batch)
        assert (await house.read_job()).request.prompt == "a private wish"
        house.clock.now += 1 * DAY
        await house.bot.db.transact(house.bot.retention.erase_batch)
        job = await house.read_job()
        assert (job.request.prompt, job.request.sources, job.result_url) == ("", (), None)
    assert all(b"a private wish" not in file.read_bytes() for file in tmp_path.glob("*.db"))


async def test_an_edit_under_way_keeps_what_it_needs(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, keep_days=0.001) as house:
        await house.request_edit(make_photo(), caption="a private wish")
        house.clock.now += DAY
        await house.bot.db.transact(house.bot.retention.erase_batch)
        assert (await house.read_job()).request.prompt == "a private wish"


async def test_it_begins_when_those_are_served_who_have_waited_and_leaves_the_disk_to_others(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path, keep_days=2) as house:
        for number in range(250):
            request = make_request(number, chat_id=7, user_id=7)
            await house.bot.db.transact(partial(_insert_finished_edit, request=request, now=house.clock.instant()))
        house.clock.now += 3 * DAY
        left: list[tuple[float, int]] = []
        enough = asyncio.Event()

        async def sleep(seconds: float) -> None:
            left.append((seconds, await house.bot.db.transact(_kept_rows)))
            if len(left) > 4:
                enough.set()
                await asyncio.Event().wait()

        retention = Retention(house.bot.db, keep_days=2, admins=(), clock=house.clock.instant, sleep=sleep)
        running = asyncio.create_task(retention.run())
        await enough.wait()
        running.cancel()
    first, *others = left
    assert first == (SHORT_ROUND_INTERVAL, 250), "nothing was done before"
    assert [kept for _, kept in others[:3]] == [150, 50, 0], "a portion at a time"
    assert all(seconds > 0 for seconds, _ in others), "and a pause after each"


async def test_it_is_told_when_another_program_keeps_the_traces_in_the_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_bot_harness(tmp_path) as house:
        with closing(sqlite3.connect(tmp_path / "darkroom.db", isolation_level=None)) as reader:
            await house.bot.db.transact(lambda tx: tx.users.set_language(5, "en"))
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM jobs").fetchone()
            for _ in range(WARN_AFTER_ROUNDS + 5):
                assert await house.bot.retention.run_once() == SHORT_ROUND_INTERVAL
    assert [each.getMessage() for each in caplog.records if "traces" in each.getMessage()] == [
        "traces of deleted data have stayed in the database for 30 minutes: another program has it open"
    ]


def _insert_finished_edit(tx: Transaction, request: EditRequest, now: Instant) -> None:
    job = tx.jobs.get(tx.jobs.add(request, State.QUEUED, now))
    assert job is not None
    tx.jobs.transition(job, State.CANCELLED, finished_at=now)


def _kept_rows(tx: Transaction) -> int:
    return tx.erasure.count_stored_data(7).edits


async def test_who_administers_a_group_is_known_for_a_moment_only(tmp_path: Path) -> None:
    async with open_bot_harness(tmp_path) as house:
        here = create_group(house)
        here.group.promote(here.ada.user)
        here.grace.send_text("/settings", chat=here.group)
        await here.process_updates()
        known_since = house.clock.instant() - 60_000
        assert await house.bot.db.transact(lambda tx: tx.chats.get_admins(here.group.id, known_since)) == frozenset(
            {here.ada.id}
        )
        house.clock.now += DAY
        await house.bot.db.transact(house.bot.retention.erase_batch)
        assert await house.bot.db.transact(lambda tx: tx.chats.get_admins(here.group.id, known_since)) is None
