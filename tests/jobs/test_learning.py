"""How long tasks take is learned from those that finished, and found again at the next start."""

import json
from functools import partial

from bot.job import State
from bot.sandbox.faults import Fault, Kind
from bot.sandbox.kie_tasks import STUCK, record
from bot.store.transaction import Transaction
from tests.house import House
from tests.store.rows import NOON, a_request
from tests.world import a_photo


async def _looks_at_the_next(house: House, seconds: float) -> int:
    """Let Ada ask once more, and count the looks at that task within so many seconds."""
    house.kie.script(STUCK)
    before = len(house.kie.called("recordInfo"))
    await house.ask(a_photo())
    await house.pass_time(seconds)
    return len(house.kie.called("recordInfo")) - before


async def _store_tasks(house: House, number: int, seconds: float) -> None:
    """Let the database know of tasks that finished before."""
    for place in range(number):
        await house.bot.db.unit(partial(_store_task, place=place, seconds=seconds))


def _store_task(tx: Transaction, *, place: int, seconds: float) -> None:
    job_id = tx.jobs.add(a_request(1000 + place), State.QUEUED, NOON)
    tx.jobs._db.execute(
        "UPDATE jobs SET state = ?, took = ?, finished_at = ? WHERE id = ?",
        (State.SUCCEEDED, seconds * 1000, NOON + place, job_id),
    )


async def test_at_first_a_task_is_looked_at_as_is_usual(house: House) -> None:
    assert 2 <= await _looks_at_the_next(house, 20) <= 5


async def test_what_was_learned_before_a_start_counts_after_it(house: House) -> None:
    await _store_tasks(house, 40, 25.0)
    await house.restart()
    assert await _looks_at_the_next(house, 20) == 0


async def test_each_task_that_finishes_is_learned_from(house: House) -> None:
    house.kie._account._duration = lambda: 25.0
    for number in range(5):
        house.telegram.person(user_id=3000 + number).send_photo(a_photo(), caption="make it snow")
    await house.receive()
    await house.pass_time(20)
    each = len(house.kie.called("recordInfo")) / 5
    await house.pass_time(20)
    assert await _looks_at_the_next(house, 20) <= each / 2


async def test_of_a_task_that_kie_did_not_time_nothing_is_learned(house: House) -> None:
    """It would be learned when we looked: the next ones would be looked at a little later, and so on, ever later."""
    await house.ask(a_photo())
    await house.kie.wait_for(house._pictures_are_made)
    [task] = house.kie.tasks.values()
    house.kie.finish(task.id)
    untimed = record(task, 2026) | {"completeTime": None}
    body = json.dumps({"code": 200, "msg": "success", "data": untimed}).encode()
    house.kie.faults.add("recordInfo", Fault(Kind.ANSWER, status=200, body=body))
    await house.pass_time(25)
    assert len(house.pictures()) == 1
    assert not house.bot.worker._steps.watch._learned._latest
