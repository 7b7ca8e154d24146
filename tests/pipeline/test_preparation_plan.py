"""Who is taken up next: nobody alone holds what all need, in however many chats."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from functools import partial

from bot.job import State
from bot.pipeline import preparation_plan
from bot.pipeline.preparation_plan import (
    MAX_CONVERSIONS,
    MAX_PREPARATIONS,
    MAX_PREPARATIONS_PER_USER,
    DueJobs,
    FairSemaphore,
    JobsInFlight,
)
from bot.store.transaction import Transaction
from tests.bot_harness import BotHarness
from tests.store.sample_requests import make_request

EVE, BOB = 6666, 7


def _queue_job(tx: Transaction, message_id: int, person: int, *, converts: bool = False) -> int:
    """Let a job wait in a chat of its own."""
    job_id = tx.jobs.add(make_request(message_id, chat_id=-message_id, user_id=person), State.QUEUED, 0)
    tx.fair_queue.enqueue(job_id, -message_id, person)
    job = tx.jobs.get(job_id)
    if converts and job is not None:
        tx.conversion_queue.enqueue(job)
    return job_id


async def _due_jobs(
    house: BotHarness, *, prepared: Mapping[int, int] | None = None, converted: Mapping[int, int] | None = None
) -> DueJobs:
    """Ask what is due, with these under way."""
    under_way, now = JobsInFlight(prepared or {}, converted or {}), house.clock.instant()
    containment = house.bot.worker._containment
    return await house.bot.db.transact(
        lambda tx: preparation_plan.find_due_jobs(tx, containment, tx.read_due_times(), [], now, under_way)
    )


async def test_one_place_of_preparation_is_for_others_than_who_has_most(house: BotHarness) -> None:
    for number in range(20):
        await house.bot.db.transact(partial(_queue_job, message_id=number + 1, person=EVE))
    bobs = await house.bot.db.transact(lambda tx: _queue_job(tx, 99, BOB))
    due = await _due_jobs(house)
    assert Counter(job.charged_to for job in due.jobs) == {EVE: MAX_PREPARATIONS_PER_USER, BOB: 1}
    under_way = {job.id: job.charged_to for job in due.jobs}
    assert (await _due_jobs(house, prepared=under_way)).jobs == []
    under_way.pop(bobs)
    assert [job.id for job in (await _due_jobs(house, prepared=under_way)).jobs] == [bobs]


async def test_what_is_to_be_decoded_takes_no_place_of_what_is_not(house: BotHarness) -> None:
    for number in range(10):
        await house.bot.db.transact(partial(_queue_job, message_id=number + 1, person=100 + number, converts=True))
    due = await _due_jobs(house)
    assert (len(due.jobs), len(due.conversions)) == (0, MAX_CONVERSIONS)
    plain = [
        await house.bot.db.transact(partial(_queue_job, message_id=number, person=number)) for number in range(20, 30)
    ]
    due = await _due_jobs(house, converted={job.id: job.charged_to for job in due.conversions})
    assert [job.id for job in due.jobs] == plain[:MAX_PREPARATIONS]
    assert due.conversions == []


async def test_one_person_has_one_picture_decoded_at_a_time(house: BotHarness) -> None:
    for number in range(3):
        await house.bot.db.transact(partial(_queue_job, message_id=number + 1, person=EVE, converts=True))
    due = await _due_jobs(house)
    assert len(due.conversions) == 1
    assert (await _due_jobs(house, converted={due.conversions[0].id: EVE})).conversions == []


async def test_a_place_is_for_others_however_many_one_wants() -> None:
    semaphore, held, gate = FairSemaphore(4), Counter[int](), asyncio.Event()

    async def hold(person: int) -> None:
        async with semaphore.slot_for(person):
            held[person] += 1
            await gate.wait()

    tasks = [asyncio.create_task(hold(person)) for person in [EVE] * 10 + [BOB] * 2]
    for _ in range(20):
        await asyncio.sleep(0)
    assert held == {EVE: 3, BOB: 1}
    gate.set()
    await asyncio.wait(tasks)
    assert held == {EVE: 10, BOB: 2}
    assert len(semaphore._per_user) == 0
