"""A bot in this process that crashes at scheduled points and is restarted on the same database, with its servers."""

import asyncio
import logging
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bot import app
from bot.app import Application, wire
from bot.clock import Clocks, Instant
from bot.sandbox.fault_injection import FaultKind
from bot.sandbox.kie.local_kie import LocalKie
from bot.sandbox.telegram import LocalTelegram
from bot.telegram.client import load_tls_context
from tests import bot_api_validator
from tests.bot_harness import ManualClock, build_settings
from tests.process_harness import KEY, TOKEN
from tests.stateful.simulated_crash import SimulatedCrash

#: rounds of work without time passing, after which the worker counts as caught in a loop
MAX_ROUNDS = 300

#: the limits of Kie and of the bot; low, so that jobs have to wait
CREATES_PER_WINDOW, MAX_RUNNING = 3, 3

TASK_SECONDS = 4.0

#: loaded once for all starts: it takes longer than the rest of a start, and nothing here is encrypted
CACHED_CERTIFICATES = cache(load_tls_context)


@contextmanager
def skip_certificate_loading() -> Iterator[None]:
    """Use the cached certificates."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "load_tls_context", CACHED_CERTIFICATES)
        yield


class RequestAuditor(logging.Handler):
    """Validates every request to Telegram, and records unconfirmed calls and the errors that the bot logs."""

    def __init__(self, crash: SimulatedCrash) -> None:
        super().__init__()
        self._crash = crash
        self.telegram: LocalTelegram | None = None
        #: numbers of the calls that the bot cannot know to have arrived
        self.unconfirmed_calls: set[int] = set()
        #: numbers of the calls that Telegram refused
        self.refused_calls: set[int] = set()
        self.logged_errors: list[str] = []

    def audit_request(self, method: str, params: Mapping[str, object], files: Mapping[str, object]) -> None:
        """Validate a request, which is the latest call."""
        bot_api_validator.validate_request(method, params, files)
        assert self.telegram is not None
        waiting = self.telegram.faults._queued.get(method)
        if waiting:
            fates = self.refused_calls if waiting[0].kind is FaultKind.RESPOND else self.unconfirmed_calls
            fates.add(len(self.telegram.calls) - 1)

    def emit(self, record: logging.LogRecord) -> None:
        """Record a logged exception, unless the bot has crashed."""
        if record.exc_info and not self._crash.has_crashed:
            self.logged_errors.append(f"{record.getMessage()}: {record.exc_info[1]!r}")


class CrashableBot:
    """A bot that works when a test tells it to, crashes at scheduled points, and restarts when it is needed."""

    def __init__(self, folder: Path, crash: SimulatedCrash) -> None:
        self.path = folder / "darkroom.db"
        self.crash = crash
        self.clock = ManualClock()
        #: seconds by which the bot's wall clock is ahead
        self.clock_skew = 0.0
        self.auditor = RequestAuditor(crash)
        self.telegram = LocalTelegram(token=TOKEN, clock=self.clock, check=self.auditor.audit_request)
        self.auditor.telegram = self.telegram
        self.kie = LocalKie(
            key=KEY,
            clock=self.clock,
            duration=lambda: TASK_SECONDS,
            creates_per_10_seconds=CREATES_PER_WINDOW,
            credits=1000.0,
        )
        self.application: Application | None = None
        self.start_count = 0
        self._calls_before_work = 0
        self._stack = AsyncExitStack()

    async def open(self) -> None:
        """Start the servers."""
        await self.telegram.start()
        await self.kie.start()
        limits = {
            "creates_per_10_seconds": CREATES_PER_WINDOW,
            "max_running": MAX_RUNNING,
            "admin_ids": frozenset({9009}),
        }
        self._settings = build_settings(self.path.parent, self.telegram, self.kie, limits)

    async def close(self) -> None:
        """Stop the bot and the servers."""
        self.crash.has_crashed = True
        await self._stack.aclose()
        await self.kie.stop()
        await self.telegram.stop()

    def is_running(self) -> bool:
        return self.application is not None

    async def process_updates(self) -> None:
        """Receive and handle the pending updates."""
        await self._run(self._process_updates())

    async def settle(self) -> None:
        """Do all work that is due within the second between two messages to a chat."""
        await self._run(self._settle())

    async def advance_time(self, seconds: float) -> None:
        """Advance the clock while the bot works; it may crash on the way."""
        end = self.clock.now + seconds
        await self._run(self._advance_until(end))
        self.clock.now = max(end, self.clock.now)

    async def stop(self) -> None:
        """Stop the bot in good order, while nothing is in progress."""
        await self._stack.aclose()
        self.application = None

    async def _run(self, work: Coroutine[Any, Any, None]) -> None:
        """Start the bot if necessary, and run `work` until it ends or the bot crashes."""
        if self.application is None:
            await self._run_until_crash(self._start_bot())
        if self.application is None:
            work.close()
        else:
            await self._run_until_crash(work)

    async def _run_until_crash(self, work: Coroutine[Any, Any, None]) -> None:
        self._mark_calls_as_recorded()
        try:
            await work
        except Exception:
            if not self.crash.has_crashed:
                raise
        if self.crash.has_crashed:
            await self._clean_up_after_crash()
            self.auditor.unconfirmed_calls.update(range(self._calls_before_work, len(self.telegram.calls)))

    def _mark_calls_as_recorded(self) -> None:
        """Note that all calls so far have ended and are stored."""
        self._calls_before_work = len(self.telegram.calls)

    async def _clean_up_after_crash(self) -> None:
        await self._stack.aclose()
        await self._wait_for_requests_to_arrive()
        self.application = None
        self.crash.cancel()

    async def _wait_for_requests_to_arrive(self) -> None:
        """Wait until Telegram has received what the crashed bot had sent."""
        runner = self.telegram._server._runner
        assert runner is not None
        assert runner.server is not None
        for _ in range(1000):
            if not runner.server.connections:
                return
            await asyncio.sleep(0)
        raise AssertionError("a crashed bot keeps a connection open")

    async def _start_bot(self) -> None:
        self._stack = AsyncExitStack()
        self.start_count += 1
        self.crash._changes = 0
        self.application = await wire(self._settings, self._stack, Clocks(self._wall_clock, self.clock))
        await self.application.worker.recover()

    def _wall_clock(self) -> Instant:
        return round((self.clock.now + self.clock_skew) * 1000)

    async def _process_updates(self) -> None:
        application = self._running_bot()
        while self._has_updates(application):
            await application.long_poller.poll_once()
            self._running_bot()
        await application.dispatcher.handle_all()

    def _has_updates(self, application: Application) -> bool:
        updates = self.telegram.state.updates
        return any(each["update_id"] >= application.long_poller._offset for each in updates.pending) or bool(
            updates._redelivered
        )

    def _running_bot(self) -> Application:
        assert not self.crash.has_crashed
        assert self.application is not None
        return self.application

    async def _settle(self) -> None:
        while (wait := await self._run_due_work()) <= 1.0:
            self.clock.now += max(wait, 0.001)

    async def _advance_until(self, end: float) -> None:
        while self.clock.now < end:
            wait = await self._run_due_work()
            self.clock.now = min(end, self.clock.now + max(wait, 0.001))
        await self._run_due_work()

    async def _run_due_work(self) -> float:
        """Start everything that is due and wait until it ends; return the seconds until more is due."""
        worker = self._running_bot().worker
        for _ in range(MAX_ROUNDS):
            worker._wakeup.clear()
            self._mark_calls_as_recorded()
            async with asyncio.TaskGroup() as tasks:
                seconds = await worker.start_due(tasks)
            self._running_bot()
            await self.kie.wait_for(self._are_results_ready)
            if seconds > 0 and not worker._wakeup.is_set():
                return seconds
        raise AssertionError("the worker is caught in a loop")

    def _are_results_ready(self) -> bool:
        return all(task.prepared_at is not None for task in self.kie.tasks.values())
