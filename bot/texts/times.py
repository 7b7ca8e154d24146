"""Times as people say them."""

import math

from bot.job import Instant, begin_of, day_of, seconds_between
from bot.texts import Sentence, sentence


def roughly(seconds: float) -> Sentence:
    """Say a time as people do, never as shorter than it is."""
    if seconds <= 55:
        return sentence("seconds", count=max(5, math.ceil(seconds / 5) * 5))
    minutes = math.ceil(seconds / 60)
    return sentence("minutes", count=minutes) if minutes < 60 else sentence("hours", count=math.ceil(seconds / 3600))


def until_tomorrow(now: Instant) -> Sentence:
    """Say how long it is until the next UTC day, in which daily limits begin anew."""
    return roughly(seconds_between(now, begin_of(day_of(now) + 1)))


def briefly(seconds: float) -> Sentence:
    """Say a time as briefly as a picture wants it, in the unit that leaves few digits."""
    if seconds < 99.5:
        return sentence("brief-seconds", count=_short(seconds))
    if seconds < 99.5 * 60:
        return sentence("brief-minutes", count=_short(seconds / 60))
    return sentence("brief-hours", count=_short(seconds / 3600))


def _short(amount: float) -> float | int:
    return round(amount, 1) if amount < 9.95 else round(amount)
