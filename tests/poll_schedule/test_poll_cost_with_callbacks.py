"""With callbacks, polls are few; when callbacks get lost, there are soon as many polls as needed."""

from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.pipeline.callback_tracker import CallbackLossRate
from bot.pipeline.poll_schedule import compute_poll_schedule
from tests.poll_schedule.callback_simulation import simulate_callbacks
from tests.poll_schedule.poll_cost_model import TYPICAL, WITH_STRAGGLERS, DurationModel, compute_poll_cost, poll_ages


@pytest.mark.parametrize("durations", [TYPICAL, WITH_STRAGGLERS], ids="AB")
def test_with_ninety_nine_callbacks_in_a_hundred_a_task_costs_hardly_more_than_the_one_look_that_proves_it(
    durations: DurationModel,
) -> None:
    played = [
        simulate_callbacks(durations, durations.shares(), tasks=4000, loses=lambda _: 0.01, seed=seed)
        for seed in range(5)
    ]
    assert mean(each.polls_per_task for each in played) <= 1.2
    assert mean(each.delay(0.95) for each in played) < 1.0, "seconds, most of them until Kie calls"


@pytest.mark.parametrize("durations", [TYPICAL, WITH_STRAGGLERS], ids="AB")
@pytest.mark.parametrize("lost", [0.01, 0.2, 1.0])
def test_whatever_share_gets_lost_it_costs_little_more_than_if_that_were_known(
    durations: DurationModel, lost: float
) -> None:
    shares = durations.shares()
    learned = simulate_callbacks(durations, shares, tasks=4000, loses=lambda _: lost, seed=1)
    known = simulate_callbacks(durations, shares, tasks=4000, loses=lambda _: lost, seed=1, fixed=lost)
    assert learned.total < 1.2 * known.total


def test_in_an_outage_of_callbacks_all_but_the_first_few_tasks_are_found_as_without_callbacks() -> None:
    alone = compute_poll_cost(poll_ages(compute_poll_schedule(TYPICAL.shares())), TYPICAL).delay
    played = [
        simulate_callbacks(TYPICAL, TYPICAL.shares(), tasks=240, loses=lambda number: float(number >= 200), seed=seed)
        for seed in range(15)
    ]
    assert mean(mean(each.delays[203:]) for each in played) < 1.2 * alone


@pytest.mark.parametrize("lost", [1 / 64, 1 / 8, 1 / 2])
def test_the_timetable_for_a_share_is_the_best_one_for_it(lost: float) -> None:
    totals = {
        believed: simulate_callbacks(
            TYPICAL, TYPICAL.shares(), tasks=5000, loses=lambda _: lost, seed=1, fixed=believed
        ).total
        for believed in (lost / 8, lost, min(1.0, lost * 8))
    }
    assert min(totals, key=lambda believed: totals[believed]) == lost


def test_one_lost_callback_changes_little_and_a_second_one_everything() -> None:
    loss_rate = CallbackLossRate()
    for _ in range(100):
        loss_rate = loss_rate.updated(lost=False)
    once = loss_rate.updated(lost=True)
    assert loss_rate.expected < 1 / 64
    assert once.expected < 1 / 4
    assert once.updated(lost=True).expected == 1
    assert once.updated(lost=False).expected < 1 / 32


def test_after_an_outage_a_dozen_callbacks_that_come_are_relied_on_again() -> None:
    loss_rate = CallbackLossRate()
    for lost in [False] * 50 + [True] * 20 + [False] * 3:
        loss_rate = loss_rate.updated(lost=lost)
    assert loss_rate.expected < 1 / 2
    for _ in range(10):
        loss_rate = loss_rate.updated(lost=False)
    assert loss_rate.expected < 1 / 16


@given(st.lists(st.booleans(), max_size=30))
def test_whatever_happens_some_share_is_believed_in(story: list[bool]) -> None:
    loss_rate = CallbackLossRate()
    for lost in story:
        loss_rate = loss_rate.updated(lost=lost)
    assert 2**-8 <= loss_rate.expected <= 1
    assert sum(loss_rate.beliefs) == pytest.approx(1)
