"""Where Kie calls back, looks are few; where it does not, they are soon as many as are needed."""

from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.jobs.losses import Losses
from bot.jobs.timetable import timetable
from tests.looks.calling import called
from tests.looks.inspection import A, B, Durations, ages_of, cost


@pytest.mark.parametrize("durations", [A, B], ids="AB")
def test_with_ninety_nine_callbacks_in_a_hundred_a_task_costs_hardly_more_than_the_one_look_that_proves_it(
    durations: Durations,
) -> None:
    played = [called(durations, durations.shares(), tasks=4000, loses=lambda _: 0.01, seed=seed) for seed in range(5)]
    assert mean(each.looks_per_task for each in played) <= 1.2
    assert mean(each.delay(0.95) for each in played) < 1.0, "seconds, most of them until Kie calls"


@pytest.mark.parametrize("durations", [A, B], ids="AB")
@pytest.mark.parametrize("lost", [0.01, 0.2, 1.0])
def test_whatever_share_gets_lost_it_costs_little_more_than_if_that_were_known(
    durations: Durations, lost: float
) -> None:
    shares = durations.shares()
    learned = called(durations, shares, tasks=4000, loses=lambda _: lost, seed=1)
    known = called(durations, shares, tasks=4000, loses=lambda _: lost, seed=1, fixed=lost)
    assert learned.total < 1.2 * known.total


def test_in_an_outage_of_callbacks_all_but_the_first_few_tasks_are_found_as_without_callbacks() -> None:
    alone = cost(ages_of(timetable(A.shares())), A).delay
    played = [
        called(A, A.shares(), tasks=240, loses=lambda number: float(number >= 200), seed=seed) for seed in range(15)
    ]
    assert mean(mean(each.delays[203:]) for each in played) < 1.2 * alone


@pytest.mark.parametrize("lost", [1 / 64, 1 / 8, 1 / 2])
def test_the_timetable_for_a_share_is_the_best_one_for_it(lost: float) -> None:
    totals = {
        believed: called(A, A.shares(), tasks=5000, loses=lambda _: lost, seed=1, fixed=believed).total
        for believed in (lost / 8, lost, min(1.0, lost * 8))
    }
    assert min(totals, key=lambda believed: totals[believed]) == lost


def test_one_lost_callback_changes_little_and_a_second_one_everything() -> None:
    losses = Losses()
    for _ in range(100):
        losses = losses.after(lost=False)
    once = losses.after(lost=True)
    assert losses.share < 1 / 64
    assert once.share < 1 / 4
    assert once.after(lost=True).share == 1
    assert once.after(lost=False).share < 1 / 32


def test_after_an_outage_a_dozen_callbacks_that_come_are_relied_on_again() -> None:
    losses = Losses()
    for lost in [False] * 50 + [True] * 20 + [False] * 3:
        losses = losses.after(lost=lost)
    assert losses.share < 1 / 2
    for _ in range(10):
        losses = losses.after(lost=False)
    assert losses.share < 1 / 16


@given(st.lists(st.booleans(), max_size=30))
def test_whatever_happens_some_share_is_believed_in(story: list[bool]) -> None:
    losses = Losses()
    for lost in story:
        losses = losses.after(lost=lost)
    assert 2**-8 <= losses.share <= 1
    assert sum(losses.beliefs) == pytest.approx(1)
