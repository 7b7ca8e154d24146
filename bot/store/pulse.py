"""The pulse of long work: it says how far it is every few seconds, and what is over sooner says nothing."""

import time
from collections.abc import Callable

#: Seconds between two lines of a log.
EVERY = 5.0


class Pulse:
    """Passes on what it is told now and then, and drops the rest."""

    def __init__(
        self, say: Callable[[str], None], *, every: float = EVERY, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._say = say
        self._every = every
        self._monotonic = monotonic
        self._said_at = monotonic()

    def __call__(self, words: str) -> None:
        """Pass it on if nothing was for `every` seconds, counted from the beginning of the work."""
        now = self._monotonic()
        if now - self._said_at >= self._every:
            self._said_at = now
            self._say(words)
