"""Polling costs little more than the exact optimum, and less than the usual simple schedules.

The tasks that a schedule learns from are drawn with seeds; its cost is computed. Results are means over the seeds
unless a test checks each seed.
"""

from statistics import mean

import pytest

from bot.edit_options import AspectRatio
from bot.pipeline.poll_schedule import ORDER_LATENCY, RECOMPUTE_EVERY, AdaptivePollSchedule, compute_poll_schedule
from bot.store.jobs import KieDuration
from tests.poll_schedule.poll_cost_model import (
    ADVISED_AGES,
    NARROW,
    TWO_KINDS,
    TYPICAL,
    WIDE,
    WITH_STRAGGLERS,
    DurationModel,
    compute_poll_cost,
    fixed_interval,
    least_cost,
    poll_ages,
)

SEEDS = range(20)


def _learn_schedule(latest: list[float]) -> AdaptivePollSchedule:
    schedule = AdaptivePollSchedule(10)
    schedule.load_history([KieDuration(AspectRatio.AUTO, seconds) for seconds in reversed(latest)])
    return schedule


def _total_cost(latest: list[float], durations: DurationModel) -> float:
    """Return the cost per task of a schedule learned from these durations."""
    return compute_poll_cost(poll_ages(_learn_schedule(latest).schedule_for(AspectRatio.AUTO, 1.0)), durations).total


def _cost_of_others(durations: DurationModel) -> float:
    """Return the cost of the better of two simple schedules."""
    return min(
        compute_poll_cost(fixed_interval(2.0), durations).total, compute_poll_cost(ADVISED_AGES, durations).total
    )


@pytest.mark.parametrize("durations", [TYPICAL, WITH_STRAGGLERS, NARROW, WIDE], ids="ABCD")
def test_where_it_is_known_how_long_tasks_take_the_timetable_is_the_best_one(durations: DurationModel) -> None:
    known = compute_poll_cost(poll_ages(compute_poll_schedule(durations.shares())), durations).total
    assert known < 1.01 * least_cost(durations)


@pytest.mark.parametrize(
    ("durations", "usually", "worst"),
    [
        (TYPICAL, 1.03, 1.05),
        (WITH_STRAGGLERS, 1.03, 1.05),
        (NARROW, 1.03, 1.05),
        (WIDE, 1.03, 1.06),
        (TWO_KINDS, 1.08, 1.10),
    ],
    ids=["A", "B", "C", "D", "two kinds"],
)
def test_after_a_hundred_tasks_looks_cost_hardly_more_than_the_best_possible(
    durations: DurationModel, usually: float, worst: float
) -> None:
    ratios = [_total_cost(durations.draw_many(100, seed), durations) / least_cost(durations) for seed in SEEDS]
    assert mean(ratios) < usually
    assert max(ratios) < worst, "with each of the seeds"


@pytest.mark.parametrize("durations", [TYPICAL, WITH_STRAGGLERS, NARROW, WIDE], ids="ABCD")
@pytest.mark.parametrize("number", [0, 1, 3, 10, 50])
def test_however_little_is_known_looks_do_not_cost_more_than_what_others_do(
    durations: DurationModel, number: int
) -> None:
    assert mean(_total_cost(durations.draw_many(number, seed), durations) for seed in SEEDS) < _cost_of_others(
        durations
    )


SHIFTS = {
    "three times as slow": (TYPICAL, TYPICAL.slowed_by(3)),
    "three times as fast": (TYPICAL, TYPICAL.slowed_by(1 / 3)),
    "a tail, and slower": (WITH_STRAGGLERS, WITH_STRAGGLERS.slowed_by(3)),
    "a tail, and faster": (WITH_STRAGGLERS, WITH_STRAGGLERS.slowed_by(1 / 3)),
    "some begin to wait": (TYPICAL, WITH_STRAGGLERS),
    "none wait any more": (WITH_STRAGGLERS, TYPICAL),
    "from wide to narrow": (WIDE, NARROW),
    "from narrow to wide": (NARROW, WIDE),
    "narrow, and slower": (NARROW, NARROW.slowed_by(3)),
    "narrow, and faster": (NARROW, NARROW.slowed_by(1 / 3)),
    "wide, and faster": (WIDE, WIDE.slowed_by(1 / 3)),
}


@pytest.mark.parametrize("name", SHIFTS)
def test_when_everything_changes_it_takes_less_than_fifty_tasks_to_cost_no_more_than_what_others_do(name: str) -> None:
    """From the fiftieth task after the change on, the mean cost over the seeds is below that of simple schedules.

    A schedule is used for five tasks, so that for the fiftieth has learned from at least 46.
    """
    before, after = SHIFTS[name]
    for number in (50 - RECOMPUTE_EVERY + 1, 80):
        each = [
            _total_cost(before.draw_many(300, seed) + after.draw_many(number, -1 - seed), after) for seed in SEEDS[:8]
        ]
        assert mean(each) < _cost_of_others(after)


def test_a_shape_that_takes_longer_is_looked_at_later_and_the_others_are_not() -> None:
    """One task in five has another aspect ratio, and takes twice as long."""
    costs: dict[AspectRatio, list[float]] = {AspectRatio.WIDE: [], AspectRatio.AUTO: []}
    for seed in SEEDS:
        learned = AdaptivePollSchedule(10)
        latest = [KieDuration(AspectRatio.AUTO, seconds) for seconds in TYPICAL.draw_many(240, seed)]
        for number, seconds in enumerate(TYPICAL.slowed_by(2).draw_many(60, seed)):
            latest.insert(5 * number, KieDuration(AspectRatio.WIDE, seconds))
        learned.load_history(latest)
        for ratio, durations in ((AspectRatio.WIDE, TYPICAL.slowed_by(2)), (AspectRatio.AUTO, TYPICAL)):
            costs[ratio].append(compute_poll_cost(poll_ages(learned.schedule_for(ratio, 1.0)), durations).total)
    assert mean(costs[AspectRatio.WIDE]) < 1.08 * least_cost(TYPICAL.slowed_by(2))
    assert mean(costs[AspectRatio.AUTO]) < 1.03 * least_cost(TYPICAL)


@pytest.mark.parametrize("late", [0.0, 1.0])
def test_it_hardly_matters_how_long_after_our_order_kie_makes_the_task(late: float) -> None:
    """We know when the order was placed, Kie how long the task took; the schedule assumes half a second in between."""
    costs = []
    for seed in SEEDS:
        ages = poll_ages(_learn_schedule(TYPICAL.draw_many(300, seed)).schedule_for(AspectRatio.AUTO, 1.0))
        costs.append(compute_poll_cost([age + ORDER_LATENCY - late for age in ages], TYPICAL).total)
    assert mean(costs) < 1.04 * least_cost(TYPICAL)
