"""What looks cost: distributions of durations, any way of looking, and the best there can be, exactly.

Nothing here is drawn or played: the delay and the number of looks follow from the
distribution by integration, and the optimum from dynamic programming on a fine grid.
Only what somebody learns from is drawn.
"""

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from statistics import NormalDist

import numpy as np

from bot.jobs.durations import AGES, Shares
from bot.jobs.timetable import PRICE, Timetable

#: Seconds until which looks are followed; the few tasks of B that are left take part in no comparison.
HORIZON = 900.0

#: Seconds between the moments among which the optimum chooses.
GRID = 0.1

_NORMAL = NormalDist()


@dataclass(frozen=True)
class Part:
    """Some of the tasks, whose durations have a normal logarithm; `median` is in seconds."""

    share: float
    median: float
    spread: float


@dataclass(frozen=True)
class Durations:
    """How long tasks take, in seconds."""

    parts: tuple[Part, ...]

    def ended(self, age: float) -> float:
        """Return the share of tasks that has ended by an age."""
        return sum(part.share * _NORMAL.cdf(_deviations(part, age)) for part in self.parts)

    def spent(self, age: float) -> float:
        """Return the seconds per task that those took which have ended by an age."""
        return sum(
            part.share * part.median * math.exp(part.spread**2 / 2) * _NORMAL.cdf(_deviations(part, age) - part.spread)
            for part in self.parts
        )

    def draw(self, chance: random.Random) -> float:
        """Return how long one task takes."""
        [part] = chance.choices(self.parts, [part.share for part in self.parts])
        return chance.lognormvariate(math.log(part.median), part.spread)

    def some(self, number: int, seed: int) -> list[float]:
        """Return how long so many tasks take."""
        chance = random.Random(seed)  # noqa: S311 - no secret depends on it
        return [self.draw(chance) for _ in range(number)]

    def times(self, factor: float) -> "Durations":
        """Return the same with everything so many times slower."""
        return Durations(tuple(Part(part.share, factor * part.median, part.spread) for part in self.parts))

    def shares(self) -> Shares:
        """Return the distribution as it would be known in the end."""
        ended = [*map(self.ended, AGES[:-1]), 1.0]
        return tuple(until - since for since, until in pairwise(ended))


def _deviations(part: Part, age: float) -> float:
    return math.log(age / part.median) / part.spread if age > 0 else -math.inf


#: The usual tasks; the same with some that wait behind something; narrow ones; wide ones.
A = Durations((Part(1.0, 10.0, 0.5),))
B = Durations((Part(0.9, 10.0, 0.5), Part(0.1, 60.0, 0.8)))
C = Durations((Part(1.0, 15.0, 0.2),))
D = Durations((Part(1.0, 25.0, 0.8),))
TWO_KINDS = Durations((Part(0.5, 5.0, 0.25), Part(0.5, 40.0, 0.25)))


@dataclass(frozen=True)
class Cost:
    """What looking costs per task: seconds between its end and the look that finds it, and looks."""

    delay: float
    looks: float

    @property
    def total(self) -> float:
        """Both together, in seconds."""
        return self.delay + PRICE * self.looks


def cost(ages: Iterable[float], durations: Durations) -> Cost:
    """Return what it costs to look at these ages."""
    delay = looks = ended = spent = 0.0
    for age in ages:
        looks += 1 - ended
        ended_by, spent_by = durations.ended(age), durations.spent(age)
        delay += age * (ended_by - ended) - (spent_by - spent)
        ended, spent = ended_by, spent_by
        if ended > 1 - 1e-6:
            break
    return Cost(delay, looks)


def ages_of(table: Timetable) -> list[float]:
    """Return the ages at which a timetable looks at a task that never ends."""
    ages = [table.next(0.0)]
    while ages[-1] < HORIZON:
        ages.append(table.next(ages[-1]))
    return ages


def growing(first: float, factor: float, longest: float) -> list[float]:
    """Return the ages of looks whose gaps grow, in seconds."""
    ages, gap = [first], first
    while ages[-1] < HORIZON:
        gap = min(longest, gap * factor)
        ages.append(ages[-1] + gap)
    return ages


def fixed(gap: float) -> list[float]:
    """Return the ages of looks with one gap, in seconds."""
    return growing(gap, 1.0, gap)


#: What Kie's documentation advises: every 2 to 3 seconds at first, 15 to 30 after two minutes.
ADVISED = growing(2.5, 1.2, 15.0)


@cache
def least(durations: Durations) -> float:
    """Return what looks cost at least, in seconds."""
    return cost(best(durations), durations).total


def best(durations: Durations, price: float = PRICE) -> list[float]:
    """Return the ages of the looks that cost least, at this price of a look in seconds."""
    ages = np.arange(0.0, HORIZON + GRID, GRID)
    ended = np.array([durations.ended(age) for age in ages])
    spent = np.array([durations.spent(age) for age in ages])
    left, after = np.zeros(len(ages)), np.zeros(len(ages), dtype=int)
    shortest, longest = round(0.5 / GRID), round(30 / GRID)
    for here in range(len(ages) - 2, -1, -1):
        reach = slice(min(here + shortest, len(ages) - 1), here + longest + 1)
        paid = ages[reach] * (ended[reach] - ended[here]) - (spent[reach] - spent[here]) + left[reach]
        left[here] = price * (1 - ended[here]) + paid.min()
        after[here] = reach.start + int(paid.argmin())
    chosen = [0]
    while chosen[-1] < len(ages) - 1:
        chosen.append(int(after[chosen[-1]]))
    return [float(ages[here]) for here in chosen[1:]]
