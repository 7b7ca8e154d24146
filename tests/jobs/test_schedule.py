"""When a running task is looked at."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.job import later, seconds_between
from bot.jobs.durations import believed
from bot.jobs.schedule import ORDERING, next_look
from bot.jobs.timetable import Timetable, timetable

START = 1_700_000_000_000
ALONE = timetable(believed(10))
CALLED = timetable(believed(10), lost=1 / 64)


def _ages(deadline: float, table: Timetable) -> list[float]:
    """Return the ages in seconds of all looks at a task that never finishes, from the order on."""
    ages: list[float] = []
    moment = next_look(START, START, deadline, table)
    while moment is not None:
        ages.append(seconds_between(START, moment))
        moment = next_look(START, moment, deadline, table)
    return ages


def test_the_first_look_comes_when_about_a_quarter_of_the_tasks_have_ended() -> None:
    first, second = _ages(900, ALONE)[:2]
    assert 6.5 < first - ORDERING < 8.5
    assert second - first < 4


def test_looks_become_rarer_with_the_age_but_never_more_than_half_a_minute_apart() -> None:
    ages = [age for age in _ages(900, ALONE) if age < 900]
    gaps = [after - before for before, after in pairwise(ages)]
    assert min(gaps) >= 0.5
    assert max(gaps) <= 30
    assert sum(gaps[:10]) < 0.5 * sum(gaps[-10:])


@pytest.mark.parametrize("table", [ALONE, CALLED])
def test_however_late_the_deadline_is_a_task_that_hangs_is_never_looked_at_faster_again(table: Timetable) -> None:
    ages = [age for age in _ages(86_400, table) if 900 < age < 86_400]
    assert min(after - before for before, after in pairwise(ages)) > 10


@pytest.mark.parametrize("table", [ALONE, CALLED])
def test_after_the_deadline_looks_go_on_rarely_for_a_day(table: Timetable) -> None:
    assert [age for age in _ages(900, table) if age >= 900] == [900, 1800, 3600, 3 * 3600, 12 * 3600, 24 * 3600]
    assert _ages(3, table)[:2] == [3, 1800]


def test_where_a_callback_is_expected_the_first_look_comes_late_and_the_others_ever_later() -> None:
    ages = [age for age in _ages(900, CALLED) if age < 900]
    assert 18 < ages[0] < 25
    assert len(ages) < 18


@given(st.floats(-90_000, 90_000), st.floats(0.1, 86_400), st.sampled_from([ALONE, CALLED]))
def test_a_look_always_leads_to_a_later_one_or_to_the_end(age: float, deadline: float, table: Timetable) -> None:
    now = later(START, age)
    following = next_look(START, now, deadline, table)
    assert following is None or following > now or seconds_between(now, later(START, deadline)) < 0.001


@pytest.mark.parametrize("ahead", [1.0, 60.0, 7200.0])
def test_a_clock_that_was_set_back_delays_no_look_by_more_than_half_a_minute(ahead: float) -> None:
    now = later(START, -ahead)
    following = next_look(START, now, 900, CALLED)
    assert following is not None
    assert 0 < seconds_between(now, following) <= 30
