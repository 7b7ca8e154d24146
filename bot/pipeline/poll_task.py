"""Poll a running task, and finish its job when the task has ended.

Callbacks and the poll schedule both end here, and only the record that Kie returns counts, never a callback's content.
The task is that of a running job, or a candidate of an uncertain order.
"""

import logging
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from enum import Enum, auto

from bot.clock import Instant, add_seconds, seconds_between, utc_day
from bot.i18n import sentence
from bot.job import FailureReason, Job, State
from bot.job_operations import record_cost, requeue
from bot.kie.client import KieClient
from bot.kie.errors import AccountBlocked, KieError, KieUnavailable
from bot.kie.models import RESULT_RETENTION_DAYS, TASK_NOT_FOUND, TaskOutcome, TaskRecord, is_refusal
from bot.pipeline import circuit_breakers, finish_job, uncertain_orders
from bot.pipeline.callback_tracker import CallbackTracker
from bot.pipeline.job_metrics import CALLBACK_MISSING, JobMetrics
from bot.pipeline.poll_schedule import LATE_POLL_AGES, REMEMBERED_TASKS, AdaptivePollSchedule, next_poll_at
from bot.pipeline.uncertain_orders import TaskOwnership
from bot.store.database import Database, Transaction
from bot.store.jobs import KieDuration
from bot.store.order_attempts import Attempt

#: Seconds after which a task is given up even if Kie does not answer: it keeps results no longer than that.
GIVE_UP_POLLING_AFTER = RESULT_RETENTION_DAYS * 86_400.0

log = logging.getLogger(__name__)


class _FinishResult(Enum):
    """The result of processing a finished task."""

    IMAGE = auto()
    #: the job failed, was queued again, or had ended before
    NO_IMAGE = auto()
    #: the task belongs to another order, and this job's order is uncertain again
    MIXED_UP = auto()


@dataclass(eq=False)
class TaskPoller:
    """The step that takes a job out of `running`, or an uncertain order into it."""

    db: Database
    kie: KieClient
    callbacks: CallbackTracker
    metrics: JobMetrics
    _: KW_ONLY
    schedule: AdaptivePollSchedule
    #: seconds after which the user is notified that it takes long
    deadline: float
    admins: frozenset[int]
    clock: Callable[[], Instant]
    #: cache of running jobs as they were at their last poll: most polls change nothing, and so need not read a row
    _running: dict[int, Job] = field(init=False, default_factory=dict)

    async def load_history(self) -> None:
        """Load the durations of stored tasks into the poll schedule."""
        self.schedule.load_history(await self.db.transact(lambda tx: tx.jobs.list_latest_durations(REMEMBERED_TASKS)))

    def first_poll_at(self, job: Job) -> Instant:
        """Return when to poll a newly ordered task for the first time."""
        ordered_at = job.submitted_at or self.clock()
        return self._next_poll_at(job, ordered_at) or ordered_at

    async def poll(self, job_id: int) -> Instant | None:
        """Poll a job's task once; return when to poll again, None if there is nothing left to poll."""
        job = self._running.pop(job_id, None) or await self.db.transact(lambda tx: tx.jobs.get(job_id))
        again = None if job is None else await self._poll_job(job)
        if again is None:
            self.callbacks.forget(job_id)
        return again

    def recover_failed_poll(self, tx: Transaction, job_id: int) -> Instant | None:
        """Return when to poll again after a bug in the bot; None if there is nothing left to poll."""
        now, job, attempt = self.clock(), tx.jobs.get(job_id), tx.attempts.get_latest(job_id)
        if job is not None and job.state is State.RUNNING:
            return _retry_poll_at(job, now) if self._record_late(tx, job, now, is_known=False) else None
        if job is not None and job.state is State.SUBMITTING and attempt and attempt.candidate_task_id is not None:
            return uncertain_orders.retry_candidate_later(tx, job, attempt, now, is_temporary=False)
        self.callbacks.forget(job_id)
        return None

    async def _poll_job(self, job: Job) -> Instant | None:
        if job.state is State.RUNNING and job.task_id is not None:
            return await self._poll_running(job, job.task_id)
        attempt = await self.db.transact(lambda tx: tx.attempts.get_latest(job.id))
        if job.state is State.SUBMITTING and attempt is not None and attempt.candidate_task_id is not None:
            return await self._poll_candidate(job, attempt, attempt.candidate_task_id)
        return None

    async def _poll_running(self, job: Job, task_id: str) -> Instant | None:
        record = await self._fetch_record(job, task_id)
        if isinstance(record, KieError) or record.outcome is TaskOutcome.PENDING:
            return await self._handle_unfinished(job, is_known=isinstance(record, TaskRecord))
        reported = self.callbacks.reported_task_id(job.id)
        result = await self.db.transact(lambda tx: self._finish(tx, job, record, reported))
        if result is _FinishResult.MIXED_UP:
            return self.clock()  # there may be a candidate
        if self.callbacks.record_finished(job.id):
            self.metrics.count_callback(CALLBACK_MISSING)
        if result is _FinishResult.IMAGE:
            self._record_duration(job, record)
        return None

    async def _handle_unfinished(self, job: Job, *, is_known: bool) -> Instant | None:
        """Return when to poll an unfinished task again; `is_known` is False if Kie did not answer."""
        now = self.clock()
        age = seconds_between(job.submitted_at or now, now)
        is_late = age >= min(self.deadline, LATE_POLL_AGES[-1])  # before that, no database access is needed
        if is_late and not await self.db.transact(lambda tx: self._record_late(tx, job, now, is_known=is_known)):
            return None
        again = self._next_poll_at(job, now) if is_known else _retry_poll_at(job, now)
        if again is not None and seconds_between(job.submitted_at or again, again) < self.deadline:
            self._running[job.id] = job
        return again

    def _record_late(self, tx: Transaction, job: Job, now: Instant, *, is_known: bool) -> bool:
        """Notify the user that a task takes long, or give it up; return False if it is given up."""
        age, stored = seconds_between(job.submitted_at or now, now), _reread_running(tx, job)
        limit = LATE_POLL_AGES[-1] if is_known else GIVE_UP_POLLING_AFTER
        if stored is not None and age >= limit:
            text = sentence("never-finished" if is_known else "never-learned")
            finish_job.fail_job(tx, stored, FailureReason.OVERDUE, text, now)
        elif stored is not None and age >= self.deadline and stored.overdue_at is None:
            tx.jobs.update(stored, overdue_at=now)
            tx.progress_messages.open_or_refresh(stored, now)
        return age < limit

    async def _poll_candidate(self, job: Job, attempt: Attempt, task_id: str) -> Instant | None:
        """Find out whether a candidate task came from an uncertain order."""
        record = await self._fetch_record(job, task_id)
        if isinstance(record, KieError) or record.status == TASK_NOT_FOUND:
            is_temporary = isinstance(record, KieUnavailable | AccountBlocked)
            return await self.db.transact(
                lambda tx: uncertain_orders.retry_candidate_later(
                    tx, job, attempt, self.clock(), is_temporary=is_temporary
                )
            )
        found = await self.db.transact(lambda tx: self._conclude_candidate(tx, job, attempt, record))
        # outside the transaction, because the schedule belongs to the event loop's thread
        return self._next_poll_at(found, self.clock()) if isinstance(found, Job) else found

    def _conclude_candidate(
        self, tx: Transaction, job: Job, attempt: Attempt, record: TaskRecord
    ) -> Job | Instant | None:
        """Decide by Kie's record; return the job if the task is its own and still runs, or when to poll again.

        A task that another order also claims is polled again: the poll of that order's job may release it.
        """
        now = self.clock()
        if not uncertain_orders.is_task_of_attempt(record, job, attempt):
            tx.log(log.warning, "job %d: a callback named another order's task", job.id, extra={"job": job.id})
            uncertain_orders.drop_candidate(tx, job, attempt, now)
            return None
        if tx.attempts.is_task_claimed(record.task_id):
            return uncertain_orders.retry_candidate_later(tx, job, attempt, now, is_temporary=False)
        running = uncertain_orders.confirm_ordered(tx, job, attempt, record.task_id, now)
        if running is not None and record.outcome is not TaskOutcome.PENDING:
            self._finish(tx, running, record)
            return None
        return running

    async def _fetch_record(self, job: Job, task_id: str) -> TaskRecord | KieError:
        self.metrics.count_poll(job.id)
        try:
            return await self.kie.get_task(task_id)
        except KieError as error:
            log.info("job %d: the poll failed, to be repeated: %s", job.id, error, extra={"job": job.id})
            failure = error
        await self.db.transact(
            lambda tx: circuit_breakers.handle_free_call_error(tx, failure, self.admins, self.clock())
        )
        return failure

    def _next_poll_at(self, job: Job, now: Instant) -> Instant | None:
        lost = self.callbacks.loss_probability(job.id)
        schedule = self.schedule.schedule_for(job.request.options.aspect_ratio, lost)
        return next_poll_at(job.submitted_at or now, now, self.deadline, schedule)

    def _record_duration(self, job: Job, record: TaskRecord) -> None:
        # only Kie's own figure counts: a schedule that learned from its own polls would drift ever later
        worked = finish_job.reported_duration(job, record, self.clock())
        if worked is not None:
            self.schedule.record_duration(KieDuration(job.request.options.aspect_ratio, worked / 1000))

    def _finish(self, tx: Transaction, job: Job, record: TaskRecord, reported: str | None = None) -> _FinishResult:
        """Finish a job whose task has ended; `reported` is the task id in the callback about the job, if any."""
        now, stored = self.clock(), _reread_running(tx, job)
        if stored is None:
            return _FinishResult.NO_IMAGE
        references = tx.attempts.list_references(job.id)
        if uncertain_orders.determine_ownership(record, stored, references) is TaskOwnership.OTHERS:
            uncertain_orders.revert_mixed_up_task(tx, stored, reported, self.callbacks, self.admins, now)
            return _FinishResult.MIXED_UP
        if record.out_of_range:
            _notify_of_implausible_values(tx, stored, record, self.admins, now)
        if record.outcome is TaskOutcome.FAILURE:
            _handle_task_failure(tx, stored, record, now)
        elif record.result_url is None:
            self._fail_without_image(tx, stored, record, now)
        elif finish_job.succeed_job(tx, stored, record, now):
            return _FinishResult.IMAGE
        return _FinishResult.NO_IMAGE

    def _fail_without_image(self, tx: Transaction, job: Job, record: TaskRecord, now: Instant) -> None:
        """Fail a job whose task succeeded without an image, and keep Kie's record for the operator."""
        failed = finish_job.fail_job(
            tx,
            job,
            FailureReason.TASK_FAILED,
            sentence("no-result"),
            now,
            credits_=record.credits,
            unparsed=record.unparsed,
        )
        if failed:
            tx.log(log.error, "job %d: task %s succeeded without an image", job.id, job.task_id, extra={"job": job.id})
            words = sentence("admin-no-result", task=job.task_id or "", job=f"{job.id}")
            tx.outbox.notify_admins(self.admins, f"no-result:{job.id}", words.translate, now)


def _retry_poll_at(job: Job, now: Instant) -> Instant:
    """Return when to repeat a failed poll: the older the task, the later, within 2 to 300 seconds."""
    return add_seconds(now, min(300.0, max(2.0, seconds_between(job.submitted_at or now, now) / 5)))


def _reread_running(tx: Transaction, job: Job) -> Job | None:
    """Return the stored job if it still runs the same task; the one in memory may be outdated."""
    stored = tx.jobs.get(job.id)
    return stored if stored is not None and (stored.state, stored.task_id) == (State.RUNNING, job.task_id) else None


def _notify_of_implausible_values(
    tx: Transaction, job: Job, record: TaskRecord, admins: frozenset[int], now: Instant
) -> None:
    names = ", ".join(record.out_of_range)
    tx.log(log.warning, "job %d: implausible values in Kie's record: %s", job.id, names, extra={"job": job.id})
    words = sentence("admin-absurd", figures=names, task=job.task_id or "", job=f"{job.id}")
    tx.outbox.notify_admins(admins, f"absurd:{utc_day(now)}", words.translate, now)


def _handle_task_failure(tx: Transaction, job: Job, record: TaskRecord, now: Instant) -> None:
    reason = record.fail_text or record.fail_code
    refused = is_refusal(reason)
    # an implausible price may not have been 0
    is_free = not record.credits and not record.has_out_of_range_price
    if is_free and not refused and job.reorders == 0:
        _reorder(tx, job, record, now)
        return
    text = sentence("model-refuses" if refused else "broke", words=reason or sentence("no-reason"))
    failure = FailureReason.REFUSED if refused else FailureReason.TASK_FAILED
    finish_job.fail_job(tx, job, failure, text, now, credits_=record.credits)


def _reorder(tx: Transaction, job: Job, record: TaskRecord, now: Instant) -> None:
    """Queue a job again after its task failed free of charge."""
    tx.attempts.set_cost(job.id, record.credits)
    if requeue(tx, job, now, queued_at=now, task_id=None, overdue_at=None, reorders=1, tries=0):
        record_cost(tx, record.credits, now)
