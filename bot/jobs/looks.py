"""The looks to come, kept in memory: which task is looked at next, and when.

Nothing of it is stored; it follows from when each order was made. Each task is
looked at once at a time, however many reasons for a look there are. When more looks
are due than may be made, the one that has waited longest goes first: so none starves,
and all gaps grow alike.
"""

import heapq

from bot.job import Instant, later

#: Looks per second in all; Kie's documentation of 2025 allows ten per key.
PER_SECOND = 10

#: Moments in the heap that count no more and are put up with beside as many as there are jobs.
SPARE = 64


class Looks:
    """A heap of moments, and the pace at which they may be used."""

    def __init__(self) -> None:
        self._heap: list[tuple[Instant, int]] = []
        #: what counts of the heap: the earliest look that is planned for each job
        self._planned: dict[int, Instant] = {}
        #: looks under way, with the one that was asked for meanwhile
        self._under_way: dict[int, Instant | None] = {}
        self._free_at: Instant = 0

    def add(self, job_id: int, at: Instant) -> None:
        """Plan a look at a job's task, unless an earlier one is planned; it waits for the end of one under way."""
        planned = self._under_way.get(job_id) or self._planned.get(job_id)
        if planned is not None and planned <= at:
            return
        if job_id in self._under_way:
            self._under_way[job_id] = at
        else:
            self._planned[job_id] = at
            heapq.heappush(self._heap, (at, job_id))
            self._forget_what_counts_no_more()

    def _forget_what_counts_no_more(self) -> None:
        """Keep the heap as small as there are jobs, however often somebody makes us look."""
        if len(self._heap) > 2 * len(self._planned) + SPARE:
            self._heap = [(at, job_id) for job_id, at in self._planned.items()]
            heapq.heapify(self._heap)

    def next_at(self) -> Instant | None:
        """Return the moment of the next look, None when there is none to come."""
        while self._heap and self._planned.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return max(self._heap[0][0], self._free_at) if self._heap else None

    def take(self, now: Instant) -> int | None:
        """Return the job to look at now, if it is time for one; the look is under way until it is `done`."""
        next_at = self.next_at()
        if next_at is None or next_at > now:
            return None
        self._free_at = later(max(now, self._free_at), 1 / PER_SECOND)
        job_id = heapq.heappop(self._heap)[1]
        del self._planned[job_id]
        self._under_way[job_id] = None
        return job_id

    def done(self, job_id: int, again: Instant | None) -> None:
        """End a look, and plan the next one: at `again`, or earlier where that was asked for meanwhile."""
        asked_for = self._under_way.pop(job_id)
        for at in (asked_for, again):
            if at is not None:
                self.add(job_id, at)
