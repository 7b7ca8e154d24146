"""Job metrics: turn committed domain events, polls and callbacks into Prometheus metrics.

Events arrive only after their commit, so a lost race is never counted. Data on jobs in progress are kept in memory:
after a restart their earlier polls are missing, and so is the delivery time of a result that was found before.
"""

from bot.clock import Instant, seconds_between
from bot.job import FINAL_STATES, FailureReason, Job, State
from bot.metrics import Metrics
from bot.store.domain_events import (
    AnswerDeliveryEnded,
    CreditsSpent,
    DomainEvent,
    JobAnswered,
    JobTransitioned,
    RequestAccepted,
    TaskCompleted,
)
from bot.store.outbox import DeliveryOutcome

#: Jobs tracked at once; beyond that, the oldest is forgotten.
MAX_TRACKED_JOBS = 1000

#: The value of the label `reason` for requests that did not fail.
NO_REASON = "none"

#: Label values for callbacks: in time, too late to matter, with an unknown reference, and missing.
CALLBACK_IN_TIME, CALLBACK_LATE, CALLBACK_UNKNOWN, CALLBACK_MISSING = "heard", "late", "unknown", "missing"


class JobMetrics:
    """Counts what happens to jobs."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self._polls: dict[int, int] = {}
        self._completed_at: dict[int, Instant] = {}
        self._initialize_labels()

    def _initialize_labels(self) -> None:
        """Export every series as 0 from the start: Prometheus misses the first increase of a new series."""
        for outcome in FINAL_STATES - {State.FAILED}:
            self.metrics.requests_finished.labels(outcome, NO_REASON)
        for reason in FailureReason:
            self.metrics.requests_finished.labels(State.FAILED, reason)
        for outcome in (State.SUCCEEDED, State.FAILED):
            self.metrics.answer_time.labels(outcome)
        for ending in DeliveryOutcome:
            self.metrics.answers.labels(ending)
        for kind in (CALLBACK_IN_TIME, CALLBACK_LATE, CALLBACK_UNKNOWN, CALLBACK_MISSING):
            self.metrics.callbacks.labels(kind)

    def on_event(self, event: DomainEvent) -> None:
        """Count a committed event."""
        match event:
            case RequestAccepted():
                self.metrics.requests_accepted.inc()
            case JobTransitioned(job, to, changes):
                self._on_transition(job, to, changes.get("reason"), changes.get("kie_duration_ms"))
            case TaskCompleted(job_id, at):
                _remember(self._completed_at, job_id, at)
            case JobAnswered(job, at):
                self._on_answered(job, at)
            case AnswerDeliveryEnded(ending):
                self.metrics.answers.labels(ending).inc()
            case CreditsSpent(credits_):
                self.metrics.credits_spent.inc(credits_)

    def count_poll(self, job_id: int) -> None:
        """Count a poll of a job's task."""
        _remember(self._polls, job_id, self._polls.get(job_id, 0) + 1)

    def count_callback(self, kind: str) -> None:
        """Count a callback of a kind."""
        self.metrics.callbacks.labels(kind).inc()

    def _on_transition(self, job: Job, to: State, reason: object, duration_ms: object) -> None:
        if job.state is State.GATHERING and to is State.QUEUED:
            self.metrics.requests_accepted.inc()
        if to is State.RUNNING and job.queued_at is not None and job.submitted_at is not None:
            self.metrics.queue_wait.observe(_duration(job.queued_at, job.submitted_at))
        if to is not State.RUNNING and (polls := self._polls.pop(job.id, 0)):
            self.metrics.task_polls.observe(polls)
        if to in FINAL_STATES:
            self.metrics.requests_finished.labels(to, str(reason or NO_REASON)).inc()
        if isinstance(duration_ms, int):
            self.metrics.kie_work.observe(max(0, duration_ms) / 1000)

    def _on_answered(self, job: Job, at: Instant) -> None:
        self.metrics.answer_time.labels(job.state).observe(_duration(job.request.received_at, at))
        completed_at = self._completed_at.pop(job.id, None)
        if completed_at is not None:
            self.metrics.delivery_time.observe(_duration(completed_at, at))


def _duration(start: Instant, end: Instant) -> float:
    """Return the seconds from `start` to `end`, 0 if the clock was set back in between."""
    return max(0.0, seconds_between(start, end))


def _remember(kept: dict[int, int], job_id: int, value: int) -> None:
    kept[job_id] = value
    if len(kept) > MAX_TRACKED_JOBS:
        del kept[next(iter(kept))]
