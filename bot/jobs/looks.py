"""The looks to come, kept in memory: which running task is looked at next, and when.

Nothing of it is stored; it follows from when each order was made.
"""

import heapq

from bot.job import Instant, later

#: Looks per second in all; Kie's documentation of 2025 allows ten per key.
PER_SECOND = 10


class Looks:
    """A heap of moments, and the pace at which they may be used."""

    def __init__(self) -> None:
        self._heap: list[tuple[Instant, int]] = []
        self._free_at: Instant = 0

    def add(self, job_id: int, at: Instant) -> None:
        """Plan a look at a job's task."""
        heapq.heappush(self._heap, (at, job_id))

    def next_at(self) -> Instant | None:
        """Return the moment of the next look, None when there is none to come."""
        return max(self._heap[0][0], self._free_at) if self._heap else None

    def take(self, now: Instant) -> int | None:
        """Return the job to look at now, if it is time for one."""
        if not self._heap or max(self._heap[0][0], self._free_at) > now:
            return None
        self._free_at = later(max(now, self._free_at), 1 / PER_SECOND)
        return heapq.heappop(self._heap)[1]
