"""Durations as people say them."""

import math

from bot.clock import Instant, seconds_between, start_of_day, utc_day
from bot.i18n import Sentence, sentence


def approximate_duration(seconds: float) -> Sentence:
    """Return a duration rounded up: to 5 seconds, to minutes or to hours."""
    if seconds <= 55:
        return sentence("seconds", count=max(5, math.ceil(seconds / 5) * 5))
    minutes = math.ceil(seconds / 60)
    return sentence("minutes", count=minutes) if minutes < 60 else sentence("hours", count=math.ceil(seconds / 3600))


def time_until_tomorrow(now: Instant) -> Sentence:
    """Return the time until the next UTC day, when the daily limits start again."""
    return approximate_duration(seconds_between(now, start_of_day(utc_day(now) + 1)))


def short_duration(seconds: float) -> Sentence:
    """Return a duration for a chart, in the unit that needs the fewest digits."""
    if seconds < 99.5:
        return sentence("brief-seconds", count=_round_short(seconds))
    if seconds < 99.5 * 60:
        return sentence("brief-minutes", count=_round_short(seconds / 60))
    return sentence("brief-hours", count=_round_short(seconds / 3600))


def _round_short(amount: float) -> float | int:
    return round(amount, 1) if amount < 9.95 else round(amount)
