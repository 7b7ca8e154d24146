"""The composition root: opens everything, wires it, runs it, and closes it in reverse."""

import asyncio
import logging
import signal
import sqlite3
import ssl
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

from bot.chat.client import Chat, Me, certificates
from bot.chat.errors import ChatError, WrongToken
from bot.chat.pacing import Pacing
from bot.chat.updates import Updates
from bot.doors import poll as polling
from bot.doors import webhook
from bot.doors.callback import Callback
from bot.doors.http import Door
from bot.doors.letters import Letters
from bot.doors.metrics import Metrics, Sources
from bot.doors.poll import Poll
from bot.doors.token_refusal import TokenRefusal
from bot.doors.turnstile import Turnstile
from bot.doors.webhook import Hook
from bot.job import Instant
from bot.jobs.admins import Admins
from bot.jobs.balance import Balance
from bot.jobs.bell import Bell
from bot.jobs.callbacks import Callbacks
from bot.jobs.deliver import Deliver
from bot.jobs.gates import Limits
from bot.jobs.measure import Measure
from bot.jobs.nudge import Nudges
from bot.jobs.prepare import Prepare
from bot.jobs.probe import Probe
from bot.jobs.report import Report
from bot.jobs.retries import Rules
from bot.jobs.send import Send
from bot.jobs.submit import Submit
from bot.jobs.tell import Tell
from bot.jobs.transport import Transport
from bot.jobs.watch import Watch
from bot.jobs.worker import Steps, Worker
from bot.kie.client import Kie
from bot.meters import Meters
from bot.operate.build import build
from bot.operate.cautions import cautions, refuse_unknown_model, refuse_unusable_proxies
from bot.operate.clock import SteadyClock, since_boot
from bot.operate.health import Health, Writable
from bot.operate.menus import Menus
from bot.operate.privacy import privacy
from bot.operate.retention import Retention
from bot.operate.watchdog import Watchdog
from bot.pictures.convert import Converter
from bot.pictures.fetch import Fetcher
from bot.redaction import Redact, Redaction
from bot.settings import CannotRun, Settings
from bot.stats.drawing_process import Drawing
from bot.store.connection import Database
from bot.store.lock import Lock, only_process
from bot.store.room import room_of
from bot.talk.access import Access
from bot.talk.address import Address
from bot.talk.intake import Intake
from bot.talk.presses import MOST_ASKING, ORIGINAL_EVERY, ORIGINALS_AT_ONCE
from bot.talk.room import Daily, Room

T = TypeVar("T")

log = logging.getLogger(__name__)

#: Seconds that steps under way get to end after a stop was asked for.
DRAIN = 7.0

#: SQLite before this version can damage a database that two connections write to; we only ever have one.
SQLITE_FIXED = (3, 51, 3)


@dataclass(frozen=True)
class Clocks:
    """Where the bot's parts get the time from."""

    #: the time of day, for what is stored
    of_day: Callable[[], Instant]
    #: seconds that never go back, for pauses within this process
    monotonic: Callable[[], float]


def time_of_day() -> Instant:
    """Return the time of day."""
    return time.time_ns() // 1_000_000


async def run(settings: Settings) -> None:
    """Run the bot until SIGTERM or SIGINT. Raises CannotRun or MustRestart."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    _check(settings)
    with only_process(settings.database_path) as lock:
        async with AsyncExitStack() as stack:
            darkroom = await wire(settings, stack, Clocks(time_of_day, since_boot), lock)
            await darkroom.live(stop)


def _check(settings: Settings) -> None:
    refuse_unknown_model(settings)
    for caution in cautions(settings):
        log.warning("%s", caution)
    if settings.public_url is not None:
        log.info("Kie is asked to call back at %s", settings.public_url)
    if sqlite3.sqlite_version_info < SQLITE_FIXED:
        log.info("SQLite %s: let no second program write to the database file", sqlite3.sqlite_version)


@dataclass(frozen=True)
class Darkroom:
    """The wired bot."""

    settings: Settings
    db: Database
    chat: Chat
    door: Door
    address: Address
    poll: Poll
    #: bears for a while that Telegram refuses the token
    token: TokenRefusal
    #: where Telegram brings the updates; None where we poll for them
    hook: Hook | None
    intake: Intake
    worker: Worker
    retention: Retention
    menus: Menus
    watchdog: Watchdog
    health: Health
    #: what is counted and timed
    meters: Meters
    #: where the figures can be had; None where nobody asked for that
    metrics: Metrics | None

    async def live(self, stop: asyncio.Event) -> None:
        """Open the door, find out who we are, and serve until `stop` or until a part dies."""
        address = await self.door.open(self.settings.host, self.settings.port)
        try:
            await self._open_metrics()
            me = await _unless(stop, self._introduce())
            if me is not None:
                await self.meet(me)
                log.info("ready: @%s takes updates, health at %s/healthz", me.username, address)
                await self._serve(stop)
        finally:
            await self.door.close()
            if self.metrics is not None:
                await self.metrics.close()
        log.info("stopped")

    async def _open_metrics(self) -> None:
        if self.metrics is not None and self.settings.metrics_port is not None:
            address = await self.metrics.open(self.settings.metrics_host, self.settings.metrics_port)
            log.info("metrics at %s", address)

    async def meet(self, me: Me) -> None:
        """Let the parts know who we are.

        Raises CannotRun for the database of another bot, whose message ids would be mistaken for ours.
        """
        self.address.meet(me)
        owner = await self.db.unit(lambda tx: tx.owner.claim(me.id))
        if owner != me.id:
            raise CannotRun(
                f"DATABASE_PATH {self.settings.database_path} belongs to another bot (id {owner}, this one is "
                f"{me.id}): give this bot a file of its own, or use that bot's token"
            )

    async def _introduce(self) -> Me:
        """Ask Telegram who we are, for as long as it takes. Raises CannotRun for a token that stays wrong."""
        pause = 1.0
        while (me := await self.introduce_once(pause)) is None:
            await asyncio.sleep(pause)
            pause = min(30.0, pause * 2)
        return me

    async def introduce_once(self, pause: float) -> Me | None:
        """Ask Telegram who we are; None when that has to be asked again, `pause` seconds later."""
        try:
            me = await self.chat.me()
            await self._listen()
        except ChatError as error:
            if isinstance(error, WrongToken):
                await self.token.refused()
            log.warning("Telegram cannot be asked who we are, again in %.0f s: %s", pause, error)
            return None
        self.token.accepted()
        return me

    async def _listen(self) -> None:
        """Make sure that updates come the way that was asked for; raises a ChatError that is worth another try."""
        if self.hook is not None:
            await self.hook.set()
            return
        try:
            if await self.chat.remove_webhook():
                log.warning("a webhook was set for this bot: it is removed, the updates that wait are kept")
        except WrongToken:
            # the token was good a moment ago, so it is this question that a server of one's own does not know
            log.warning("whether a webhook is set cannot be asked here")

    async def _serve(self, stop: asyncio.Event) -> None:
        worker = asyncio.create_task(self.worker.run(), name="worker")
        others = [
            asyncio.create_task(part.run(), name=name)
            for name, part in (
                ("intake", self.intake),
                ("retention", self.retention),
                ("watchdog", self.watchdog),
                ("receiver", self.hook or self.poll),
            )
        ]
        menus = asyncio.create_task(self.menus.run(), name="menus")
        self.health.parts.extend([worker, *others])
        stopped = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([worker, stopped, *others], return_when=asyncio.FIRST_COMPLETED)
        for task in (*reversed(others), menus, stopped):
            await _cancelled(task)
        await self._drain(worker)
        for task in done - {stopped}:
            task.result()  # raises what ended it

    async def _drain(self, worker: asyncio.Task[None]) -> None:
        self.worker.stop()
        await asyncio.wait([worker], timeout=DRAIN)
        if not worker.done():
            log.warning("steps under way did not end within %.0f s; they are taken up at the next start", DRAIN)
        await _cancelled(worker)


async def wire(settings: Settings, stack: AsyncExitStack, clocks: Clocks, lock: Lock | None = None) -> Darkroom:
    """Build every part; `stack` closes them in reverse. `lock` is what keeps a second process away.

    Raises CannotRun when the database, or what the environment says of proxies and certificates, cannot be used.
    """
    refuse_unusable_proxies()
    steady = Clocks(SteadyClock(clocks.of_day, clocks.monotonic), clocks.monotonic)
    return await _wired(settings, stack, steady, clocks.of_day, lock)


async def _wired(
    settings: Settings, stack: AsyncExitStack, clocks: Clocks, real: Callable[[], Instant], lock: Lock | None
) -> Darkroom:
    token, redact = settings.telegram_bot_token.get_secret_value(), Redaction(settings.secrets)
    meters = Meters()
    measure = Measure(meters)
    db = await Database.open(settings.database_path, tell=measure.hear)
    stack.push_async_callback(db.close)
    tls = certificates()
    api_url, told = settings.telegram_api_url, meters.telegram_calls.add
    chat = Chat(token=token, api_url=api_url, tls=tls, redact=redact, told=told)
    stack.push_async_callback(chat.aclose)
    updates = Updates(token=token, api_url=api_url, tls=tls, redact=redact, told=told)
    stack.push_async_callback(updates.aclose)
    address, news = Address(), asyncio.Event()
    callbacks = Callbacks(settings.public_url, settings.callback_key)
    worker = _worker(settings, stack, db, chat, callbacks, measure, clocks, tls, redact, wake_intake=news.set)
    retention = Retention(db, keep_days=settings.keep_days, admins=settings.admin_ids, clock=clocks.of_day)
    intake = _intake(settings, db, address, news, clocks, wake_worker=worker.stir, wake_retention=retention.wake)

    def wake_others() -> None:
        intake.wake()
        worker.wake()

    incoming = Letters(db, address, meters.updates, clock=clocks.of_day, wake_others=wake_others)
    token_refusal = TokenRefusal(chat.me, monotonic=clocks.monotonic)
    poll = Poll(updates, incoming, token_refusal, monotonic=clocks.monotonic)
    hook = _hook(settings, incoming, chat, clocks)
    nudges = _callback(settings, db, callbacks, measure, worker, redact, Clocks(real, clocks.monotonic))
    parts = {
        "worker": lambda: worker.late_at,
        "intake of updates": lambda: intake.late_at,
        "receiver of updates": lambda: poll.late_at,
    }
    health = _health(db, hook or poll, parts, clocks)
    return Darkroom(
        settings=settings,
        db=db,
        chat=chat,
        door=Door(missing=health.missing, prove=settings.proof, nudges=nudges, hook=hook),
        address=address,
        poll=poll,
        token=token_refusal,
        hook=hook,
        intake=intake,
        worker=worker,
        menus=Menus(db, chat, settings.admin_ids),
        watchdog=Watchdog(parts, monotonic=clocks.monotonic, check_files=lambda: _check_files(db, lock)),
        retention=retention,
        health=health,
        meters=meters,
        metrics=_metrics(settings, db, meters, health, clocks),
    )


async def _check_files(db: Database, lock: Lock | None) -> None:
    """Raise CannotRun or MustRestart if the database, or what lies beside it, is no longer there."""
    await db.check_files()
    if lock is not None:
        await asyncio.to_thread(lock.check)


def _health(db: Database, receiver: Poll | Hook, late_at: Mapping[str, Callable[[], float]], clocks: Clocks) -> Health:
    return Health(
        clocks.monotonic,
        Writable(lambda: db.unit(lambda tx: tx.sight.write()), monotonic=clocks.monotonic),
        late_at=late_at,
        fresh_at=lambda: receiver.fresh_at,
        fresh_for=webhook.FRESH_FOR if isinstance(receiver, Hook) else polling.FRESH_FOR,
    )


def _metrics(settings: Settings, db: Database, meters: Meters, health: Health, clocks: Clocks) -> Metrics | None:
    if settings.metrics_port is None:
        return None
    from bot.doors.exposition import written  # noqa: PLC0415 - a bot that nobody watches does not load the library

    sources = Sources(
        conditions=health.conditions,
        database=lambda: db.unit(lambda tx: tx.sight.at(clocks.of_day())),
        disk=lambda: asyncio.to_thread(room_of, settings.database_path),
        silence=health.silence,
        build=build(settings.kie_model),
    )
    return Metrics(meters, sources, written)


def _hook(settings: Settings, letters: Letters, chat: Chat, clocks: Clocks) -> Hook | None:
    if settings.telegram_updates == "polling" or settings.public_url is None:
        return None
    return Hook(
        letters,
        chat,
        public_url=settings.public_url,
        secret=settings.webhook_secret,
        monotonic=clocks.monotonic,
    )


def _callback(
    settings: Settings,
    db: Database,
    callbacks: Callbacks,
    measure: Measure,
    worker: Worker,
    redact: Redact,
    clocks: Clocks,
) -> Callback | None:
    if not callbacks.are_asked_for:
        return None
    key = settings.kie_webhook_key
    return Callback(
        Nudges(db, callbacks, measure, look_soon=worker.look_soon).take,
        is_ours=callbacks.is_ours,
        key=None if key is None else key.get_secret_value(),
        redact=redact,
        clock=clocks.of_day,
        monotonic=clocks.monotonic,
    )


def _intake(
    settings: Settings,
    db: Database,
    address: Address,
    news: asyncio.Event,
    clocks: Clocks,
    *,
    wake_worker: Callable[[], None],
    wake_retention: Callable[[], None],
) -> Intake:
    access = Access(settings.allowed_ids, settings.admin_ids)
    daily = Daily(
        settings.daily_edits_per_user, settings.daily_edits_per_chat, settings.daily_edits, settings.daily_credits
    )
    originals = Turnstile(1 / ORIGINAL_EVERY, ORIGINALS_AT_ONCE, most_callers=MOST_ASKING)
    return Intake(
        db,
        address,
        access,
        Room(daily, access),
        privacy(settings),
        admits_original=lambda user_id: originals.admits(f"{user_id}", clocks.monotonic()),
        woken=news,
        album_window=settings.album_window_seconds,
        clock=clocks.of_day,
        monotonic=clocks.monotonic,
        wake_worker=wake_worker,
        wake_retention=wake_retention,
    )


def _worker(
    settings: Settings,
    stack: AsyncExitStack,
    db: Database,
    chat: Chat,
    callbacks: Callbacks,
    measure: Measure,
    clocks: Clocks,
    tls: ssl.SSLContext,
    redact: Redact,
    *,
    wake_intake: Callable[[], None],
) -> Worker:
    clock, admins, bell = clocks.of_day, settings.admin_ids, Bell()
    deadline = settings.task_deadline_seconds
    kie = Kie(
        api_url=settings.kie_api_url,
        upload_url=settings.kie_upload_url,
        key=settings.kie_api_key.get_secret_value(),
        model=settings.kie_model,
        redact=redact,
        timeout=settings.kie_timeout_seconds,
        tls=tls,
        told=measure.meters.kie_calls.add,
    )
    stack.push_async_callback(kie.aclose)
    fetcher = Fetcher(trusted_origins=(settings.kie_api_url, settings.kie_upload_url), tls=tls)
    stack.push_async_callback(fetcher.aclose)
    converter = Converter()
    stack.push_async_callback(converter.aclose)
    transport = Transport(chat, kie, direct=settings.image_transport == "direct")
    limits = Limits(
        settings.creates_per_10_seconds, settings.max_running, deadline, settings.daily_credits, has_admins=bool(admins)
    )
    steps = Steps(
        prepare=Prepare(db, chat, fetcher, converter, transport, bell, deadline=deadline, admins=admins, clock=clock),
        submit=Submit(db, kie, transport, limits, bell, callbacks=callbacks, admins=admins, clock=clock),
        watch=Watch(
            db,
            kie,
            callbacks,
            measure,
            bell,
            usual=settings.task_usual_seconds,
            deadline=deadline,
            admins=admins,
            clock=clock,
        ),
        send=Send(
            db,
            chat,
            Deliver(db, chat, fetcher, bell, clock=clock),
            Report(db, chat, Drawing(), clock=clock),
            clock=clock,
        ),
        tell=Tell(db, chat, clock=clock),
        probe=Probe(db, kie, clock=clock),
        balance=Balance(db, kie, low=settings.low_credits, admins=admins, clock=clock),
        admins=Admins(db, chat, clock=clock, wake_intake=wake_intake),
    )
    pacing = Pacing(settings.telegram_messages_per_second)
    rules = Rules(admins, deadline, settings.album_window_seconds)
    return Worker(db, steps, pacing, bell, callbacks=callbacks, rules=rules, clock=clock, monotonic=clocks.monotonic)


async def _unless(stop: asyncio.Event, work: Coroutine[None, None, T]) -> T | None:
    """Return what `work` returns, or None when the stop comes first."""
    working, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait([working, stopped], return_when=asyncio.FIRST_COMPLETED)
    for task in (working, stopped):
        await _cancelled(task)
    return None if working.cancelled() else working.result()


async def _cancelled(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait for its end, however it ends."""
    task.cancel()
    await asyncio.wait([task])
