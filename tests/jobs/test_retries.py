"""Which failures of a step end an edit, and which only put it off."""

import errno
from functools import partial
from pathlib import Path

import pytest

from bot.job import Job, State
from bot.jobs.pauses import GIVE_UP_AFTER, MOST_TRIES
from bot.jobs.retries import Rules, job_failed
from bot.store.transaction import Transaction
from tests.house import House, a_house
from tests.world import a_photo

RULES = Rules(frozenset(), 900.0, 2.0)


async def _fails(house: House, error: Exception) -> State:
    """Let a step of the only job fail again and again, and return where the job is then."""
    job = await house.job()
    for _ in range(MOST_TRIES + 5):
        if job.state is State.QUEUED:
            await house.bot.db.unit(partial(_fail, job, error, house))
        job = await house.job()
    return job.state


def _fail(job: Job, error: Exception, house: House, tx: Transaction) -> None:
    job_failed(tx, job, error, RULES, house.clock.instant())


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError(errno.EMFILE, "Too many open files"), OSError(errno.ENOSPC, "No space left")]
)
async def test_an_edit_outlives_a_machine_that_has_run_out_of_something(tmp_path: Path, error: Exception) -> None:
    async with a_house(tmp_path) as house:
        house.ada.send_photo(a_photo(), caption="make it snow")
        await house.receive()
        assert await _fails(house, error) is State.QUEUED
        house.clock.now += GIVE_UP_AFTER
        assert await _fails(house, error) is State.FAILED


@pytest.mark.parametrize("error", [ValueError(), OSError(errno.EINVAL, "Invalid argument"), RecursionError()])
async def test_an_edit_does_not_wait_for_what_never_passes(tmp_path: Path, error: Exception) -> None:
    async with a_house(tmp_path) as house:
        house.ada.send_photo(a_photo(), caption="make it snow")
        await house.receive()
        assert await _fails(house, error) is State.FAILED
