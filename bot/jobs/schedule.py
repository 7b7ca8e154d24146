"""When to look at a running task again: a pure function of its age, so that nothing has to be remembered.

The gaps grow with the age, because a task that took long will probably take
longer. After the deadline the looks become rare; a late picture was paid for.
While a callback is awaited, looks are only there for one that gets lost.
"""

from bot.job import Instant, later, seconds_between

#: Seconds after the order.
FIRST_LOOK = 2.0

#: Ages in seconds of the rare looks after the deadline; the last one gives up.
LATE_LOOKS = (1800.0, 3600.0, 3 * 3600.0, 12 * 3600.0, 24 * 3600.0)

LONGEST_GAP = 30.0

#: Seconds after the order, and at least between two looks, while a callback is awaited; most have come by then.
FALLBACK = 30.0


def first_look(submitted_at: Instant, deadline: float, *, is_awaited: bool = False) -> Instant:
    """Return the moment of the first look."""
    return later(submitted_at, max(FIRST_LOOK, min(FALLBACK, deadline)) if is_awaited else FIRST_LOOK)


def next_look(submitted_at: Instant, now: Instant, deadline: float, *, is_awaited: bool = False) -> Instant | None:
    """Return the moment of the look after one at `now`, or None when that was the last.

    `deadline` is the age in seconds at which the person is told; there is a look at
    exactly that age. `is_awaited` says whether a callback is expected to come first.
    """
    age = seconds_between(submitted_at, now)
    if age < deadline:
        # an order that seems to lie ahead was made by a clock that was set back since: its age is anybody's guess
        gap = max(FALLBACK, age) if is_awaited else min(LONGEST_GAP, max(1.0, abs(age) / 5))
        return later(submitted_at, min(age + gap, deadline))
    coming = (late for late in LATE_LOOKS if late > age)
    return next((later(submitted_at, late) for late in coming), None)
