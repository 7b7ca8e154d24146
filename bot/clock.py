"""Timestamps and a steady clock.

A machine's clock may be set, by hours if it was wrong. If such a jump counted as elapsed time, albums would close at
once and tasks would be given up, or everything would wait for hours. So within a process, time advances like the
monotonic clock and slews towards the wall clock, too slowly to matter to any limit. A jump while the bot is stopped
cannot be told from elapsed time; if the clock went back, `store.due_times` shifts the stored due times at startup.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

log = logging.getLogger(__name__)

#: Milliseconds since 1970, UTC.
Instant = int

#: Jitter between readings of the two clocks (milliseconds), and the largest relative drift between them.
TOLERANCE_MS, MAX_DRIFT = 2.0, 0.01

#: Seconds after which a reading becomes the new anchor.
ANCHOR_SECONDS = 1.0

#: Milliseconds from which a jump is logged.
CLOCK_JUMP_MS = 5_000.0


def add_seconds(now: Instant, seconds: float) -> Instant:
    """Return the time `seconds` after `now`."""
    return now + round(seconds * 1000)


def seconds_between(start: Instant, end: Instant) -> float:
    """Return the seconds from `start` to `end`, negative when `end` is earlier."""
    return (end - start) / 1000


def utc_day(now: Instant) -> int:
    """Return the UTC day, in days since 1970."""
    return now // 86_400_000


def start_of_day(day: int) -> Instant:
    """Return when a UTC day begins."""
    return day * 86_400_000


class SteadyClock:
    """Returns the time in milliseconds: `wall_clock`, as long as that advances like `monotonic` (seconds).

    Thread-safe, because both the event loop and the database's thread call it. One lock covers reading the clocks and
    moving the anchor; otherwise a reading from before the move would be counted from the new anchor.
    """

    def __init__(self, wall_clock: Callable[[], Instant], monotonic: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        #: a reading of `monotonic`, and the time in milliseconds at that moment
        self._anchor = monotonic(), float(wall_clock())
        self._has_jumped = False

    def __call__(self) -> Instant:
        """Return the time."""
        with self._lock:
            now, seconds = self._wall_clock(), self._monotonic()
            anchor_seconds, anchor_ms = self._anchor
            elapsed = seconds - anchor_seconds
            expected = anchor_ms + elapsed * 1000
            max_error = TOLERANCE_MS + max(0.0, elapsed) * 1000 * MAX_DRIFT
            steady = min(max(now, expected - max_error), expected + max_error)
            if elapsed >= ANCHOR_SECONDS:
                self._anchor = seconds, steady
            self._log_jump(now - steady)
        return round(steady)

    def _log_jump(self, difference: float) -> None:
        """Log once that the clock was set, which explains why logged and stored times differ."""
        has_jumped = abs(difference) > CLOCK_JUMP_MS
        if has_jumped and not self._has_jumped:
            log.warning("the clock was set by %.0f s: the bot ignores that until its next start", difference / 1000)
        self._has_jumped = has_jumped


def seconds_since_boot() -> float:
    """Return seconds that never go back and that, on Linux, include the time the machine slept."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@dataclass(frozen=True)
class Clocks:
    """The two clocks of the bot."""

    #: the time, for everything that is stored
    wall_clock: Callable[[], Instant]
    #: seconds that never go back, for delays within this process
    monotonic: Callable[[], float]


def read_wall_clock() -> Instant:
    """Return the machine's time."""
    return time.time_ns() // 1_000_000
