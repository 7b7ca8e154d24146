"""The lives of jobs, for whoever is asked what became of one: no words of people, and nothing that is secret but
where a picture may be that was not found.
"""

import json
import sqlite3
from dataclasses import dataclass

from bot.clock import Instant
from bot.job import Job, State
from bot.store.circuit_breakers import CircuitBreakers
from bot.store.jobs import OPEN_STATES, Jobs

#: The columns with a time of a job's life, in the order in which most jobs pass them.
MILESTONES = (
    "received_at", "queued_at", "submitted_at", "asked_at", "overdue_at", "finished_at", "download_failing_since",
    "answering_at", "answered_at", "answer_deleted_at", "erased_at",
)  # fmt: skip

#: How those are called in a list whose names are too long for it.
MILESTONE_NAMES = {"download_failing_since": "unavailable", "answer_deleted_at": "deleted"}


@dataclass(frozen=True)
class OpenJob:
    """A job that is not settled."""

    id: int
    state: State
    received_at: Instant
    #: when it, or its answer, is taken up next; None: not by time
    due_at: Instant | None
    #: tries of the present step that failed
    tries: int
    #: its album still arrives
    is_album_open: bool
    #: the person was asked about an order in doubt
    is_decision_pending: bool
    #: None where it is not in the line, else whether it only waits for its turn
    is_prepared: bool | None
    #: its end is known, and its answer still has to be sent
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
    """Something that was said about a job, or is to be; not what."""

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
    """All that support needs to know of a job."""

    job: Job
    milestones: dict[str, Instant]
    #: milliseconds that Kie worked on it, and what it cost, as far as Kie said so
    kie_duration_ms: int | None
    credits: float | None
    #: what Kie said of a success in which no picture was found
    unparsed_result: str | None
    attempts: list[AttemptDetails]
    messages: list[MessageDetails]


class JobDetailsReader:
    """The jobs, as they are looked at from outside."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def list_open_breakers(self) -> list[str]:
        """Name what keeps everything from being ordered at present."""
        return [breaker.name for breaker in CircuitBreakers(self._db).list_open()]

    def list_open(self, limit: int) -> list[OpenJob]:
        """Return the jobs that are not settled, at most so many, the oldest first."""
        rows = self._db.execute(
            "SELECT jobs.id, state, received_at, jobs.due_at, jobs.tries, closes_by, asked_at, is_ready, 0 AS answer"
            " FROM jobs LEFT JOIN fair_queue ON fair_queue.job_id = jobs.id WHERE state IN (SELECT value"
            " FROM json_each(?))"
            " UNION ALL SELECT jobs.id, state, received_at, outbox.due_at, outbox.tries, closes_by, asked_at, NULL, 1"
            " FROM outbox JOIN jobs ON jobs.id = outbox.job_id WHERE outbox.ended_at IS NULL AND outbox.is_answer"
            " ORDER BY 1 LIMIT ?",
            (json.dumps(OPEN_STATES), limit),
        ).fetchall()
        return [_read_open_job(row) for row in rows]

    def get(self, job_id: int) -> JobDetails | None:
        """Return the life of a job, None where there is no such job."""
        job = Jobs(self._db, []).get(job_id)
        if job is None:
            return None
        row = self._db.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
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
            attempts=self._list_attempts(job_id),
            messages=self._list_messages(job_id),
        )

    def _list_attempts(self, job_id: int) -> list[AttemptDetails]:
        rows = self._db.execute(
            "SELECT started_at, ended_at, outcome, task_id FROM attempts WHERE job_id = ? ORDER BY id", (job_id,)
        )
        return [AttemptDetails(**dict(row)) for row in rows]

    def _list_messages(self, job_id: int) -> list[MessageDetails]:
        rows = self._db.execute(
            "SELECT kind, is_answer, written_at, ended_at, outcome, message_id, tries, uncertain_sends FROM outbox"
            " WHERE job_id = ? ORDER BY id",
            (job_id,),
        )
        return [MessageDetails(**dict(row) | {"is_answer": bool(row["is_answer"])}) for row in rows]


def _read_open_job(row: sqlite3.Row) -> OpenJob:
    return OpenJob(
        id=row["id"],
        state=State(row["state"]),
        received_at=row["received_at"],
        due_at=row["due_at"],
        tries=row["tries"],
        is_album_open=row["closes_by"] is not None,
        is_decision_pending=row["asked_at"] is not None,
        is_prepared=None if row["is_ready"] is None else bool(row["is_ready"]),
        is_answer_due=bool(row["answer"]),
    )
