"""Job details: what support needs to know about a job, without any text of users.

Only `unparsed_result` may be confidential: it can contain the URL of an image.
"""

import json
from dataclasses import dataclass

from bot.clock import Instant
from bot.job import Job, State
from bot.store.base_table import Table
from bot.store.circuit_breakers import CircuitBreakers
from bot.store.jobs import OPEN_STATES, Jobs

#: The columns with the milestones of a job, in their usual order.
MILESTONES = (
    "received_at", "queued_at", "submitted_at", "asked_at", "overdue_at", "finished_at", "download_failing_since",
    "answering_at", "answered_at", "answer_deleted_at", "erased_at",
)  # fmt: skip

#: Shorter names for milestones, for lists.
MILESTONE_NAMES = {"download_failing_since": "unavailable", "answer_deleted_at": "deleted"}


@dataclass(frozen=True)
class OpenJob:
    """A job that has not ended, or whose answer is yet to be sent."""

    id: int
    state: State
    received_at: Instant
    #: when it, or its answer, is due next; None if that is not a matter of time
    due_at: Instant | None
    #: failed tries of the current step
    tries: int
    #: whether more items of its album may arrive
    is_album_open: bool
    #: whether the user was asked about an uncertain order
    is_decision_pending: bool
    #: whether it is prepared; None if it is not in the fair queue
    is_prepared: bool | None
    #: whether it has ended, and its answer is yet to be sent
    is_answer_due: bool


@dataclass(frozen=True)
class AttemptDetails:
    """A paid call."""

    started_at: Instant
    ended_at: Instant | None
    outcome: str | None
    task_id: str | None


@dataclass(frozen=True)
class MessageDetails:
    """A message about a job, without its text."""

    kind: str
    is_answer: bool
    written_at: Instant
    ended_at: Instant | None
    outcome: str | None
    message_id: int | None
    tries: int
    uncertain_sends: int


@dataclass(frozen=True)
class JobDetails:
    """A job with its history."""

    job: Job
    #: by the name of the milestone
    milestones: dict[str, Instant]
    #: None if Kie did not report it
    kie_duration_ms: int | None
    credits: float | None
    #: Kie's record of a success in which no image was found
    unparsed_result: str | None
    attempts: list[AttemptDetails]
    messages: list[MessageDetails]


class JobDetailsReader(Table):
    """Reads jobs for the `jobs` command."""

    def list_open_breakers(self) -> list[str]:
        """Return the names of the open circuit breakers."""
        return [breaker.name for breaker in CircuitBreakers(self._db).list_open()]

    def list_open(self, limit: int) -> list[OpenJob]:
        """Return the open jobs, at most `limit`, the oldest first."""
        rows = self._rows(
            "SELECT jobs.id, state, received_at, jobs.due_at, jobs.tries, closes_by IS NOT NULL,"
            " asked_at IS NOT NULL, is_ready, 0 FROM jobs LEFT JOIN fair_queue ON fair_queue.job_id = jobs.id"
            " WHERE state IN (SELECT value FROM json_each(?))"
            " UNION ALL SELECT jobs.id, state, received_at, outbox.due_at, outbox.tries, closes_by IS NOT NULL,"
            " asked_at IS NOT NULL, NULL, 1 FROM outbox JOIN jobs ON jobs.id = outbox.job_id"
            " WHERE outbox.ended_at IS NULL AND outbox.is_answer ORDER BY 1 LIMIT ?",
            (json.dumps(OPEN_STATES), limit),
        )
        return [
            OpenJob(
                job_id,
                State(state),
                received_at,
                due_at,
                tries,
                is_album_open=bool(is_album_open),
                is_decision_pending=bool(is_decision_pending),
                is_prepared=None if is_ready is None else bool(is_ready),
                is_answer_due=bool(is_answer_due),
            )
            for (
                job_id, state, received_at, due_at, tries, is_album_open, is_decision_pending, is_ready, is_answer_due,
            ) in rows
        ]  # fmt: skip

    def get(self, job_id: int) -> JobDetails | None:
        """Return a job with its history, None if there is no such job."""
        job = Jobs(self._db, []).get(job_id)
        if job is None:
            return None
        [row] = self._rows("SELECT * FROM jobs WHERE id = ?", (job_id,))
        attempts = self._rows(
            "SELECT started_at, ended_at, outcome, task_id FROM attempts WHERE job_id = ? ORDER BY id", (job_id,)
        )
        messages = self._rows(
            "SELECT kind, is_answer, written_at, ended_at, outcome, message_id, tries, uncertain_sends FROM outbox"
            " WHERE job_id = ? ORDER BY id",
            (job_id,),
        )
        return JobDetails(
            job=job,
            milestones={
                MILESTONE_NAMES.get(column, column.removesuffix("_at")): row[column]
                for column in MILESTONES
                if row[column] is not None
            },
            kie_duration_ms=row["kie_duration_ms"],
            credits=row["credits"],
            unparsed_result=row["unparsed_result"],
            attempts=[AttemptDetails(*each) for each in attempts],
            messages=[MessageDetails(**dict(each) | {"is_answer": bool(each["is_answer"])}) for each in messages],
        )
