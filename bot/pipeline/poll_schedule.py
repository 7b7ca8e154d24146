"""How long tasks take, by the latest that finished: the share of tasks that end at each age.

It is an estimate without a formula behind it: every task that finished counts for
ages around its own, the latest most, and what was believed before anything was known
counts for a few tasks more. So it follows whatever Kie does: two kinds of tasks, a long
tail, a day on which everything takes three times as long.
"""

import heapq
import math
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist

from bot.clock import Instant, add_seconds, seconds_between
from bot.edit_options import AspectRatio
from bot.store.jobs import KieDuration

#: A share of tasks for each span between two of the AGES; together they are 1.
DurationDistribution = tuple[float, ...]

#: The width of a span, as a difference of natural logarithms: what is five per cent off costs nothing.
LOG_STEP = 0.05

#: Seconds since Kie made the task: zero, and from half a second on in equal ratios up to half an hour.
AGES = (0.0, *(0.5 * math.exp(LOG_STEP * number) for number in range(165)))

#: Tasks after which one counts half. Fewer would know less of what stays, more would be slower to see what changes.
HALF_LIFE = 30

#: Tasks that are remembered; what is older would count for less than a thousandth.
REMEMBERED_TASKS = 10 * HALF_LIFE

#: One task in ten is believed to wait behind something, and to take about six times as long: recordings are few.
SLOW_SHARE, SLOW_RATIO = 0.1, 6.0

#: How far tasks spread, as standard deviations of the logarithm: most of them, and those that wait.
SPREAD, SLOW_SPREAD = 0.5, 0.8

#: The least width, in logarithms, for which one task counts, and the most.
MIN_BANDWIDTH, MAX_BANDWIDTH = 0.06, 0.25


def make_prior_distribution(median: float) -> DurationDistribution:
    """Return what is believed before anything is known but that half of the tasks take less than `median` seconds."""
    ended = [
        (1 - SLOW_SHARE) * _lognormal_cdf(age, median, SPREAD)
        + SLOW_SHARE * _lognormal_cdf(age, SLOW_RATIO * median, SLOW_SPREAD)
        for age in AGES[:-1]
    ]
    return tuple(until - since for since, until in pairwise([*ended, 1.0]))


def estimate_distribution(latest: Sequence[float], prior: DurationDistribution, weight: float) -> DurationDistribution:
    """Return what follows from the seconds that the latest tasks took, the last one first.

    `prior` counts for as many tasks as `weight` says.
    """
    if not latest:
        return prior
    counts = [0.0] * len(prior)
    for place, seconds in enumerate(latest):
        counts[_bin_of(seconds)] += 0.5 ** (place / HALF_LIFE)
    number, before = sum(counts), [weight * share for share in prior]
    width = _bandwidth([old + new for old, new in zip(before, counts, strict=True)], number)
    smoothed = _smooth(counts, width)
    return tuple((old + new) / (weight + number) for old, new in zip(before, smoothed, strict=True))


def _lognormal_cdf(age: float, median: float, spread: float) -> float:
    """Return the share that ended by an age, where the logarithm is normal."""
    return NormalDist(math.log(median), spread).cdf(math.log(age)) if age > 0 else 0.0


def _bin_of(seconds: float) -> int:
    return min(bisect_right(AGES, max(0.0, seconds)) - 1, len(AGES) - 2)


def _bandwidth(counts: list[float], number: float) -> float:
    """Return the width, in logarithms, for which each of `number` tasks counts, by Silverman's rule (1986, 3.30)."""
    all_of_them = sum(counts)
    middle_half = LOG_STEP * max(
        1, _quantile_bin(counts, 0.75 * all_of_them) - _quantile_bin(counts, 0.25 * all_of_them)
    )
    return min(MAX_BANDWIDTH, max(MIN_BANDWIDTH, 0.9 * middle_half / 1.34 * math.pow(number, -0.2)))


def _quantile_bin(counts: list[float], number: float) -> int:
    """Return the span up to which `number` tasks ended."""
    seen = 0.0
    for span, count in enumerate(counts):
        seen += count
        if seen >= number:
            return span
    return len(counts) - 1


def _smooth(counts: list[float], width: float) -> list[float]:
    """Spread each task over the spans around its own; what would fall off the ends stays in the last ones."""
    reach = math.ceil(3 * width / LOG_STEP)
    bell = [math.exp(-0.5 * (LOG_STEP * away / width) ** 2) for away in range(-reach, reach + 1)]
    whole, last = sum(bell), len(counts) - 1
    smoothed = [0.0] * len(counts)
    for span, count in enumerate(counts):
        if count:
            for away, height in enumerate(bell, -reach):
                smoothed[min(last, max(0, span + away))] += count * height / whole
    return smoothed


#: Seconds of waiting that one look is worth.
POLL_COST = 0.5

#: Seconds between two looks at a task.
MIN_POLL_INTERVAL, MAX_POLL_INTERVAL = 0.5, 30.0

#: Seconds between two looks where a callback is expected; the older the task, the more.
MAX_INTERVAL_WITH_CALLBACKS = 60.0


@dataclass(frozen=True)
class PollSchedule:
    """When to look, by the age of a task in seconds."""

    #: for each of the AGES but the last, the age of the next look
    next_ages: tuple[float, ...]
    #: whether a callback is expected to come before the looks
    expects_callback: bool = False

    def next_age(self, age: float) -> float:
        """Return the age at which to look at a task that is not finished at this one."""
        here = bisect_right(AGES, age) - 1
        # of what is older than all that was ever expected nothing is known that would be worth an early look
        planned = self._interpolate(here, age) if here + 1 < len(self.next_ages) else math.inf
        return min(max(planned, age + MIN_POLL_INTERVAL), age + _max_interval(age, awaits=self.expects_callback))

    def _interpolate(self, here: int, age: float) -> float:
        part = (age - AGES[here]) / (AGES[here + 1] - AGES[here])
        return self.next_ages[here] + part * (self.next_ages[here + 1] - self.next_ages[here])


def compute_poll_schedule(shares: DurationDistribution, lost: float = 1.0) -> PollSchedule:
    """Return the best timetable for tasks that take so long, where this share of the callbacks gets lost.

    Without callbacks all of them are lost.
    """
    ended, spent = _cumulative_sums(shares)
    # what a look at each age costs as far as that does not depend on the one before: the look itself where a callback
    # may come first, the wait for it, and, once it is known, all that is still to be paid after it
    costs = [
        POLL_COST * (1 - lost) * (1 - share) + lost * (age * share - seconds)
        for age, share, seconds in zip(AGES, ended, spent, strict=True)
    ]
    after = [AGES[-1]] * (len(AGES) - 1)
    for here in range(len(after) - 1, -1, -1):
        # who had ended at the age before does not wait for this look
        known = lost * ended[here]
        least, best = min((costs[at] - known * AGES[at], at) for at in _candidate_polls(here, awaits=lost < 1))
        after[here] = AGES[best]
        costs[here] += least + lost * (spent[here] + POLL_COST * (1 - ended[here]))
    return PollSchedule(tuple(after), expects_callback=lost < 1)


def _cumulative_sums(shares: DurationDistribution) -> tuple[list[float], list[float]]:
    """Return for each age the share that has ended by then, and the seconds that these took, per task."""
    ended, spent = [0.0], [0.0]
    for share, since, until in zip(shares, AGES, AGES[1:], strict=False):
        ended.append(ended[-1] + share)
        spent.append(spent[-1] + share * (since + until) / 2)
    return ended, spent


def _candidate_polls(here: int, *, awaits: bool) -> range:
    age = AGES[here]
    first = min(bisect_left(AGES, age + MIN_POLL_INTERVAL), len(AGES) - 1)
    return range(first, max(first + 1, bisect_right(AGES, age + _max_interval(age, awaits=awaits))))


def _max_interval(age: float, *, awaits: bool) -> float:
    return max(MAX_INTERVAL_WITH_CALLBACKS, age) if awaits else MAX_POLL_INTERVAL


#: Ages in seconds of the rare looks after the deadline; the last one gives up.
LATE_POLL_AGES = (1800.0, 3600.0, 3 * 3600.0, 12 * 3600.0, 24 * 3600.0)

#: Seconds from our order to Kie's task. It is a guess, which may be off by a second for two or three per cent more.
ORDER_LATENCY = 0.5


def next_poll_at(submitted_at: Instant, now: Instant, deadline: float, timetable: PollSchedule) -> Instant | None:
    """Return the moment of the look after one at `now`, or None when that was the last.

    The first look is the one after the order itself. `deadline` is the age in seconds at
    which the person is told; there is a look at exactly that age.
    """
    age = seconds_between(submitted_at, now)
    if age < deadline:
        return add_seconds(submitted_at, min(_next_poll_age(age, timetable), deadline))
    coming = (late for late in LATE_POLL_AGES if late > age)
    return next((add_seconds(submitted_at, late) for late in coming), None)


def _next_poll_age(age: float, timetable: PollSchedule) -> float:
    if age < 0:
        # an order that seems to lie ahead was made by a clock that was set back since: its age is anybody's guess
        return age + min(MAX_POLL_INTERVAL, max(1.0, -age / 5))
    return ORDER_LATENCY + timetable.next_age(max(0.0, age - ORDER_LATENCY))


#: Tasks for which what was believed before counts: little, because it may be far off.
PRIOR_WEIGHT = 3.0

#: The same for what tasks of all shapes took, as long as little is known of one shape.
POOLED_WEIGHT = 20.0

#: Tasks after which timetables are made anew; it takes a few milliseconds.
RECOMPUTE_EVERY = 5


class AdaptivePollSchedule:
    """The latest tasks, and the timetables that follow from them."""

    def __init__(self, usual: float) -> None:
        self._prior = make_prior_distribution(usual)
        #: the last one first
        self._latest: deque[KieDuration] = deque(maxlen=REMEMBERED_TASKS)
        #: by shape and share of lost callbacks; no more than there are of both
        self._schedules: dict[tuple[AspectRatio, float], PollSchedule] = {}
        self._since_recompute = 0

    def load_history(self, latest: Sequence[KieDuration]) -> None:
        """Start from the latest tasks, the last one first."""
        self._latest.clear()
        self._latest.extend(latest[:REMEMBERED_TASKS])
        self._schedules.clear()

    def record_duration(self, took: KieDuration) -> None:
        """Learn from a task that has finished."""
        self._latest.appendleft(took)
        self._since_recompute += 1
        if self._since_recompute >= RECOMPUTE_EVERY:
            self._since_recompute = 0
            self._schedules.clear()

    def schedule_for(self, shape: AspectRatio, lost: float) -> PollSchedule:
        """Return when to look at a task of this shape while this share of the callbacks gets lost (1: none come)."""
        known = self._schedules.get((shape, lost))
        if known is None:
            known = self._schedules[shape, lost] = compute_poll_schedule(self._estimate(shape), lost)
        return known

    def _estimate(self, shape: AspectRatio) -> DurationDistribution:
        pooled = estimate_distribution([each.seconds for each in self._latest], self._prior, PRIOR_WEIGHT)
        return estimate_distribution(
            [each.seconds for each in self._latest if each.aspect_ratio == shape], pooled, POOLED_WEIGHT
        )


#: Looks per second in all; Kie's documentation of 2025 allows ten per key.
MAX_POLLS_PER_SECOND = 10

#: Moments in the heap that count no more and are put up with beside as many as there are jobs.
HEAP_SLACK = 64


class PollQueue:
    """A heap of moments, and the pace at which they may be used."""

    def __init__(self) -> None:
        self._heap: list[tuple[Instant, int]] = []
        #: what counts of the heap: the earliest look that is planned for each job
        self._planned: dict[int, Instant] = {}
        #: looks under way, with the one that was asked for meanwhile
        self._in_flight: dict[int, Instant | None] = {}
        self._next_allowed_at: Instant = 0

    def schedule(self, job_id: int, at: Instant) -> None:
        """Plan a look at a job's task, unless an earlier one is planned; it waits for the end of one under way."""
        planned = self._in_flight.get(job_id) or self._planned.get(job_id)
        if planned is not None and planned <= at:
            return
        if job_id in self._in_flight:
            self._in_flight[job_id] = at
        else:
            self._planned[job_id] = at
            heapq.heappush(self._heap, (at, job_id))
            self._compact_heap()

    def _compact_heap(self) -> None:
        """Keep the heap as small as there are jobs, however often somebody makes us look."""
        if len(self._heap) > 2 * len(self._planned) + HEAP_SLACK:
            self._heap = [(at, job_id) for job_id, at in self._planned.items()]
            heapq.heapify(self._heap)

    def next_at(self) -> Instant | None:
        """Return the moment of the next look, None when there is none to come."""
        while self._heap and self._planned.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return max(self._heap[0][0], self._next_allowed_at) if self._heap else None

    def pop_due(self, now: Instant) -> int | None:
        """Return the job to look at now, if it is time for one; the look is under way until it is `done`."""
        next_at = self.next_at()
        if next_at is None or next_at > now:
            return None
        self._next_allowed_at = add_seconds(max(now, self._next_allowed_at), 1 / MAX_POLLS_PER_SECOND)
        job_id = heapq.heappop(self._heap)[1]
        del self._planned[job_id]
        self._in_flight[job_id] = None
        return job_id

    def finish(self, job_id: int, again: Instant | None) -> None:
        """End a look, and plan the next one: at `again`, or earlier where that was asked for meanwhile."""
        asked_for = self._in_flight.pop(job_id)
        for at in (asked_for, again):
            if at is not None:
                self.schedule(job_id, at)
