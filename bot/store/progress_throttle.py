"""The pulse of long work: it says how far it is every few seconds, and what is over sooner says nothing."""

import time
from collections.abc import Callable

#: Seconds between two lines of a log.
REPORT_INTERVAL = 5.0


class ProgressThrottle:
    """Passes on what it is told now and then, and drops the rest."""

    def __init__(
        self,
        say: Callable[[str], None],
        *,
        every: float = REPORT_INTERVAL,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._report = say
        self._interval = every
        self._monotonic = monotonic
        self._reported_at = monotonic()

    def __call__(self, words: str) -> None:
        """Pass it on if nothing was for `every` seconds, counted from the beginning of the work."""
        now = self._monotonic()
        if now - self._reported_at >= self._interval:
            self._reported_at = now
            self._report(words)
