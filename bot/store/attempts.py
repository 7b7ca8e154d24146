"""Attempts: one row per paid call, written before the call is made.

They are also what the rate limit is counted from, so that it holds across
restarts.
"""

import sqlite3
from enum import StrEnum

from bot.job import Instant


class Outcome(StrEnum):
    """What became of a paid call."""

    #: Kie gave a task id
    ACCEPTED = "accepted"
    #: certainly no task
    NOT_ORDERED = "not_ordered"
    #: nobody can say
    UNCLEAR = "unclear"


class Attempts:
    """The paid calls, by job and by time."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def begin(self, job_id: int, reference: str, now: Instant) -> None:
        """Write down that a paid call is about to be made."""
        self._db.execute(
            "INSERT INTO attempts (job_id, reference, started_at) VALUES (?, ?, ?)", (job_id, reference, now)
        )

    def end(self, job_id: int, outcome: Outcome, now: Instant, task_id: str | None = None) -> None:
        """Write down what became of a job's call that is under way."""
        self._db.execute(
            "UPDATE attempts SET ended_at = ?, outcome = ?, task_id = ? WHERE job_id = ? AND ended_at IS NULL",
            (now, outcome, task_id, job_id),
        )

    def is_in_doubt(self, job_id: int) -> bool:
        """Say whether a call of a job may have been taken without our knowing."""
        row = self._db.execute(
            "SELECT 1 FROM attempts WHERE job_id = ? AND outcome = ? LIMIT 1", (job_id, Outcome.UNCLEAR)
        ).fetchone()
        return row is not None

    def recent(self, since: Instant, limit: int) -> tuple[int, list[Instant]]:
        """Return how many calls are under way, and when the latest `limit` others ended, newest first.

        A call may reach Kie at any time until it is over, so it is from its end
        that its place in the rate limit becomes free.
        """
        under_way = self._db.execute("SELECT count(*) AS n FROM attempts WHERE ended_at IS NULL").fetchone()["n"]
        rows = self._db.execute(
            "SELECT ended_at FROM attempts WHERE ended_at > ? ORDER BY ended_at DESC LIMIT ?", (since, limit)
        ).fetchall()
        return int(under_way), [row["ended_at"] for row in rows]
