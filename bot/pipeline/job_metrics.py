"""Measure: turns what was committed, and what Kie's tasks took, into figures.

It hears of a fact only once it is committed, so whoever loses a race is not counted. What belongs to a job under way
is kept in memory: after a restart the looks of the process before are missing, and of a picture that it had found
already how long it took to be sent.
"""

from bot.clock import Instant, seconds_between
from bot.job import FINAL_STATES, FailureReason, Job, State
from bot.metrics import Meters
from bot.store.events import (
    AnswerDeliveryEnded,
    CreditsSpent,
    DomainEvent,
    JobAnswered,
    JobTransitioned,
    RequestAccepted,
    TaskCompleted,
)
from bot.store.outbox import DeliveryOutcome

#: Jobs of which something is kept until they are answered; beyond it the oldest are forgotten.
MAX_TRACKED_JOBS = 1000

#: In the place of a reason, where there is a picture or the person took it back.
NO_REASON = "none"

#: Kinds of callbacks: in time, too late to matter, with a reference that is nobody's; and one that did not come.
CALLBACK_IN_TIME, CALLBACK_LATE, CALLBACK_UNKNOWN, CALLBACK_MISSING = "heard", "late", "unknown", "missing"


class JobMetrics:
    """Hears facts and looks, and keeps the meters."""

    def __init__(self, meters: Meters) -> None:
        self.metrics = meters
        self._polls: dict[int, int] = {}
        self._completed_at: dict[int, Instant] = {}
        self._initialize_labels()

    def _initialize_labels(self) -> None:
        """Begin at nothing: Prometheus cannot see the first of something that was not there before."""
        for outcome in FINAL_STATES - {State.FAILED}:
            self.metrics.finished.add(outcome, NO_REASON, by=0)
        for reason in FailureReason:
            self.metrics.finished.add(State.FAILED, reason, by=0)
        for outcome in (State.SUCCEEDED, State.FAILED):
            self.metrics.answered.show(outcome)
        for ending in DeliveryOutcome:
            self.metrics.answers.add(ending, by=0)
        for kind in (CALLBACK_IN_TIME, CALLBACK_LATE, CALLBACK_UNKNOWN, CALLBACK_MISSING):
            self.metrics.callbacks.add(kind, by=0)

    def on_event(self, fact: DomainEvent) -> None:
        """Count what was committed."""
        match fact:
            case RequestAccepted():
                self.metrics.accepted.add()
            case JobTransitioned(job, to, changes):
                self._on_moved(job, to, changes.get("reason"), changes.get("kie_duration_ms"))
            case TaskCompleted(job_id, at):
                _remember(self._completed_at, job_id, at)
            case JobAnswered(job, at):
                self._on_answered(job, at)
            case AnswerDeliveryEnded(ending):
                self.metrics.answers.add(ending)
            case CreditsSpent(credits_):
                self.metrics.credits_spent.add(by=credits_)

    def count_poll(self, job_id: int) -> None:
        """Count a look at a job's task."""
        _remember(self._polls, job_id, self._polls.get(job_id, 0) + 1)

    def count_callback(self, kind: str) -> None:
        """Count a callback of a kind."""
        self.metrics.callbacks.add(kind)

    def _on_moved(self, job: Job, to: State, reason: object, took: object) -> None:
        if job.state is State.GATHERING and to is State.QUEUED:
            self.metrics.accepted.add()
        if to is State.RUNNING and job.queued_at is not None and job.submitted_at is not None:
            self.metrics.waited.observe(seconds_between(job.queued_at, job.submitted_at))
        if to is not State.RUNNING and (looks := self._polls.pop(job.id, 0)):
            self.metrics.looks.observe(looks)
        if to in FINAL_STATES:
            self.metrics.finished.add(to, str(reason or NO_REASON))
        if isinstance(took, int):
            self.metrics.worked.observe(took / 1000)

    def _on_answered(self, job: Job, at: Instant) -> None:
        self.metrics.answered.observe(seconds_between(job.request.received_at, at), job.state)
        completed_at = self._completed_at.pop(job.id, None)
        if completed_at is not None:
            self.metrics.delivered.observe(seconds_between(completed_at, at))


def _remember(kept: dict[int, int], job_id: int, value: int) -> None:
    kept[job_id] = value
    if len(kept) > MAX_TRACKED_JOBS:
        del kept[next(iter(kept))]
