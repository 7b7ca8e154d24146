"""Watch: looks at a running task and takes the job on when it has finished.

However the news comes that something may have happened, it ends here, and only
Kie's own record counts.
"""

import logging
from collections.abc import Callable

from bot.job import Instant, Job, Reason, State, later, seconds_between
from bot.jobs import outcome, trouble
from bot.jobs.schedule import LATE_LOOKS, next_look
from bot.kie.client import Kie
from bot.kie.errors import KieError
from bot.kie.models import Look, Outcome, is_refusal
from bot.store.connection import Database
from bot.store.transaction import Transaction
from bot.texts import sentence

#: Seconds for which Kie keeps a finished picture, by the longest of its statements (14 days, 2026).
RESULTS_KEPT = 14 * 86_400.0

log = logging.getLogger(__name__)


class Watch:
    """The step that takes a job out of `running`."""

    def __init__(
        self, db: Database, kie: Kie, *, deadline: float, admins: frozenset[int], clock: Callable[[], Instant]
    ) -> None:
        self._db = db
        self._kie = kie
        self._deadline = deadline
        self._admins = admins
        self._clock = clock

    async def look(self, job_id: int) -> Instant | None:
        """Look at a job's task once; return when to look again, None when there is nothing to look at."""
        job = await self._db.unit(lambda tx: tx.jobs.get(job_id))
        if job is None or job.state != State.RUNNING or job.task_id is None:
            return None
        seen = await self._seen(job, job.task_id)
        if seen is None:
            return await self._not_seen(job)
        if seen.outcome is Outcome.PENDING:
            return await self._not_finished(job)
        await self._db.unit(lambda tx: self._finished(tx, job, seen))
        return None

    async def _seen(self, job: Job, task_id: str) -> Look | None:
        try:
            return await self._kie.look(task_id)
        except KieError as error:
            log.info("job %d: the look failed, later again: %s", job.id, error, extra={"job": job.id})
            failure = error
        await self._db.unit(lambda tx: trouble.seen_elsewhere(tx, failure, self._admins, self._clock()))
        return None

    async def _not_seen(self, job: Job) -> Instant | None:
        """Look again soon: that Kie gave no answer says nothing about the task."""
        now = self._clock()
        age = seconds_between(job.submitted_at or now, now)
        if age >= RESULTS_KEPT:
            await self._db.unit(lambda tx: outcome.fail(tx, job, Reason.OVERDUE, sentence("never-learned"), now))
            return None
        await self._tell_if_overdue(job, age)
        return later(now, min(300.0, max(2.0, age / 5)))

    async def _not_finished(self, job: Job) -> Instant | None:
        now = self._clock()
        submitted_at = job.submitted_at or now
        age = seconds_between(submitted_at, now)
        if age >= LATE_LOOKS[-1]:
            await self._db.unit(lambda tx: outcome.fail(tx, job, Reason.OVERDUE, sentence("never-finished"), now))
            return None
        await self._tell_if_overdue(job, age)
        return next_look(submitted_at, now, self._deadline)

    async def _tell_if_overdue(self, job: Job, age: float) -> None:
        if age >= self._deadline and job.overdue_at is None:
            await self._db.unit(lambda tx: _overdue(tx, job, self._clock()))

    def _finished(self, tx: Transaction, job: Job, seen: Look) -> None:
        now = self._clock()
        if seen.outcome is Outcome.FAILURE:
            _task_failed(tx, job, seen, now)
        elif seen.result_url is not None:
            outcome.succeed(tx, job, seen, now)
        elif outcome.fail(tx, job, Reason.BROKE, sentence("no-result"), now):
            log.error("job %d: task %s succeeded without a picture", job.id, job.task_id, extra={"job": job.id})
            words = sentence("admin-no-result", task=job.task_id or "", job=f"{job.id}")
            tx.outbox.tell_admins(self._admins, f"no-result:{job.id}", words.into, now)


def _overdue(tx: Transaction, job: Job, now: Instant) -> None:
    if tx.jobs.note(job, overdue_at=now):
        tx.statuses.open(job, now)


def _task_failed(tx: Transaction, job: Job, seen: Look, now: Instant) -> None:
    words = seen.fail_text or seen.fail_code
    told = words or sentence("no-reason")
    if is_refusal(words):
        outcome.fail(tx, job, Reason.REFUSED, sentence("model-refuses", words=told), now)
    elif not seen.credits and job.reorders == 0:
        _once_more(tx, job, now)
    else:
        outcome.fail(tx, job, Reason.BROKE, sentence("broke", words=told), now)


def _once_more(tx: Transaction, job: Job, now: Instant) -> None:
    """Queue a job again whose task broke without costing anything; its upload may have grown old meanwhile."""
    again = {"task_id": None, "submitted_at": None, "overdue_at": None}
    if tx.jobs.move(job, State.QUEUED, queued_at=now, reorders=1, tries=0, **again):
        tx.line.enter_first(job.id, job.request.chat_id, is_ready=False)
        tx.statuses.touch(job.id, now)
