"""The figures of a period, counted from the database a day at a time, so that nobody has to wait for it."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import accumulate

from bot.job import Instant, Reason, State, day_of
from bot.stats.period import DAY, HOUR, Period
from bot.store.connection import Database
from bot.store.history import Ended, Wait
from bot.store.transaction import Transaction


class End(StrEnum):
    """What became of a request, as it is told."""

    MADE = "made"
    REFUSED = Reason.REFUSED.value
    BROKE = Reason.BROKE.value
    PICTURE = Reason.PICTURE.value
    DOUBT = Reason.DOUBT.value
    OVERDUE = Reason.OVERDUE.value
    DELETED = Reason.DELETED.value
    NO_PROMPT = Reason.NO_PROMPT.value
    #: by the person
    TAKEN_BACK = "taken_back"
    #: not ended yet
    OPEN = "open"

    @property
    def sentence(self) -> str:
        """The name of the sentence that names it."""
        return f"stats-end-{self.replace('_', '-')}"


#: Milliseconds to which times are known, so that those of a year are few different ones.
TENTH = 100

#: What somebody hoped for in vain; the other ends were the person's own choice.
FAILURES = (End.REFUSED, End.BROKE, End.PICTURE, End.DOUBT, End.OVERDUE)


@dataclass(frozen=True)
class Column:
    """Part of the period."""

    begin: Instant
    #: days for which it stands; less where it is an hour
    days: float
    made: int
    failed: int
    #: what ended in neither way, or has not ended
    others: int

    @property
    def edits(self) -> int:
        """How many edits were asked for."""
        return self.made + self.failed + self.others


@dataclass(frozen=True)
class Waiting:
    """How long people waited for a picture; milliseconds. Half of them, or 95 %, waited no longer."""

    half: int
    most: int
    #: the same of Kie's work alone
    half_at_kie: int
    most_at_kie: int
    #: which share of the time of all of them was Kie's, from 0 to 1
    share_of_kie: float


@dataclass(frozen=True)
class Figures:
    """What is known of a period."""

    period: Period
    now: Instant
    columns: tuple[Column, ...]
    #: edits that were asked for in each hour of the day, UTC
    by_hour: tuple[int, ...]
    ends: Counter[End]
    #: None where no picture was sent
    waiting: Waiting | None
    #: credits spent on the UTC days that the period touches
    credits: float

    @property
    def edits(self) -> int:
        """How many edits were asked for."""
        return self.ends.total()

    @property
    def failed(self) -> int:
        """How many came to nothing without the person's will."""
        return sum(self.ends[end] for end in FAILURES)

    @property
    def success(self) -> float | None:
        """Which share of what was to be made was made, from 0 to 1."""
        tried = self.ends[End.MADE] + self.failed
        return self.ends[End.MADE] / tried if tried else None


@dataclass(frozen=True)
class _Piece:
    """What was read at once: how requests ended, and how many waited, and occupied Kie, for how long."""

    ended: list[Ended]
    whole: Counter[int]
    at_kie: Counter[int]


async def count(db: Database, period: Period, now: Instant) -> Figures:
    """Count the figures of a period that ends now; each day in a transaction of its own."""
    begin, end = period.begin(now), now + 1
    ended: list[Ended] = []
    whole, at_kie = Counter[int](), Counter[int]()
    for start in range(begin, end, DAY):
        piece = await db.unit(partial(_counted, begin=start, end=min(start + DAY, end)))
        ended += piece.ended
        whole.update(piece.whole)
        at_kie.update(piece.at_kie)
    spent = await db.unit(lambda tx: tx.history.spent(day_of(begin), day_of(now)))
    ends, by_hour = Counter[End](), Counter[int]()
    for each in ended:
        ends[_end(each)] += each.count
        by_hour[each.hour % 24] += each.count
    of_hours = tuple(by_hour[hour] for hour in range(24))
    return Figures(period, now, _columns(period, now, ended), of_hours, ends, _waiting(whole, at_kie), spent)


def _counted(tx: Transaction, begin: Instant, end: Instant) -> _Piece:
    waits = tx.history.waits(begin, end)
    whole, at_kie = (Counter(time // TENTH * TENTH for time in times) for times in _apart(waits))
    return _Piece(tx.history.ended(begin, end), whole, at_kie)


def _apart(waits: Sequence[Wait]) -> tuple[list[int], list[int]]:
    return [wait.whole for wait in waits], [wait.at_kie for wait in waits]


def _end(ended: Ended) -> End:
    if ended.state is State.SUCCEEDED:
        return End.MADE
    if ended.reason is not None:
        return End(ended.reason.value)
    return End.TAKEN_BACK if ended.state is State.CANCELLED else End.OPEN


def _columns(period: Period, now: Instant, ended: Sequence[Ended]) -> tuple[Column, ...]:
    begin = period.begin(now)
    width = period.column_days * DAY or HOUR
    # counted from the end, so that it is the first column that may be a part of a week
    last = (day_of(now) + 1) * DAY if period.column_days else (now // HOUR + 1) * HOUR
    starts = [max(begin, last - (number + 1) * width) for number in range(math.ceil((last - begin) / width))]
    found = {start: Counter[End]() for start in reversed(starts)}
    for each in ended:
        number = (last - 1 - each.hour * HOUR) // width
        found[starts[number]][_end(each)] += each.count
    stops = [*list(found)[1:], last]
    return tuple(_column(start, stop, ends) for (start, ends), stop in zip(found.items(), stops, strict=True))


def _column(start: Instant, stop: Instant, ends: Counter[End]) -> Column:
    failed = sum(ends[end] for end in FAILURES)
    return Column(start, (stop - start) / DAY, ends[End.MADE], failed, ends.total() - ends[End.MADE] - failed)


def _waiting(whole: Counter[int], at_kie: Counter[int]) -> Waiting | None:
    if not whole:
        return None
    return Waiting(
        half=_reached_by(whole, 0.5),
        most=_reached_by(whole, 0.95),
        half_at_kie=_reached_by(at_kie, 0.5),
        most_at_kie=_reached_by(at_kie, 0.95),
        share_of_kie=min(1.0, _sum(at_kie) / max(1, _sum(whole))),
    )


def _reached_by(times: Counter[int], share: float) -> int:
    """Return the least time that so many of them do not exceed."""
    ordered = sorted(times)
    reached = accumulate(times[time] for time in ordered)
    enough = math.ceil(share * times.total())
    return next(time for time, count in zip(ordered, reached, strict=True) if count >= enough)


def _sum(times: Counter[int]) -> int:
    return sum(time * count for time, count in times.items())
