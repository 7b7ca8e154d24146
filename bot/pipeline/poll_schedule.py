"""The poll schedule: how long tasks take, when to poll a task next, and which polls are due.

The schedule is learned from finished tasks, so it adapts to Kie. It minimizes the expected cost of a task: the seconds
between its end and the poll that finds it, plus a fixed cost for each poll.
"""

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

# 1. How long tasks take

#: The width of an age bin, as a difference of natural logarithms; an error of 5 % hardly costs anything.
LOG_STEP = 0.05

#: Ages of tasks in seconds: zero, and a geometric sequence from half a second to half an hour.
AGES = (0.0, *(0.5 * math.exp(LOG_STEP * number) for number in range(165)))

#: The share of tasks that end in each bin between two of the AGES; the shares add up to 1.
DurationDistribution = tuple[float, ...]

#: Tasks after which an older one counts half (exponential decay). Fewer are noisier, more adapt more slowly.
HALF_LIFE = 30

#: Tasks that are remembered; an older one would count for less than a thousandth.
REMEMBERED_TASKS = 10 * HALF_LIFE

#: The prior: one task in ten waits in a queue and takes about six times as long. It rests on few recordings.
SLOW_SHARE, SLOW_RATIO = 0.1, 6.0

#: The prior: standard deviations of the logarithm, for most tasks and for those that wait.
SPREAD, SLOW_SPREAD = 0.5, 0.8

#: The smallest and the largest width, in logarithms, over which one task is smoothed.
MIN_BANDWIDTH, MAX_BANDWIDTH = 0.06, 0.25


def make_prior_distribution(median: float) -> DurationDistribution:
    """Return the distribution assumed before any task has finished; half of the tasks take less than `median`."""
    usual = NormalDist(math.log(median), SPREAD)
    slow = NormalDist(math.log(SLOW_RATIO * median), SLOW_SPREAD)
    ended = [(1 - SLOW_SHARE) * usual.cdf(math.log(age)) + SLOW_SHARE * slow.cdf(math.log(age)) for age in AGES[1:-1]]
    return tuple(until - since for since, until in pairwise([0.0, *ended, 1.0]))


def estimate_distribution(latest: Sequence[float], prior: DurationDistribution, weight: float) -> DurationDistribution:
    """Return a kernel density estimate from the durations of the latest tasks in seconds, the last one first.

    `prior` counts as much as `weight` tasks.
    """
    if not latest:
        return prior
    counts = [0.0] * len(prior)
    for position, seconds in enumerate(latest):
        counts[min(bisect_right(AGES, max(0.0, seconds)) - 1, len(counts) - 1)] += 0.5 ** (position / HALF_LIFE)
    total, weighted = sum(counts), [weight * share for share in prior]
    width = _bandwidth([old + new for old, new in zip(weighted, counts, strict=True)], total)
    smoothed = _smooth(counts, width)
    return tuple((old + new) / (weight + total) for old, new in zip(weighted, smoothed, strict=True))


def _bandwidth(counts: list[float], number: float) -> float:
    """Return the kernel's width, in logarithms, for `number` tasks by Silverman's rule (1986, equation 3.30)."""
    total = sum(counts)
    middle_half = LOG_STEP * max(1, _quantile_bin(counts, 0.75 * total) - _quantile_bin(counts, 0.25 * total))
    return min(MAX_BANDWIDTH, max(MIN_BANDWIDTH, 0.9 * middle_half / 1.34 * math.pow(number, -0.2)))


def _quantile_bin(counts: list[float], number: float) -> int:
    """Return the bin in which the cumulative count reaches `number`."""
    seen = 0.0
    for index, count in enumerate(counts):
        seen += count
        if seen >= number:
            return index
    return len(counts) - 1


def _smooth(counts: list[float], width: float) -> list[float]:
    """Spread each task over the bins around its own; the first and the last bin take what falls outside."""
    reach, last = math.ceil(3 * width / LOG_STEP), len(counts) - 1
    kernel = [math.exp(-0.5 * (LOG_STEP * offset / width) ** 2) for offset in range(-reach, reach + 1)]
    total = sum(kernel)
    smoothed = [0.0] * len(counts)
    for index, count in enumerate(counts):
        if count:
            for offset, height in enumerate(kernel, -reach):
                smoothed[min(last, max(0, index + offset))] += count * height / total
    return smoothed


# 2. When to poll a task next

#: The cost of one poll, in seconds of waiting.
POLL_COST = 0.5

#: Bounds of the seconds between two polls of a task.
MIN_POLL_INTERVAL, MAX_POLL_INTERVAL = 0.5, 30.0

#: The upper bound where a callback is expected; for a task older than that, its age.
MAX_INTERVAL_WITH_CALLBACKS = 60.0

#: Ages in seconds of the few polls after the deadline. After the last one the bot gives up, if Kie answers.
LATE_POLL_AGES = (1800.0, 3600.0, 3 * 3600.0, 12 * 3600.0, 24 * 3600.0)

#: Seconds from our order to the start of Kie's task: a guess. An error of a second costs two or three per cent.
ORDER_LATENCY = 0.5


@dataclass(frozen=True)
class PollSchedule:
    """When to poll, by the age of a task in seconds."""

    #: for each of the AGES but the last, the age of the next poll
    next_ages: tuple[float, ...]
    #: whether a callback is expected to arrive before the polls
    expects_callback: bool = False

    def next_age(self, age: float) -> float:
        """Return the age at which to poll again a task that is unfinished at `age`."""
        here = bisect_right(AGES, age) - 1
        # a task older than all AGES is polled as rarely as allowed
        planned = self._interpolate(here, age) if here + 1 < len(self.next_ages) else math.inf
        return min(max(planned, age + MIN_POLL_INTERVAL), age + _max_interval(age, self.expects_callback))

    def _interpolate(self, here: int, age: float) -> float:
        part = (age - AGES[here]) / (AGES[here + 1] - AGES[here])
        return self.next_ages[here] + part * (self.next_ages[here + 1] - self.next_ages[here])


def compute_poll_schedule(shares: DurationDistribution, loss_rate: float = 1.0) -> PollSchedule:
    """Return the schedule of least expected cost, by dynamic programming from the oldest age down.

    `loss_rate` is the share of callbacks that get lost, 1 without callbacks.
    """
    # for each age: the share of tasks that have ended by then, and their durations in seconds, as a mean over all tasks
    ended, spent = [0.0], [0.0]
    for share, (since, until) in zip(shares, pairwise(AGES), strict=True):
        ended.append(ended[-1] + share)
        spent.append(spent[-1] + share * (since + until) / 2)
    # the cost of a poll at each age, without what depends on the previous poll: the poll itself (unless a callback
    # comes first), the wait for it, and, once computed, everything after it
    costs = [
        POLL_COST * (1 - loss_rate) * (1 - share) + loss_rate * (age * share - seconds)
        for age, share, seconds in zip(AGES, ended, spent, strict=True)
    ]
    next_ages = [AGES[-1]] * (len(AGES) - 1)
    for here in range(len(next_ages) - 1, -1, -1):
        # tasks that have ended by this age do not wait for the next poll
        known = loss_rate * ended[here]
        least, best = min((costs[at] - known * AGES[at], at) for at in _candidate_polls(AGES[here], loss_rate < 1))
        next_ages[here] = AGES[best]
        costs[here] += least + loss_rate * (spent[here] + POLL_COST * (1 - ended[here]))
    return PollSchedule(tuple(next_ages), expects_callback=loss_rate < 1)


def _candidate_polls(age: float, expects_callback: bool) -> range:
    first = min(bisect_left(AGES, age + MIN_POLL_INTERVAL), len(AGES) - 1)
    return range(first, max(first + 1, bisect_right(AGES, age + _max_interval(age, expects_callback))))


def _max_interval(age: float, expects_callback: bool) -> float:
    return max(MAX_INTERVAL_WITH_CALLBACKS, age) if expects_callback else MAX_POLL_INTERVAL


def next_poll_at(submitted_at: Instant, now: Instant, deadline: float, schedule: PollSchedule) -> Instant | None:
    """Return when to poll after a poll at `now`, None if that was the last one.

    Before the first poll, `now` is the time of the order. `deadline` is the age in seconds at which the user is
    notified; there is a poll at exactly that age.
    """
    age = seconds_between(submitted_at, now)
    if age >= deadline:
        return next((add_seconds(submitted_at, late) for late in LATE_POLL_AGES if late > age), None)
    if age < 0:  # the clock was set back since the order, so the age is unknown
        next_age = age + min(MAX_POLL_INTERVAL, max(1.0, -age / 5))
    else:
        next_age = ORDER_LATENCY + schedule.next_age(max(0.0, age - ORDER_LATENCY))
    return add_seconds(submitted_at, min(next_age, deadline))


#: Tasks that the prior counts as; few, because it may be far off.
PRIOR_WEIGHT = 3.0

#: Tasks that the pooled estimate over all aspect ratios counts as in the estimate for one of them.
POOLED_WEIGHT = 20.0

#: Tasks after which the schedules are recomputed, which takes a few milliseconds.
RECOMPUTE_EVERY = 5


class AdaptivePollSchedule:
    """Learns from the latest tasks, and computes schedules; `usual` is the assumed median duration in seconds."""

    def __init__(self, usual: float) -> None:
        self._prior = make_prior_distribution(usual)
        #: the last one first
        self._latest: deque[KieDuration] = deque(maxlen=REMEMBERED_TASKS)
        #: by aspect ratio and callback loss rate; there are few of both
        self._schedules: dict[tuple[AspectRatio, float], PollSchedule] = {}
        self._since_recompute = 0

    def load_history(self, latest: Sequence[KieDuration]) -> None:
        """Start from the durations of earlier tasks, the last one first."""
        self._latest = deque(latest[:REMEMBERED_TASKS], maxlen=REMEMBERED_TASKS)
        self._schedules.clear()

    def record_duration(self, took: KieDuration) -> None:
        """Learn from a finished task."""
        self._latest.appendleft(took)
        self._since_recompute += 1
        if self._since_recompute >= RECOMPUTE_EVERY:
            self._since_recompute = 0
            self._schedules.clear()

    def schedule_for(self, aspect_ratio: AspectRatio, loss_rate: float) -> PollSchedule:
        """Return the schedule for tasks of an aspect ratio at a callback loss rate (1 without callbacks)."""
        key = aspect_ratio, loss_rate
        if key not in self._schedules:
            self._schedules[key] = compute_poll_schedule(self._estimate(aspect_ratio), loss_rate)
        return self._schedules[key]

    def _estimate(self, aspect_ratio: AspectRatio) -> DurationDistribution:
        pooled = estimate_distribution([each.seconds for each in self._latest], self._prior, PRIOR_WEIGHT)
        alike = [each.seconds for each in self._latest if each.aspect_ratio == aspect_ratio]
        return estimate_distribution(alike, pooled, POOLED_WEIGHT)


# 3. Which polls are due

#: Polls per second over all tasks: ten per API key, says Kie's documentation (2025).
MAX_POLLS_PER_SECOND = 10


class PollQueue:
    """The next poll of each task, and the rate limit over all of them."""

    def __init__(self) -> None:
        self._planned: dict[int, Instant] = {}
        #: jobs whose poll is in flight, and when to poll them again if that was requested meanwhile
        self._in_flight: dict[int, Instant | None] = {}
        self._next_allowed_at: Instant = 0

    def schedule(self, job_id: int, at: Instant) -> None:
        """Plan a poll, unless an earlier one is planned; if one is in flight, it follows that."""
        planned = self._in_flight.get(job_id) or self._planned.get(job_id)
        if planned is None or at < planned:
            (self._in_flight if job_id in self._in_flight else self._planned)[job_id] = at

    def next_at(self) -> Instant | None:
        """Return when the next poll is due, None if none is planned."""
        return max(min(self._planned.values()), self._next_allowed_at) if self._planned else None

    def pop_due(self, now: Instant) -> int | None:
        """Return the id of the job to poll now, if a poll is due; it is in flight until `finish`."""
        next_at = self.next_at()
        if next_at is None or next_at > now:
            return None
        self._next_allowed_at = add_seconds(max(now, self._next_allowed_at), 1 / MAX_POLLS_PER_SECOND)
        _, job_id = min((at, job_id) for job_id, at in self._planned.items())
        del self._planned[job_id]
        self._in_flight[job_id] = None
        return job_id

    def finish(self, job_id: int, again: Instant | None) -> None:
        """End a poll, and plan the next one: at `again` or at the time requested meanwhile, whichever is earlier."""
        asked_for = self._in_flight.pop(job_id)
        for at in (asked_for, again):
            if at is not None:
                self.schedule(job_id, at)
