"""What is known about how long tasks take."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.jobs.durations import AGES, HALF_LIFE, Shares, believed, learned

BELIEVED = believed(10)


def _ended(shares: Shares, age: float) -> float:
    """Return the share of tasks that has ended by an age, roughly."""
    return sum(share for share, until in zip(shares, AGES[1:], strict=True) if until <= age)


def test_before_anything_is_known_half_of_the_tasks_take_ten_seconds_and_one_in_ten_a_minute() -> None:
    assert 0.4 < _ended(BELIEVED, 10) < 0.5
    assert 0.04 < 1 - _ended(BELIEVED, 60) < 0.06


def test_what_is_usual_can_be_said_for_another_model() -> None:
    assert _ended(believed(30), 30) == pytest.approx(_ended(BELIEVED, 10), abs=0.03)


def test_two_kinds_of_tasks_are_told_apart() -> None:
    shares = learned([5.0, 40.0] * 50, BELIEVED, 3)
    assert _ended(shares, 10) == pytest.approx(0.5, abs=0.05)
    assert _ended(shares, 25) - _ended(shares, 10) < 0.1


def test_a_task_counts_half_as_much_as_one_that_finished_so_many_tasks_later() -> None:
    shares = learned([5.0] * HALF_LIFE + [40.0] * 10 * HALF_LIFE, BELIEVED, 0.001)
    assert _ended(shares, 14) == pytest.approx(0.5, abs=0.02)


def test_narrow_durations_are_known_more_narrowly_than_wide_ones() -> None:
    shares = learned([15.0 + math.sin(number) for number in range(100)], BELIEVED, 3)
    assert _ended(shares, 18) - _ended(shares, 12) > 0.9


@given(st.lists(st.floats(-1, 1e9), max_size=40), st.floats(0.1, 86_400))
def test_whatever_tasks_took_the_shares_are_shares_of_all(latest: list[float], median: float) -> None:
    shares = learned(latest, believed(median), 3)
    assert min(shares) >= 0
    assert sum(shares) == pytest.approx(1)
