"""A model of the cost of polling: distributions of durations, the exact cost of any schedule, and the optimum.

The delay and the number of polls follow from the distribution by integration, and the optimum from dynamic programming
on a fine grid. Only the durations that a schedule learns from are random.
"""

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from statistics import NormalDist

import numpy as np

from bot.pipeline.poll_schedule import AGES, POLL_COST, DurationDistribution, PollSchedule

#: Seconds up to which polls are counted; tasks that take longer are left out of every comparison.
HORIZON_SECONDS = 900.0

#: Seconds between the candidate ages of the optimum.
GRID_SECONDS = 0.1

_NORMAL = NormalDist()


@dataclass(frozen=True)
class LognormalPart:
    """A share of the tasks, with lognormal durations; `median` is in seconds."""

    share: float
    median: float
    spread: float


@dataclass(frozen=True)
class DurationModel:
    """The distribution of task durations, in seconds: a mixture of lognormal parts."""

    parts: tuple[LognormalPart, ...]

    def share_ended(self, age: float) -> float:
        """Return the share of tasks that have ended by an age."""
        return sum(part.share * _NORMAL.cdf(_standard_deviations(part, age)) for part in self.parts)

    def mean_time_ended(self, age: float) -> float:
        """Return the summed durations of the tasks that have ended by an age, divided by the number of all tasks."""
        return sum(
            part.share
            * part.median
            * math.exp(part.spread**2 / 2)
            * _NORMAL.cdf(_standard_deviations(part, age) - part.spread)
            for part in self.parts
        )

    def draw(self, chance: random.Random) -> float:
        """Draw the duration of one task."""
        [part] = chance.choices(self.parts, [part.share for part in self.parts])
        return chance.lognormvariate(math.log(part.median), part.spread)

    def draw_many(self, number: int, seed: int) -> list[float]:
        """Draw the durations of `number` tasks."""
        chance = random.Random(seed)  # noqa: S311 - no secret depends on it
        return [self.draw(chance) for _ in range(number)]

    def slowed_by(self, factor: float) -> "DurationModel":
        """Return the distribution with all durations multiplied by a factor."""
        return DurationModel(tuple(LognormalPart(part.share, factor * part.median, part.spread) for part in self.parts))

    def shares(self) -> DurationDistribution:
        """Return the distribution that a perfect estimate would find."""
        ended = [*map(self.share_ended, AGES[:-1]), 1.0]
        return tuple(until - since for since, until in pairwise(ended))


def _standard_deviations(part: LognormalPart, age: float) -> float:
    return math.log(age / part.median) / part.spread if age > 0 else -math.inf


#: The usual tasks; the same with some that wait in a queue; a narrow and a wide distribution; two kinds of tasks.
TYPICAL = DurationModel((LognormalPart(1.0, 10.0, 0.5),))
WITH_STRAGGLERS = DurationModel((LognormalPart(0.9, 10.0, 0.5), LognormalPart(0.1, 60.0, 0.8)))
NARROW = DurationModel((LognormalPart(1.0, 15.0, 0.2),))
WIDE = DurationModel((LognormalPart(1.0, 25.0, 0.8),))
TWO_KINDS = DurationModel((LognormalPart(0.5, 5.0, 0.25), LognormalPart(0.5, 40.0, 0.25)))


@dataclass(frozen=True)
class PollCost:
    """The cost of polling per task: seconds between its end and the poll that finds it, and the number of polls."""

    delay: float
    polls: float

    @property
    def total(self) -> float:
        """The total cost, in seconds: the delay, and the polls at POLL_COST each."""
        return self.delay + POLL_COST * self.polls


def compute_poll_cost(ages: Iterable[float], durations: DurationModel) -> PollCost:
    """Return the cost of polling at these ages."""
    delay = polls = ended = spent = 0.0
    for age in ages:
        polls += 1 - ended
        ended_by, spent_by = durations.share_ended(age), durations.mean_time_ended(age)
        delay += age * (ended_by - ended) - (spent_by - spent)
        ended, spent = ended_by, spent_by
        if ended > 1 - 1e-6:
            break
    return PollCost(delay, polls)


def poll_ages(schedule: PollSchedule) -> list[float]:
    """Return the ages at which a schedule polls a task that never ends."""
    ages = [schedule.next_age(0.0)]
    while ages[-1] < HORIZON_SECONDS:
        ages.append(schedule.next_age(ages[-1]))
    return ages


def growing_intervals(first: float, factor: float, longest: float) -> list[float]:
    """Return the ages of polls at growing intervals, in seconds."""
    ages, interval = [first], first
    while ages[-1] < HORIZON_SECONDS:
        interval = min(longest, interval * factor)
        ages.append(ages[-1] + interval)
    return ages


def fixed_interval(interval: float) -> list[float]:
    """Return the ages of polls at a fixed interval, in seconds."""
    return growing_intervals(interval, 1.0, interval)


#: As Kie's documentation advises: every 2 to 3 seconds at first, every 15 to 30 after two minutes.
ADVISED_AGES = growing_intervals(2.5, 1.2, 15.0)


@cache
def least_cost(durations: DurationModel) -> float:
    """Return the least possible cost, in seconds."""
    return compute_poll_cost(optimal_poll_ages(durations), durations).total


def optimal_poll_ages(durations: DurationModel, price: float = POLL_COST) -> list[float]:
    """Return the ages of the polls of least cost, for a price per poll in seconds."""
    ages = np.arange(0.0, HORIZON_SECONDS + GRID_SECONDS, GRID_SECONDS)
    ended = np.array([durations.share_ended(age) for age in ages])
    spent = np.array([durations.mean_time_ended(age) for age in ages])
    left, after = np.zeros(len(ages)), np.zeros(len(ages), dtype=int)
    shortest, longest = round(0.5 / GRID_SECONDS), round(30 / GRID_SECONDS)
    for here in range(len(ages) - 2, -1, -1):
        reach = slice(min(here + shortest, len(ages) - 1), here + longest + 1)
        paid = ages[reach] * (ended[reach] - ended[here]) - (spent[reach] - spent[here]) + left[reach]
        left[here] = price * (1 - ended[here]) + paid.min()
        after[here] = reach.start + int(paid.argmin())
    chosen = [0]
    while chosen[-1] < len(ages) - 1:
        chosen.append(int(after[chosen[-1]]))
    return [float(ages[here]) for here in chosen[1:]]
