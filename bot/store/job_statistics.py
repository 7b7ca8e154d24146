"""Job statistics: how the edits of a period ended, as anonymous numbers; erased edits still count."""

from dataclasses import dataclass

from bot.clock import Instant
from bot.job import FailureReason, State
from bot.store.base_table import Table

#: Milliseconds.
HOUR_MS = 3_600_000


@dataclass(frozen=True)
class EndedRequests:
    """How many requests of one hour have the same state and reason."""

    #: hours since 1970, UTC
    hour: int
    state: State
    reason: FailureReason | None
    count: int


@dataclass(frozen=True)
class EditDuration:
    """How long a user waited for an image, and how much of that Kie worked on it, in milliseconds."""

    total_ms: int
    kie_ms: int


class JobStatistics(Table):
    """Statistics by the time at which requests were received. Callers query a long period in short pieces."""

    def count_ended(self, begin: Instant, end: Instant) -> list[EndedRequests]:
        """Count the requests received from `begin` until before `end`, by hour, state and reason."""
        rows = self._rows(
            "SELECT received_at / ? AS hour, state, reason, count(*) FROM jobs"
            " WHERE received_at >= ? AND received_at < ? GROUP BY 1, 2, 3",
            (HOUR_MS, begin, end),
        )
        return [
            EndedRequests(hour, State(state), None if reason is None else FailureReason(reason), count)
            for hour, state, reason, count in rows
        ]

    def list_durations(self, begin: Instant, end: Instant) -> list[EditDuration]:
        """Return how long users waited for their images, for requests received from `begin` until before `end`.

        The wait begins when the request was complete or, for a job that was queued again after its task failed, when
        the request was received.
        """
        rows = self._rows(
            "SELECT answered_at - iif(reorders > 0, received_at, coalesce(queued_at, received_at)), kie_duration_ms"
            " FROM jobs WHERE received_at >= ? AND received_at < ? AND +state = ? AND answered_at IS NOT NULL",
            (begin, end, State.SUCCEEDED),
        )
        return [EditDuration(max(0, total), kie or 0) for total, kie in rows]

    def sum_credits_spent(self, first_day: int, last_day: int) -> float:
        """Return the credits spent from one UTC day to another, both included."""
        [row] = self._rows("SELECT total(credits) FROM daily_spending WHERE day BETWEEN ? AND ?", (first_day, last_day))
        return float(row[0])
