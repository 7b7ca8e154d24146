"""When a task is looked at: the moments that cost least, delay and looks together.

A look too early is a look for nothing, one too late is time that somebody waits. The
best compromise for tasks of which it is known how long they take is computed exactly,
backwards from the oldest age (Barlow and Proschan, 1965, call it the inspection
problem). Where looks are close together their distance is √(2·PRICE/hazard); the first
comes when about a quarter of the tasks has ended.
"""

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from bot.jobs.durations import AGES, Shares

#: Seconds of waiting that one look is worth.
PRICE = 0.5

#: Seconds between two looks at a task.
SHORTEST_GAP, LONGEST_GAP = 0.5, 30.0

#: Seconds between two looks where a callback is expected; the older the task, the more.
LONGEST_WAIT = 60.0


@dataclass(frozen=True)
class Timetable:
    """When to look, by the age of a task in seconds."""

    #: for each of the AGES but the last, the age of the next look
    after: tuple[float, ...]
    #: whether a callback is expected to come before the looks
    awaits: bool = False

    def next(self, age: float) -> float:
        """Return the age at which to look at a task that is not finished at this one."""
        here = bisect_right(AGES, age) - 1
        # of what is older than all that was ever expected nothing is known that would be worth an early look
        planned = self._between(here, age) if here + 1 < len(self.after) else math.inf
        return min(max(planned, age + SHORTEST_GAP), age + _longest(age, awaits=self.awaits))

    def _between(self, here: int, age: float) -> float:
        part = (age - AGES[here]) / (AGES[here + 1] - AGES[here])
        return self.after[here] + part * (self.after[here + 1] - self.after[here])


def timetable(shares: Shares, lost: float = 1.0) -> Timetable:
    """Return the best timetable for tasks that take so long, where this share of the callbacks gets lost.

    Without callbacks all of them are lost.
    """
    ended, spent = _sums(shares)
    # what a look at each age costs as far as that does not depend on the one before: the look itself where a callback
    # may come first, the wait for it, and, once it is known, all that is still to be paid after it
    costs = [
        PRICE * (1 - lost) * (1 - share) + lost * (age * share - seconds)
        for age, share, seconds in zip(AGES, ended, spent, strict=True)
    ]
    after = [AGES[-1]] * (len(AGES) - 1)
    for here in range(len(after) - 1, -1, -1):
        # who had ended at the age before does not wait for this look
        known = lost * ended[here]
        least, best = min((costs[at] - known * AGES[at], at) for at in _within_reach(here, awaits=lost < 1))
        after[here] = AGES[best]
        costs[here] += least + lost * (spent[here] + PRICE * (1 - ended[here]))
    return Timetable(tuple(after), awaits=lost < 1)


def _sums(shares: Shares) -> tuple[list[float], list[float]]:
    """Return for each age the share that has ended by then, and the seconds that these took, per task."""
    ended, spent = [0.0], [0.0]
    for share, since, until in zip(shares, AGES, AGES[1:], strict=False):
        ended.append(ended[-1] + share)
        spent.append(spent[-1] + share * (since + until) / 2)
    return ended, spent


def _within_reach(here: int, *, awaits: bool) -> range:
    age = AGES[here]
    first = min(bisect_left(AGES, age + SHORTEST_GAP), len(AGES) - 1)
    return range(first, max(first + 1, bisect_right(AGES, age + _longest(age, awaits=awaits))))


def _longest(age: float, *, awaits: bool) -> float:
    return max(LONGEST_WAIT, age) if awaits else LONGEST_GAP
