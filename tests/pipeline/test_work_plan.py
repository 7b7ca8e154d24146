"""Which jobs are started next: no user takes all slots, however many chats they use."""

import asyncio
from collections import Counter
from functools import partial

from bot.job import Job, State
from bot.pipeline.prepare_images import MAX_CONVERSIONS, FairSemaphore
from bot.pipeline.work_plan import MAX_PREPARATIONS, MAX_PREPARATIONS_PER_USER, WorkInFlight, find_due_jobs
from bot.store.database import Transaction
from tests.bot_harness import BotHarness
from tests.store.sample_requests import make_request

EVE, BOB = 6666, 7


def _queue_job(tx: Transaction, message_id: int, user: int, *, converts: bool = False) -> int:
    """Queue a job in a chat of its own."""
    job_id = tx.jobs.add(make_request(message_id, chat_id=-message_id, user_id=user), State.QUEUED, 0)
    tx.fair_queue.enqueue(job_id, -message_id, user)
    job = tx.jobs.get(job_id)
    if converts and job is not None:
        tx.conversion_queue.enqueue(job)
    return job_id


async def _due_jobs(house: BotHarness, in_flight: WorkInFlight) -> tuple[list[Job], list[Job]]:
    containment, now = house.bot.worker._containment, house.clock.instant()
    return await house.bot.db.transact(
        lambda tx: find_due_jobs(tx, containment, tx.read_due_times(), [], now, in_flight)
    )


async def test_one_place_of_preparation_is_for_others_than_who_has_most(house: BotHarness) -> None:
    for number in range(20):
        await house.bot.db.transact(partial(_queue_job, message_id=number + 1, user=EVE))
    bobs = await house.bot.db.transact(lambda tx: _queue_job(tx, 99, BOB))
    jobs, _ = await _due_jobs(house, WorkInFlight())
    assert Counter(job.charged_to for job in jobs) == {EVE: MAX_PREPARATIONS_PER_USER, BOB: 1}
    preparing = {job.id: job.charged_to for job in jobs}
    assert await _due_jobs(house, WorkInFlight(preparing)) == ([], [])
    preparing.pop(bobs)
    jobs, _ = await _due_jobs(house, WorkInFlight(preparing))
    assert [job.id for job in jobs] == [bobs]


async def test_what_is_to_be_decoded_takes_no_place_of_what_is_not(house: BotHarness) -> None:
    for number in range(10):
        await house.bot.db.transact(partial(_queue_job, message_id=number + 1, user=100 + number, converts=True))
    jobs, conversions = await _due_jobs(house, WorkInFlight())
    assert (len(jobs), len(conversions)) == (0, MAX_CONVERSIONS)
    plain = [
        await house.bot.db.transact(partial(_queue_job, message_id=number, user=number)) for number in range(20, 30)
    ]
    converting = {job.id: job.charged_to for job in conversions}
    jobs, conversions = await _due_jobs(house, WorkInFlight(converting=converting))
    assert [job.id for job in jobs] == plain[:MAX_PREPARATIONS]
    assert conversions == []


async def test_one_person_has_one_picture_decoded_at_a_time(house: BotHarness) -> None:
    for number in range(3):
        await house.bot.db.transact(partial(_queue_job, message_id=number + 1, user=EVE, converts=True))
    _, conversions = await _due_jobs(house, WorkInFlight())
    assert len(conversions) == 1
    assert await _due_jobs(house, WorkInFlight(converting={conversions[0].id: EVE})) == ([], [])


async def test_a_place_is_for_others_however_many_one_wants() -> None:
    semaphore, held, gate = FairSemaphore(4), Counter[int](), asyncio.Event()

    async def hold(user: int) -> None:
        async with semaphore.slot_for(user):
            held[user] += 1
            await gate.wait()

    tasks = [asyncio.create_task(hold(user)) for user in [EVE] * 10 + [BOB] * 2]
    for _ in range(20):
        await asyncio.sleep(0)
    assert held == {EVE: 3, BOB: 1}
    gate.set()
    await asyncio.wait(tasks)
    assert held == {EVE: 10, BOB: 2}
    assert len(semaphore._per_user) == 0
