"""The period that figures are about: so many hours or UTC days back, the present one included."""

import re
from dataclasses import dataclass
from enum import StrEnum

from bot.job import Instant, begin_of, day_of

#: Milliseconds.
HOUR, DAY = 3_600_000, 86_400_000

#: So far back at most: a year with its leap day, and as many hours as can be told apart on a phone.
MOST_DAYS, MOST_HOURS = 366, 72

#: With more days than this a column stands for a week.
MOST_COLUMNS = 62

#: Days in a column that is a week.
WEEK = 7


class Unit(StrEnum):
    """What a period is counted in."""

    HOURS = "h"
    DAYS = "d"


MOST = {Unit.HOURS: MOST_HOURS, Unit.DAYS: MOST_DAYS}


@dataclass(frozen=True)
class Period:
    """So many hours or days."""

    count: int
    unit: Unit

    def __str__(self) -> str:
        """Write it as people do, like 7d."""
        return f"{self.count}{self.unit}"

    @property
    def column_days(self) -> int:
        """Days for which a column of the picture stands; 0 where it is an hour."""
        if self.unit is Unit.HOURS:
            return 0
        return 1 if self.count <= MOST_COLUMNS else WEEK

    def begin(self, now: Instant) -> Instant:
        """Return where it begins: at a full hour, or at midnight UTC."""
        if self.unit is Unit.HOURS:
            return (now // HOUR - self.count + 1) * HOUR
        return begin_of(day_of(now) - self.count + 1)


#: For whoever does not say how far back to look.
USUAL = Period(7, Unit.DAYS)


def read_period(words: str) -> Period | None:
    """Return the period that somebody means, the usual one without words, None for what means none."""
    if not words.strip():
        return USUAL
    found = re.fullmatch(r"([1-9][0-9]{0,3})\s*([hd])", words.strip().lower())
    if found is None:
        return None
    period = Period(int(found[1]), Unit(found[2]))
    return period if period.count <= MOST[period.unit] else None
