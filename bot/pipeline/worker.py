"""The worker: asks the database what is due, runs those steps concurrently, and sleeps until more is due.

It plans again after every wakeup. Whatever may make something due sets the `wakeup` event: a handled update, a
callback, the end of a step. A plan is cheap and finds its rows by index, so an unnecessary one does no harm.
"""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from bot.backoff import backoff
from bot.clock import Instant, add_seconds, seconds_between
from bot.job import ERASED_ID, MAX_ALBUM_SECONDS, Job, State
from bot.pipeline import circuit_breakers, retries, uncertain_orders, work_plan
from bot.pipeline.callback_tracker import CallbackTracker
from bot.pipeline.circuit_breakers import RecoveryProbe
from bot.pipeline.credit_balance import CreditBalanceChecker
from bot.pipeline.error_containment import ErrorContainment
from bot.pipeline.group_admins import GroupAdminFinder
from bot.pipeline.poll_schedule import MAX_POLL_INTERVAL, PollQueue
from bot.pipeline.poll_task import TaskPoller
from bot.pipeline.prepare_images import ImagePreparer
from bot.pipeline.progress_message import ProgressMessageSender, ProgressUpdate
from bot.pipeline.send_message import MessageSender
from bot.pipeline.submit_order import Order, OrderSubmitter
from bot.pipeline.work_plan import DispatchPlan, WorkInFlight, make_plan
from bot.settings import MustRestart
from bot.store import outbox
from bot.store.database import Database, StoreError, Transaction, UnitOfWork
from bot.store.outbox import DeliveryOutcome, MessageKind, OutboxExclusions, OutboxLane, OutboxMessage
from bot.telegram.errors import RetryableError
from bot.telegram.send_rate_limit import SendRateLimiter

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds that the worker sleeps at most, in case the clock is set meanwhile.
MAX_SLEEP = 600.0

#: Seconds that a plan may take on the slowest of disks before the watchdog calls the worker hung.
HANG_GRACE = 60.0

#: Retries of recording that a message was sent, within 3 seconds: the disk may be full for a moment.
RECORD_RETRIES = 5

#: Messages in a row before a progress message goes first.
MAX_MESSAGES_BEFORE_PROGRESS = 3

#: Seconds over which the first polls after a start are spread.
FIRST_POLL_SPREAD = 2.0


@dataclass(frozen=True)
class PipelineSteps:
    """The steps that the worker runs."""

    image_preparer: ImagePreparer
    order_submitter: OrderSubmitter
    task_poller: TaskPoller
    message_sender: MessageSender
    progress_sender: ProgressMessageSender
    recovery_probe: RecoveryProbe
    balance_checker: CreditBalanceChecker
    admin_finder: GroupAdminFinder


class Worker:
    """Runs every step of every job, and hands failures to `retries`.

    Its memory is bounded by the limits on work in flight (see `work_plan` and `order_limits`) and by the number of
    running tasks.
    """

    def __init__(
        self,
        db: Database,
        steps: PipelineSteps,
        rate_limiter: SendRateLimiter,
        wakeup: asyncio.Event,
        *,
        callbacks: CallbackTracker,
        rules: retries.RetryRules,
        clock: Callable[[], Instant],
        monotonic: Callable[[], float],
    ) -> None:
        self._db = db
        self._steps = steps
        self._rate_limiter = rate_limiter
        self._wakeup = wakeup
        self._callbacks = callbacks
        self._rules = rules
        self._clock = clock
        self._monotonic = monotonic
        self._containment = ErrorContainment(rules.admins, clock=clock)
        self._polls = PollQueue()
        #: the user of each job in flight
        self._jobs_in_flight: dict[int, int] = {}
        #: the chat of each message in flight, None for callback answers
        self._messages_in_flight: dict[int, int | None] = {}
        #: the user of each message of the HEAVY_KINDS in flight, ERASED_ID without a job
        self._deliveries_in_flight: dict[int, int] = {}
        #: probes, balance checks and administrator lookups: the kind, and the breaker or chat
        self._checks_in_flight: set[tuple[str, object]] = set()
        #: chats that a rate limit holds back, and until when by the monotonic clock
        self._chats_held_until: dict[int, float] = {}
        self._messages_since_progress = 0
        self._stopping = False
        #: when, by the monotonic clock, the worker counts as hung
        self.hang_deadline = math.inf

    def wake(self) -> None:
        """Make the worker plan again, because something may be due."""
        self._wakeup.set()

    def poll_soon(self, job_id: int) -> None:
        """Poll a job's task as soon as the rate limit allows, because Kie has called back."""
        self._polls.schedule(job_id, self._clock())
        self.wake()

    def stop(self) -> None:
        """Shut down gracefully: start nothing more; `run` returns when the steps in flight have ended."""
        self._stopping = True
        self.wake()

    async def run(self) -> None:
        """Recover, then work until stopped.

        If the database fails, raises MustRestart during recovery, and later an ExceptionGroup with it.
        """
        self.hang_deadline = self._monotonic() + HANG_GRACE
        await self.recover()
        async with asyncio.TaskGroup() as tasks:
            while not self._stopping:
                self._wakeup.clear()
                self.hang_deadline = self._monotonic() + HANG_GRACE
                seconds = max(0.0, await self.start_due(tasks))
                self.hang_deadline = self._monotonic() + seconds + HANG_GRACE
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._wakeup.wait()
            self.hang_deadline = math.inf

    async def recover(self) -> None:
        """Resume what an earlier process left: orders that it may have placed, and running tasks."""
        now = self._clock()
        await self._run_contained("history", "", self._steps.task_poller.load_history(), lambda _: None)
        job_ids = await self._db.transact(lambda tx: self._recover_stored(tx, now))
        for position, job_id in enumerate(job_ids):
            self._callbacks.mark_possibly_missed(job_id)
            self._polls.schedule(job_id, add_seconds(now, FIRST_POLL_SPREAD * position / len(job_ids)))

    def _recover_stored(self, tx: Transaction, now: Instant) -> list[int]:
        """Mark interrupted orders and answers as uncertain; return the jobs whose tasks are to be polled."""
        tx.snapshots.check_writable()  # or each restart would send a message again, unable to record it
        set_back = tx.clock_shift.shift_due_times(now)
        if set_back:
            tx.log(log.warning, "the clock was set back by %.0f s: stored due times were shifted by as much", set_back)
        candidates = [
            job_id
            for job_id in tx.jobs.list_in_state(State.SUBMITTING)
            if self._containment.run_for_job(tx, job_id, partial(self._resume_uncertain, tx, job_id, now))
        ]
        tx.attempts.mark_interrupted_uncertain(now)
        tx.outbox.mark_interrupted_answers_uncertain()
        circuit_breakers.schedule_immediate_probes(tx, now)
        # album items and prompts sent while the bot was down have not arrived yet
        tx.jobs.extend_collection_deadlines(
            add_seconds(now, self._rules.album_window), add_seconds(now, MAX_ALBUM_SECONDS)
        )
        return candidates + tx.jobs.list_in_state(State.RUNNING)

    def _resume_uncertain(self, tx: Transaction, job_id: int, now: Instant) -> bool:
        job = tx.jobs.get(job_id)
        return job is not None and uncertain_orders.resume_uncertain(tx, job, self._callbacks, now)

    async def start_due(self, tasks: asyncio.TaskGroup) -> float:
        """Start what is due; return the seconds until more is due, zero or less for at once."""
        in_flight = self._snapshot()
        plan = await self._db.transact(
            # the clock is read inside, so that what the same commit has just written is due
            lambda tx: make_plan(tx, self._steps.order_submitter, self._containment, self._clock(), in_flight),
            runs_last=True,
        )
        self._start_plan(tasks, plan)
        while (job_id := self._polls.pop_due(self._clock())) is not None:
            tasks.create_task(self._run_poll(job_id))
        now, wall_now = self._monotonic(), self._clock()
        opening_times = [*self._chats_held_until.values(), *self._limits_open_at(plan, now)]
        due_times = [at for at in (plan.next_at, self._polls.next_at()) if at is not None]
        waits = [opens - now for opens in opening_times] + [seconds_between(wall_now, at) for at in due_times]
        return min([MAX_SLEEP, *waits])

    def _limits_open_at(self, plan: DispatchPlan, now: float) -> list[float]:
        """Return when Telegram's global rate limits let more of what is due leave; `now` if they already do."""
        may_be_more = plan.messages or plan.progress_updates  # one plan starts only a few
        waits_to_send = may_be_more or plan.closed_lanes & outbox.RATE_LIMITED_LANES
        opens_at = [self._rate_limiter.global_next_send_at(now)] if waits_to_send else []
        return opens_at + ([self._rate_limiter.next_edit_at(now)] if OutboxLane.REFRESH in plan.closed_lanes else [])

    def _snapshot(self) -> WorkInFlight:
        now, converting = self._monotonic(), self._steps.image_preparer.lane.jobs
        self._chats_held_until = {chat_id: opens for chat_id, opens in self._chats_held_until.items() if opens > now}
        closed_lanes = outbox.RATE_LIMITED_LANES if self._rate_limiter.global_next_send_at(now) > now else frozenset()
        if self._rate_limiter.next_edit_at(now) > now:
            closed_lanes |= {OutboxLane.REFRESH}
        return WorkInFlight(
            preparing={job_id: user for job_id, user in self._jobs_in_flight.items() if job_id not in converting},
            converting=converting,
            messages=OutboxExclusions(
                chat_ids=frozenset(chat for chat in self._messages_in_flight.values() if chat is not None),
                held_chat_ids=frozenset(self._chats_held_until),
                message_ids=frozenset(self._messages_in_flight),
                closed_lanes=closed_lanes,
                saturated_users=self._users_at_delivery_limit(),
                is_progress_turn=self._messages_since_progress >= MAX_MESSAGES_BEFORE_PROGRESS,
            ),
            checks=frozenset(self._checks_in_flight),
            deliveries=len(self._deliveries_in_flight),
        )

    def _users_at_delivery_limit(self) -> frozenset[int]:
        per_user = Counter(self._deliveries_in_flight.values())
        at_limit = frozenset(user for user, count in per_user.items() if count >= work_plan.MAX_DELIVERIES_PER_USER)
        return at_limit - {ERASED_ID}

    def _start_plan(self, tasks: asyncio.TaskGroup, plan: DispatchPlan) -> None:
        for job in plan.jobs:
            self._start_job(tasks, job, self._advance_job)
        for job in plan.conversions:
            if self._steps.image_preparer.lane.enter(job):  # `run` may have taken the slot since
                self._start_job(tasks, job, self._steps.image_preparer.convert)
        for order in plan.orders:
            tasks.create_task(self._run_order(order))
        for message in plan.messages:
            self._start_message(tasks, message, partial(self._send_message, message))
        for update in plan.progress_updates:
            self._start_message(tasks, update.message, partial(self._send_progress, update))
        self._start_checks(tasks, plan)

    def _start_checks(self, tasks: asyncio.TaskGroup, plan: DispatchPlan) -> None:
        probe, balance, admins = self._steps.recovery_probe, self._steps.balance_checker, self._steps.admin_finder
        for name in plan.probes:
            self._start_check(tasks, "probe", name, probe.run(name), partial(probe.postpone, name=name))
        if plan.is_balance_due:
            self._start_check(tasks, "balance", "", balance.run(), balance.postpone)
        for chat_id in plan.groups:
            self._start_check(
                tasks, "administrators", chat_id, admins.run(chat_id), partial(admins.postpone, chat_id=chat_id)
            )

    async def _run_contained(
        self,
        what: str,
        which: object,
        step: Awaitable[T],
        postpone: Callable[[Transaction], T],
        release: Callable[[], object] = lambda: None,
    ) -> T:
        """Run a step so that a failure postpones only its subject; then release what it held, and wake the worker."""
        try:
            return await self._containment.run_step(self._db, what, which, step, postpone)
        finally:
            release()
            self.wake()

    def _start_check(
        self,
        tasks: asyncio.TaskGroup,
        what: str,
        which: object,
        check: Coroutine[Any, Any, None],
        postpone: Callable[[Transaction], None],
    ) -> None:
        self._checks_in_flight.add((what, which))

        def release() -> None:
            self._checks_in_flight.discard((what, which))
            if what == "administrators":
                self._steps.admin_finder.wake_dispatcher()

        tasks.create_task(self._run_contained(what, which, check, postpone, release))

    def _start_job(self, tasks: asyncio.TaskGroup, job: Job, step: Callable[[Job], Awaitable[None]]) -> None:
        self._jobs_in_flight[job.id] = job.charged_to
        postpone = partial(self._containment.postpone_job, job_id=job.id)
        release = partial(self._jobs_in_flight.pop, job.id)
        tasks.create_task(self._run_contained("step", job.id, self._try_job_step(job, step), postpone, release))

    async def _try_job_step(self, job: Job, step: Callable[[Job], Awaitable[None]]) -> None:
        try:
            await step(job)
        except MustRestart:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the job must be retried or ended
            _log_if_unexpected(error, job)
            failure = error
            await self._db.transact(lambda tx: retries.handle_job_failure(tx, job, failure, self._rules, self._clock()))

    async def _advance_job(self, job: Job) -> None:
        if job.state is State.QUEUED:
            await self._steps.image_preparer.run(job)
        elif job.state is State.SUBMITTING:
            await self._db.transact(lambda tx: uncertain_orders.advance_uncertain(tx, job, self._clock()))

    async def _run_order(self, order: Order) -> None:
        job = order.job
        poll_at = await self._run_contained(
            "order", job.id, self._place_order(order), lambda tx: self._mark_uncertain(tx, job)
        )
        if poll_at is None:
            self._callbacks.forget(job.id)
        else:
            self._polls.schedule(job.id, poll_at)

    async def _place_order(self, order: Order) -> Instant | None:
        """Place an order; return when to poll its task for the first time, None if there is no task."""
        if not await self._steps.order_submitter.place_order(order):
            return None
        if self._callbacks.has_arrived(order.job.id):
            return self._clock()  # the callback arrived before the order's own answer
        return self._steps.task_poller.first_poll_at(order.job)

    def _mark_uncertain(self, tx: Transaction, job: Job) -> Instant:
        """Treat an interrupted order as one that Kie may have accepted, so that it is never placed twice."""
        uncertain_orders.mark_uncertain(tx, job, self._callbacks, self._clock())
        return add_seconds(self._clock(), MAX_POLL_INTERVAL)

    async def _run_poll(self, job_id: int) -> None:
        again = await self._run_contained(
            "poll", job_id, self._steps.task_poller.poll(job_id), lambda tx: self._recover_failed_poll(tx, job_id)
        )
        self._polls.finish(job_id, again)

    def _recover_failed_poll(self, tx: Transaction, job_id: int) -> Instant | None:
        """Return when to poll again; a row that cannot be read is polled after the next start."""
        return self._containment.run_for_row(
            tx, "task", job_id, partial(self._steps.task_poller.recover_failed_poll, tx, job_id), lambda: None
        )

    def _start_message(
        self, tasks: asyncio.TaskGroup, message: OutboxMessage, send: Callable[[], Awaitable[None]]
    ) -> None:
        """Start to send, edit or delete a message, if the limits allow it at this moment."""
        is_heavy = message.draft.kind in outbox.HEAVY_KINDS
        user = ERASED_ID if message.job is None else message.job.charged_to
        if is_heavy and (
            len(self._deliveries_in_flight) >= work_plan.MAX_DELIVERIES or user in self._users_at_delivery_limit()
        ):
            return
        if not self._take_send_slot(message):
            return
        is_callback_answer = message.draft.kind is MessageKind.CALLBACK_ANSWER
        self._messages_in_flight[message.id] = None if is_callback_answer else message.draft.chat_id
        if is_heavy:
            self._deliveries_in_flight[message.id] = user

        def release() -> None:
            del self._messages_in_flight[message.id]
            self._deliveries_in_flight.pop(message.id, None)

        def postpone(tx: Transaction) -> None:
            work_plan.postpone_message(tx, message, self._clock())

        tasks.create_task(self._run_contained("message", message.id, send(), postpone, release))

    def _take_send_slot(self, message: OutboxMessage) -> bool:
        """Say whether the rate limits let a message leave now, and count it; if not, hold its chat until they do."""
        now, chat_id, kind = self._monotonic(), message.draft.chat_id, message.draft.kind
        if kind in (MessageKind.CALLBACK_ANSWER, MessageKind.DELETION):
            return True
        exists = message.message_id is not None
        is_edit = exists and kind is MessageKind.PROGRESS_MESSAGE and not message.is_to_be_deleted
        is_new = not exists and kind is not MessageKind.REACTION and not message.is_to_be_deleted
        opens = (
            max(self._rate_limiter.chat_next_send_at(chat_id, now), self._rate_limiter.next_edit_at(now))
            if is_edit
            else self._rate_limiter.next_send_at(chat_id, now)
        )
        if opens > now:
            self._chats_held_until[chat_id] = opens
            return False
        if is_edit:
            self._rate_limiter.record_edit(now)
        elif is_new:
            self._rate_limiter.record_send(chat_id, now)
            self._messages_since_progress = 0 if kind in outbox.EDITABLE_KINDS else self._messages_since_progress + 1
        return True

    async def _send_message(self, message: OutboxMessage) -> None:
        await self._send_and_record(
            message,
            self._steps.message_sender.run(message),
            lambda tx, error: retries.handle_message_failure(tx, message, error, self._rules, self._clock()),
        )

    async def _send_progress(self, update: ProgressUpdate) -> None:
        await self._send_and_record(
            update.message,
            self._steps.progress_sender.run(update),
            lambda tx, error: retries.handle_progress_failure(tx, update, error, self._clock()),
        )

    async def _send_and_record(
        self,
        message: OutboxMessage,
        send: Awaitable[UnitOfWork],
        handle_failure: Callable[[Transaction, Exception], None],
    ) -> None:
        try:
            record = await send
        except MustRestart:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the message must be retried or ended
            _log_if_unexpected(error, message)
            self._apply_rate_limit(error, message)
            failure = error
            await self._db.transact(lambda tx: handle_failure(tx, failure))
        else:
            await self._record_sent(message, record)

    def _apply_rate_limit(self, error: Exception, message: OutboxMessage) -> None:
        """Pause the chat for as long as Telegram asked, or every chat if Telegram meant the bot."""
        if not isinstance(error, RetryableError) or error.retry_after is None:
            return
        now = self._monotonic()
        if error.applies_to_all_chats or message.draft.kind is MessageKind.CALLBACK_ANSWER:  # it belongs to no chat
            self._rate_limiter.pause_all(now + error.retry_after)
        else:
            self._rate_limiter.pause_chat(message.draft.chat_id, now + error.retry_after, now)

    async def _record_sent(self, message: OutboxMessage, record: UnitOfWork) -> None:
        """Record that a message was sent. Retries only the recording, never the sending."""
        for tries in range(RECORD_RETRIES):
            try:
                await self._db.transact(record)
            except StoreError:
                await asyncio.sleep(backoff(tries, first=0.1))
            except Exception as error:  # noqa: BLE001 - a bug in the bot: record only that the message was sent
                _log_if_unexpected(error, message)
                record = partial(_mark_sent, message.id, self._clock())
            else:
                return
        await self._db.transact(record)


def _mark_sent(message_id: int, now: Instant, tx: Transaction) -> None:
    tx.outbox.mark_ended(message_id, DeliveryOutcome.SENT, now)


def _log_if_unexpected(error: Exception, subject: Job | OutboxMessage) -> None:
    if not isinstance(error, retries.ExpectedError):
        log.error("job or message %d: a mistake in the bot", subject.id, exc_info=error)
