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

from bot.chat.errors import Later
from bot.chat.pacing import Pacing
from bot.job import LONGEST_ALBUM, NOBODY, Instant, Job, State, later, seconds_between
from bot.jobs import doubt, plan, retries, trouble
from bot.jobs.admins import Admins
from bot.jobs.balance import Balance
from bot.jobs.bell import Bell
from bot.jobs.callbacks import Callbacks
from bot.jobs.containment import Containment
from bot.jobs.looks import Looks
from bot.jobs.plan import MOST_DELIVERED, MOST_DELIVERED_OF_ONE, Busy, Plan, plan_for
from bot.jobs.preparation_plan import Due, UnderWay
from bot.jobs.prepare import Prepare
from bot.jobs.probe import Probe
from bot.jobs.send import Send
from bot.jobs.status import Errand
from bot.jobs.submit import Order, Submit
from bot.jobs.tell import Tell
from bot.jobs.timetable import LONGEST_GAP
from bot.jobs.watch import Watch
from bot.settings import MustRestart
from bot.store import outbox
from bot.store.connection import Database, StoreFailed, Work
from bot.store.outbox import HEAVY, MESSAGES, Ending, Kind, Lane, Parcel
from bot.store.transaction import Transaction

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds; a bound for clocks that were set while the worker slept.
LONGEST_SLEEP = 600.0

#: Seconds that finding out what is due may take at most, on the slowest of disks.
GRACE = 60.0

#: What is no message, and so does not count against Telegram's limits for messages.
UNCOUNTED = frozenset({Kind.REACTION, Kind.TOAST, Kind.DELETION})

#: Seconds until it is asked whether somebody waits behind a chat in which very much is to be said.
BEHIND_ONE = 1.0

#: Seconds after which it is tried again to write down that a message has left: the disk may be full for a moment.
WRITTEN_AGAIN_AFTER = (0.1, 0.5, 1.0, 2.0)

#: Messages that are said before one that tells how an edit stands, or asks for its words, goes before the next.
SAID_IN_A_ROW = 3

#: Seconds within which a limit may open while a plan is made.
OPENS_MEANWHILE = 0.02

#: Seconds over which the first looks after a start are spread.
SPREAD = 2.0


@dataclass(frozen=True)
class Steps:
    """The steps that the worker knows."""

    prepare: Prepare
    submit: Submit
    watch: Watch
    send: Send
    tell: Tell
    probe: Probe
    balance: Balance
    admins: Admins


class Worker:
    """Runs every step of every job; the only one that decides about another try."""

    def __init__(
        self,
        db: Database,
        steps: Steps,
        pacing: Pacing,
        bell: Bell,
        *,
        callbacks: Callbacks,
        rules: retries.Rules,
        clock: Callable[[], Instant],
        monotonic: Callable[[], float],
    ) -> None:
        self._db = db
        self._steps = steps
        self._pacing = pacing
        self._callbacks = callbacks
        self._rules = rules
        self._clock = clock
        self._monotonic = monotonic
        self._containment = Containment(rules.admins, clock=clock)
        # what follows is bounded by what is under way: see the MOST_* of plan and gates; looks, by the tasks that run
        self._looks = Looks()
        #: jobs that are taken up, and whose they are
        self._jobs: dict[int, int] = {}
        #: messages under way, each to another chat but for the toasts, which are in none
        self._messages: dict[int, int | None] = {}
        #: those of them of which is only being written down what became of them: their chats are free
        self._written: set[int] = set()
        #: whether something that is due has to wait for the limit of all messages together
        self._is_paced = False
        self._probes: set[str] = set()
        self._asks_balance = False
        self._groups: set[int] = set()
        self._held: dict[int, float] = {}
        #: those of the messages that are pictures, and whose they are
        self._deliveries: dict[int, int] = {}
        #: messages that were said since something was told
        self._said_in_a_row = 0
        self._bell = bell
        #: what was known of the rows when the latest plan was made, and when the next one is due whatever happens
        self._planned_at_change = 0
        self._plan_again_at = -math.inf
        #: the jobs and the messages of that plan, and of before, whose end makes room for others that are due
        self._jobs_waited_for: frozenset[int] = frozenset()
        self._messages_waited_for: frozenset[int] = frozenset()
        self._stopping = False
        #: after which moment of the monotonic clock this hangs, because it should have started what is due
        self.late_at = math.inf

    def wake(self) -> None:
        """Say that a commit is about to make something due: the plan is made within it."""
        self._bell.ring()

    def stir(self) -> None:
        """Say that a commit may have made something due."""
        self._bell.stir()

    def look_soon(self, job_id: int) -> None:
        """Say that something may have happened to a job's task."""
        self._looks.add(job_id, self._clock())
        self._bell.stir()

    def stop(self) -> None:
        """Start nothing more; `run` returns when the steps under way have ended."""
        self._stopping = True
        self._bell.ring()

    async def run(self) -> None:
        """Work until stopped. Raises an ExceptionGroup with MustRestart when the database fails."""
        self.late_at = self._monotonic() + GRACE
        await self.recover()
        async with asyncio.TaskGroup() as tasks:
            while not self._stopping:
                self._bell.clear()
                self.late_at = self._monotonic() + GRACE
                sleep = await self.start_due(tasks)
                self.late_at = self._monotonic() + max(0.0, sleep) + GRACE
                await self._sleep(sleep)
            self.late_at = math.inf

    async def recover(self) -> None:
        """Find out what a process that died has left: orders in doubt, and tasks to look at."""
        now = self._clock()
        await self._contained("recall", "", self._steps.watch.recall(), lambda _: None)
        to_look_at = await self._db.unit(lambda tx: self._recovered(tx, now))
        for place, job_id in enumerate(to_look_at):
            self._callbacks.may_have_missed(job_id)
            self._looks.add(job_id, later(now, SPREAD * place / len(to_look_at)))

    def _recovered(self, tx: Transaction, now: Instant) -> list[int]:
        tx.sight.write()  # whoever cannot write down that a message has left must not send it, at no start
        set_back = tx.moments.turn_back(now)
        if set_back:
            tx.log(log.warning, "the clock was set back by %.0f s: what waits does not wait for it", set_back)
        in_doubt = tx.jobs.in_state(State.SUBMITTING)
        hinted = [each for each in in_doubt if self._containment.job(tx, each, partial(self._resumed, tx, each, now))]
        tx.attempts.end_left(now)
        tx.outbox.doubt_answers()
        trouble.try_at_once(tx, now)
        # items and words that were sent while nobody listened are still to come
        tx.jobs.reopen(later(now, self._rules.album_window), later(now, LONGEST_ALBUM))
        return hinted + tx.jobs.in_state(State.RUNNING)

    def _resumed(self, tx: Transaction, job_id: int, now: Instant) -> bool:
        job = tx.jobs.get(job_id)
        return job is not None and doubt.resume(tx, job, self._callbacks, now)

    async def start_due(self, tasks: asyncio.TaskGroup) -> float:
        """Start what is due and return the seconds until there may be more."""
        if self._may_find_more():
            wait = await self._start_planned(tasks)
            self._plan_again_at = self._monotonic() + wait
        self._start_looks(tasks, self._clock())
        next_look = self._looks.next_at()
        looks_after = LONGEST_SLEEP if next_look is None else seconds_between(self._clock(), next_look)
        return min(self._plan_again_at - self._monotonic(), looks_after)

    def _may_find_more(self) -> bool:
        """Say whether a plan may hold anything that the latest did not: a look mostly changes no row."""
        has_room = not (
            self._jobs_waited_for <= self._jobs.keys() and self._messages_waited_for <= self._messages.keys()
        )
        has_news = self._bell.takes_news() or self._db.changes != self._planned_at_change
        return has_news or has_room or self._monotonic() >= self._plan_again_at

    async def _start_planned(self, tasks: asyncio.TaskGroup) -> float:
        """Start what the rows say; return the seconds until they may say more, if nothing changes."""
        busy = Busy(
            jobs=self._jobs_under_way(),
            messages=self._busy_messages(),
            probes=frozenset(self._probes),
            groups=frozenset(self._groups),
            deliveries=len(self._deliveries),
            asks_balance=self._asks_balance,
        )
        plan, self._planned_at_change = await self._db.unit(
            # by the clock of that moment: what was written just before, in the same commit, is due then
            lambda tx: (plan_for(tx, self._steps.submit, self._containment, self._clock(), busy), tx.changes),
            comes_last=True,
        )
        before, self._is_paced = len(self._messages), False
        self._start(tasks, plan)
        found, started = len(plan.parcels) + len(plan.errands), len(self._messages) - before
        may_leave = self._pacing.next_opens(self._monotonic()) - self._monotonic()
        self._jobs_waited_for = busy.jobs.ids.union(self._jobs) if plan.jobs.more else frozenset()
        under_way = busy.messages.parcels.union(self._messages)  # some may have ended meanwhile
        wait_for_room = plan.more_messages or len(self._deliveries) >= MOST_DELIVERED
        self._messages_waited_for = under_way if wait_for_room else frozenset()
        if plan.more_messages and (found > 1 or found > started):
            # their chats are busy or held from here on, and there may be others behind them
            return may_leave
        # behind a single one there is mostly nobody in another chat
        waits = [BEHIND_ONE] if found and plan.more_messages else []
        waits += [may_leave] if self._is_paced else []
        waits += [self._opens(busy.messages.shut)] if plan.more_messages and busy.messages.shut else []
        waits += [] if plan.next_at is None else [seconds_between(self._clock(), plan.next_at)]
        waits += [opens - self._monotonic() for opens in self._held.values()]
        return min([LONGEST_SLEEP, *waits])

    def _start(self, tasks: asyncio.TaskGroup, plan: Plan) -> None:
        self._start_jobs(tasks, plan.jobs)
        for order in plan.orders:
            tasks.create_task(self._order(order))
        for parcel in plan.parcels:
            self._start_parcel(tasks, parcel)
        for errand in plan.errands:
            self._start_errand(tasks, errand)
        for name in plan.probes:
            self._probes.add(name)
            tasks.create_task(self._then(self._probe(name), partial(self._probes.discard, name)))
        if plan.asks_balance:
            self._asks_balance = True
            tasks.create_task(self._then(self._ask_balance(), self._balance_asked))
        for chat_id in plan.groups:
            self._groups.add(chat_id)
            tasks.create_task(self._then(self._ask_admins(chat_id), partial(self._groups.discard, chat_id)))

    def _start_jobs(self, tasks: asyncio.TaskGroup, due: Due) -> None:
        for job in due.jobs:
            self._start_job(tasks, job, self._take_up)
        for job in due.conversions:
            if self._steps.prepare.lane.enter(job):  # its place may have been taken since
                self._start_job(tasks, job, self._steps.prepare.convert)

    def _start_job(self, tasks: asyncio.TaskGroup, job: Job, step: Callable[[Job], Awaitable[None]]) -> None:
        self._jobs[job.id] = job.person
        tasks.create_task(self._step_alone(job, step))

    def _jobs_under_way(self) -> UnderWay:
        converted = self._steps.prepare.lane.jobs
        return UnderWay({id_: person for id_, person in self._jobs.items() if id_ not in converted}, converted)

    def _start_parcel(self, tasks: asyncio.TaskGroup, parcel: Parcel) -> None:
        chat_id, kind = parcel.say.chat_id, parcel.say.kind
        person = NOBODY if parcel.job is None else parcel.job.person
        if kind in HEAVY and (len(self._deliveries) >= MOST_DELIVERED or person in self._sated()):
            return
        if kind is Kind.REACTION and not self._is_open(chat_id):
            return  # a nicety must not come between Telegram's patience and an answer
        if kind not in UNCOUNTED and not self._may_leave(chat_id):
            return
        if kind in HEAVY:
            self._deliveries[parcel.id] = person
        self._said_in_a_row += kind not in UNCOUNTED
        self._messages[parcel.id] = None if kind is Kind.TOAST else chat_id
        tasks.create_task(self._message_alone(self._send(parcel), parcel))

    def _start_errand(self, tasks: asyncio.TaskGroup, errand: Errand) -> None:
        parcel = errand.status
        if not self._may_be_told(parcel):
            return
        self._messages[parcel.id] = parcel.say.chat_id
        tasks.create_task(self._message_alone(self._tell(errand), parcel))

    def _may_be_told(self, parcel: Parcel) -> bool:
        """Say whether a status or a menu may be sent, changed or deleted now, and count it if so."""
        chat_id = parcel.say.chat_id
        if parcel.message_id is not None and parcel.say.kind is Kind.STATUS and not parcel.is_over:
            return self._may_change(chat_id)
        if parcel.message_id is not None or parcel.is_over:
            return self._is_open(chat_id)  # no further message, but Telegram may want to be left alone
        is_open = self._may_leave(chat_id)
        self._said_in_a_row = 0 if is_open else self._said_in_a_row
        return is_open

    def _may_change(self, chat_id: int) -> bool:
        """Say whether a status may be brought up to date now, and count it if so."""
        now = self._monotonic()
        opens = self._pacing.chat_opens(chat_id, now)
        if opens > now:
            self._held[chat_id] = opens
        may_change = max(opens, self._pacing.changes_open(now)) <= now
        if may_change:
            self._pacing.changed(now)
        return may_change

    def _may_leave(self, chat_id: int) -> bool:
        """Say whether a message to a chat may leave now, and count it if so."""
        if self._is_open(chat_id):
            self._pacing.sent(chat_id, self._monotonic())
            return True
        return False

    def _is_open(self, chat_id: int) -> bool:
        """Say whether anything may be asked about a chat now; if that is for its own limits, leave it alone."""
        now = self._monotonic()
        opens = self._pacing.opens(chat_id, now)
        if opens > now and self._pacing.next_opens(now) <= now:
            self._held[chat_id] = opens  # it is this chat's own limit, so others may be served meanwhile
        elif opens > now:
            self._is_paced = True
        return opens <= now

    def _balance_asked(self) -> None:
        self._asks_balance = False

    def _busy_messages(self) -> outbox.Busy:
        chats = (chat_id for id_, chat_id in self._messages.items() if id_ not in self._written and chat_id is not None)
        return outbox.Busy(
            chats=frozenset(chats),
            held=frozenset(self._still_held()),
            parcels=frozenset(self._messages),
            written=frozenset(self._written),
            shut=self._shut(),
            sated=self._sated(),
            is_turn_to_tell=self._said_in_a_row >= SAID_IN_A_ROW,
        )

    def _sated(self) -> frozenset[int]:
        """Return who has as many pictures on their way as one may."""
        of_each = Counter(self._deliveries.values())
        return frozenset(person for person, count in of_each.items() if count >= MOST_DELIVERED_OF_ONE) - {NOBODY}

    def _shut(self) -> frozenset[Lane]:
        """Return the lanes out of which nothing may leave now, because of the limits for all chats together."""
        now = self._monotonic()
        soon = now + OPENS_MEANWHILE
        messages = MESSAGES if self._pacing.next_opens(soon) > soon else frozenset()
        # a change that is planned too soon would be planned again at once, until its moment has come
        changes = frozenset({Lane.REFRESH}) if self._pacing.changes_open(now) > now else frozenset()
        return messages | changes

    def _opens(self, shut: frozenset[Lane]) -> float:
        """Return the seconds until the first of some lanes that are shut opens."""
        now = self._monotonic()
        messages = [self._pacing.next_opens(now)] if shut & MESSAGES else []
        changes = [self._pacing.changes_open(now)] if Lane.REFRESH in shut else []
        return min(messages + changes) - now

    def _start_looks(self, tasks: asyncio.TaskGroup, now: Instant) -> None:
        while (job_id := self._looks.take(now)) is not None:
            tasks.create_task(self._look(job_id))

    def _still_held(self) -> dict[int, float]:
        now = self._monotonic()
        self._held = {chat_id: opens for chat_id, opens in self._held.items() if opens > now}
        return self._held

    async def _then(self, step: Awaitable[object], freed: Callable[[], None]) -> None:
        try:
            await step
        finally:
            freed()
            self._bell.ring()

    async def _contained(self, what: str, which: object, step: Awaitable[T], put_off: Callable[[Transaction], T]) -> T:
        return await self._containment.step(self._db, what, which, step, put_off)

    async def _probe(self, name: str) -> None:
        probe = self._steps.probe
        await self._contained("probe", name, probe.run(name), lambda tx: probe.put_off(tx, name))

    async def _ask_balance(self) -> None:
        await self._contained("balance", "", self._steps.balance.run(), self._steps.balance.put_off)

    async def _ask_admins(self, chat_id: int) -> None:
        admins = self._steps.admins
        await self._contained("administrators", chat_id, admins.run(chat_id), lambda tx: admins.put_off(tx, chat_id))
        admins.wake_intake()

    async def _step_alone(self, job: Job, step: Callable[[Job], Awaitable[None]]) -> None:
        """Run a step; what it wrote, and whether others wait for its place, tells by itself if there is more to do."""
        try:
            put_off = partial(self._containment.put_off, job_id=job.id)
            await self._contained("step", job.id, self._step(job, step), put_off)
        finally:
            del self._jobs[job.id]
            self._bell.stir()

    async def _message_alone(self, sending: Awaitable[None], parcel: Parcel) -> None:
        """Send something; as with a job, what was written tells if there is more to do."""
        try:
            await self._contained("message", parcel.id, sending, lambda tx: plan.put_off(tx, parcel, self._clock()))
        finally:
            del self._messages[parcel.id]
            self._written.discard(parcel.id)
            self._deliveries.pop(parcel.id, None)
            self._bell.stir()

    async def _step(self, job: Job, step: Callable[[Job], Awaitable[None]]) -> None:
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
        await self._db.unit(lambda tx: retries.job_failed(tx, job, failure, self._rules, self._clock()))

    async def _take_up(self, job: Job) -> None:
        if job.state is State.QUEUED:
            await self._steps.prepare.run(job)
        elif job.state is State.SUBMITTING:
            await self._db.unit(lambda tx: doubt.take_up(tx, job, self._clock()))

    async def _order(self, order: Order) -> None:
        job = order.job
        look_at = await self._contained("order", job.id, self._ordered(order), lambda tx: self._in_doubt(tx, job))
        if look_at is None:
            self._callbacks.forget(job.id)
        else:
            self._looks.add(job.id, look_at)
        self._bell.stir()

    async def _ordered(self, order: Order) -> Instant | None:
        """Make an order; return when to look at its task for the first time, None where there is none."""
        return self._first_look(order.job) if await self._steps.submit.order(order) else None

    def _in_doubt(self, tx: Transaction, job: Job) -> Instant:
        """Take an order that broke off for one that Kie may have taken, so that it is never made twice."""
        doubt.begin(tx, job, self._callbacks, self._clock())
        return later(self._clock(), LONGEST_GAP)

    def _first_look(self, job: Job) -> Instant:
        if self._callbacks.was_heard(job.id):
            return self._clock()  # it was quicker than the order's own answer
        return self._steps.watch.first_look(job)

    async def _look(self, job_id: int) -> None:
        again = await self._contained(
            "look", job_id, self._steps.watch.look(job_id), lambda tx: self._look_broke_off(tx, job_id)
        )
        self._looks.done(job_id, again)
        self._bell.stir()

    def _look_broke_off(self, tx: Transaction, job_id: int) -> Instant | None:
        """Say when to look again; a row that cannot even be read is looked at once the bot is started again."""
        return self._containment.row(tx, "task", job_id, partial(self._steps.watch.broke_off, tx, job_id), lambda: None)

    async def _send(self, parcel: Parcel) -> None:
        failure = await self._failure_of(self._steps.send.run(parcel), parcel)
        if failure is not None:
            await self._write(parcel, lambda tx: retries.parcel_failed(tx, parcel, failure, self._rules, self._clock()))

    async def _tell(self, errand: Errand) -> None:
        failure = await self._failure_of(self._steps.tell.run(errand), errand.status)
        if failure is not None:
            await self._write(errand.status, lambda tx: retries.errand_failed(tx, errand, failure, self._clock()))

    async def _failure_of(self, sending: Awaitable[Work], parcel: Parcel) -> Exception | None:
        """Send something and write down what there is to write about it; return what went wrong with the sending."""
        try:
            work = await sending
        except MustRestart:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the message has to move on
            _log_if_unexpected(error, parcel)
            self._slow_down(error, parcel)
            return error
        await self._note_sent(parcel, work)
        return None

    def _slow_down(self, error: Exception, parcel: Parcel) -> None:
        """Leave the chat alone for as long as Telegram asked for, or every chat where it meant the bot."""
        if not isinstance(error, Later) or error.retry_after is None:
            return
        now = self._monotonic()
        if error.of_bot or parcel.say.kind is Kind.TOAST:  # which is in no chat
            self._pacing.pause_all(now + error.retry_after)
        else:
            self._pacing.pause(parcel.say.chat_id, now + error.retry_after, now)

    async def _note_sent(self, parcel: Parcel, work: Work) -> None:
        """Write down what became of a message that has left. Only the writing is ever repeated, and not the sending."""
        for wait in WRITTEN_AGAIN_AFTER:
            try:
                await self._write(parcel, work)
            except StoreFailed:
                await asyncio.sleep(wait)
            except Exception as error:  # noqa: BLE001 - a mistake in the bot, with which less is written
                _log_if_unexpected(error, parcel)
                work = partial(_note_only_that_it_was_sent, parcel.id, self._clock())
            else:
                return
        await self._write(parcel, work)

    async def _write(self, parcel: Parcel, work: Work) -> None:
        """Commit what became of a message; its chat is free for the plan that is made within this commit."""
        self._written.add(parcel.id)
        await self._bell.commit(self._db, work)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._bell.wait()
        except TimeoutError:
            pass


def _note_only_that_it_was_sent(parcel_id: int, now: Instant, tx: Transaction) -> None:
    tx.outbox.ended(parcel_id, Ending.SENT, now)


def _log_if_unexpected(error: Exception, what: Job | Parcel) -> None:
    if not isinstance(error, retries.Problem):
        log.error("job or message %d: a mistake in the bot", what.id, exc_info=error)
