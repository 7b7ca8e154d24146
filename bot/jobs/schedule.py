"""When to look at a running task again: a pure function of its age, so that nothing has to be remembered.

Until the deadline a timetable says it, which follows from how long tasks take. After
it the looks become rare; a late picture was paid for.
"""

from bot.job import Instant, later, seconds_between
from bot.jobs.timetable import LONGEST_GAP, Timetable

#: Ages in seconds of the rare looks after the deadline; the last one gives up.
LATE_LOOKS = (1800.0, 3600.0, 3 * 3600.0, 12 * 3600.0, 24 * 3600.0)

#: Seconds from our order to Kie's task. It is a guess, which may be off by a second for two or three per cent more.
ORDERING = 0.5


def next_look(submitted_at: Instant, now: Instant, deadline: float, timetable: Timetable) -> Instant | None:
    """Return the moment of the look after one at `now`, or None when that was the last.

    The first look is the one after the order itself. `deadline` is the age in seconds at
    which the person is told; there is a look at exactly that age.
    """
    age = seconds_between(submitted_at, now)
    if age < deadline:
        return later(submitted_at, min(_next_age(age, timetable), deadline))
    coming = (late for late in LATE_LOOKS if late > age)
    return next((later(submitted_at, late) for late in coming), None)


def _next_age(age: float, timetable: Timetable) -> float:
    if age < 0:
        # an order that seems to lie ahead was made by a clock that was set back since: its age is anybody's guess
        return age + min(LONGEST_GAP, max(1.0, -age / 5))
    return ORDERING + timetable.next(max(0.0, age - ORDERING))
