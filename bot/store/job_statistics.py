"""History: what became of the edits of a time, as numbers that lead to nobody; what was erased still counts."""

import sqlite3
from dataclasses import dataclass

from bot.clock import Instant
from bot.job import FailureReason, State

#: Milliseconds.
HOUR_MS = 3_600_000


@dataclass(frozen=True)
class EndedRequests:
    """How many requests of one hour came to one end."""

    #: hours since 1970, UTC
    hour: int
    state: State
    reason: FailureReason | None
    count: int


@dataclass(frozen=True)
class EditDuration:
    """How long somebody waited for a picture, in milliseconds, and for how much of it Kie worked."""

    total_ms: int
    kie_ms: int


class JobStatistics:
    """The requests by the moment at which they came. Whoever asks about a long time does so in short pieces."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def count_ended(self, begin: Instant, end: Instant) -> list[EndedRequests]:
        """Count the requests that came from `begin` until before `end`, by hour and by what became of them."""
        rows = self._db.execute(
            "SELECT received_at / ? AS hour, state, reason, count(*) AS n FROM jobs"
            " WHERE received_at >= ? AND received_at < ? GROUP BY 1, 2, 3",
            (HOUR_MS, begin, end),
        ).fetchall()
        return [
            EndedRequests(
                row["hour"],
                State(row["state"]),
                None if row["reason"] is None else FailureReason(row["reason"]),
                row["n"],
            )
            for row in rows
        ]

    def list_durations(self, begin: Instant, end: Instant) -> list[EditDuration]:
        """Return how long people waited whose requests came from `begin` until before `end`, if they got a picture.

        It is counted from when the request was complete. A task that broke is ordered once more, and queues its job
        anew; there it is counted from when the request began.
        """
        rows = self._db.execute(
            "SELECT answered_at - iif(reorders > 0, received_at, coalesce(queued_at, received_at)) AS total_ms,"
            " kie_duration_ms"
            " FROM jobs WHERE received_at >= ? AND received_at < ? AND +state = ? AND answered_at IS NOT NULL",
            (begin, end, State.SUCCEEDED),
        ).fetchall()
        return [EditDuration(max(0, row["total_ms"]), row["kie_duration_ms"] or 0) for row in rows]

    def sum_credits_spent(self, first_day: int, last_day: int) -> float:
        """Return the credits that were spent from one UTC day to another one, both included."""
        row = self._db.execute(
            "SELECT total(credits) AS credits FROM daily_spending WHERE day BETWEEN ? AND ?", (first_day, last_day)
        ).fetchone()
        return float(row["credits"])
