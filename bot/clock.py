"""The clock: the time of day without its jumps.

A machine's clock is set now and then, by hours where it was wrong. If what waits took
that for time that has passed, albums would close at once and tasks would be given up; if
it was set back, everything would wait for hours. So within a process time goes on as it
really passes, and what the clock says is only approached, too slowly to matter to any
limit. What a clock does while the bot is stopped cannot be told from time that passes;
where it was set back, `store.moments` helps at the start.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

log = logging.getLogger(__name__)

#: A moment: milliseconds since 1970, UTC.
Instant = int

#: Milliseconds that two readings may differ without a meaning, and by how much a clock that is right goes wrong.
TOLERANCE_MS, MAX_DRIFT = 2.0, 0.01

#: Seconds after which what is read becomes the new point to count from.
ANCHOR_SECONDS = 1.0

#: Milliseconds from which a jump is worth a word.
CLOCK_JUMP_MS = 5_000.0


def add_seconds(now: Instant, seconds: float) -> Instant:
    """Return the moment `seconds` after `now`."""
    return now + round(seconds * 1000)


def seconds_between(start: Instant, end: Instant) -> float:
    """Return the seconds from `start` to `end`, negative when `end` is earlier."""
    return (end - start) / 1000


def utc_day(now: Instant) -> int:
    """Return the UTC day of a moment, in days since 1970."""
    return now // 86_400_000


def start_of_day(day: int) -> Instant:
    """Return the moment at which a UTC day begins."""
    return day * 86_400_000


class SteadyClock:
    """Says the time of day in milliseconds; follows `of_day` as long as that moves as `monotonic`, in seconds, does.

    It is asked from the event loop and from the database's thread: both clocks are read, and the point to count from
    is moved, under one lock, else a reading from before such a move would be counted from the point behind it.
    """

    def __init__(self, of_day: Callable[[], Instant], monotonic: Callable[[], float]) -> None:
        self._wall_clock = of_day
        self._monotonic = monotonic
        self._lock = threading.Lock()
        #: the point to count from: seconds of `monotonic`, and the milliseconds that were the time of day then
        self._anchor = monotonic(), float(of_day())
        self._has_jumped = False

    def __call__(self) -> Instant:
        """Return the time of day."""
        with self._lock:
            now, seconds = self._wall_clock(), self._monotonic()
            since, then = self._anchor
            counted = then + (seconds - since) * 1000
            most = TOLERANCE_MS + max(0.0, seconds - since) * 1000 * MAX_DRIFT
            steady = min(max(now, counted - most), counted + most)
            if seconds - since >= ANCHOR_SECONDS:
                self._anchor = seconds, steady
            self._log_jump(now - steady)
        return round(steady)

    def _log_jump(self, off: float) -> None:
        """Say once that the clock was set, so that whoever reads the log knows why moments differ."""
        is_off = abs(off) > CLOCK_JUMP_MS
        if is_off and not self._has_jumped:
            log.warning("the clock was set by %.0f s: time is counted on as before until the next start", off / 1000)
        self._has_jumped = is_off


def seconds_since_boot() -> float:
    """Return seconds that never go back and, where the system can tell, go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


#: Seconds; the usual upper limit of `backoff`.
MAX_BACKOFF = 60.0


def backoff(tries: int, first: float = 1.0, longest: float = MAX_BACKOFF) -> float:
    """Return the seconds to wait after `tries` earlier failures: `first`, doubled each time, at most `longest`."""
    return min(longest, first * 2.0 ** min(tries, 16))


@dataclass(frozen=True)
class Clocks:
    """Where the bot's parts get the time from."""

    #: the time of day, for what is stored
    wall_clock: Callable[[], Instant]
    #: seconds that never go back, for pauses within this process
    monotonic: Callable[[], float]


def read_wall_clock() -> Instant:
    """Return the time of day."""
    return time.time_ns() // 1_000_000
