"""Facts: what a unit of work has brought about, told to whoever keeps figures once it is committed, and only then.

What is undone, by an error or because somebody was faster, is never told.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.clock import Instant
from bot.job import Job, State


@dataclass(frozen=True)
class RequestAccepted:
    """A request is complete and has got into the line, for the first time."""


@dataclass(frozen=True)
class JobTransitioned:
    """A job went on from the state that was read."""

    job: Job
    new_state: State
    changes: Mapping[str, int | float | str | None]


@dataclass(frozen=True)
class TaskCompleted:
    """Kie's record says when it had a job's picture: milliseconds since 1970, by Kie's clock."""

    job_id: int
    completed_at: Instant


@dataclass(frozen=True)
class JobAnswered:
    """A job got its answer."""

    job: Job
    answered_at: Instant


@dataclass(frozen=True)
class AnswerDeliveryEnded:
    """It ended with an answer, whether it was sent or not; `ending` is the outbox's word."""

    outcome: str


@dataclass(frozen=True)
class CreditsSpent:
    """A task cost credits."""

    credits: float


@dataclass(frozen=True)
class LogAfterCommit:
    """Something that is logged once it is committed: what is undone is in no log."""

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

#: Is told each fact, in the order of what happened.
OnEvent = Callable[[DomainEvent], None]


def ignore_event(_: DomainEvent) -> None:
    """Keep no figures."""
