"""How long tasks take, when a task is polled next, and which polls are due."""

import json
import math
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clock import add_seconds, seconds_between
from bot.job import State
from bot.pipeline.poll_schedule import (
    AGES,
    HALF_LIFE,
    MAX_POLLS_PER_SECOND,
    ORDER_LATENCY,
    DurationDistribution,
    PollQueue,
    PollSchedule,
    compute_poll_schedule,
    estimate_distribution,
    make_prior_distribution,
    next_poll_at,
)
from bot.sandbox.fault_injection import Fault, FaultKind
from bot.sandbox.kie.tasks import STUCK, task_record
from bot.store.database import Transaction
from tests.bot_harness import BotHarness
from tests.process_harness import make_photo
from tests.store.sample_requests import NOON, make_request

PRIOR = make_prior_distribution(10)


def _share_ended(shares: DurationDistribution, age: float) -> float:
    """Return the approximate share of tasks that have ended by an age."""
    return sum(share for share, until in zip(shares, AGES[1:], strict=True) if until <= age)


def test_before_anything_is_known_half_of_the_tasks_take_ten_seconds_and_one_in_ten_a_minute() -> None:
    assert 0.4 < _share_ended(PRIOR, 10) < 0.5
    assert 0.04 < 1 - _share_ended(PRIOR, 60) < 0.06


def test_what_is_usual_can_be_said_for_another_model() -> None:
    assert _share_ended(make_prior_distribution(30), 30) == pytest.approx(_share_ended(PRIOR, 10), abs=0.03)


def test_two_kinds_of_tasks_are_told_apart() -> None:
    shares = estimate_distribution([5.0, 40.0] * 50, PRIOR, 3)
    assert _share_ended(shares, 10) == pytest.approx(0.5, abs=0.05)
    assert _share_ended(shares, 25) - _share_ended(shares, 10) < 0.1


def test_a_task_counts_half_as_much_as_one_that_finished_so_many_tasks_later() -> None:
    shares = estimate_distribution([5.0] * HALF_LIFE + [40.0] * 10 * HALF_LIFE, PRIOR, 0.001)
    assert _share_ended(shares, 14) == pytest.approx(0.5, abs=0.02)


def test_narrow_durations_are_known_more_narrowly_than_wide_ones() -> None:
    shares = estimate_distribution([15.0 + math.sin(number) for number in range(100)], PRIOR, 3)
    assert _share_ended(shares, 18) - _share_ended(shares, 12) > 0.9


@given(st.lists(st.floats(-1, 1e9), max_size=40), st.floats(0.1, 86_400))
def test_whatever_tasks_took_the_shares_are_shares_of_all(latest: list[float], median: float) -> None:
    shares = estimate_distribution(latest, make_prior_distribution(median), 3)
    assert min(shares) >= 0
    assert sum(shares) == pytest.approx(1)


START = 1_700_000_000_000
WITHOUT_CALLBACKS = compute_poll_schedule(make_prior_distribution(10))
WITH_CALLBACKS = compute_poll_schedule(make_prior_distribution(10), loss_rate=1 / 64)


def _poll_ages(deadline: float, schedule: PollSchedule) -> list[float]:
    """Return the ages in seconds, from the order on, of all polls of a task that never finishes."""
    ages: list[float] = []
    moment = next_poll_at(START, START, deadline, schedule)
    while moment is not None:
        ages.append(seconds_between(START, moment))
        moment = next_poll_at(START, moment, deadline, schedule)
    return ages


def test_the_first_look_comes_when_about_a_quarter_of_the_tasks_have_ended() -> None:
    first, second = _poll_ages(900, WITHOUT_CALLBACKS)[:2]
    assert 6.5 < first - ORDER_LATENCY < 8.5
    assert second - first < 4


def test_looks_become_rarer_with_the_age_but_never_more_than_half_a_minute_apart() -> None:
    ages = [age for age in _poll_ages(900, WITHOUT_CALLBACKS) if age < 900]
    gaps = [after - before for before, after in pairwise(ages)]
    assert min(gaps) >= 0.5
    assert max(gaps) <= 30
    assert sum(gaps[:10]) < 0.5 * sum(gaps[-10:])


@pytest.mark.parametrize("schedule", [WITHOUT_CALLBACKS, WITH_CALLBACKS])
def test_however_late_the_deadline_is_a_task_that_hangs_is_never_looked_at_faster_again(schedule: PollSchedule) -> None:
    ages = [age for age in _poll_ages(86_400, schedule) if 900 < age < 86_400]
    assert min(after - before for before, after in pairwise(ages)) > 10


@pytest.mark.parametrize("schedule", [WITHOUT_CALLBACKS, WITH_CALLBACKS])
def test_after_the_deadline_looks_go_on_rarely_for_a_day(schedule: PollSchedule) -> None:
    assert [age for age in _poll_ages(900, schedule) if age >= 900] == [900, 1800, 3600, 3 * 3600, 12 * 3600, 24 * 3600]
    assert _poll_ages(3, schedule)[:2] == [3, 1800]


def test_where_a_callback_is_expected_the_first_look_comes_late_and_the_others_ever_later() -> None:
    ages = [age for age in _poll_ages(900, WITH_CALLBACKS) if age < 900]
    assert 18 < ages[0] < 25
    assert len(ages) < 18


@given(st.floats(-90_000, 90_000), st.floats(0.1, 86_400), st.sampled_from([WITHOUT_CALLBACKS, WITH_CALLBACKS]))
def test_a_look_always_leads_to_a_later_one_or_to_the_end(age: float, deadline: float, schedule: PollSchedule) -> None:
    now = add_seconds(START, age)
    following = next_poll_at(START, now, deadline, schedule)
    assert following is None or following > now or seconds_between(now, add_seconds(START, deadline)) < 0.001


@pytest.mark.parametrize("ahead", [1.0, 60.0, 7200.0])
def test_a_clock_that_was_set_back_delays_no_look_by_more_than_half_a_minute(ahead: float) -> None:
    now = add_seconds(START, -ahead)
    following = next_poll_at(START, now, 900, WITH_CALLBACKS)
    assert following is not None
    assert 0 < seconds_between(now, following) <= 30


START_MS = 1_700_000_000_000


def test_an_earlier_look_takes_the_place_of_a_later_one_and_not_the_other_way_round() -> None:
    polls = PollQueue()
    for at in (START_MS + 30_000, START_MS, START_MS + 60_000):
        polls.schedule(7, at)
    assert polls.pop_due(START_MS) == 7
    polls.finish(7, None)
    assert polls.next_at() is None


def test_a_look_asked_for_during_one_follows_it_and_is_not_made_beside_it() -> None:
    polls = PollQueue()
    polls.schedule(7, START_MS)
    assert polls.pop_due(START_MS) == 7
    polls.schedule(7, START_MS + 500)
    polls.schedule(7, START_MS + 400)
    assert polls.pop_due(START_MS + 5000) is None
    polls.finish(7, START_MS + 30_000)
    assert polls.next_at() == START_MS + 400


def test_all_looks_together_never_exceed_ten_a_second() -> None:
    polls = PollQueue()
    for job_id in range(50):
        polls.schedule(job_id, START_MS)
    polled = [moment for moment in range(START_MS, START_MS + 4900) if polls.pop_due(moment) is not None]
    assert len(polled) == 49
    assert min(after - before for before, after in zip(polled, polled[10:], strict=False)) >= 1000


def test_a_look_is_not_taken_before_its_time() -> None:
    polls = PollQueue()
    polls.schedule(7, START_MS)
    assert polls.pop_due(START_MS - 1) is None
    assert polls.next_at() == START_MS
    assert polls.pop_due(START_MS) == 7


def _simulate_polls(polls: PollQueue, seconds: int, intervals: dict[int, int]) -> list[tuple[int, int]]:
    """Return which job was polled when, if each requests its next poll after its interval in milliseconds."""
    polled = []
    for now in range(START_MS, START_MS + seconds * 1000, 1000 // MAX_POLLS_PER_SECOND):
        job_id = polls.pop_due(now)
        if job_id is not None:
            polled.append((job_id, now))
            polls.finish(job_id, now + intervals[job_id])
    return polled


def test_where_all_want_more_than_may_be_had_none_gets_more_than_another() -> None:
    intervals = dict.fromkeys(range(100), 1000)
    polls = PollQueue()
    for job_id in intervals:
        polls.schedule(job_id, START_MS)
    each = [job_id for job_id, _ in _simulate_polls(polls, 50, intervals)]
    assert {each.count(job_id) for job_id in intervals} == {5}


def test_the_one_that_has_waited_longest_for_its_look_goes_first() -> None:
    polls = PollQueue()
    for job_id, at in ((1, START_MS + 300), (2, START_MS + 100), (3, START_MS + 200)):
        polls.schedule(job_id, at)
    assert [polls.pop_due(START_MS + late) for late in (1000, 1100, 1200)] == [2, 3, 1]


def test_one_that_wants_to_be_looked_at_all_the_time_keeps_nobody_waiting() -> None:
    intervals = {1: 0, 2: 0} | dict.fromkeys(range(10, 50), 5000)
    polls = PollQueue()
    for job_id in intervals:
        polls.schedule(job_id, START_MS)
    polled = _simulate_polls(polls, 60, intervals)
    for job_id in range(10, 50):
        moments = [at for one, at in polled if one == job_id]
        assert max(after - before for before, after in pairwise(moments)) < 10_000


async def _count_polls_of_next_task(house: BotHarness, seconds: float) -> int:
    """Have Ada request an edit, and count the polls of its task within `seconds`."""
    house.kie.script_outcomes(STUCK)
    before = len(house.kie.calls_named("recordInfo"))
    await house.request_edit(make_photo())
    await house.advance_time(seconds)
    return len(house.kie.calls_named("recordInfo")) - before


async def _store_finished_tasks(house: BotHarness, number: int, seconds: float) -> None:
    for position in range(number):
        await house.bot.db.transact(partial(_store_finished_task, position=position, seconds=seconds))


def _store_finished_task(tx: Transaction, *, position: int, seconds: float) -> None:
    job_id = tx.jobs.add(make_request(1000 + position), State.QUEUED, NOON)
    tx.jobs._db.execute(
        "UPDATE jobs SET state = ?, kie_duration_ms = ?, finished_at = ? WHERE id = ?",
        (State.SUCCEEDED, seconds * 1000, NOON + position, job_id),
    )


async def test_at_first_a_task_is_looked_at_as_is_usual(house: BotHarness) -> None:
    assert 2 <= await _count_polls_of_next_task(house, 20) <= 5


async def test_what_was_learned_before_a_start_counts_after_it(house: BotHarness) -> None:
    await _store_finished_tasks(house, 40, 25.0)
    await house.restart()
    assert await _count_polls_of_next_task(house, 20) == 0


async def test_each_task_that_finishes_is_learned_from(house: BotHarness) -> None:
    house.kie._account._duration = lambda: 25.0
    for number in range(5):
        house.telegram.person(user_id=3000 + number).send_photo(make_photo(), caption="make it snow")
    await house.receive_updates()
    await house.advance_time(20)
    each = len(house.kie.calls_named("recordInfo")) / 5
    await house.advance_time(20)
    assert await _count_polls_of_next_task(house, 20) <= each / 2


async def test_of_a_task_that_kie_did_not_time_nothing_is_learned(house: BotHarness) -> None:
    """Only the time of our poll is known, and learning from that would make polls later and later."""
    await house.request_edit(make_photo())
    await house.kie.wait_for(house._are_results_ready)
    [task] = house.kie.tasks.values()
    house.kie.finish_task(task.id)
    untimed = task_record(task, 2026) | {"completeTime": None}
    body = json.dumps({"code": 200, "msg": "success", "data": untimed}).encode()
    house.kie.faults.add("recordInfo", Fault(FaultKind.RESPOND, status=200, body=body))
    await house.advance_time(25)
    assert len(house.pictures()) == 1
    assert not house.bot.worker._steps.task_poller.schedule._latest
