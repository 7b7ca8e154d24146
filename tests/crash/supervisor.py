"""A supervisor: starts the bot again whenever it has died, and notes what was under way at each death."""

import asyncio
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from bot.sandbox.telegram import Call
from tests.crash.test_every_point import LAUNCHER, ends_or_says
from tests.front import Front
from tests.machine.ledger import Key
from tests.world import Bot, World, port_of

READY = "ready: "

#: What puts one more message into a chat.
SENDS = ("sendMessage", "sendPhoto", "sendDocument")


@dataclass(frozen=True)
class Death:
    """What the database knew when a process died."""

    #: jobs whose paid call was under way
    ordering: frozenset[int]
    #: jobs whose answer was on its way: between `answering_at` and `answered_at`
    answering: frozenset[int]
    #: messages of the bot that were written down
    written: frozenset[Key]


class Supervisor:
    """Keeps a bot running in a world; `at` is where the first process dies, if at all."""

    def __init__(self, world: World, at: str | None = None, front: Front | None = None, **settings: str) -> None:
        self._world = world
        self._front = front
        self._settings = settings
        self.bots = [self._bot() if at is None else self._bot(CRASH_AT=at)]
        self.deaths: list[Death] = []
        #: how many calls Telegram had heard when each process began to work
        self.born: list[int] = []

    def _bot(self, **settings: str) -> Bot:
        bot = self._world.bot(command=LAUNCHER, **(self._settings | settings))
        bot.on_news = self._world.telegram.cloud.changes.notify
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
            await self._opens(bot)
            code = await bot.over()
            assert code == -signal.SIGKILL, f"the bot ended by itself, with {code}:\n{bot.log[-3000:]}"
            self.deaths.append(self._death())
            if len(self.bots) == 1:
                self.bots.append(self._bot())
            self._world.telegram.cloud.changes.notify()

    async def _opens(self, bot: Bot) -> None:
        await ends_or_says(bot, READY)
        self.born.append(len(self._world.telegram.calls))
        line = bot._line_with((READY,))
        if self._front is not None:
            self._front.door = f"http://127.0.0.1:{port_of(line)}" if line else None

    def _death(self) -> Death:
        if self._front is not None:
            self._front.door = None
        ordering = self._world.rows("SELECT job_id FROM attempts WHERE ended_at IS NULL")
        answering = self._world.rows("SELECT id FROM jobs WHERE answering_at IS NOT NULL AND answered_at IS NULL")
        return Death(
            frozenset(row["job_id"] for row in ordering),
            frozenset(row["id"] for row in answering),
            written(self._world),
        )

    def unwritten(self) -> Iterator[tuple[Death, Key]]:
        """Name what stood in a chat at a death, from that life, and was not written down yet."""
        lives = pairwise([*self.born, len(self._world.telegram.calls)])
        for death, (begin, end) in zip(self.deaths, lives, strict=False):
            for sent in sent_by(self._world.telegram.calls[begin:end]):
                if sent not in death.written:
                    yield death, sent


def written(world: World) -> frozenset[Key]:
    """Return the messages of which the bot knows that it sent them."""
    rows = world.rows("SELECT chat_id, message_id FROM outbox WHERE message_id IS NOT NULL")
    return frozenset((row["chat_id"], row["message_id"]) for row in rows)


def sent_by(calls: list[Call]) -> dict[Key, Call]:
    """Return the messages that Telegram made, each with its call."""
    made = [(call, call.result) for call in calls if call.method in SENDS]
    return {(int(sent["chat"]["id"]), int(sent["message_id"])): call for call, sent in made if isinstance(sent, dict)}


async def first_of(play: asyncio.Task[None], supervising: asyncio.Task[None]) -> None:
    """Wait for the end of a play, or for what went wrong with the bot meanwhile."""
    await asyncio.wait([play, supervising], return_when=asyncio.FIRST_COMPLETED)
    for task in (play, supervising):
        task.cancel()
    outcomes = await asyncio.gather(play, supervising, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
            raise outcome
