"""The composition root: builds the parts of the bot, connects them, runs them, and closes them in reverse order."""

import asyncio
import logging
import signal
import sqlite3
import ssl
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

from bot.backoff import backoff
from bot.clock import Clocks, SteadyClock, read_wall_clock, seconds_since_boot
from bot.handlers.access import AccessPolicy
from bot.handlers.addressed_to_bot import UpdateFilter
from bot.handlers.button_presses import MAX_TRACKED_USERS, RESEND_BURST, RESEND_INTERVAL
from bot.handlers.dispatch import Dispatcher
from bot.handlers.quotas import DailyLimits, QuotaPolicy
from bot.images.convert import ImageConverter
from bot.images.download import Downloader
from bot.inbound import long_polling as polling
from bot.inbound import telegram_webhook
from bot.inbound.http_endpoints import HttpEndpoints
from bot.inbound.kie_callback import KieCallbackEndpoint
from bot.inbound.long_polling import LongPoller, TokenRejection
from bot.inbound.metrics_endpoint import MetricsEndpoint, MetricsSources
from bot.inbound.rate_limiter import RateLimiter
from bot.inbound.telegram_webhook import TelegramWebhook
from bot.inbound.update_recorder import UpdateRecorder
from bot.kie.client import KieClient
from bot.logs import Redact, Redaction
from bot.metrics import Metrics
from bot.ops.bot_commands import BotCommands
from bot.ops.config_warnings import find_config_warnings, refuse_unknown_model, refuse_unusable_proxies
from bot.ops.health import Health, WriteCheck, read_build_info
from bot.ops.retention import Retention, build_privacy_notice
from bot.ops.watchdog import Watchdog
from bot.pipeline.callback_tracker import CallbackProcessor, CallbackTracker
from bot.pipeline.circuit_breakers import RecoveryProbe
from bot.pipeline.credit_balance import CreditBalanceChecker
from bot.pipeline.deliver_image import ImageDeliverer
from bot.pipeline.group_admins import GroupAdminFinder
from bot.pipeline.job_metrics import JobMetrics
from bot.pipeline.order_limits import OrderLimits
from bot.pipeline.poll_schedule import AdaptivePollSchedule
from bot.pipeline.poll_task import TaskPoller
from bot.pipeline.prepare_images import ImagePreparer, ImageUploader
from bot.pipeline.progress_message import ProgressMessageSender
from bot.pipeline.retries import RetryRules
from bot.pipeline.send_message import MessageSender
from bot.pipeline.submit_order import OrderSubmitter
from bot.pipeline.worker import PipelineSteps, Worker
from bot.settings import HEALTH_PATH, CannotRun, Settings
from bot.stats.report import ChartRenderer, StatsReport
from bot.store.backlog_snapshot import read_disk_space
from bot.store.database import Database
from bot.store.process_lock import ProcessLock, hold_process_lock
from bot.telegram.client import BotAccount, TelegramClient, load_tls_context
from bot.telegram.errors import TelegramApiError, Unauthorized
from bot.telegram.send_rate_limit import SendRateLimiter

T = TypeVar("T")

log = logging.getLogger(__name__)

#: Seconds that running steps get to finish (graceful shutdown).
DRAIN_SECONDS = 7.0

#: The longest delay, in seconds, between two attempts to reach Telegram at startup.
MAX_IDENTITY_BACKOFF = 30.0

#: Older versions of SQLite can corrupt a database that two connections write to; the bot has one writing connection.
SQLITE_CORRUPTION_FIXED_IN = (3, 51, 3)


async def run(settings: Settings) -> None:
    """Run the bot until SIGTERM or SIGINT. Raises CannotRun or MustRestart."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    _check_settings(settings)
    with hold_process_lock(settings.database_path) as lock:
        async with AsyncExitStack() as stack:
            application = await wire(settings, stack, Clocks(read_wall_clock, seconds_since_boot), lock)
            await application.serve_until(stop)


def _check_settings(settings: Settings) -> None:
    refuse_unknown_model(settings)
    for warning in find_config_warnings(settings):
        log.warning("%s", warning)
    if settings.public_url is not None:
        log.info("Kie is asked to call back at %s", settings.public_url)
    if sqlite3.sqlite_version_info < SQLITE_CORRUPTION_FIXED_IN:
        log.info("SQLite %s: let no second program write to the database file", sqlite3.sqlite_version)


@dataclass(frozen=True)
class Application:
    """The connected parts of the bot."""

    settings: Settings
    db: Database
    telegram: TelegramClient
    http_server: HttpEndpoints
    update_filter: UpdateFilter
    long_poller: LongPoller
    token_rejection: TokenRejection
    #: None with long polling
    webhook: TelegramWebhook | None
    dispatcher: Dispatcher
    worker: Worker
    retention: Retention
    bot_commands: BotCommands
    watchdog: Watchdog
    health: Health
    metrics: Metrics
    #: None without METRICS_PORT
    metrics_endpoint: MetricsEndpoint | None

    async def serve_until(self, stop: asyncio.Event) -> None:
        """Open the HTTP server, fetch the bot's identity, and serve until `stop` is set or a part ends."""
        address = await self.http_server.open(self.settings.host, self.settings.port)
        try:
            await self._open_metrics_endpoint()
            me = await _run_unless_stopped(stop, self._fetch_identity())
            if me is not None:
                await self.set_identity(me)
                log.info("ready: @%s takes updates, health at %s%s", me.username, address, HEALTH_PATH)
                await self._run_parts(stop)
        finally:
            await self.http_server.close()
            if self.metrics_endpoint is not None:
                await self.metrics_endpoint.close()
        log.info("stopped")

    async def _open_metrics_endpoint(self) -> None:
        if self.metrics_endpoint is not None and self.settings.metrics_port is not None:
            address = await self.metrics_endpoint.open(self.settings.metrics_host, self.settings.metrics_port)
            log.info("metrics at %s", address)

    async def _fetch_identity(self) -> BotAccount:
        """Ask Telegram which bot this is until it answers. Raises CannotRun for a token that stays rejected."""
        tries = 0
        while True:
            delay = backoff(tries, longest=MAX_IDENTITY_BACKOFF)
            me = await self.try_fetch_identity(delay)
            if me is not None:
                return me
            await asyncio.sleep(delay)
            tries += 1

    async def try_fetch_identity(self, delay: float) -> BotAccount | None:
        """Call getMe and prepare the delivery of updates; None after a failure, to be retried in `delay` seconds.

        Raises CannotRun for a token that stays rejected.
        """
        try:
            me = await self.telegram.get_me()
            await self._prepare_update_delivery()
        except TelegramApiError as error:
            if isinstance(error, Unauthorized):
                await self.token_rejection.record_rejected()
            log.warning("Telegram does not say which bot this is, next try in %.0f s: %s", delay, error)
            return None
        self.token_rejection.record_accepted()
        return me

    async def _prepare_update_delivery(self) -> None:
        """Set or remove the webhook, as the settings say. Raises TelegramApiError."""
        if self.webhook is not None:
            await self.webhook.register()
            return
        try:
            if await self.telegram.remove_webhook():
                log.warning("a webhook was set for this bot: it is removed, and pending updates are kept")
        except Unauthorized:
            # the token worked a moment ago, so this self-hosted Bot API server does not support getWebhookInfo
            log.warning("this Bot API server does not say whether a webhook is set")

    async def set_identity(self, me: BotAccount) -> None:
        """Set the bot's own account, and claim the database for it.

        Raises CannotRun for the database of another bot, whose message ids would be mistaken for this one's.
        """
        self.update_filter.set_identity(me)
        owner = await self.db.transact(lambda tx: tx.bot_identity.claim(me.id))
        if owner != me.id:
            raise CannotRun(
                f"DATABASE_PATH {self.settings.database_path} belongs to another bot (id {owner}, this one is "
                f"{me.id}): give this bot a file of its own, or use that bot's token"
            )

    async def _run_parts(self, stop: asyncio.Event) -> None:
        worker = asyncio.create_task(self.worker.run(), name="worker")
        others = [
            asyncio.create_task(part.run(), name=name)
            for name, part in (
                ("intake", self.dispatcher),
                ("retention", self.retention),
                ("watchdog", self.watchdog),
                ("receiver", self.webhook or self.long_poller),
            )
        ]
        commands = asyncio.create_task(self.bot_commands.run(), name="commands")
        self.health.tasks.extend([worker, *others])
        stopped = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([worker, stopped, *others], return_when=asyncio.FIRST_COMPLETED)
        for task in (*reversed(others), commands, stopped):
            await _cancel_and_wait(task)
        await self._drain_worker(worker)
        for task in done - {stopped}:
            task.result()  # raises what ended it

    async def _drain_worker(self, worker: asyncio.Task[None]) -> None:
        self.worker.stop()
        await asyncio.wait([worker], timeout=DRAIN_SECONDS)
        if not worker.done():
            log.warning("some steps did not finish within %.0f s: the next start resumes them", DRAIN_SECONDS)
        await _cancel_and_wait(worker)


async def wire(
    settings: Settings, stack: AsyncExitStack, clocks: Clocks, lock: ProcessLock | None = None
) -> Application:
    """Build and connect every part; `stack` closes them in reverse order. The watchdog checks `lock`, if there is one.

    Raises CannotRun when the database, a proxy or a certificate of the environment cannot be used.
    """
    refuse_unusable_proxies()
    real_clock, clocks = clocks.wall_clock, Clocks(SteadyClock(clocks.wall_clock, clocks.monotonic), clocks.monotonic)
    token, redact = settings.telegram_bot_token.get_secret_value(), Redaction(settings.secrets)
    metrics = Metrics()
    measure = JobMetrics(metrics)
    db = await Database.open(settings.database_path, on_event=measure.on_event)
    stack.push_async_callback(db.close)
    tls = load_tls_context()
    telegram = TelegramClient(
        token=token, api_url=settings.telegram_api_url, tls=tls, redact=redact, on_call=metrics.count_telegram_call
    )
    stack.push_async_callback(telegram.aclose)

    update_filter, updates_stored = UpdateFilter(), asyncio.Event()
    callbacks = CallbackTracker(settings.public_url, settings.callback_key)
    worker = _build_worker(
        settings, stack, db, telegram, callbacks, measure, clocks, tls, redact, wake_dispatcher=updates_stored.set
    )
    retention = Retention(db, keep_days=settings.keep_days, admins=settings.admin_ids, clock=clocks.wall_clock)
    dispatcher = _build_dispatcher(
        settings,
        db,
        update_filter,
        updates_stored,
        clocks,
        wake_worker=worker.wake,
        wake_retention=retention.wake,
    )

    def wake_others() -> None:
        dispatcher.wake()
        worker.wake()

    recorder = UpdateRecorder(db, update_filter, metrics.updates.inc, clock=clocks.wall_clock, wake_others=wake_others)
    token_rejection = TokenRejection(telegram.get_me, monotonic=clocks.monotonic)
    long_poller = LongPoller(telegram, recorder, token_rejection, monotonic=clocks.monotonic)
    webhook = _build_webhook(settings, recorder, telegram, clocks)
    kie_callback = _build_kie_callback(
        settings, db, callbacks, measure, worker, redact, Clocks(real_clock, clocks.monotonic)
    )
    deadlines = {
        "worker": lambda: worker.hang_deadline,
        "intake of updates": lambda: dispatcher.hang_deadline,
        "receiver of updates": lambda: long_poller.hang_deadline,
    }
    health = _build_health(db, webhook or long_poller, deadlines, clocks)
    return Application(
        settings=settings,
        db=db,
        telegram=telegram,
        http_server=HttpEndpoints(
            failed_conditions=health.failed_conditions,
            prove_ownership=settings.ownership_proof,
            kie_callback=kie_callback,
            webhook=webhook,
        ),
        update_filter=update_filter,
        long_poller=long_poller,
        token_rejection=token_rejection,
        webhook=webhook,
        dispatcher=dispatcher,
        worker=worker,
        retention=retention,
        bot_commands=BotCommands(db, telegram, settings.admin_ids),
        watchdog=Watchdog(deadlines, monotonic=clocks.monotonic, check_files=lambda: _check_files(db, lock)),
        health=health,
        metrics=metrics,
        metrics_endpoint=_build_metrics_endpoint(settings, db, metrics, health, clocks),
    )


async def _check_files(db: Database, lock: ProcessLock | None) -> None:
    """Raise CannotRun or MustRestart if the database or a file beside it is gone."""
    await db.check_files()
    if lock is not None:
        await asyncio.to_thread(lock.check)


def _build_health(
    db: Database, receiver: LongPoller | TelegramWebhook, deadlines: Mapping[str, Callable[[], float]], clocks: Clocks
) -> Health:
    return Health(
        clocks.monotonic,
        WriteCheck(lambda: db.transact(lambda tx: tx.snapshots.check_writable()), monotonic=clocks.monotonic),
        deadlines=deadlines,
        last_contact_at=lambda: receiver.last_contact_at,
        max_silence=telegram_webhook.MAX_SILENCE if isinstance(receiver, TelegramWebhook) else polling.MAX_SILENCE,
    )


def _build_metrics_endpoint(
    settings: Settings, db: Database, metrics: Metrics, health: Health, clocks: Clocks
) -> MetricsEndpoint | None:
    if settings.metrics_port is None:
        return None
    sources = MetricsSources(
        conditions=health.conditions,
        database=lambda: db.transact(lambda tx: tx.snapshots.take(clocks.wall_clock())),
        disk=lambda: asyncio.to_thread(read_disk_space, settings.database_path),
        receiver_silence=health.silence,
        build=read_build_info(settings.kie_model),
    )
    return MetricsEndpoint(metrics.registry, sources)


def _build_webhook(
    settings: Settings, recorder: UpdateRecorder, telegram: TelegramClient, clocks: Clocks
) -> TelegramWebhook | None:
    if settings.telegram_updates == "polling" or settings.public_url is None:
        return None
    return TelegramWebhook(
        recorder,
        telegram,
        public_url=settings.public_url,
        secret=settings.webhook_secret,
        monotonic=clocks.monotonic,
    )


def _build_kie_callback(
    settings: Settings,
    db: Database,
    callbacks: CallbackTracker,
    measure: JobMetrics,
    worker: Worker,
    redact: Redact,
    clocks: Clocks,
) -> KieCallbackEndpoint | None:
    if not callbacks.is_enabled:
        return None
    key = settings.kie_webhook_key
    return KieCallbackEndpoint(
        CallbackProcessor(db, callbacks, measure, poll_soon=worker.poll_soon).process,
        is_own_reference=callbacks.is_signed_by_us,
        key=None if key is None else key.get_secret_value(),
        redact=redact,
        clock=clocks.wall_clock,
        monotonic=clocks.monotonic,
    )


def _build_dispatcher(
    settings: Settings,
    db: Database,
    update_filter: UpdateFilter,
    updates_stored: asyncio.Event,
    clocks: Clocks,
    *,
    wake_worker: Callable[[], None],
    wake_retention: Callable[[], None],
) -> Dispatcher:
    access = AccessPolicy(settings.allowed_ids, settings.admin_ids)
    limits = DailyLimits(
        settings.daily_edits_per_user, settings.daily_edits_per_chat, settings.daily_edits, settings.daily_credits
    )
    resends = RateLimiter(1 / RESEND_INTERVAL, RESEND_BURST, max_callers=MAX_TRACKED_USERS)
    return Dispatcher(
        db,
        update_filter,
        access,
        QuotaPolicy(limits, access),
        build_privacy_notice(settings),
        allows_resend=lambda user_id: resends.try_acquire(f"{user_id}", clocks.monotonic()),
        wakeup=updates_stored,
        album_window=settings.album_window_seconds,
        clock=clocks.wall_clock,
        monotonic=clocks.monotonic,
        wake_worker=wake_worker,
        wake_retention=wake_retention,
    )


def _build_worker(
    settings: Settings,
    stack: AsyncExitStack,
    db: Database,
    telegram: TelegramClient,
    callbacks: CallbackTracker,
    measure: JobMetrics,
    clocks: Clocks,
    tls: ssl.SSLContext,
    redact: Redact,
    *,
    wake_dispatcher: Callable[[], None],
) -> Worker:
    clock, admins, wakeup = clocks.wall_clock, settings.admin_ids, asyncio.Event()
    deadline = settings.task_deadline_seconds
    kie = KieClient(
        api_url=settings.kie_api_url,
        upload_url=settings.kie_upload_url,
        key=settings.kie_api_key.get_secret_value(),
        model=settings.kie_model,
        redact=redact,
        timeout=settings.kie_timeout_seconds,
        tls=tls,
        on_call=measure.metrics.count_kie_call,
    )
    stack.push_async_callback(kie.aclose)
    downloader = Downloader(trusted_origins=(settings.kie_api_url, settings.kie_upload_url), tls=tls)
    stack.push_async_callback(downloader.aclose)
    converter = ImageConverter()
    stack.push_async_callback(converter.aclose)
    uploader = ImageUploader(telegram, kie, direct=settings.image_transport == "direct")
    limits = OrderLimits(
        settings.creates_per_10_seconds, settings.max_running, deadline, settings.daily_credits, has_admins=bool(admins)
    )
    steps = PipelineSteps(
        image_preparer=ImagePreparer(
            db, telegram, downloader, converter, uploader, wakeup, deadline=deadline, admins=admins, clock=clock
        ),
        order_submitter=OrderSubmitter(db, kie, uploader, limits, callbacks=callbacks, admins=admins, clock=clock),
        task_poller=TaskPoller(
            db,
            kie,
            callbacks,
            measure,
            schedule=AdaptivePollSchedule(settings.task_usual_seconds),
            deadline=deadline,
            admins=admins,
            clock=clock,
        ),
        message_sender=MessageSender(
            db,
            telegram,
            ImageDeliverer(db, telegram, downloader, clock=clock),
            StatsReport(db, telegram, ChartRenderer(), clock=clock),
            clock=clock,
        ),
        progress_sender=ProgressMessageSender(db, telegram, clock=clock),
        recovery_probe=RecoveryProbe(db, kie, clock=clock),
        balance_checker=CreditBalanceChecker(db, kie, low_threshold=settings.low_credits, admins=admins, clock=clock),
        admin_finder=GroupAdminFinder(db, telegram, clock=clock, wake_dispatcher=wake_dispatcher),
    )
    rate_limiter = SendRateLimiter(settings.telegram_messages_per_second)
    rules = RetryRules(admins, deadline, settings.album_window_seconds)
    return Worker(
        db, steps, rate_limiter, wakeup, callbacks=callbacks, rules=rules, clock=clock, monotonic=clocks.monotonic
    )


async def _run_unless_stopped(stop: asyncio.Event, work: Coroutine[None, None, T]) -> T | None:
    """Return the result of `work`, or None when `stop` is set first."""
    working, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait([working, stopped], return_when=asyncio.FIRST_COMPLETED)
    for task in (working, stopped):
        await _cancel_and_wait(task)
    return None if working.cancelled() else working.result()


async def _cancel_and_wait(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait([task])
