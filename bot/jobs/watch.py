"""Watch: looks at a running task and takes the job on when it has finished.

However the news comes that something may have happened, it ends here, and only
Kie's own record counts: for a task of ours as for one that a callback named.
"""

import logging
from collections.abc import Callable
from enum import Enum, auto

from bot.job import Instant, Job, Reason, State, day_of, later, seconds_between
from bot.jobs import doubt, outcome, trouble
from bot.jobs.bell import Bell
from bot.jobs.callbacks import Callbacks
from bot.jobs.durations import REMEMBERED
from bot.jobs.learned import Learned
from bot.jobs.measure import MISSING, Measure
from bot.jobs.schedule import LATE_LOOKS, next_look
from bot.kie.client import Kie
from bot.kie.errors import Halted, KieError, Unavailable
from bot.kie.keeping import RESULTS_KEPT
from bot.kie.models import UNSEEN, Look, Outcome, is_refusal
from bot.store.attempts import Attempt
from bot.store.connection import Database
from bot.store.jobs import Took
from bot.store.transaction import Transaction
from bot.texts import Sentence, sentence

#: Seconds after which it is not asked for a picture any more, because Kie keeps none for longer.
LAST_QUESTION = RESULTS_KEPT * 86_400.0

log = logging.getLogger(__name__)


class _End(Enum):
    """What a look at a finished task has led to."""

    PICTURE = auto()
    #: no picture, or somebody else was faster
    OTHER = auto()
    #: it is another order's task
    MIXED_UP = auto()
    #: the same, and there is a hint to try
    HINTED = auto()


class Watch:
    """The step that takes a job out of `running`, or into it."""

    def __init__(
        self,
        db: Database,
        kie: Kie,
        callbacks: Callbacks,
        measure: Measure,
        bell: Bell,
        *,
        usual: float,
        deadline: float,
        admins: frozenset[int],
        clock: Callable[[], Instant],
    ) -> None:
        self._db = db
        self._kie = kie
        self._callbacks = callbacks
        self._measure = measure
        self._bell = bell
        self._learned = Learned(usual)
        self._deadline = deadline
        self._admins = admins
        self._clock = clock
        #: jobs whose tasks run, as they were at an earlier look: enough to look again, which mostly changes nothing
        self._running: dict[int, Job] = {}

    async def recall(self) -> None:
        """Learn how long tasks take from those that are stored."""
        self._learned.recall(await self._db.unit(lambda tx: tx.jobs.latest_durations(REMEMBERED)))

    def first_look(self, job: Job) -> Instant:
        """Return when to look for the first time at a task that was just ordered."""
        ordered_at = job.submitted_at or self._clock()
        return self._next_look(job, ordered_at) or ordered_at

    async def look(self, job_id: int) -> Instant | None:
        """Look at a job's task once; return when to look again, None when there is nothing to look at."""
        job = self._running.pop(job_id, None) or await self._db.unit(lambda tx: tx.jobs.get(job_id))
        again = None if job is None else await self._look(job)
        if again is None:
            self._callbacks.forget(job_id)
        return again

    def broke_off(self, tx: Transaction, job_id: int) -> Instant | None:
        """Say when to look again at a task after a look that broke off; None when there is nothing to look at."""
        now, job, attempt = self._clock(), tx.jobs.get(job_id), tx.attempts.latest(job_id)
        if job is not None and job.state is State.RUNNING:
            return self._missed(tx, job, now)
        if job is not None and job.state is State.SUBMITTING and attempt is not None and attempt.hint is not None:
            return doubt.try_later(tx, job, attempt, now, passes=False)
        self._callbacks.forget(job_id)
        return None

    def _remembered(self, job: Job, again: Instant | None) -> Instant | None:
        """Keep a job for its next look; once its person is to be told that it takes long, the row is read each time."""
        if again is not None and seconds_between(job.submitted_at or again, again) < self._deadline:
            self._running[job.id] = job
        return again

    async def _look(self, job: Job) -> Instant | None:
        if job.state is State.RUNNING and job.task_id is not None:
            return await self._look_at(job, job.task_id)
        attempt = await self._db.unit(lambda tx: tx.attempts.latest(job.id))
        if job.state is State.SUBMITTING and attempt is not None and attempt.hint is not None:
            return await self._try(job, attempt, attempt.hint)
        return None

    async def _look_at(self, job: Job, task_id: str) -> Instant | None:
        seen = await self._seen(job, task_id)
        if isinstance(seen, KieError):
            return self._remembered(job, await self._not_seen(job))
        if seen.outcome is Outcome.PENDING:
            return self._remembered(job, await self._not_finished(job))
        named = self._callbacks.named(job.id)
        # so that the picture is fetched as soon as this is committed
        end = await self._bell.commit(self._db, lambda tx: self._finished(tx, job, seen, named))
        if end in (_End.MIXED_UP, _End.HINTED):
            return self._clock() if end is _End.HINTED else None
        if self._callbacks.found_finished(job.id):
            self._measure.callback(MISSING)
        if end is _End.PICTURE:
            self._learn(job, seen)
        return None

    async def _try(self, job: Job, attempt: Attempt, task_id: str) -> Instant | None:
        """Find out whether a task that a callback named came from an order in doubt."""
        seen = await self._seen(job, task_id)
        if isinstance(seen, KieError) or seen.status == UNSEEN:
            passes = isinstance(seen, Unavailable | Halted)
            return await self._db.unit(lambda tx: doubt.try_later(tx, job, attempt, self._clock(), passes=passes))
        found = await self._db.unit(lambda tx: self._tried(tx, job, attempt, seen))
        # what is learned belongs to this thread, not to that of the database
        return self._next_look(found, self._clock()) if isinstance(found, Job) else found

    def _tried(self, tx: Transaction, job: Job, attempt: Attempt, seen: Look) -> Job | Instant | None:
        """Conclude from Kie's record whose task it is; return the job if it is the job's, and runs on.

        Where another order has the task by Kie's answer, return when to try again: a look at that one tells as well.
        """
        now = self._clock()
        if not doubt.is_ours(seen, job, attempt):
            tx.log(
                log.warning, "job %d: a callback named a task that is not of this order", job.id, extra={"job": job.id}
            )
            doubt.drop_hint(tx, job, attempt, now)
            return None
        if tx.attempts.is_taken(seen.task_id):
            return doubt.try_later(tx, job, attempt, now, passes=False)
        ours = doubt.end(tx, job, attempt, seen.task_id, now)
        if ours is not None and seen.outcome is Outcome.PENDING:
            return ours
        if ours is not None:
            self._finished(tx, ours, seen)
        return None

    async def _seen(self, job: Job, task_id: str) -> Look | KieError:
        self._measure.looked(job.id)
        try:
            return await self._kie.look(task_id)
        except KieError as error:
            log.info("job %d: the look failed, later again: %s", job.id, error, extra={"job": job.id})
            failure = error
        await self._db.unit(lambda tx: trouble.seen_elsewhere(tx, failure, self._admins, self._clock()))
        return failure

    async def _not_seen(self, job: Job) -> Instant | None:
        """Look again soon: that Kie gave no answer says nothing about the task."""
        now = self._clock()
        age = seconds_between(job.submitted_at or now, now)
        if age < min(self._deadline, LAST_QUESTION):
            return _soon(now, age)  # and nothing has to be written down
        return await self._db.unit(lambda tx: self._missed(tx, job, now))

    def _missed(self, tx: Transaction, job: Job, now: Instant) -> Instant | None:
        age = seconds_between(job.submitted_at or now, now)
        if age >= LAST_QUESTION:
            _give_up(tx, job, sentence("never-learned"), now)
            return None
        if age >= self._deadline and job.overdue_at is None:
            _overdue(tx, job, now)
        return _soon(now, age)

    async def _not_finished(self, job: Job) -> Instant | None:
        now = self._clock()
        age = seconds_between(job.submitted_at or now, now)
        if age >= LATE_LOOKS[-1]:
            await self._db.unit(lambda tx: _give_up(tx, job, sentence("never-finished"), now))
            return None
        await self._tell_if_overdue(job, age)
        return self._next_look(job, now)

    def _next_look(self, job: Job, now: Instant) -> Instant | None:
        timetable = self._learned.timetable(job.request.form.shape, self._callbacks.lost_share(job.id))
        return next_look(job.submitted_at or now, now, self._deadline, timetable)

    async def _tell_if_overdue(self, job: Job, age: float) -> None:
        if age >= self._deadline and job.overdue_at is None:
            await self._db.unit(lambda tx: _overdue(tx, job, self._clock()))

    def _learn(self, job: Job, seen: Look) -> None:
        # without Kie's own figure there is only the moment of our look, and looks would follow looks, ever later
        worked = outcome.worked(job, seen, self._clock())
        if worked is not None:
            self._learned.add(Took(job.request.form.shape, worked / 1000))

    def _finished(self, tx: Transaction, job: Job, seen: Look, named: str | None = None) -> _End:
        """Take a job to its end; `named` is the task that a callback has named, should this one be another order's."""
        now, stored = self._clock(), _as_it_stands(tx, job)
        if stored is None:
            return _End.OTHER
        if doubt.whose(seen, stored, tx.attempts.references(job.id)) is doubt.Whose.OTHERS:
            has_hint = doubt.mixed_up(tx, stored, named, self._callbacks, self._admins, now)
            return _End.HINTED if has_hint else _End.MIXED_UP
        if seen.absurd:
            _tell_of_absurd_figures(tx, stored, seen, self._admins, now)
        return _End.PICTURE if self._ended(tx, stored, seen, now) else _End.OTHER

    def _ended(self, tx: Transaction, job: Job, seen: Look, now: Instant) -> bool:
        if seen.outcome is Outcome.FAILURE:
            _task_failed(tx, job, seen, now)
        elif seen.result_url is not None:
            return outcome.succeed(tx, job, seen, now)
        else:
            self._not_found(tx, job, seen, now)
        return False

    def _not_found(self, tx: Transaction, job: Job, seen: Look, now: Instant) -> None:
        """Keep what Kie said of a picture that is made and was not found in it: whoever runs the bot may find it."""
        told = sentence("no-result")
        if outcome.fail(tx, job, Reason.BROKE, told, now, credits_=seen.credits, unread=seen.unread):
            tx.log(log.error, "job %d: task %s succeeded without a picture", job.id, job.task_id, extra={"job": job.id})
            words = sentence("admin-no-result", task=job.task_id or "", job=f"{job.id}")
            tx.outbox.tell_admins(self._admins, f"no-result:{job.id}", words.into, now)


def _soon(now: Instant, age: float) -> Instant:
    """Return when to look again at a task of this age about which nothing was learned."""
    return later(now, min(300.0, max(2.0, age / 5)))


def _as_it_stands(tx: Transaction, job: Job) -> Job | None:
    """Return a job whose task runs; what is remembered of it may be over by now, or be in another chat."""
    stored = tx.jobs.get(job.id)
    return stored if stored is not None and (stored.state, stored.task_id) == (State.RUNNING, job.task_id) else None


def _overdue(tx: Transaction, job: Job, now: Instant) -> None:
    stored = _as_it_stands(tx, job)
    if stored is not None and tx.jobs.note(stored, overdue_at=now):
        tx.statuses.open(stored, now)


def _give_up(tx: Transaction, job: Job, words: Sentence, now: Instant) -> None:
    stored = _as_it_stands(tx, job)
    if stored is not None:
        outcome.fail(tx, stored, Reason.OVERDUE, words, now)


def _tell_of_absurd_figures(tx: Transaction, job: Job, seen: Look, admins: frozenset[int], now: Instant) -> None:
    names = ", ".join(seen.absurd)
    tx.log(log.warning, "job %d: Kie's record says of %s what cannot be", job.id, names, extra={"job": job.id})
    words = sentence("admin-absurd", figures=names, task=job.task_id or "", job=f"{job.id}")
    tx.outbox.tell_admins(admins, f"absurd:{day_of(now)}", words.into, now)


def _task_failed(tx: Transaction, job: Job, seen: Look, now: Instant) -> None:
    words = seen.fail_text or seen.fail_code
    told = words or sentence("no-reason")
    if is_refusal(words):
        outcome.fail(tx, job, Reason.REFUSED, sentence("model-refuses", words=told), now, credits_=seen.credits)
    # of a price that cannot be nobody knows that it is nothing
    elif not seen.credits and not seen.has_absurd_price and job.reorders == 0:
        _once_more(tx, job, seen, now)
    else:
        outcome.fail(tx, job, Reason.BROKE, sentence("broke", words=told), now, credits_=seen.credits)


def _once_more(tx: Transaction, job: Job, seen: Look, now: Instant) -> None:
    """Queue a job again whose task broke without costing anything; its upload may have grown old meanwhile."""
    again = {"task_id": None, "submitted_at": None, "overdue_at": None}
    tx.attempts.note_cost(job.id, seen.credits)
    if tx.jobs.move(job, State.QUEUED, queued_at=now, reorders=1, tries=0, **again):
        outcome.spend(tx, seen.credits, now)
        tx.line.enter_first(job.id, job.request.chat_id, is_ready=False)
        tx.statuses.touch(job.id, now)
