"""When a running task is looked at."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bot.job import Instant, later, seconds_between
from bot.jobs.looks import Looks
from bot.jobs.schedule import first_look, next_look

START = 1_700_000_000_000


def _ages(deadline: float) -> list[float]:
    """Return the ages in seconds of all looks at a task that never finishes."""
    ages: list[float] = []
    moment: Instant | None = first_look(START, deadline)
    while moment is not None:
        ages.append(seconds_between(START, moment))
        moment = next_look(START, moment, deadline)
    return ages


def test_the_gaps_grow_with_the_age_up_to_half_a_minute() -> None:
    ages = [age for age in _ages(900) if age < 900]
    gaps = [round(after - before, 3) for before, after in pairwise(ages)]
    assert ages[:5] == [2, 3, 4, 5, 6]
    assert gaps == sorted(gaps)
    assert gaps[-1] == 30


def test_after_the_deadline_looks_go_on_rarely_for_a_day() -> None:
    assert [age for age in _ages(900) if age >= 900] == [900, 1800, 3600, 3 * 3600, 12 * 3600, 24 * 3600]


@given(st.floats(0, 90_000), st.floats(0.1, 86_400))
def test_a_look_always_leads_to_a_later_one_or_to_the_end(age: float, deadline: float) -> None:
    now = later(START, age)
    following = next_look(START, now, deadline)
    assert following is None or following > now or seconds_between(now, later(START, deadline)) < 0.001


def _awaited_ages(deadline: float) -> list[float]:
    """Return the ages in seconds of all looks at a task whose callback was lost and that never finishes."""
    moment: Instant | None = first_look(START, deadline, is_awaited=True)
    ages: list[float] = []
    while moment is not None:
        ages.append(seconds_between(START, moment))
        moment = next_look(START, moment, deadline, is_awaited=True)
    return ages


def test_while_a_callback_is_awaited_looks_are_few_and_still_lead_to_the_end() -> None:
    assert _awaited_ages(900) == [30, 60, 120, 240, 480, 900, 1800, 3600, 3 * 3600, 12 * 3600, 24 * 3600]
    assert _awaited_ages(20)[:2] == [20, 1800]


def test_an_earlier_look_takes_the_place_of_a_later_one_and_not_the_other_way_round() -> None:
    looks = Looks()
    for at in (START + 30_000, START, START + 60_000):
        looks.add(7, at)
    assert looks.take(START) == 7
    looks.done(7, None)
    assert looks.next_at() is None


def test_a_look_asked_for_during_one_follows_it_and_is_not_made_beside_it() -> None:
    looks = Looks()
    looks.add(7, START)
    assert looks.take(START) == 7
    looks.add(7, START + 500)
    looks.add(7, START + 400)
    assert looks.take(START + 5000) is None
    looks.done(7, START + 30_000)
    assert looks.next_at() == START + 400


def test_all_looks_together_never_exceed_ten_a_second() -> None:
    looks = Looks()
    for job_id in range(50):
        looks.add(job_id, START)
    taken = [moment for moment in range(START, START + 4900) if looks.take(moment) is not None]
    assert len(taken) == 49
    assert min(after - before for before, after in zip(taken, taken[10:], strict=False)) >= 1000


def test_a_look_is_not_taken_before_its_time() -> None:
    looks = Looks()
    looks.add(7, START)
    assert looks.take(START - 1) is None
    assert looks.next_at() == START
    assert looks.take(START) == 7
