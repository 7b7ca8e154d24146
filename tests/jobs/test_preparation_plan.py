"""Who is taken up next: nobody alone holds what all need, in however many chats."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from functools import partial

from bot.job import State
from bot.jobs import preparation_plan
from bot.jobs.conversion_lane import MOST_CONVERTED
from bot.jobs.fair_semaphore import FairSemaphore
from bot.jobs.preparation_plan import MOST_PREPARED, MOST_PREPARED_OF_ONE, Due, UnderWay
from bot.store.transaction import Transaction
from tests.house import House
from tests.store.rows import a_request

EVE, BOB = 6666, 7


def _enter(tx: Transaction, message_id: int, person: int, *, converts: bool = False) -> int:
    """Let a job wait in a chat of its own."""
    job_id = tx.jobs.add(a_request(message_id, chat_id=-message_id, user_id=person), State.QUEUED, 0)
    tx.line.enter(job_id, -message_id, person)
    job = tx.jobs.get(job_id)
    if converts and job is not None:
        tx.conversions.enter(job)
    return job_id


async def _due(
    house: House, *, prepared: Mapping[int, int] | None = None, converted: Mapping[int, int] | None = None
) -> Due:
    """Ask what is due, with these under way."""
    under_way, now = UnderWay(prepared or {}, converted or {}), house.clock.instant()
    containment = house.bot.worker._containment
    return await house.bot.db.unit(lambda tx: preparation_plan.due(tx, containment, tx.agenda(), [], now, under_way))


async def test_one_place_of_preparation_is_for_others_than_who_has_most(house: House) -> None:
    for number in range(20):
        await house.bot.db.unit(partial(_enter, message_id=number + 1, person=EVE))
    bobs = await house.bot.db.unit(lambda tx: _enter(tx, 99, BOB))
    due = await _due(house)
    assert Counter(job.person for job in due.jobs) == {EVE: MOST_PREPARED_OF_ONE, BOB: 1}
    assert due.more
    under_way = {job.id: job.person for job in due.jobs}
    assert (await _due(house, prepared=under_way)).jobs == []
    under_way.pop(bobs)
    assert [job.id for job in (await _due(house, prepared=under_way)).jobs] == [bobs]


async def test_what_is_to_be_decoded_takes_no_place_of_what_is_not(house: House) -> None:
    for number in range(10):
        await house.bot.db.unit(partial(_enter, message_id=number + 1, person=100 + number, converts=True))
    due = await _due(house)
    assert (len(due.jobs), len(due.conversions), due.more) == (0, MOST_CONVERTED, True)
    plain = [await house.bot.db.unit(partial(_enter, message_id=number, person=number)) for number in range(20, 30)]
    due = await _due(house, converted={job.id: job.person for job in due.conversions})
    assert [job.id for job in due.jobs] == plain[:MOST_PREPARED]
    assert due.conversions == []


async def test_one_person_has_one_picture_decoded_at_a_time(house: House) -> None:
    for number in range(3):
        await house.bot.db.unit(partial(_enter, message_id=number + 1, person=EVE, converts=True))
    due = await _due(house)
    assert (len(due.conversions), due.more) == (1, True)
    assert (await _due(house, converted={due.conversions[0].id: EVE})).conversions == []


async def test_a_place_is_for_others_however_many_one_wants() -> None:
    semaphore, held, gate = FairSemaphore(4), Counter[int](), asyncio.Event()

    async def hold(person: int) -> None:
        async with semaphore.place_of(person):
            held[person] += 1
            await gate.wait()

    tasks = [asyncio.create_task(hold(person)) for person in [EVE] * 10 + [BOB] * 2]
    for _ in range(20):
        await asyncio.sleep(0)
    assert held == {EVE: 3, BOB: 1}
    gate.set()
    await asyncio.wait(tasks)
    assert held == {EVE: 10, BOB: 2}
    assert len(semaphore._of_each) == 0
