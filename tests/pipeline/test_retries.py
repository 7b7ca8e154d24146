"""Which failures of a step end an edit, and which are retried."""

import errno
from functools import partial
from pathlib import Path

import pytest

from bot.job import Job, State
from bot.pipeline.error_containment import MAX_TRIES, SUBMIT_GIVE_UP_SECONDS
from bot.pipeline.retries import RetryRules, handle_job_failure
from bot.store.database import Transaction
from tests.bot_harness import BotHarness, open_bot_harness
from tests.process_harness import make_photo

RULES = RetryRules(frozenset(), 900.0, 2.0)


async def _fail_repeatedly(house: BotHarness, error: Exception) -> State:
    """Make a step of the only job fail repeatedly, and return the state of the job."""
    job = await house.read_job()
    for _ in range(MAX_TRIES + 5):
        if job.state is State.QUEUED:
            await house.bot.db.transact(partial(_fail_once, job, error, house))
        job = await house.read_job()
    return job.state


def _fail_once(job: Job, error: Exception, house: BotHarness, tx: Transaction) -> None:
    handle_job_failure(tx, job, error, RULES, house.clock.instant())


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError(errno.EMFILE, "Too many open files"), OSError(errno.ENOSPC, "No space left")]
)
async def test_an_edit_outlives_a_machine_that_has_run_out_of_something(tmp_path: Path, error: Exception) -> None:
    async with open_bot_harness(tmp_path) as house:
        house.ada.send_photo(make_photo(), caption="make it snow")
        await house.receive_updates()
        assert await _fail_repeatedly(house, error) is State.QUEUED
        house.clock.now += SUBMIT_GIVE_UP_SECONDS
        assert await _fail_repeatedly(house, error) is State.FAILED


@pytest.mark.parametrize("error", [ValueError(), OSError(errno.EINVAL, "Invalid argument"), RecursionError()])
async def test_an_edit_does_not_wait_for_what_never_passes(tmp_path: Path, error: Exception) -> None:
    async with open_bot_harness(tmp_path) as house:
        house.ada.send_photo(make_photo(), caption="make it snow")
        await house.receive_updates()
        assert await _fail_repeatedly(house, error) is State.FAILED
