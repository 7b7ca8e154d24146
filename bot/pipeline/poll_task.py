"""Watch: looks at a running task and takes the job on when it has finished.

However the news comes that something may have happened, it ends here, and only
Kie's own record counts: for a task of ours as for one that a callback named.
"""

import logging
from collections.abc import Callable
from enum import Enum, auto

from bot.clock import Instant, add_seconds, seconds_between, utc_day
from bot.i18n import Sentence, sentence
from bot.job import FailureReason, Job, State
from bot.kie.client import KieClient
from bot.kie.errors import AccountBlocked, KieError, KieUnavailable
from bot.kie.models import RESULT_RETENTION_DAYS, TASK_NOT_FOUND, TaskOutcome, TaskRecord, is_refusal
from bot.pipeline import circuit_breakers, finish_job, uncertain_orders
from bot.pipeline.callback_tracker import CallbackTracker
from bot.pipeline.job_metrics import CALLBACK_MISSING, JobMetrics
from bot.pipeline.poll_schedule import LATE_POLL_AGES, REMEMBERED_TASKS, AdaptivePollSchedule, next_poll_at
from bot.store.attempts import Attempt
from bot.store.database import Database
from bot.store.jobs import KieDuration
from bot.store.transaction import Transaction

#: Seconds after which it is not asked for a picture any more, because Kie keeps none for longer.
GIVE_UP_POLLING_AFTER = RESULT_RETENTION_DAYS * 86_400.0

log = logging.getLogger(__name__)


class _FinishResult(Enum):
    """What a look at a finished task has led to."""

    IMAGE = auto()
    #: no picture, or somebody else was faster
    NO_IMAGE = auto()
    #: it is another order's task
    MIXED_UP = auto()
    #: the same, and there is a hint to try
    MIXED_UP_WITH_HINT = auto()


class TaskPoller:
    """The step that takes a job out of `running`, or into it."""

    def __init__(
        self,
        db: Database,
        kie: KieClient,
        callbacks: CallbackTracker,
        measure: JobMetrics,
        *,
        usual: float,
        deadline: float,
        admins: frozenset[int],
        clock: Callable[[], Instant],
    ) -> None:
        self._db = db
        self._kie = kie
        self._callbacks = callbacks
        self._metrics = measure
        self._schedule = AdaptivePollSchedule(usual)
        self._deadline = deadline
        self._admins = admins
        self._clock = clock
        #: jobs whose tasks run, as they were at an earlier look: enough to look again, which mostly changes nothing
        self._running: dict[int, Job] = {}

    async def load_history(self) -> None:
        """Learn how long tasks take from those that are stored."""
        self._schedule.load_history(await self._db.transact(lambda tx: tx.jobs.list_latest_durations(REMEMBERED_TASKS)))

    def first_poll_at(self, job: Job) -> Instant:
        """Return when to look for the first time at a task that was just ordered."""
        ordered_at = job.submitted_at or self._clock()
        return self._next_poll_at(job, ordered_at) or ordered_at

    async def poll(self, job_id: int) -> Instant | None:
        """Look at a job's task once; return when to look again, None when there is nothing to look at."""
        job = self._running.pop(job_id, None) or await self._db.transact(lambda tx: tx.jobs.get(job_id))
        again = None if job is None else await self._poll_job(job)
        if again is None:
            self._callbacks.forget(job_id)
        return again

    def recover_failed_poll(self, tx: Transaction, job_id: int) -> Instant | None:
        """Say when to look again at a task after a look that broke off; None when there is nothing to look at."""
        now, job, attempt = self._clock(), tx.jobs.get(job_id), tx.attempts.get_latest(job_id)
        if job is not None and job.state is State.RUNNING:
            return self._handle_missed_poll(tx, job, now)
        if (
            job is not None
            and job.state is State.SUBMITTING
            and attempt is not None
            and attempt.candidate_task_id is not None
        ):
            return uncertain_orders.retry_hint_later(tx, job, attempt, now, passes=False)
        self._callbacks.forget(job_id)
        return None

    def _keep_for_next_poll(self, job: Job, again: Instant | None) -> Instant | None:
        """Keep a job for its next look; once its person is to be told that it takes long, the row is read each time."""
        if again is not None and seconds_between(job.submitted_at or again, again) < self._deadline:
            self._running[job.id] = job
        return again

    async def _poll_job(self, job: Job) -> Instant | None:
        if job.state is State.RUNNING and job.task_id is not None:
            return await self._poll_running(job, job.task_id)
        attempt = await self._db.transact(lambda tx: tx.attempts.get_latest(job.id))
        if job.state is State.SUBMITTING and attempt is not None and attempt.candidate_task_id is not None:
            return await self._try_hint(job, attempt, attempt.candidate_task_id)
        return None

    async def _poll_running(self, job: Job, task_id: str) -> Instant | None:
        seen = await self._fetch_record(job, task_id)
        if isinstance(seen, KieError):
            return self._keep_for_next_poll(job, await self._handle_no_answer(job))
        if seen.outcome is TaskOutcome.PENDING:
            return self._keep_for_next_poll(job, await self._handle_pending(job))
        named = self._callbacks.reported_task_id(job.id)
        end = await self._db.transact(lambda tx: self._finish(tx, job, seen, named))
        if end in (_FinishResult.MIXED_UP, _FinishResult.MIXED_UP_WITH_HINT):
            return self._clock() if end is _FinishResult.MIXED_UP_WITH_HINT else None
        if self._callbacks.record_finished(job.id):
            self._metrics.count_callback(CALLBACK_MISSING)
        if end is _FinishResult.IMAGE:
            self._record_duration(job, seen)
        return None

    async def _try_hint(self, job: Job, attempt: Attempt, task_id: str) -> Instant | None:
        """Find out whether a task that a callback named came from an order in doubt."""
        seen = await self._fetch_record(job, task_id)
        if isinstance(seen, KieError) or seen.status == TASK_NOT_FOUND:
            passes = isinstance(seen, KieUnavailable | AccountBlocked)
            return await self._db.transact(
                lambda tx: uncertain_orders.retry_hint_later(tx, job, attempt, self._clock(), passes=passes)
            )
        found = await self._db.transact(lambda tx: self._conclude_hint(tx, job, attempt, seen))
        # what is learned belongs to this thread, not to that of the database
        return self._next_poll_at(found, self._clock()) if isinstance(found, Job) else found

    def _conclude_hint(self, tx: Transaction, job: Job, attempt: Attempt, seen: TaskRecord) -> Job | Instant | None:
        """Conclude from Kie's record whose task it is; return the job if it is the job's, and runs on.

        Where another order has the task by Kie's answer, return when to try again: a look at that one tells as well.
        """
        now = self._clock()
        if not uncertain_orders.is_task_of_attempt(seen, job, attempt):
            tx.log(
                log.warning, "job %d: a callback named a task that is not of this order", job.id, extra={"job": job.id}
            )
            uncertain_orders.drop_hint(tx, job, attempt, now)
            return None
        if tx.attempts.is_task_claimed(seen.task_id):
            return uncertain_orders.retry_hint_later(tx, job, attempt, now, passes=False)
        ours = uncertain_orders.confirm_ordered(tx, job, attempt, seen.task_id, now)
        if ours is not None and seen.outcome is TaskOutcome.PENDING:
            return ours
        if ours is not None:
            self._finish(tx, ours, seen)
        return None

    async def _fetch_record(self, job: Job, task_id: str) -> TaskRecord | KieError:
        self._metrics.count_poll(job.id)
        try:
            return await self._kie.get_task(task_id)
        except KieError as error:
            log.info("job %d: the look failed, later again: %s", job.id, error, extra={"job": job.id})
            failure = error
        await self._db.transact(
            lambda tx: circuit_breakers.handle_free_call_error(tx, failure, self._admins, self._clock())
        )
        return failure

    async def _handle_no_answer(self, job: Job) -> Instant | None:
        """Look again soon: that Kie gave no answer says nothing about the task."""
        now = self._clock()
        age = seconds_between(job.submitted_at or now, now)
        if age < min(self._deadline, GIVE_UP_POLLING_AFTER):
            return _retry_poll_at(now, age)  # and nothing has to be written down
        return await self._db.transact(lambda tx: self._handle_missed_poll(tx, job, now))

    def _handle_missed_poll(self, tx: Transaction, job: Job, now: Instant) -> Instant | None:
        age = seconds_between(job.submitted_at or now, now)
        if age >= GIVE_UP_POLLING_AFTER:
            _give_up(tx, job, sentence("never-learned"), now)
            return None
        if age >= self._deadline and job.overdue_at is None:
            _mark_overdue(tx, job, now)
        return _retry_poll_at(now, age)

    async def _handle_pending(self, job: Job) -> Instant | None:
        now = self._clock()
        age = seconds_between(job.submitted_at or now, now)
        if age >= LATE_POLL_AGES[-1]:
            await self._db.transact(lambda tx: _give_up(tx, job, sentence("never-finished"), now))
            return None
        await self._mark_if_overdue(job, age)
        return self._next_poll_at(job, now)

    def _next_poll_at(self, job: Job, now: Instant) -> Instant | None:
        timetable = self._schedule.schedule_for(
            job.request.options.aspect_ratio, self._callbacks.loss_probability(job.id)
        )
        return next_poll_at(job.submitted_at or now, now, self._deadline, timetable)

    async def _mark_if_overdue(self, job: Job, age: float) -> None:
        if age >= self._deadline and job.overdue_at is None:
            await self._db.transact(lambda tx: _mark_overdue(tx, job, self._clock()))

    def _record_duration(self, job: Job, seen: TaskRecord) -> None:
        # without Kie's own figure there is only the moment of our look, and looks would follow looks, ever later
        worked = finish_job.reported_duration(job, seen, self._clock())
        if worked is not None:
            self._schedule.record_duration(KieDuration(job.request.options.aspect_ratio, worked / 1000))

    def _finish(self, tx: Transaction, job: Job, seen: TaskRecord, named: str | None = None) -> _FinishResult:
        """Take a job to its end; `named` is the task that a callback has named, should this one be another order's."""
        now, stored = self._clock(), _reread_running(tx, job)
        if stored is None:
            return _FinishResult.NO_IMAGE
        if (
            uncertain_orders.determine_ownership(seen, stored, tx.attempts.list_references(job.id))
            is uncertain_orders.TaskOwnership.OTHERS
        ):
            has_hint = uncertain_orders.revert_mixed_up_task(tx, stored, named, self._callbacks, self._admins, now)
            return _FinishResult.MIXED_UP_WITH_HINT if has_hint else _FinishResult.MIXED_UP
        if seen.out_of_range:
            _notify_of_implausible_values(tx, stored, seen, self._admins, now)
        return _FinishResult.IMAGE if self._end_job(tx, stored, seen, now) else _FinishResult.NO_IMAGE

    def _end_job(self, tx: Transaction, job: Job, seen: TaskRecord, now: Instant) -> bool:
        if seen.outcome is TaskOutcome.FAILURE:
            _handle_task_failure(tx, job, seen, now)
        elif seen.result_url is not None:
            return finish_job.succeed_job(tx, job, seen, now)
        else:
            self._fail_without_image(tx, job, seen, now)
        return False

    def _fail_without_image(self, tx: Transaction, job: Job, seen: TaskRecord, now: Instant) -> None:
        """Keep what Kie said of a picture that is made and was not found in it: whoever runs the bot may find it."""
        told = sentence("no-result")
        if finish_job.fail_job(
            tx, job, FailureReason.TASK_FAILED, told, now, credits_=seen.credits, unread=seen.unparsed
        ):
            tx.log(log.error, "job %d: task %s succeeded without a picture", job.id, job.task_id, extra={"job": job.id})
            words = sentence("admin-no-result", task=job.task_id or "", job=f"{job.id}")
            tx.outbox.notify_admins(self._admins, f"no-result:{job.id}", words.translate, now)


def _retry_poll_at(now: Instant, age: float) -> Instant:
    """Return when to look again at a task of this age about which nothing was learned."""
    return add_seconds(now, min(300.0, max(2.0, age / 5)))


def _reread_running(tx: Transaction, job: Job) -> Job | None:
    """Return a job whose task runs; what is remembered of it may be over by now, or be in another chat."""
    stored = tx.jobs.get(job.id)
    return stored if stored is not None and (stored.state, stored.task_id) == (State.RUNNING, job.task_id) else None


def _mark_overdue(tx: Transaction, job: Job, now: Instant) -> None:
    stored = _reread_running(tx, job)
    if stored is not None and tx.jobs.update(stored, overdue_at=now):
        tx.progress_messages.open_or_refresh(stored, now)


def _give_up(tx: Transaction, job: Job, words: Sentence, now: Instant) -> None:
    stored = _reread_running(tx, job)
    if stored is not None:
        finish_job.fail_job(tx, stored, FailureReason.OVERDUE, words, now)


def _notify_of_implausible_values(
    tx: Transaction, job: Job, seen: TaskRecord, admins: frozenset[int], now: Instant
) -> None:
    names = ", ".join(seen.out_of_range)
    tx.log(log.warning, "job %d: Kie's record says of %s what cannot be", job.id, names, extra={"job": job.id})
    words = sentence("admin-absurd", figures=names, task=job.task_id or "", job=f"{job.id}")
    tx.outbox.notify_admins(admins, f"absurd:{utc_day(now)}", words.translate, now)


def _handle_task_failure(tx: Transaction, job: Job, seen: TaskRecord, now: Instant) -> None:
    words = seen.fail_text or seen.fail_code
    told = words or sentence("no-reason")
    if is_refusal(words):
        finish_job.fail_job(
            tx, job, FailureReason.REFUSED, sentence("model-refuses", words=told), now, credits_=seen.credits
        )
    # of a price that cannot be nobody knows that it is nothing
    elif not seen.credits and not seen.has_out_of_range_price and job.reorders == 0:
        _reorder(tx, job, seen, now)
    else:
        finish_job.fail_job(
            tx, job, FailureReason.TASK_FAILED, sentence("broke", words=told), now, credits_=seen.credits
        )


def _reorder(tx: Transaction, job: Job, seen: TaskRecord, now: Instant) -> None:
    """Queue a job again whose task broke without costing anything; its upload may have grown old meanwhile."""
    again = {"task_id": None, "submitted_at": None, "overdue_at": None}
    tx.attempts.set_cost(job.id, seen.credits)
    if tx.jobs.transition(job, State.QUEUED, queued_at=now, reorders=1, tries=0, **again):
        finish_job.record_cost(tx, seen.credits, now)
        tx.fair_queue.enqueue_first(job.id, job.request.chat_id, is_ready=False)
        tx.progress_messages.mark_stale(job.id, now)
