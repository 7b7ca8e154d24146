"""Facts: what a unit of work has brought about, told to whoever keeps figures once it is committed, and only then.

What is undone, by an error or because somebody was faster, is never told.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.job import Instant, Job, State


@dataclass(frozen=True)
class Accepted:
    """A request is complete and has got into the line, for the first time."""


@dataclass(frozen=True)
class Moved:
    """A job went on from the state that was read."""

    job: Job
    to: State
    changes: Mapping[str, int | float | str | None]


@dataclass(frozen=True)
class Completed:
    """Kie's record says when it had a job's picture: milliseconds since 1970, by Kie's clock."""

    job_id: int
    at: Instant


@dataclass(frozen=True)
class Answered:
    """A job got its answer."""

    job: Job
    at: Instant


@dataclass(frozen=True)
class AnswerEnded:
    """It ended with an answer, whether it was sent or not; `ending` is the outbox's word."""

    ending: str


@dataclass(frozen=True)
class Spent:
    """A task cost credits."""

    credits: float


@dataclass(frozen=True)
class LogLine:
    """Something that is logged once it is committed: what is undone is in no log."""

    write: Callable[[], None]


Fact = Accepted | Moved | Completed | Answered | AnswerEnded | Spent | LogLine

#: Is told each fact, in the order of what happened.
Tell = Callable[[Fact], None]


def nobody_listens(_: Fact) -> None:
    """Keep no figures."""
