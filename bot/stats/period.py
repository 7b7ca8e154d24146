"""The period that figures are about: so many hours or UTC days back, the present one included."""

import re
from dataclasses import dataclass
from enum import StrEnum

from bot.clock import Instant, start_of_day, utc_day

#: Milliseconds.
HOUR_MS, DAY_MS = 3_600_000, 86_400_000

#: So far back at most: a year with its leap day, and as many hours as can be told apart on a phone.
MAX_DAYS, MAX_HOURS = 366, 72

#: With more days than this a column stands for a week.
MAX_DAILY_BARS = 62

#: Days in a column that is a week.
DAYS_PER_WEEK = 7


class PeriodUnit(StrEnum):
    """What a period is counted in."""

    HOURS = "h"
    DAYS = "d"


MAX_COUNT = {PeriodUnit.HOURS: MAX_HOURS, PeriodUnit.DAYS: MAX_DAYS}


@dataclass(frozen=True)
class Period:
    """So many hours or days."""

    count: int
    unit: PeriodUnit

    def __str__(self) -> str:
        """Write it as people do, like 7d."""
        return f"{self.count}{self.unit}"

    @property
    def days_per_bar(self) -> int:
        """Days for which a column of the picture stands; 0 where it is an hour."""
        if self.unit is PeriodUnit.HOURS:
            return 0
        return 1 if self.count <= MAX_DAILY_BARS else DAYS_PER_WEEK

    def start(self, now: Instant) -> Instant:
        """Return where it begins: at a full hour, or at midnight UTC."""
        if self.unit is PeriodUnit.HOURS:
            return (now // HOUR_MS - self.count + 1) * HOUR_MS
        return start_of_day(utc_day(now) - self.count + 1)


#: For whoever does not say how far back to look.
DEFAULT_PERIOD = Period(7, PeriodUnit.DAYS)


def parse_period(words: str) -> Period | None:
    """Return the period that somebody means, the usual one without words, None for what means none."""
    if not words.strip():
        return DEFAULT_PERIOD
    found = re.fullmatch(r"([1-9][0-9]{0,3})\s*([hd])", words.strip().lower())
    if found is None:
        return None
    period = Period(int(found[1]), PeriodUnit(found[2]))
    return period if period.count <= MAX_COUNT[period.unit] else None
