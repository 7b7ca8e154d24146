"""Statistics of a period, aggregated from the database a day at a time, so that no other writer waits for long."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import accumulate

from bot.clock import Instant, start_of_day, utc_day
from bot.job import FailureReason, State
from bot.store.database import Database, Transaction
from bot.store.job_statistics import EndedRequests

#: Milliseconds.
HOUR_MS, DAY_MS = 3_600_000, 86_400_000

#: The longest periods: a year with its leap day, and as many hours as a phone can show as bars.
MAX_DAYS, MAX_HOURS = 366, 72

#: With more days than this, a bar of the chart stands for a week.
MAX_DAILY_BARS = 62

DAYS_PER_WEEK = 7

#: Milliseconds to which waits are rounded down, so that a year has few different ones.
TIME_RESOLUTION_MS = 100


class PeriodUnit(StrEnum):
    """The unit of a period."""

    HOURS = "h"
    DAYS = "d"


MAX_COUNT = {PeriodUnit.HOURS: MAX_HOURS, PeriodUnit.DAYS: MAX_DAYS}


@dataclass(frozen=True)
class Period:
    """The last hours or UTC days, the current one included."""

    count: int
    unit: PeriodUnit

    def __str__(self) -> str:
        """Return it as it is written after /stats, like 7d."""
        return f"{self.count}{self.unit}"

    @property
    def days_per_bar(self) -> int:
        """Days for which a bar of the chart stands; 0 where it is an hour."""
        if self.unit is PeriodUnit.HOURS:
            return 0
        return 1 if self.count <= MAX_DAILY_BARS else DAYS_PER_WEEK

    def start(self, now: Instant) -> Instant:
        """Return the full hour, or the midnight in UTC, at which it begins."""
        if self.unit is PeriodUnit.HOURS:
            return (now // HOUR_MS - self.count + 1) * HOUR_MS
        return start_of_day(utc_day(now) - self.count + 1)


DEFAULT_PERIOD = Period(7, PeriodUnit.DAYS)


def parse_period(words: str) -> Period | None:
    """Return the period that is written after /stats, by default `DEFAULT_PERIOD`; None if it is invalid."""
    if not words.strip():
        return DEFAULT_PERIOD
    found = re.fullmatch(r"([1-9][0-9]{0,3})\s*([hd])", words.strip().lower())
    if found is None:
        return None
    period = Period(int(found[1]), PeriodUnit(found[2]))
    return period if period.count <= MAX_COUNT[period.unit] else None


class EditOutcome(StrEnum):
    """The outcome of a request, as /stats names it."""

    SUCCEEDED = "made"
    REFUSED = FailureReason.REFUSED.value
    KIE_FAILED = FailureReason.TASK_FAILED.value
    UNUSABLE_IMAGE = FailureReason.UNUSABLE_IMAGE.value
    UNCERTAIN = FailureReason.ORDER_UNCERTAIN.value
    OVERDUE = FailureReason.OVERDUE.value
    DELETED = FailureReason.DELETED.value
    NO_PROMPT = FailureReason.NO_PROMPT.value
    #: by the user
    CANCELLED = "taken_back"
    UNFINISHED = "open"

    @property
    def sentence_name(self) -> str:
        """The name of the sentence for it."""
        return f"stats-end-{self.replace('_', '-')}"


#: Outcomes that users did not choose themselves.
FAILED_OUTCOMES = (
    EditOutcome.REFUSED,
    EditOutcome.KIE_FAILED,
    EditOutcome.UNUSABLE_IMAGE,
    EditOutcome.UNCERTAIN,
    EditOutcome.OVERDUE,
)


@dataclass(frozen=True)
class TimeBucket:
    """A part of the period: a bar of the chart."""

    start: Instant
    #: length in days
    days: float
    succeeded: int
    failed: int
    #: with any other outcome
    others: int

    @property
    def edits(self) -> int:
        """Edits that were requested."""
        return self.succeeded + self.failed + self.others


@dataclass(frozen=True)
class WaitTimes:
    """How long users waited for their images, in milliseconds: the median and the 95th percentile."""

    median: int
    p95: int
    #: the same for Kie's part of it
    median_at_kie: int
    p95_at_kie: int
    #: Kie's share of all waits together, from 0 to 1
    kie_share: float


@dataclass(frozen=True)
class PeriodStatistics:
    """The statistics of a period."""

    period: Period
    now: Instant
    buckets: tuple[TimeBucket, ...]
    #: edits requested in each hour of the day, UTC
    by_hour_of_day: tuple[int, ...]
    outcomes: Counter[EditOutcome]
    #: None when no image was sent
    wait_times: WaitTimes | None
    #: Kie's credits, on the UTC days that the period touches
    credits_spent: float

    @property
    def edits(self) -> int:
        """Edits that were requested."""
        return self.outcomes.total()

    @property
    def failed(self) -> int:
        """Edits that failed."""
        return sum(self.outcomes[each] for each in FAILED_OUTCOMES)

    @property
    def success_rate(self) -> float | None:
        """The share of successful edits among those that succeeded or failed, from 0 to 1."""
        tried = self.outcomes[EditOutcome.SUCCEEDED] + self.failed
        return self.outcomes[EditOutcome.SUCCEEDED] / tried if tried else None


@dataclass(frozen=True)
class _DayCounts:
    """The counts of a day: outcomes, and how many waits there are of each length in milliseconds."""

    outcomes: list[EndedRequests]
    wait_times: Counter[int]
    kie_times: Counter[int]


async def aggregate_period(db: Database, period: Period, now: Instant) -> PeriodStatistics:
    """Return the statistics of a period that ends at `now`; each day is counted in a transaction of its own."""
    start, end = period.start(now), now + 1
    ended: list[EndedRequests] = []
    waits, at_kie = Counter[int](), Counter[int]()
    for day_start in range(start, end, DAY_MS):
        counts = await db.transact(partial(_count_day, start=day_start, end=min(day_start + DAY_MS, end)))
        ended += counts.outcomes
        waits.update(counts.wait_times)
        at_kie.update(counts.kie_times)
    spent = await db.transact(lambda tx: tx.job_statistics.sum_credits_spent(utc_day(start), utc_day(now)))
    outcomes, by_hour = Counter[EditOutcome](), Counter[int]()
    for each in ended:
        outcomes[_outcome_of(each)] += each.count
        by_hour[each.hour % 24] += each.count
    return PeriodStatistics(
        period,
        now,
        _fill_buckets(period, now, ended),
        tuple(by_hour[hour] for hour in range(24)),
        outcomes,
        _summarize_waits(waits, at_kie),
        spent,
    )


def _count_day(tx: Transaction, start: Instant, end: Instant) -> _DayCounts:
    durations = tx.job_statistics.list_durations(start, end)
    return _DayCounts(
        tx.job_statistics.count_ended(start, end),
        Counter(_rounded(each.total_ms) for each in durations),
        Counter(_rounded(each.kie_ms) for each in durations),
    )


def _rounded(duration_ms: int) -> int:
    return duration_ms // TIME_RESOLUTION_MS * TIME_RESOLUTION_MS


def _outcome_of(ended: EndedRequests) -> EditOutcome:
    if ended.state is State.SUCCEEDED:
        return EditOutcome.SUCCEEDED
    if ended.reason is not None:
        return EditOutcome(ended.reason.value)
    return EditOutcome.CANCELLED if ended.state is State.CANCELLED else EditOutcome.UNFINISHED


def _fill_buckets(period: Period, now: Instant, ended: Sequence[EndedRequests]) -> tuple[TimeBucket, ...]:
    start = period.start(now)
    width = period.days_per_bar * DAY_MS or HOUR_MS
    # counted from the end, so that only the first bucket may be less than a week
    end = start_of_day(utc_day(now) + 1) if period.days_per_bar else (now // HOUR_MS + 1) * HOUR_MS
    starts = [max(start, end - (number + 1) * width) for number in range(math.ceil((end - start) / width))]
    outcomes = [Counter[EditOutcome]() for _ in starts]
    for each in ended:
        outcomes[(end - 1 - each.hour * HOUR_MS) // width][_outcome_of(each)] += each.count
    stops = [end, *starts[:-1]]
    return tuple(reversed([_build_bucket(*each) for each in zip(starts, stops, outcomes, strict=True)]))


def _build_bucket(start: Instant, stop: Instant, outcomes: Counter[EditOutcome]) -> TimeBucket:
    succeeded, failed = outcomes[EditOutcome.SUCCEEDED], sum(outcomes[each] for each in FAILED_OUTCOMES)
    return TimeBucket(start, (stop - start) / DAY_MS, succeeded, failed, outcomes.total() - succeeded - failed)


def _summarize_waits(waits: Counter[int], at_kie: Counter[int]) -> WaitTimes | None:
    if not waits:
        return None
    return WaitTimes(
        median=_percentile(waits, 0.5),
        p95=_percentile(waits, 0.95),
        median_at_kie=_percentile(at_kie, 0.5),
        p95_at_kie=_percentile(at_kie, 0.95),
        kie_share=min(1.0, _total_time(at_kie) / max(1, _total_time(waits))),
    )


def _percentile(times: Counter[int], share: float) -> int:
    """Return the nearest-rank percentile: the shortest time that this share of them does not exceed."""
    ordered = sorted(times)
    reached = accumulate(times[time] for time in ordered)
    enough = math.ceil(share * times.total())
    return next(time for time, count in zip(ordered, reached, strict=True) if count >= enough)


def _total_time(times: Counter[int]) -> int:
    return sum(time * count for time, count in times.items())
