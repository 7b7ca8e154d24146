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

from bot.job import Instant

log = logging.getLogger(__name__)

#: Milliseconds that two readings may differ without a meaning, and by how much a clock that is right goes wrong.
TOLERANCE, DRIFT = 2.0, 0.01

#: Seconds after which what is read becomes the new point to count from.
SETTLES = 1.0

#: Milliseconds from which a jump is worth a word.
NOTEWORTHY = 5_000.0


class SteadyClock:
    """Says the time of day in milliseconds; follows `of_day` as long as that moves as `monotonic`, in seconds, does.

    It is asked from the event loop and from the database's thread: both clocks are read, and the point to count from
    is moved, under one lock, else a reading from before such a move would be counted from the point behind it.
    """

    def __init__(self, of_day: Callable[[], Instant], monotonic: Callable[[], float]) -> None:
        self._of_day = of_day
        self._monotonic = monotonic
        self._lock = threading.Lock()
        #: the point to count from: seconds of `monotonic`, and the milliseconds that were the time of day then
        self._anchor = monotonic(), float(of_day())
        self._is_off = False

    def __call__(self) -> Instant:
        """Return the time of day."""
        with self._lock:
            now, seconds = self._of_day(), self._monotonic()
            since, then = self._anchor
            counted = then + (seconds - since) * 1000
            most = TOLERANCE + max(0.0, seconds - since) * 1000 * DRIFT
            steady = min(max(now, counted - most), counted + most)
            if seconds - since >= SETTLES:
                self._anchor = seconds, steady
            self._tell(now - steady)
        return round(steady)

    def _tell(self, off: float) -> None:
        """Say once that the clock was set, so that whoever reads the log knows why moments differ."""
        is_off = abs(off) > NOTEWORTHY
        if is_off and not self._is_off:
            log.warning("the clock was set by %.0f s: time is counted on as before until the next start", off / 1000)
        self._is_off = is_off


def since_boot() -> float:
    """Return seconds that never go back and, where the system can tell, go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
