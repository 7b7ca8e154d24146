"""Moments and lengths of time, as operators read them."""

from datetime import UTC, datetime

from bot.job import Instant, seconds_between

#: Units of more than a second, in seconds, the longest first.
UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


def moment(at: Instant) -> str:
    """Write a moment with its milliseconds; it is UTC."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")


def span(start: Instant, end: Instant) -> str:
    """Write how long it is from one moment to another, in its two largest units; with a minus where it is back."""
    seconds = seconds_between(start, end)
    if seconds < 0:
        return f"-{span(end, start)}"
    for place, (name, length) in enumerate(UNITS):
        if seconds >= length:
            whole, rest = divmod(int(seconds), length)
            smaller, size = UNITS[place + 1] if place + 1 < len(UNITS) else ("s", 1)
            return f"{whole} {name} {rest // size} {smaller}"
    return f"{seconds:.1f} s"
