"""Measure: turns what was committed, and what Kie's tasks took, into figures.

It hears of a fact only once it is committed, so whoever loses a race is not counted. What belongs to a job under way
is kept in memory: after a restart the looks of the process before are missing, and of a picture that it had found
already how long it took to be sent.
"""

from bot.job import FINAL, Instant, Job, Reason, State, seconds_between
from bot.meters import Meters
from bot.store.facts import Accepted, Answered, AnswerEnded, Completed, Fact, Moved, Spent
from bot.store.outbox import Ending

#: Jobs of which something is kept until they are answered; beyond it the oldest are forgotten.
MOST_KEPT = 1000

#: In the place of a reason, where there is a picture or the person took it back.
NO_REASON = "none"

#: Kinds of callbacks: in time, too late to matter, with a reference that is nobody's; and one that did not come.
HEARD, LATE, UNKNOWN, MISSING = "heard", "late", "unknown", "missing"


class Measure:
    """Hears facts and looks, and keeps the meters."""

    def __init__(self, meters: Meters) -> None:
        self.meters = meters
        self._looks: dict[int, int] = {}
        self._completed: dict[int, Instant] = {}
        self._show_what_can_be_counted()

    def _show_what_can_be_counted(self) -> None:
        """Begin at nothing: Prometheus cannot see the first of something that was not there before."""
        for outcome in FINAL - {State.FAILED}:
            self.meters.finished.add(outcome, NO_REASON, by=0)
        for reason in Reason:
            self.meters.finished.add(State.FAILED, reason, by=0)
        for outcome in (State.SUCCEEDED, State.FAILED):
            self.meters.answered.show(outcome)
        for ending in Ending:
            self.meters.answers.add(ending, by=0)
        for kind in (HEARD, LATE, UNKNOWN, MISSING):
            self.meters.callbacks.add(kind, by=0)

    def hear(self, fact: Fact) -> None:
        """Count what was committed."""
        match fact:
            case Accepted():
                self.meters.accepted.add()
            case Moved(job, to, changes):
                self._moved(job, to, changes.get("reason"), changes.get("took"))
            case Completed(job_id, at):
                _keep(self._completed, job_id, at)
            case Answered(job, at):
                self._answered(job, at)
            case AnswerEnded(ending):
                self.meters.answers.add(ending)
            case Spent(credits_):
                self.meters.credits_spent.add(by=credits_)

    def looked(self, job_id: int) -> None:
        """Count a look at a job's task."""
        _keep(self._looks, job_id, self._looks.get(job_id, 0) + 1)

    def callback(self, kind: str) -> None:
        """Count a callback of a kind."""
        self.meters.callbacks.add(kind)

    def _moved(self, job: Job, to: State, reason: object, took: object) -> None:
        if job.state is State.GATHERING and to is State.QUEUED:
            self.meters.accepted.add()
        if to is State.RUNNING and job.queued_at is not None and job.submitted_at is not None:
            self.meters.waited.observe(seconds_between(job.queued_at, job.submitted_at))
        if to is not State.RUNNING and (looks := self._looks.pop(job.id, 0)):
            self.meters.looks.observe(looks)
        if to in FINAL:
            self.meters.finished.add(to, str(reason or NO_REASON))
        if isinstance(took, int):
            self.meters.worked.observe(took / 1000)

    def _answered(self, job: Job, at: Instant) -> None:
        self.meters.answered.observe(seconds_between(job.request.received_at, at), job.state)
        completed_at = self._completed.pop(job.id, None)
        if completed_at is not None:
            self.meters.delivered.observe(seconds_between(completed_at, at))


def _keep(kept: dict[int, int], job_id: int, value: int) -> None:
    kept[job_id] = value
    if len(kept) > MOST_KEPT:
        del kept[next(iter(kept))]
