"""Looks cost as little as they can: proved against the exact optimum and what others do.

What is learned from is drawn with seeds; what it costs is computed. Figures are averages
over the seeds unless a test says that each of them keeps the promise.
"""

from statistics import mean

import pytest

from bot.jobs.learned import RENEWED, Learned
from bot.jobs.schedule import ORDERING
from bot.jobs.timetable import timetable
from bot.store.jobs import Took
from bot.wish import Shape
from tests.looks.inspection import ADVISED, TWO_KINDS, A, B, C, D, Durations, ages_of, cost, fixed, least

SEEDS = range(20)


def _learned(latest: list[float], shape: Shape = Shape.AUTO) -> Learned:
    learned = Learned(10)
    learned.recall([Took(shape, seconds) for seconds in reversed(latest)])
    return learned


def _total(latest: list[float], durations: Durations) -> float:
    """Return what looks cost per task to somebody who knows how long these tasks took."""
    return cost(ages_of(_learned(latest).timetable(Shape.AUTO, 1.0)), durations).total


def _by_others(durations: Durations) -> float:
    """Return what it costs to do the better of two simple things."""
    return min(cost(fixed(2.0), durations).total, cost(ADVISED, durations).total)


@pytest.mark.parametrize("durations", [A, B, C, D], ids="ABCD")
def test_where_it_is_known_how_long_tasks_take_the_timetable_is_the_best_one(durations: Durations) -> None:
    known = cost(ages_of(timetable(durations.shares())), durations).total
    assert known < 1.01 * least(durations)


@pytest.mark.parametrize(
    ("durations", "usually", "worst"),
    [(A, 1.03, 1.05), (B, 1.03, 1.05), (C, 1.03, 1.05), (D, 1.03, 1.06), (TWO_KINDS, 1.08, 1.10)],
    ids=["A", "B", "C", "D", "two kinds"],
)
def test_after_a_hundred_tasks_looks_cost_hardly_more_than_the_best_possible(
    durations: Durations, usually: float, worst: float
) -> None:
    ratios = [_total(durations.some(100, seed), durations) / least(durations) for seed in SEEDS]
    assert mean(ratios) < usually
    assert max(ratios) < worst, "with each of the seeds"


@pytest.mark.parametrize("durations", [A, B, C, D], ids="ABCD")
@pytest.mark.parametrize("number", [0, 1, 3, 10, 50])
def test_however_little_is_known_looks_do_not_cost_more_than_what_others_do(durations: Durations, number: int) -> None:
    assert mean(_total(durations.some(number, seed), durations) for seed in SEEDS) < _by_others(durations)


SHIFTS = {
    "three times as slow": (A, A.times(3)),
    "three times as fast": (A, A.times(1 / 3)),
    "a tail, and slower": (B, B.times(3)),
    "a tail, and faster": (B, B.times(1 / 3)),
    "some begin to wait": (A, B),
    "none wait any more": (B, A),
    "from wide to narrow": (D, C),
    "from narrow to wide": (C, D),
    "narrow, and slower": (C, C.times(3)),
    "narrow, and faster": (C, C.times(1 / 3)),
    "wide, and faster": (D, D.times(1 / 3)),
}


@pytest.mark.parametrize("name", SHIFTS)
def test_when_everything_changes_it_takes_less_than_fifty_tasks_to_cost_no_more_than_what_others_do(name: str) -> None:
    """From the fiftieth task after the change on, the average over the seeds of what a task costs is below.

    A timetable serves for five tasks, so the one for the fiftieth is made from the first 46 at least.
    """
    before, after = SHIFTS[name]
    for number in (50 - RENEWED + 1, 80):
        each = [_total(before.some(300, seed) + after.some(number, -1 - seed), after) for seed in SEEDS[:8]]
        assert mean(each) < _by_others(after)


def test_a_shape_that_takes_longer_is_looked_at_later_and_the_others_are_not() -> None:
    """One task in five has this shape; nobody said that it takes twice as long."""
    costs: dict[Shape, list[float]] = {Shape.WIDE: [], Shape.AUTO: []}
    for seed in SEEDS:
        learned = Learned(10)
        latest = [Took(Shape.AUTO, seconds) for seconds in A.some(240, seed)]
        for place, seconds in enumerate(A.times(2).some(60, seed)):
            latest.insert(5 * place, Took(Shape.WIDE, seconds))
        learned.recall(latest)
        for shape, durations in ((Shape.WIDE, A.times(2)), (Shape.AUTO, A)):
            costs[shape].append(cost(ages_of(learned.timetable(shape, 1.0)), durations).total)
    assert mean(costs[Shape.WIDE]) < 1.08 * least(A.times(2))
    assert mean(costs[Shape.AUTO]) < 1.03 * least(A)


@pytest.mark.parametrize("late", [0.0, 1.0])
def test_it_hardly_matters_how_long_after_our_order_kie_makes_the_task(late: float) -> None:
    """Our clock knows when the order was made, and Kie's how long the task took; we plan with half a second between."""
    costs = []
    for seed in SEEDS:
        ages = ages_of(_learned(A.some(300, seed)).timetable(Shape.AUTO, 1.0))
        costs.append(cost([age + ORDERING - late for age in ages], A).total)
    assert mean(costs) < 1.04 * least(A)
