"""The figures of a period, counted from the database a day at a time, so that nobody has to wait for it."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import accumulate

from bot.clock import Instant, utc_day
from bot.job import FailureReason, State
from bot.stats.period import DAY_MS, HOUR_MS, Period
from bot.store.database import Database
from bot.store.job_statistics import EditDuration, EndedRequests
from bot.store.transaction import Transaction


class EditOutcome(StrEnum):
    """What became of a request, as it is told."""

    SUCCEEDED = "made"
    REFUSED = FailureReason.REFUSED.value
    KIE_FAILED = FailureReason.TASK_FAILED.value
    UNUSABLE_IMAGE = FailureReason.UNUSABLE_IMAGE.value
    UNCERTAIN = FailureReason.ORDER_UNCERTAIN.value
    OVERDUE = FailureReason.OVERDUE.value
    DELETED = FailureReason.DELETED.value
    NO_PROMPT = FailureReason.NO_PROMPT.value
    #: by the person
    CANCELLED = "taken_back"
    #: not ended yet
    UNFINISHED = "open"

    @property
    def sentence_name(self) -> str:
        """The name of the sentence that names it."""
        return f"stats-end-{self.replace('_', '-')}"


#: Milliseconds to which times are known, so that those of a year are few different ones.
TIME_RESOLUTION_MS = 100

#: What somebody hoped for in vain; the other ends were the person's own choice.
FAILED_OUTCOMES = (
    EditOutcome.REFUSED,
    EditOutcome.KIE_FAILED,
    EditOutcome.UNUSABLE_IMAGE,
    EditOutcome.UNCERTAIN,
    EditOutcome.OVERDUE,
)


@dataclass(frozen=True)
class TimeBucket:
    """Part of the period."""

    start: Instant
    #: days for which it stands; less where it is an hour
    days: float
    succeeded: int
    failed: int
    #: what ended in neither way, or has not ended
    others: int

    @property
    def edits(self) -> int:
        """How many edits were asked for."""
        return self.succeeded + self.failed + self.others


@dataclass(frozen=True)
class WaitTimes:
    """How long people waited for a picture; milliseconds. Half of them, or 95 %, waited no longer."""

    median: int
    p95: int
    #: the same of Kie's work alone
    median_at_kie: int
    p95_at_kie: int
    #: which share of the time of all of them was Kie's, from 0 to 1
    kie_share: float


@dataclass(frozen=True)
class PeriodStatistics:
    """What is known of a period."""

    period: Period
    now: Instant
    buckets: tuple[TimeBucket, ...]
    #: edits that were asked for in each hour of the day, UTC
    by_hour_of_day: tuple[int, ...]
    outcomes: Counter[EditOutcome]
    #: None where no picture was sent
    wait_times: WaitTimes | None
    #: credits spent on the UTC days that the period touches
    credits_spent: float

    @property
    def edits(self) -> int:
        """How many edits were asked for."""
        return self.outcomes.total()

    @property
    def failed(self) -> int:
        """How many came to nothing without the person's will."""
        return sum(self.outcomes[end] for end in FAILED_OUTCOMES)

    @property
    def success_rate(self) -> float | None:
        """Which share of what was to be made was made, from 0 to 1."""
        tried = self.outcomes[EditOutcome.SUCCEEDED] + self.failed
        return self.outcomes[EditOutcome.SUCCEEDED] / tried if tried else None


@dataclass(frozen=True)
class _DayCounts:
    """What was read at once: how requests ended, and how many waited, and occupied Kie, for how long."""

    outcomes: list[EndedRequests]
    wait_times: Counter[int]
    kie_times: Counter[int]


async def aggregate_period(db: Database, period: Period, now: Instant) -> PeriodStatistics:
    """Count the figures of a period that ends now; each day in a transaction of its own."""
    begin, end = period.start(now), now + 1
    ended: list[EndedRequests] = []
    whole, at_kie = Counter[int](), Counter[int]()
    for start in range(begin, end, DAY_MS):
        piece = await db.transact(partial(_count_day, begin=start, end=min(start + DAY_MS, end)))
        ended += piece.outcomes
        whole.update(piece.wait_times)
        at_kie.update(piece.kie_times)
    spent = await db.transact(lambda tx: tx.job_statistics.sum_credits_spent(utc_day(begin), utc_day(now)))
    ends, by_hour = Counter[EditOutcome](), Counter[int]()
    for each in ended:
        ends[_outcome_of(each)] += each.count
        by_hour[each.hour % 24] += each.count
    of_hours = tuple(by_hour[hour] for hour in range(24))
    return PeriodStatistics(
        period, now, _fill_buckets(period, now, ended), of_hours, ends, _summarize_waits(whole, at_kie), spent
    )


def _count_day(tx: Transaction, begin: Instant, end: Instant) -> _DayCounts:
    waits = tx.job_statistics.list_durations(begin, end)
    whole, at_kie = (
        Counter(time // TIME_RESOLUTION_MS * TIME_RESOLUTION_MS for time in times) for times in _split_waits(waits)
    )
    return _DayCounts(tx.job_statistics.count_ended(begin, end), whole, at_kie)


def _split_waits(waits: Sequence[EditDuration]) -> tuple[list[int], list[int]]:
    return [wait.total_ms for wait in waits], [wait.kie_ms for wait in waits]


def _outcome_of(ended: EndedRequests) -> EditOutcome:
    if ended.state is State.SUCCEEDED:
        return EditOutcome.SUCCEEDED
    if ended.reason is not None:
        return EditOutcome(ended.reason.value)
    return EditOutcome.CANCELLED if ended.state is State.CANCELLED else EditOutcome.UNFINISHED


def _fill_buckets(period: Period, now: Instant, ended: Sequence[EndedRequests]) -> tuple[TimeBucket, ...]:
    begin = period.start(now)
    width = period.days_per_bar * DAY_MS or HOUR_MS
    # counted from the end, so that it is the first column that may be a part of a week
    last = (utc_day(now) + 1) * DAY_MS if period.days_per_bar else (now // HOUR_MS + 1) * HOUR_MS
    starts = [max(begin, last - (number + 1) * width) for number in range(math.ceil((last - begin) / width))]
    found = {start: Counter[EditOutcome]() for start in reversed(starts)}
    for each in ended:
        number = (last - 1 - each.hour * HOUR_MS) // width
        found[starts[number]][_outcome_of(each)] += each.count
    stops = [*list(found)[1:], last]
    return tuple(_build_bucket(start, stop, ends) for (start, ends), stop in zip(found.items(), stops, strict=True))


def _build_bucket(start: Instant, stop: Instant, ends: Counter[EditOutcome]) -> TimeBucket:
    failed = sum(ends[end] for end in FAILED_OUTCOMES)
    return TimeBucket(
        start,
        (stop - start) / DAY_MS,
        ends[EditOutcome.SUCCEEDED],
        failed,
        ends.total() - ends[EditOutcome.SUCCEEDED] - failed,
    )


def _summarize_waits(whole: Counter[int], at_kie: Counter[int]) -> WaitTimes | None:
    if not whole:
        return None
    return WaitTimes(
        median=_percentile(whole, 0.5),
        p95=_percentile(whole, 0.95),
        median_at_kie=_percentile(at_kie, 0.5),
        p95_at_kie=_percentile(at_kie, 0.95),
        kie_share=min(1.0, _total_time(at_kie) / max(1, _total_time(whole))),
    )


def _percentile(times: Counter[int], share: float) -> int:
    """Return the least time that so many of them do not exceed."""
    ordered = sorted(times)
    reached = accumulate(times[time] for time in ordered)
    enough = math.ceil(share * times.total())
    return next(time for time, count in zip(ordered, reached, strict=True) if count >= enough)


def _total_time(times: Counter[int]) -> int:
    return sum(time * count for time, count in times.items())
