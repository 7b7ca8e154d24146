"""Domain events: what a unit of work has done, passed on to metrics and the log after its commit, and only then.

Changes that are rolled back, or that lost a race, cause no event. The log has one line for each step of a job's life,
with the same facts as structured fields (docs/operating.md), and never contains text of users.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from bot.clock import Instant, seconds_between
from bot.job import Job, State
from bot.store.base_table import Value

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RequestAccepted:
    """A request is complete and entered the fair queue for the first time."""


@dataclass(frozen=True)
class JobTransitioned:
    """A job, as it was read, entered another state."""

    job: Job
    new_state: State
    #: the columns that were set
    changes: Mapping[str, Value]


@dataclass(frozen=True)
class TaskCompleted:
    """Kie finished a job's image at `at`, by Kie's clock."""

    job_id: int
    completed_at: Instant


@dataclass(frozen=True)
class JobAnswered:
    """A job got its answer."""

    job: Job
    answered_at: Instant


@dataclass(frozen=True)
class AnswerDeliveryEnded:
    """The delivery of an answer ended, with a value of `DeliveryOutcome`."""

    outcome: str


@dataclass(frozen=True)
class CreditsSpent:
    """A task cost credits."""

    credits: float


@dataclass(frozen=True)
class LogAfterCommit:
    """A line to log after the commit."""

    write: Callable[[], None]


DomainEvent = (
    RequestAccepted
    | JobTransitioned
    | TaskCompleted
    | JobAnswered
    | AnswerDeliveryEnded
    | CreditsSpent
    | LogAfterCommit
)

#: Receives the events in order.
OnEvent = Callable[[DomainEvent], None]


def ignore_event(_: DomainEvent) -> None:
    """Do nothing."""


def log_job_created(job_id: int, state: State) -> LogAfterCommit:
    """Log a new job."""
    return _log_job(job_id, state, {"to": state.value})


def log_job_transition(job: Job, to: State, changes: Mapping[str, Value]) -> LogAfterCommit:
    """Log that a job, as it was read, entered another state."""
    task, reason = changes.get("task_id"), changes.get("reason")
    text = [to, *(f"{name} {fact}" for name, fact in (("task_id", task), ("reason", reason)) if fact is not None)]
    fields = {
        "from": job.state.value,
        "to": to.value,
        "task": task,
        "reason": reason and str(reason),
        "seconds": _seconds_since_milestone(job, changes),
        "credits": changes.get("credits"),
    }
    return _log_job(job.id, " ".join(text), fields)


def log_job_answered(job: Job, now: Instant) -> LogAfterCommit:
    """Log that a job, as it was read, was answered."""
    seconds = None if job.finished_at is None else seconds_between(job.finished_at, now)
    return _log_job(job.id, "answered", {"milestone": "answered", "seconds": seconds})


def _seconds_since_milestone(job: Job, changes: Mapping[str, Value]) -> float | None:
    """Return the seconds from the previous milestone to the one that is reached, None if none is."""
    reached = [at for name in ("queued_at", "submitted_at", "finished_at") if isinstance(at := changes.get(name), int)]
    earlier = (job.request.received_at, job.queued_at, job.submitted_at)
    return seconds_between(max(at for at in earlier if at is not None), max(reached)) if reached else None


def _log_job(job_id: int, text: str, fields: Mapping[str, object]) -> LogAfterCommit:
    return LogAfterCommit(partial(log.info, "job %d: %s", job_id, text, extra={"job": job_id, **fields}))
