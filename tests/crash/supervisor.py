"""A supervisor: restarts the bot after each crash, and records what was in progress at that moment."""

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from bot.sandbox.telegram import TelegramCall
from tests.crash.test_kill_at_every_point import KILLABLE_COMMAND, wait_for_exit_or_log_line
from tests.process_harness import BotSubprocess, ProcessHarness, parse_port
from tests.reverse_proxy import ReverseProxy
from tests.stateful.user_actions import MessageKey

READY_PREFIX = "ready: "

SEND_METHODS = ("sendMessage", "sendPhoto", "sendDocument")


@dataclass(frozen=True)
class CrashRecord:
    """The database's state at a crash."""

    #: jobs whose paid call was in progress
    ordering_jobs: frozenset[int]
    #: jobs between `answering_at` and `answered_at`
    answering_jobs: frozenset[int]
    #: the bot's messages that were stored
    recorded_messages: frozenset[MessageKey]


class Supervisor:
    """Keeps a bot running; the first process crashes at the point `crash_at`, if any."""

    def __init__(
        self, harness: ProcessHarness, crash_at: str | None = None, proxy: ReverseProxy | None = None, **settings: str
    ) -> None:
        self._harness = harness
        self._reverse_proxy = proxy
        self._settings = settings
        self.bots = [self._create_bot() if crash_at is None else self._create_bot(CRASH_AT=crash_at)]
        self.crashes: list[CrashRecord] = []
        #: how many calls Telegram had received when each process began to work
        self.calls_at_start: list[int] = []

    def _create_bot(self, **settings: str) -> BotSubprocess:
        bot = self._harness.create_bot(command=KILLABLE_COMMAND, **(self._settings | settings))
        bot.on_log_line = self._harness.telegram.state.changes.notify
        return bot

    @property
    def log(self) -> str:
        """The log of all processes."""
        return "".join(bot.log for bot in self.bots)

    async def run(self) -> None:
        """Start and restart the bot until cancelled; fails when it ends in any other way than by SIGKILL."""
        while True:
            bot = self.bots[-1]
            await bot.start()
            await self._wait_until_ready(bot)
            code = await bot.wait_without_timeout()
            assert code == -signal.SIGKILL, f"the bot exited by itself, with {code}:\n{bot.log[-3000:]}"
            self.crashes.append(self._record_crash())
            if len(self.bots) == 1:
                self.bots.append(self._create_bot())
            self._harness.telegram.state.changes.notify()

    async def _wait_until_ready(self, bot: BotSubprocess) -> None:
        await wait_for_exit_or_log_line(bot, READY_PREFIX)
        self.calls_at_start.append(len(self._harness.telegram.calls))
        line = bot._find_log_line((READY_PREFIX,))
        if self._reverse_proxy is not None:
            self._reverse_proxy.upstream = f"http://127.0.0.1:{parse_port(line)}" if line else None

    def _record_crash(self) -> CrashRecord:
        if self._reverse_proxy is not None:
            self._reverse_proxy.upstream = None
        ordering = self._harness.query("SELECT job_id FROM attempts WHERE ended_at IS NULL")
        answering = self._harness.query("SELECT id FROM jobs WHERE answering_at IS NOT NULL AND answered_at IS NULL")
        return CrashRecord(
            frozenset(row["job_id"] for row in ordering),
            frozenset(row["id"] for row in answering),
            read_recorded_messages(self._harness),
        )

    def unrecorded_messages(self) -> Iterator[tuple[CrashRecord, MessageKey]]:
        """Yield the messages that a process had sent, but not stored before its crash."""
        call_ranges = pairwise([*self.calls_at_start, len(self._harness.telegram.calls)])
        for crash, (begin, end) in zip(self.crashes, call_ranges, strict=False):
            for sent in sent_messages(self._harness.telegram.calls[begin:end]):
                if sent not in crash.recorded_messages:
                    yield crash, sent


def read_recorded_messages(harness: ProcessHarness) -> frozenset[MessageKey]:
    """Return the bot's messages that are stored."""
    rows = harness.query("SELECT chat_id, message_id FROM outbox WHERE message_id IS NOT NULL")
    return frozenset((row["chat_id"], row["message_id"]) for row in rows)


def sent_messages(calls: list[TelegramCall]) -> dict[MessageKey, TelegramCall]:
    """Return the messages that these calls sent, each with its call."""
    made = [(call, call.result) for call in calls if call.method in SEND_METHODS]
    return {(int(sent["chat"]["id"]), int(sent["message_id"])): call for call, sent in made if isinstance(sent, dict)}


async def run_supervised(scenario: Coroutine[Any, Any, None], supervisor: Supervisor) -> None:
    """Run a scenario to its end while the supervisor runs; raises the first error of either."""
    tasks = [asyncio.create_task(scenario), asyncio.create_task(supervisor.run())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
            raise outcome
