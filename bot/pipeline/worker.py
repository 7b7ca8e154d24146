"""The worker: knows which step is next for whom, and when.

It asks the database what is due, starts those steps side by side, and sleeps
until the next moment that it knows of or until it is woken. It never scans, and
an idle bot reads nothing.
"""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from bot.clock import Instant, add_seconds, seconds_between
from bot.job import ERASED_ID, MAX_ALBUM_SECONDS, Job, State
from bot.pipeline import circuit_breakers, dispatch_plan, retries, uncertain_orders
from bot.pipeline.callback_tracker import CallbackTracker
from bot.pipeline.circuit_breakers import RecoveryProbe
from bot.pipeline.credit_balance import CreditBalanceChecker
from bot.pipeline.dispatch_plan import MAX_DELIVERIES, MAX_DELIVERIES_PER_PERSON, DispatchPlan, WorkInFlight, make_plan
from bot.pipeline.error_containment import ErrorContainment
from bot.pipeline.group_admins import GroupAdminFinder
from bot.pipeline.poll_schedule import MAX_POLL_INTERVAL, PollQueue
from bot.pipeline.poll_task import TaskPoller
from bot.pipeline.preparation_plan import DueJobs, JobsInFlight
from bot.pipeline.prepare_images import ImagePreparer
from bot.pipeline.progress_message import ProgressMessageSender, ProgressUpdate
from bot.pipeline.send_message import MessageSender
from bot.pipeline.submit_order import Order, OrderSubmitter
from bot.pipeline.wakeup import Wakeup
from bot.settings import MustRestart
from bot.store import outbox
from bot.store.database import Database, StoreError, UnitOfWork
from bot.store.outbox import HEAVY_KINDS, RATE_LIMITED_LANES, DeliveryOutcome, MessageKind, OutboxLane, OutboxMessage
from bot.store.transaction import Transaction
from bot.telegram.errors import RetryableError
from bot.telegram.send_rate_limit import SendRateLimiter

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds; a bound for clocks that were set while the worker slept.
LONGEST_SLEEP = 600.0

#: Seconds that finding out what is due may take at most, on the slowest of disks.
HANG_GRACE = 60.0

#: What is no message, and so does not count against Telegram's limits for messages.
UNMETERED_KINDS = frozenset({MessageKind.REACTION, MessageKind.CALLBACK_ANSWER, MessageKind.DELETION})

#: Seconds until it is asked whether somebody waits behind a chat in which very much is to be said.
RECHECK_BEHIND_ONE_AFTER = 1.0

#: Seconds after which it is tried again to write down that a message has left: the disk may be full for a moment.
WRITE_RETRY_DELAYS = (0.1, 0.5, 1.0, 2.0)

#: Messages that are said before one that tells how an edit stands, or asks for its words, goes before the next.
MAX_MESSAGES_BEFORE_PROGRESS = 3

#: Seconds within which a limit may open while a plan is made.
PLANNING_SLACK = 0.02

#: Seconds over which the first looks after a start are spread.
FIRST_POLL_SPREAD = 2.0


@dataclass(frozen=True)
class PipelineSteps:
    """The steps that the worker knows."""

    image_preparer: ImagePreparer
    order_submitter: OrderSubmitter
    task_poller: TaskPoller
    message_sender: MessageSender
    progress_sender: ProgressMessageSender
    recovery_probe: RecoveryProbe
    balance_checker: CreditBalanceChecker
    admin_finder: GroupAdminFinder


class Worker:
    """Runs every step of every job; the only one that decides about another try."""

    def __init__(
        self,
        db: Database,
        steps: PipelineSteps,
        pacing: SendRateLimiter,
        bell: Wakeup,
        *,
        callbacks: CallbackTracker,
        rules: retries.RetryRules,
        clock: Callable[[], Instant],
        monotonic: Callable[[], float],
    ) -> None:
        self._db = db
        self._steps = steps
        self._rate_limit = pacing
        self._callbacks = callbacks
        self._rules = rules
        self._clock = clock
        self._monotonic = monotonic
        self._containment = ErrorContainment(rules.admins, clock=clock)
        # what follows is bounded by what is under way: see the MOST_* of plan and gates; looks, by the tasks that run
        self._polls = PollQueue()
        #: jobs that are taken up, and whose they are
        self._jobs_in_flight: dict[int, int] = {}
        #: messages under way, each to another chat but for the toasts, which are in none
        self._messages_in_flight: dict[int, int | None] = {}
        #: those of them of which is only being written down what became of them: their chats are free
        self._messages_being_recorded: set[int] = set()
        #: whether something that is due has to wait for the limit of all messages together
        self._is_rate_limited = False
        self._probes_in_flight: set[str] = set()
        self._is_checking_balance = False
        self._admin_lookups_in_flight: set[int] = set()
        self._chats_held_until: dict[int, float] = {}
        #: those of the messages that are pictures, and whose they are
        self._deliveries_in_flight: dict[int, int] = {}
        #: messages that were said since something was told
        self._messages_since_progress = 0
        self._wakeup = bell
        #: what was known of the rows when the latest plan was made, and when the next one is due whatever happens
        self._planned_at_change = 0
        self._next_plan_at = -math.inf
        #: the jobs and the messages of that plan, and of before, whose end makes room for others that are due
        self._blocking_jobs: frozenset[int] = frozenset()
        self._blocking_messages: frozenset[int] = frozenset()
        self._stopping = False
        #: after which moment of the monotonic clock this hangs, because it should have started what is due
        self.hang_deadline = math.inf

    def wake(self) -> None:
        """Say that a commit is about to make something due: the plan is made within it."""
        self._wakeup.wake()

    def wake_without_changes(self) -> None:
        """Say that a commit may have made something due."""
        self._wakeup.wake_without_changes()

    def poll_soon(self, job_id: int) -> None:
        """Say that something may have happened to a job's task."""
        self._polls.schedule(job_id, self._clock())
        self._wakeup.wake_without_changes()

    def stop(self) -> None:
        """Start nothing more; `run` returns when the steps under way have ended."""
        self._stopping = True
        self._wakeup.wake()

    async def run(self) -> None:
        """Work until stopped. Raises an ExceptionGroup with MustRestart when the database fails."""
        self.hang_deadline = self._monotonic() + HANG_GRACE
        await self.recover()
        async with asyncio.TaskGroup() as tasks:
            while not self._stopping:
                self._wakeup.clear()
                self.hang_deadline = self._monotonic() + HANG_GRACE
                sleep = await self.start_due(tasks)
                self.hang_deadline = self._monotonic() + max(0.0, sleep) + HANG_GRACE
                await self._sleep(sleep)
            self.hang_deadline = math.inf

    async def recover(self) -> None:
        """Find out what a process that died has left: orders in doubt, and tasks to look at."""
        now = self._clock()
        await self._run_contained("recall", "", self._steps.task_poller.load_history(), lambda _: None)
        to_look_at = await self._db.transact(lambda tx: self._recover_stored(tx, now))
        for place, job_id in enumerate(to_look_at):
            self._callbacks.mark_possibly_missed(job_id)
            self._polls.schedule(job_id, add_seconds(now, FIRST_POLL_SPREAD * place / len(to_look_at)))

    def _recover_stored(self, tx: Transaction, now: Instant) -> list[int]:
        tx.snapshots.check_writable()  # whoever cannot write down that a message has left must not send it, at no start
        set_back = tx.clock_shift.shift_due_times(now)
        if set_back:
            tx.log(log.warning, "the clock was set back by %.0f s: what waits does not wait for it", set_back)
        in_doubt = tx.jobs.list_in_state(State.SUBMITTING)
        hinted = [
            each
            for each in in_doubt
            if self._containment.run_for_job(tx, each, partial(self._resume_uncertain, tx, each, now))
        ]
        tx.attempts.mark_interrupted_uncertain(now)
        tx.outbox.mark_interrupted_answers_uncertain()
        circuit_breakers.schedule_immediate_probes(tx, now)
        # items and words that were sent while nobody listened are still to come
        tx.jobs.extend_collection_deadlines(
            add_seconds(now, self._rules.album_window), add_seconds(now, MAX_ALBUM_SECONDS)
        )
        return hinted + tx.jobs.list_in_state(State.RUNNING)

    def _resume_uncertain(self, tx: Transaction, job_id: int, now: Instant) -> bool:
        job = tx.jobs.get(job_id)
        return job is not None and uncertain_orders.resume_uncertain(tx, job, self._callbacks, now)

    async def start_due(self, tasks: asyncio.TaskGroup) -> float:
        """Start what is due and return the seconds until there may be more."""
        if self._needs_plan():
            wait = await self._make_and_start_plan(tasks)
            self._next_plan_at = self._monotonic() + wait
        self._start_polls(tasks, self._clock())
        next_look = self._polls.next_at()
        looks_after = LONGEST_SLEEP if next_look is None else seconds_between(self._clock(), next_look)
        return min(self._next_plan_at - self._monotonic(), looks_after)

    def _needs_plan(self) -> bool:
        """Say whether a plan may hold anything that the latest did not: a look mostly changes no row."""
        has_room = not (
            self._blocking_jobs <= self._jobs_in_flight.keys()
            and self._blocking_messages <= self._messages_in_flight.keys()
        )
        has_news = self._wakeup.pop_changed() or self._db.total_changes != self._planned_at_change
        return has_news or has_room or self._monotonic() >= self._next_plan_at

    async def _make_and_start_plan(self, tasks: asyncio.TaskGroup) -> float:
        """Start what the rows say; return the seconds until they may say more, if nothing changes."""
        busy = WorkInFlight(
            jobs=self._job_snapshot(),
            messages=self._message_snapshot(),
            probes=frozenset(self._probes_in_flight),
            groups=frozenset(self._admin_lookups_in_flight),
            deliveries=len(self._deliveries_in_flight),
            is_checking_balance=self._is_checking_balance,
        )
        plan, self._planned_at_change = await self._db.transact(
            # by the clock of that moment: what was written just before, in the same commit, is due then
            lambda tx: (
                make_plan(tx, self._steps.order_submitter, self._containment, self._clock(), busy),
                tx.total_changes,
            ),
            runs_last=True,
        )
        before, self._is_rate_limited = len(self._messages_in_flight), False
        self._start_plan(tasks, plan)
        found, started = len(plan.messages) + len(plan.progress_updates), len(self._messages_in_flight) - before
        may_leave = self._rate_limit.global_next_send_at(self._monotonic()) - self._monotonic()
        self._blocking_jobs = busy.jobs.ids.union(self._jobs_in_flight) if plan.jobs.has_more else frozenset()
        under_way = busy.messages.message_ids.union(self._messages_in_flight)  # some may have ended meanwhile
        wait_for_room = plan.has_more_messages or len(self._deliveries_in_flight) >= MAX_DELIVERIES
        self._blocking_messages = under_way if wait_for_room else frozenset()
        if plan.has_more_messages and (found > 1 or found > started):
            # their chats are busy or held from here on, and there may be others behind them
            return may_leave
        # behind a single one there is mostly nobody in another chat
        waits = [RECHECK_BEHIND_ONE_AFTER] if found and plan.has_more_messages else []
        waits += [may_leave] if self._is_rate_limited else []
        waits += (
            [self._seconds_until_open(busy.messages.closed_lanes)]
            if plan.has_more_messages and busy.messages.closed_lanes
            else []
        )
        waits += [] if plan.next_at is None else [seconds_between(self._clock(), plan.next_at)]
        waits += [opens - self._monotonic() for opens in self._chats_held_until.values()]
        return min([LONGEST_SLEEP, *waits])

    def _start_plan(self, tasks: asyncio.TaskGroup, plan: DispatchPlan) -> None:
        self._start_jobs(tasks, plan.jobs)
        for order in plan.orders:
            tasks.create_task(self._run_order(order))
        for parcel in plan.messages:
            self._start_message(tasks, parcel)
        for errand in plan.progress_updates:
            self._start_progress_update(tasks, errand)
        for name in plan.probes:
            self._probes_in_flight.add(name)
            tasks.create_task(
                self._run_and_release(self._run_probe(name), partial(self._probes_in_flight.discard, name))
            )
        if plan.is_balance_due:
            self._is_checking_balance = True
            tasks.create_task(self._run_and_release(self._check_balance(), self._release_balance_check))
        for chat_id in plan.groups:
            self._admin_lookups_in_flight.add(chat_id)
            tasks.create_task(
                self._run_and_release(
                    self._look_up_admins(chat_id), partial(self._admin_lookups_in_flight.discard, chat_id)
                )
            )

    def _start_jobs(self, tasks: asyncio.TaskGroup, due: DueJobs) -> None:
        for job in due.jobs:
            self._start_job(tasks, job, self._advance_job)
        for job in due.conversions:
            if self._steps.image_preparer.lane.enter(job):  # its place may have been taken since
                self._start_job(tasks, job, self._steps.image_preparer.convert)

    def _start_job(self, tasks: asyncio.TaskGroup, job: Job, step: Callable[[Job], Awaitable[None]]) -> None:
        self._jobs_in_flight[job.id] = job.charged_to
        tasks.create_task(self._run_job_step(job, step))

    def _job_snapshot(self) -> JobsInFlight:
        converted = self._steps.image_preparer.lane.jobs
        return JobsInFlight(
            {id_: person for id_, person in self._jobs_in_flight.items() if id_ not in converted}, converted
        )

    def _start_message(self, tasks: asyncio.TaskGroup, parcel: OutboxMessage) -> None:
        chat_id, kind = parcel.draft.chat_id, parcel.draft.kind
        person = ERASED_ID if parcel.job is None else parcel.job.charged_to
        if kind in HEAVY_KINDS and (
            len(self._deliveries_in_flight) >= MAX_DELIVERIES or person in self._persons_at_limit()
        ):
            return
        if kind is MessageKind.REACTION and not self._is_chat_open(chat_id):
            return  # a nicety must not come between Telegram's patience and an answer
        if kind not in UNMETERED_KINDS and not self._take_send_slot(chat_id):
            return
        if kind in HEAVY_KINDS:
            self._deliveries_in_flight[parcel.id] = person
        self._messages_since_progress += kind not in UNMETERED_KINDS
        self._messages_in_flight[parcel.id] = None if kind is MessageKind.CALLBACK_ANSWER else chat_id
        tasks.create_task(self._run_message(self._send_message(parcel), parcel))

    def _start_progress_update(self, tasks: asyncio.TaskGroup, errand: ProgressUpdate) -> None:
        parcel = errand.message
        if not self._take_progress_slot(parcel):
            return
        self._messages_in_flight[parcel.id] = parcel.draft.chat_id
        tasks.create_task(self._run_message(self._send_progress(errand), parcel))

    def _take_progress_slot(self, parcel: OutboxMessage) -> bool:
        """Say whether a status or a menu may be sent, changed or deleted now, and count it if so."""
        chat_id = parcel.draft.chat_id
        if (
            parcel.message_id is not None
            and parcel.draft.kind is MessageKind.PROGRESS_MESSAGE
            and not parcel.is_to_be_deleted
        ):
            return self._take_edit_slot(chat_id)
        if parcel.message_id is not None or parcel.is_to_be_deleted:
            return self._is_chat_open(chat_id)  # no further message, but Telegram may want to be left alone
        is_open = self._take_send_slot(chat_id)
        self._messages_since_progress = 0 if is_open else self._messages_since_progress
        return is_open

    def _take_edit_slot(self, chat_id: int) -> bool:
        """Say whether a status may be brought up to date now, and count it if so."""
        now = self._monotonic()
        opens = self._rate_limit.chat_next_send_at(chat_id, now)
        if opens > now:
            self._chats_held_until[chat_id] = opens
        may_change = max(opens, self._rate_limit.next_edit_at(now)) <= now
        if may_change:
            self._rate_limit.record_edit(now)
        return may_change

    def _take_send_slot(self, chat_id: int) -> bool:
        """Say whether a message to a chat may leave now, and count it if so."""
        if self._is_chat_open(chat_id):
            self._rate_limit.record_send(chat_id, self._monotonic())
            return True
        return False

    def _is_chat_open(self, chat_id: int) -> bool:
        """Say whether anything may be asked about a chat now; if that is for its own limits, leave it alone."""
        now = self._monotonic()
        opens = self._rate_limit.next_send_at(chat_id, now)
        if opens > now and self._rate_limit.global_next_send_at(now) <= now:
            self._chats_held_until[chat_id] = opens  # it is this chat's own limit, so others may be served meanwhile
        elif opens > now:
            self._is_rate_limited = True
        return opens <= now

    def _release_balance_check(self) -> None:
        self._is_checking_balance = False

    def _message_snapshot(self) -> outbox.OutboxExclusions:
        chats = (
            chat_id
            for id_, chat_id in self._messages_in_flight.items()
            if id_ not in self._messages_being_recorded and chat_id is not None
        )
        return outbox.OutboxExclusions(
            chat_ids=frozenset(chats),
            held_chat_ids=frozenset(self._held_chats()),
            message_ids=frozenset(self._messages_in_flight),
            finishing_ids=frozenset(self._messages_being_recorded),
            closed_lanes=self._closed_lanes(),
            saturated_users=self._persons_at_limit(),
            is_progress_turn=self._messages_since_progress >= MAX_MESSAGES_BEFORE_PROGRESS,
        )

    def _persons_at_limit(self) -> frozenset[int]:
        """Return who has as many pictures on their way as one may."""
        of_each = Counter(self._deliveries_in_flight.values())
        return frozenset(person for person, count in of_each.items() if count >= MAX_DELIVERIES_PER_PERSON) - {
            ERASED_ID
        }

    def _closed_lanes(self) -> frozenset[OutboxLane]:
        """Return the lanes out of which nothing may leave now, because of the limits for all chats together."""
        now = self._monotonic()
        soon = now + PLANNING_SLACK
        messages = RATE_LIMITED_LANES if self._rate_limit.global_next_send_at(soon) > soon else frozenset()
        # a change that is planned too soon would be planned again at once, until its moment has come
        changes = frozenset({OutboxLane.REFRESH}) if self._rate_limit.next_edit_at(now) > now else frozenset()
        return messages | changes

    def _seconds_until_open(self, shut: frozenset[OutboxLane]) -> float:
        """Return the seconds until the first of some lanes that are shut opens."""
        now = self._monotonic()
        messages = [self._rate_limit.global_next_send_at(now)] if shut & RATE_LIMITED_LANES else []
        changes = [self._rate_limit.next_edit_at(now)] if OutboxLane.REFRESH in shut else []
        return min(messages + changes) - now

    def _start_polls(self, tasks: asyncio.TaskGroup, now: Instant) -> None:
        while (job_id := self._polls.pop_due(now)) is not None:
            tasks.create_task(self._run_poll(job_id))

    def _held_chats(self) -> dict[int, float]:
        now = self._monotonic()
        self._chats_held_until = {chat_id: opens for chat_id, opens in self._chats_held_until.items() if opens > now}
        return self._chats_held_until

    async def _run_and_release(self, step: Awaitable[object], freed: Callable[[], None]) -> None:
        try:
            await step
        finally:
            freed()
            self._wakeup.wake()

    async def _run_contained(
        self, what: str, which: object, step: Awaitable[T], put_off: Callable[[Transaction], T]
    ) -> T:
        return await self._containment.run_step(self._db, what, which, step, put_off)

    async def _run_probe(self, name: str) -> None:
        probe = self._steps.recovery_probe
        await self._run_contained("probe", name, probe.run(name), lambda tx: probe.postpone(tx, name))

    async def _check_balance(self) -> None:
        await self._run_contained(
            "balance", "", self._steps.balance_checker.run(), self._steps.balance_checker.postpone
        )

    async def _look_up_admins(self, chat_id: int) -> None:
        admins = self._steps.admin_finder
        await self._run_contained(
            "administrators", chat_id, admins.run(chat_id), lambda tx: admins.postpone(tx, chat_id)
        )
        admins.wake_dispatcher()

    async def _run_job_step(self, job: Job, step: Callable[[Job], Awaitable[None]]) -> None:
        """Run a step; what it wrote, and whether others wait for its place, tells by itself if there is more to do."""
        try:
            put_off = partial(self._containment.postpone_job, job_id=job.id)
            await self._run_contained("step", job.id, self._try_job_step(job, step), put_off)
        finally:
            del self._jobs_in_flight[job.id]
            self._wakeup.wake_without_changes()

    async def _run_message(self, sending: Awaitable[None], parcel: OutboxMessage) -> None:
        """Send something; as with a job, what was written tells if there is more to do."""
        try:
            await self._run_contained(
                "message", parcel.id, sending, lambda tx: dispatch_plan.postpone_message(tx, parcel, self._clock())
            )
        finally:
            del self._messages_in_flight[parcel.id]
            self._messages_being_recorded.discard(parcel.id)
            self._deliveries_in_flight.pop(parcel.id, None)
            self._wakeup.wake_without_changes()

    async def _try_job_step(self, job: Job, step: Callable[[Job], Awaitable[None]]) -> None:
        """Run a step of a job that is due; when that does not work, it is put off."""
        try:
            await step(job)
        except MustRestart:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the job has to move on
            _log_if_unexpected(error, job)
            failure = error
        else:
            return
        await self._db.transact(lambda tx: retries.handle_job_failure(tx, job, failure, self._rules, self._clock()))

    async def _advance_job(self, job: Job) -> None:
        if job.state is State.QUEUED:
            await self._steps.image_preparer.run(job)
        elif job.state is State.SUBMITTING:
            await self._db.transact(lambda tx: uncertain_orders.advance_uncertain(tx, job, self._clock()))

    async def _run_order(self, order: Order) -> None:
        job = order.job
        look_at = await self._run_contained(
            "order", job.id, self._place_order(order), lambda tx: self._mark_uncertain(tx, job)
        )
        if look_at is None:
            self._callbacks.forget(job.id)
        else:
            self._polls.schedule(job.id, look_at)
        self._wakeup.wake_without_changes()

    async def _place_order(self, order: Order) -> Instant | None:
        """Make an order; return when to look at its task for the first time, None where there is none."""
        return self._first_poll_at(order.job) if await self._steps.order_submitter.place_order(order) else None

    def _mark_uncertain(self, tx: Transaction, job: Job) -> Instant:
        """Take an order that broke off for one that Kie may have taken, so that it is never made twice."""
        uncertain_orders.mark_uncertain(tx, job, self._callbacks, self._clock())
        return add_seconds(self._clock(), MAX_POLL_INTERVAL)

    def _first_poll_at(self, job: Job) -> Instant:
        if self._callbacks.has_arrived(job.id):
            return self._clock()  # it was quicker than the order's own answer
        return self._steps.task_poller.first_poll_at(job)

    async def _run_poll(self, job_id: int) -> None:
        again = await self._run_contained(
            "look", job_id, self._steps.task_poller.poll(job_id), lambda tx: self._recover_failed_poll(tx, job_id)
        )
        self._polls.finish(job_id, again)
        self._wakeup.wake_without_changes()

    def _recover_failed_poll(self, tx: Transaction, job_id: int) -> Instant | None:
        """Say when to look again; a row that cannot even be read is looked at once the bot is started again."""
        return self._containment.run_for_row(
            tx, "task", job_id, partial(self._steps.task_poller.recover_failed_poll, tx, job_id), lambda: None
        )

    async def _send_message(self, parcel: OutboxMessage) -> None:
        failure = await self._send_and_record(self._steps.message_sender.run(parcel), parcel)
        if failure is not None:
            await self._commit_result(
                parcel, lambda tx: retries.handle_message_failure(tx, parcel, failure, self._rules, self._clock())
            )

    async def _send_progress(self, errand: ProgressUpdate) -> None:
        failure = await self._send_and_record(self._steps.progress_sender.run(errand), errand.message)
        if failure is not None:
            await self._commit_result(
                errand.message, lambda tx: retries.handle_progress_failure(tx, errand, failure, self._clock())
            )

    async def _send_and_record(self, sending: Awaitable[UnitOfWork], parcel: OutboxMessage) -> Exception | None:
        """Send something and write down what there is to write about it; return what went wrong with the sending."""
        try:
            work = await sending
        except MustRestart:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the message has to move on
            _log_if_unexpected(error, parcel)
            self._apply_rate_limit(error, parcel)
            return error
        await self._record_sent(parcel, work)
        return None

    def _apply_rate_limit(self, error: Exception, parcel: OutboxMessage) -> None:
        """Leave the chat alone for as long as Telegram asked for, or every chat where it meant the bot."""
        if not isinstance(error, RetryableError) or error.retry_after is None:
            return
        now = self._monotonic()
        if error.applies_to_all_chats or parcel.draft.kind is MessageKind.CALLBACK_ANSWER:  # which is in no chat
            self._rate_limit.pause_all(now + error.retry_after)
        else:
            self._rate_limit.pause_chat(parcel.draft.chat_id, now + error.retry_after, now)

    async def _record_sent(self, parcel: OutboxMessage, work: UnitOfWork) -> None:
        """Write down what became of a message that has left. Only the writing is ever repeated, and not the sending."""
        for wait in WRITE_RETRY_DELAYS:
            try:
                await self._commit_result(parcel, work)
            except StoreError:
                await asyncio.sleep(wait)
            except Exception as error:  # noqa: BLE001 - a mistake in the bot, with which less is written
                _log_if_unexpected(error, parcel)
                work = partial(_record_only_sent, parcel.id, self._clock())
            else:
                return
        await self._commit_result(parcel, work)

    async def _commit_result(self, parcel: OutboxMessage, work: UnitOfWork) -> None:
        """Commit what became of a message; its chat is free for the plan that is made within this commit."""
        self._messages_being_recorded.add(parcel.id)
        await self._wakeup.commit_and_wake(self._db, work)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._wakeup.wait()
        except TimeoutError:
            pass


def _record_only_sent(parcel_id: int, now: Instant, tx: Transaction) -> None:
    tx.outbox.mark_ended(parcel_id, DeliveryOutcome.SENT, now)


def _log_if_unexpected(error: Exception, what: Job | OutboxMessage) -> None:
    if not isinstance(error, retries.ExpectedError):
        log.error("job or message %d: a mistake in the bot", what.id, exc_info=error)
