"""Order attempts: one row per paid call, written before the call is made.

The rate limit is computed from these rows, so it holds across restarts.
"""

from dataclasses import dataclass
from enum import StrEnum

from bot.clock import Instant
from bot.store.base_table import Table


class AttemptOutcome(StrEnum):
    """How a paid call ended."""

    #: Kie returned a task id
    ACCEPTED = "accepted"
    #: there is certainly no task
    NOT_ORDERED = "not_ordered"
    #: there may be a task
    UNCERTAIN = "uncertain"


@dataclass(frozen=True)
class Attempt:
    """One paid call."""

    id: int
    job_id: int
    #: unguessable and known only to Kie, as part of the callback URL
    reference: str
    #: None while the call is in flight
    ended_at: Instant | None
    outcome: AttemptOutcome | None
    #: of an accepted call; else a candidate or None
    task_id: str | None

    @property
    def candidate_task_id(self) -> str | None:
        """The task that an uncertain call may have led to, still to be confirmed by a poll."""
        return self.task_id if self.outcome is AttemptOutcome.UNCERTAIN else None


class Attempts(Table):
    """The paid calls."""

    def begin(self, job_id: int, reference: str, now: Instant) -> None:
        """Record that a paid call is about to be made."""
        self._change("INSERT INTO attempts (job_id, reference, started_at) VALUES (?, ?, ?)", (job_id, reference, now))

    def end(self, job_id: int, outcome: AttemptOutcome, now: Instant, task_id: str | None = None) -> None:
        """Record how a job's call in flight ended."""
        self._change(
            "UPDATE attempts SET ended_at = ?, outcome = ?, task_id = coalesce(?, task_id)"
            " WHERE job_id = ? AND ended_at IS NULL",
            (now, outcome, task_id, job_id),
        )

    def mark_interrupted_uncertain(self, now: Instant) -> None:
        """Mark calls that a crashed process left open as uncertain, whatever the job's state."""
        self._change(
            "UPDATE attempts SET ended_at = ?, outcome = ? WHERE ended_at IS NULL", (now, AttemptOutcome.UNCERTAIN)
        )

    def get_latest(self, job_id: int) -> Attempt | None:
        """Return a job's latest call, the one that counts; None if there is none."""
        return self._get("job_id = ? ORDER BY id DESC LIMIT 1", job_id)

    def get_by_reference(self, reference: str) -> Attempt | None:
        """Return the call with a reference, None if there is none."""
        return self._get("reference = ?", reference)

    def _get(self, where: str, value: int | str) -> Attempt | None:
        row = self._row(f"SELECT * FROM attempts WHERE {where}", (value,))
        if row is None:
            return None
        outcome = None if row["outcome"] is None else AttemptOutcome(row["outcome"])
        return Attempt(row["id"], row["job_id"], row["reference"], row["ended_at"], outcome, row["task_id"])

    def set_candidate_task(self, attempt: Attempt, task_id: str) -> None:
        """Record which task a call may have led to, replacing an earlier candidate."""
        self._change(
            "UPDATE attempts SET task_id = ? WHERE id = ? AND (outcome IS NULL OR outcome = ?)",
            (task_id, attempt.id, AttemptOutcome.UNCERTAIN),
        )

    def drop_candidate_task(self, attempt: Attempt) -> None:
        """Drop a candidate that belongs to another order, unless it has been replaced meanwhile."""
        self._change(
            "UPDATE attempts SET task_id = NULL WHERE id = ? AND task_id = ? AND outcome = ?",
            (attempt.id, attempt.task_id, AttemptOutcome.UNCERTAIN),
        )

    def has_candidate_task(self, job_id: int) -> bool:
        """Say whether a job has a candidate task to be confirmed."""
        latest = self.get_latest(job_id)
        return latest is not None and latest.outcome is not AttemptOutcome.ACCEPTED and latest.task_id is not None

    def mark_accepted(self, attempt_id: int, task_id: str) -> None:
        """Record that an uncertain call was accepted after all."""
        self._change(
            "UPDATE attempts SET outcome = ?, task_id = ? WHERE id = ? AND outcome = ?",
            (AttemptOutcome.ACCEPTED, task_id, attempt_id, AttemptOutcome.UNCERTAIN),
        )

    def mark_uncertain(self, attempt: Attempt, candidate: str | None) -> None:
        """Record that the task of an accepted call belongs to another order; `candidate` is the next one to check."""
        self._change(
            "UPDATE attempts SET outcome = ?, task_id = ? WHERE id = ? AND outcome = ?",
            (AttemptOutcome.UNCERTAIN, candidate, attempt.id, AttemptOutcome.ACCEPTED),
        )

    def is_task_claimed(self, task_id: str) -> bool:
        """Say whether a task belongs to an accepted call; one task never answers two orders."""
        # the outcome is a literal, so that SQLite can use the partial index
        return self._exists("SELECT 1 FROM attempts WHERE task_id = ? AND outcome = 'accepted'", (task_id,))

    def list_references(self, job_id: int) -> frozenset[str]:
        """Return the references of all calls of a job."""
        return frozenset(row[0] for row in self._rows("SELECT reference FROM attempts WHERE job_id = ?", (job_id,)))

    def has_uncertain(self, job_id: int) -> bool:
        """Say whether a job has a call that Kie may have accepted."""
        return self._exists(
            "SELECT 1 FROM attempts WHERE job_id = ? AND outcome = ? LIMIT 1", (job_id, AttemptOutcome.UNCERTAIN)
        )

    def set_cost(self, job_id: int, credits_: float | None) -> None:
        """Record the cost of a job's latest task in credits, None if Kie does not report it."""
        self._change(
            "UPDATE attempts SET cost = ? WHERE outcome = ? AND id = (SELECT max(id) FROM attempts WHERE job_id = ?)",
            (credits_, AttemptOutcome.ACCEPTED, job_id),
        )

    def is_free(self, job_id: int) -> bool:
        """Say whether a job was certainly free: each call was certainly not accepted, or its task cost 0, says Kie."""
        return not self._exists(
            "SELECT 1 FROM attempts WHERE job_id = ? AND coalesce(outcome, '') <> ? AND coalesce(cost, 1) > 0 LIMIT 1",
            (job_id, AttemptOutcome.NOT_ORDERED),
        )

    def count_recent(self, since: Instant, limit: int) -> tuple[int, list[Instant]]:
        """Return how many calls are in flight, and when the latest `limit` others ended after `since`, newest first.

        A call may reach Kie at any time until it has ended, so the rate window counts from its end.
        """
        under_way = self._count("SELECT count(*) FROM attempts WHERE ended_at IS NULL")
        ended = "SELECT ended_at FROM attempts WHERE ended_at > ? ORDER BY ended_at DESC LIMIT ?"
        return under_way, self._ints(ended, (since, limit))
