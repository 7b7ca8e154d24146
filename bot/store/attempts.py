"""Attempts: one row per paid call, written before the call is made.

They are also what the rate limit is counted from, so that it holds across
restarts.
"""

import sqlite3
from dataclasses import dataclass
from enum import StrEnum

from bot.clock import Instant


class AttemptOutcome(StrEnum):
    """What became of a paid call."""

    #: Kie gave a task id
    ACCEPTED = "accepted"
    #: certainly no task
    NOT_ORDERED = "not_ordered"
    #: nobody can say
    UNCERTAIN = "uncertain"


@dataclass(frozen=True)
class Attempt:
    """One paid call."""

    id: int
    job_id: int
    #: unguessable; told to Kie and to nobody else
    reference: str
    #: None while the call is under way
    ended_at: Instant | None
    outcome: AttemptOutcome | None
    #: certain only where the outcome is `accepted`
    task_id: str | None

    @property
    def candidate_task_id(self) -> str | None:
        """The task that may be ours: somebody who knew the reference named it, and it is still to be tried."""
        return self.task_id if self.outcome is AttemptOutcome.UNCERTAIN else None


class Attempts:
    """The paid calls, by job and by time."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def begin(self, job_id: int, reference: str, now: Instant) -> None:
        """Write down that a paid call is about to be made."""
        self._db.execute(
            "INSERT INTO attempts (job_id, reference, started_at) VALUES (?, ?, ?)", (job_id, reference, now)
        )

    def end(self, job_id: int, outcome: AttemptOutcome, now: Instant, task_id: str | None = None) -> None:
        """Write down what became of a job's call that is under way."""
        self._db.execute(
            "UPDATE attempts SET ended_at = ?, outcome = ?, task_id = coalesce(?, task_id)"
            " WHERE job_id = ? AND ended_at IS NULL",
            (now, outcome, task_id, job_id),
        )

    def mark_interrupted_uncertain(self, now: Instant) -> None:
        """End the calls that a process that died has left under way, whatever has become of their jobs."""
        self._db.execute(
            "UPDATE attempts SET ended_at = ?, outcome = ? WHERE ended_at IS NULL", (now, AttemptOutcome.UNCERTAIN)
        )

    def get_latest(self, job_id: int) -> Attempt | None:
        """Return the call of a job that counts."""
        row = self._db.execute("SELECT * FROM attempts WHERE job_id = ? ORDER BY id DESC LIMIT 1", (job_id,)).fetchone()
        return None if row is None else _read_attempt(row)

    def get_by_reference(self, reference: str) -> Attempt | None:
        """Return the call that a reference belongs to."""
        row = self._db.execute("SELECT * FROM attempts WHERE reference = ?", (reference,)).fetchone()
        return None if row is None else _read_attempt(row)

    def set_candidate_task(self, attempt: Attempt, task_id: str) -> None:
        """Write down which task a call may have led to; of several the last one counts."""
        self._db.execute(
            "UPDATE attempts SET task_id = ? WHERE id = ? AND (outcome IS NULL OR outcome = ?)",
            (task_id, attempt.id, AttemptOutcome.UNCERTAIN),
        )

    def drop_candidate_task(self, attempt: Attempt) -> None:
        """Forget a task that was tried in vain, unless another one was named meanwhile."""
        self._db.execute(
            "UPDATE attempts SET task_id = NULL WHERE id = ? AND task_id = ? AND outcome = ?",
            (attempt.id, attempt.task_id, AttemptOutcome.UNCERTAIN),
        )

    def has_candidate_task(self, job_id: int) -> bool:
        """Say whether a task may be found to be a job's, as soon as it has been looked at."""
        latest = self.get_latest(job_id)
        return latest is not None and latest.outcome is not AttemptOutcome.ACCEPTED and latest.task_id is not None

    def mark_accepted(self, attempt_id: int, task_id: str) -> None:
        """Write down that a call in doubt was taken after all."""
        self._db.execute(
            "UPDATE attempts SET outcome = ?, task_id = ? WHERE id = ? AND outcome = ?",
            (AttemptOutcome.ACCEPTED, task_id, attempt_id, AttemptOutcome.UNCERTAIN),
        )

    def mark_uncertain(self, attempt: Attempt, hint: str | None) -> None:
        """Write down that the task of a call that was taken is another order's; `hint` is one to be tried."""
        self._db.execute(
            "UPDATE attempts SET outcome = ?, task_id = ? WHERE id = ? AND outcome = ?",
            (AttemptOutcome.UNCERTAIN, hint, attempt.id, AttemptOutcome.ACCEPTED),
        )

    def is_task_claimed(self, task_id: str) -> bool:
        """Say whether a task is that of a call already: one task never answers two orders."""
        row = self._db.execute(
            # not by a parameter: only so it is clear that the index holds all that is asked for
            "SELECT 1 FROM attempts WHERE task_id = ? AND outcome = 'accepted'",
            (task_id,),
        ).fetchone()
        return row is not None

    def list_references(self, job_id: int) -> frozenset[str]:
        """Return the references of all calls of a job."""
        rows = self._db.execute("SELECT reference FROM attempts WHERE job_id = ?", (job_id,))
        return frozenset(row["reference"] for row in rows)

    def has_uncertain(self, job_id: int) -> bool:
        """Say whether a call of a job may have been taken without our knowing."""
        row = self._db.execute(
            "SELECT 1 FROM attempts WHERE job_id = ? AND outcome = ? LIMIT 1", (job_id, AttemptOutcome.UNCERTAIN)
        ).fetchone()
        return row is not None

    def set_cost(self, job_id: int, credits_: float | None) -> None:
        """Write down what Kie says that a job's latest task cost, None where it does not say."""
        self._db.execute(
            "UPDATE attempts SET cost = ? WHERE outcome = ? AND id = (SELECT max(id) FROM attempts WHERE job_id = ?)",
            (credits_, AttemptOutcome.ACCEPTED, job_id),
        )

    def is_free(self, job_id: int) -> bool:
        """Say whether a job has cost nothing for certain: no call was taken, or Kie says that its task cost 0."""
        row = self._db.execute(
            "SELECT 1 FROM attempts WHERE job_id = ? AND coalesce(outcome, '') <> ? AND coalesce(cost, 1) > 0 LIMIT 1",
            (job_id, AttemptOutcome.NOT_ORDERED),
        ).fetchone()
        return row is None

    def count_recent(self, since: Instant, limit: int) -> tuple[int, list[Instant]]:
        """Return how many calls are under way, and when the latest `limit` others ended, newest first.

        A call may reach Kie at any time until it is over, so it is from its end
        that its place in the rate limit becomes free.
        """
        under_way = self._db.execute("SELECT count(*) AS n FROM attempts WHERE ended_at IS NULL").fetchone()["n"]
        rows = self._db.execute(
            "SELECT ended_at FROM attempts WHERE ended_at > ? ORDER BY ended_at DESC LIMIT ?", (since, limit)
        ).fetchall()
        return int(under_way), [row["ended_at"] for row in rows]


def _read_attempt(row: sqlite3.Row) -> Attempt:
    return Attempt(
        id=row["id"],
        job_id=row["job_id"],
        reference=row["reference"],
        ended_at=row["ended_at"],
        outcome=None if row["outcome"] is None else AttemptOutcome(row["outcome"]),
        task_id=row["task_id"],
    )
