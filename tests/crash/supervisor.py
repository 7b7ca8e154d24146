"""A supervisor: starts the bot again whenever it has died, and notes what was under way at each death."""

import asyncio
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from bot.sandbox.telegram import TelegramCall
from tests.crash.test_kill_at_every_point import KILLABLE_COMMAND, wait_for_exit_or_log_line
from tests.process_harness import BotSubprocess, ProcessHarness, parse_port
from tests.reverse_proxy import ReverseProxy
from tests.stateful.user_actions import MessageKey

READY_PREFIX = "ready: "

#: What puts one more message into a chat.
SEND_METHODS = ("sendMessage", "sendPhoto", "sendDocument")


@dataclass(frozen=True)
class CrashRecord:
    """What the database knew when a process died."""

    #: jobs whose paid call was under way
    ordering_jobs: frozenset[int]
    #: jobs whose answer was on its way: between `answering_at` and `answered_at`
    answering_jobs: frozenset[int]
    #: messages of the bot that were written down
    recorded_messages: frozenset[MessageKey]


class Supervisor:
    """Keeps a bot running in a world; `at` is where the first process dies, if at all."""

    def __init__(
        self, world: ProcessHarness, at: str | None = None, front: ReverseProxy | None = None, **settings: str
    ) -> None:
        self._harness = world
        self._reverse_proxy = front
        self._settings = settings
        self.bots = [self._create_bot() if at is None else self._create_bot(CRASH_AT=at)]
        self.crashes: list[CrashRecord] = []
        #: how many calls Telegram had heard when each process began to work
        self.calls_at_start: list[int] = []

    def _create_bot(self, **settings: str) -> BotSubprocess:
        bot = self._harness.create_bot(command=KILLABLE_COMMAND, **(self._settings | settings))
        bot.on_log_line = self._harness.telegram.state.changes.notify
        return bot

    @property
    def log(self) -> str:
        """What every process said."""
        return "".join(bot.log for bot in self.bots)

    async def run(self) -> None:
        """Start the bot, and start it again, until cancelled. Fails when it ends in any way but by SIGKILL."""
        while True:
            bot = self.bots[-1]
            await bot.start()
            await self._wait_until_ready(bot)
            code = await bot.wait_without_timeout()
            assert code == -signal.SIGKILL, f"the bot ended by itself, with {code}:\n{bot.log[-3000:]}"
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
        """Name what stood in a chat at a death, from that life, and was not written down yet."""
        lives = pairwise([*self.calls_at_start, len(self._harness.telegram.calls)])
        for death, (begin, end) in zip(self.crashes, lives, strict=False):
            for sent in sent_messages(self._harness.telegram.calls[begin:end]):
                if sent not in death.recorded_messages:
                    yield death, sent


def read_recorded_messages(world: ProcessHarness) -> frozenset[MessageKey]:
    """Return the messages of which the bot knows that it sent them."""
    rows = world.query("SELECT chat_id, message_id FROM outbox WHERE message_id IS NOT NULL")
    return frozenset((row["chat_id"], row["message_id"]) for row in rows)


def sent_messages(calls: list[TelegramCall]) -> dict[MessageKey, TelegramCall]:
    """Return the messages that Telegram made, each with its call."""
    made = [(call, call.result) for call in calls if call.method in SEND_METHODS]
    return {(int(sent["chat"]["id"]), int(sent["message_id"])): call for call, sent in made if isinstance(sent, dict)}


async def wait_for_first(play: asyncio.Task[None], supervising: asyncio.Task[None]) -> None:
    """Wait for the end of a play, or for what went wrong with the bot meanwhile."""
    await asyncio.wait([play, supervising], return_when=asyncio.FIRST_COMPLETED)
    for task in (play, supervising):
        task.cancel()
    outcomes = await asyncio.gather(play, supervising, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
            raise outcome
