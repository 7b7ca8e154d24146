"""The life of a bot, and of those after it on the same file, between servers that outlive them all."""

import asyncio
import logging
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bot import app
from bot.app import Clocks, Darkroom, wire
from bot.chat.client import certificates
from bot.job import Instant
from bot.sandbox.faults import Kind
from bot.sandbox.kie import LocalKie
from bot.sandbox.telegram import LocalTelegram
from tests import oracle
from tests.house import Clock, _settings
from tests.machine.doom import Doom
from tests.world import KEY, TOKEN

#: Rounds of work without any time passing, after which the bot counts as going round in circles.
MOST_ROUNDS = 300

#: Kie's limits, and the bot's: low, so that jobs have to wait for them.
PER_WINDOW, AT_ONCE = 3, 3

#: Seconds; short, because a task is looked at every second.
DURATION = 4.0


#: Loaded once for all lives: nothing here is encrypted, and it takes longer than all the rest of a birth.
CERTIFICATES = cache(certificates)


@contextmanager
def quickened() -> Iterator[None]:
    """Spare what takes most of the time and is not what this is about: certificates."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "certificates", CERTIFICATES)
        yield


class Witness(logging.Handler):
    """Judges every request to Telegram, and remembers of which calls the bot cannot know that they arrived.

    It also keeps what the bot logs of mistakes of its own.
    """

    def __init__(self, doom: Doom) -> None:
        super().__init__()
        self._doom = doom
        self.telegram: LocalTelegram | None = None
        #: calls by their number
        self.at_risk: set[int] = set()
        #: those that Telegram has turned down
        self.refused: set[int] = set()
        self.mistakes: list[str] = []

    def check(self, method: str, params: Mapping[str, object], files: Mapping[str, object]) -> None:
        """Judge one request, which is the latest of the calls."""
        oracle.check(method, params, files)
        assert self.telegram is not None
        waiting = self.telegram.faults._waiting.get(method)
        if waiting:
            fates = self.refused if waiting[0].kind is Kind.ANSWER else self.at_risk
            fates.add(len(self.telegram.calls) - 1)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what no living bot should ever have to say."""
        if record.exc_info and not self._doom.is_dead:
            self.mistakes.append(f"{record.getMessage()}: {record.exc_info[1]!r}")


class Life:
    """A bot that works when it is told to, dies at the points of its doom, and is born again when it is needed."""

    def __init__(self, folder: Path, doom: Doom) -> None:
        self.path = folder / "darkroom.db"
        self.doom = doom
        self.clock = Clock()
        #: seconds by which the bot's time of day is ahead
        self.skew = 0.0
        self.witness = Witness(doom)
        self.telegram = LocalTelegram(token=TOKEN, clock=self.clock, check=self.witness.check)
        self.witness.telegram = self.telegram
        self.kie = LocalKie(
            key=KEY, clock=self.clock, duration=lambda: DURATION, creates_per_10_seconds=PER_WINDOW, credits=1000.0
        )
        self.bot: Darkroom | None = None
        self.births = 0
        self._begun = 0
        self._stack = AsyncExitStack()

    async def open(self) -> None:
        """Start the servers."""
        await self.telegram.start()
        await self.kie.start()
        limits = {"creates_per_10_seconds": PER_WINDOW, "max_running": AT_ONCE, "admin_ids": frozenset({9009})}
        self._settings = _settings(self.path.parent, self.telegram, self.kie, limits)

    async def close(self) -> None:
        """End the bot and the servers."""
        self.doom.is_dead = True
        await self._stack.aclose()
        await self.kie.stop()
        await self.telegram.stop()

    def is_alive(self) -> bool:
        """Say whether there is a bot."""
        return self.bot is not None

    async def hear(self) -> None:
        """Let the updates that wait in, and handle them."""
        await self._do(self._hear())

    async def settle(self) -> None:
        """Let everything happen that needs no more than the second between two messages to a chat."""
        await self._do(self._settle())

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, which a bot that dies meanwhile does not see."""
        end = self.clock.now + seconds
        await self._do(self._work_until(end))
        self.clock.now = max(end, self.clock.now)

    async def stop(self) -> None:
        """End the bot in peace: nothing is under way."""
        await self._stack.aclose()
        self.bot = None

    async def _do(self, work: Coroutine[Any, Any, None]) -> None:
        """Let a bot do something, for as long as it lives."""
        if self.bot is None:
            await self._mortal(self._born())
        if self.bot is None:
            work.close()
        else:
            await self._mortal(work)

    async def _mortal(self, work: Coroutine[Any, Any, None]) -> None:
        self._begins()
        try:
            await work
        except Exception:
            if not self.doom.is_dead:
                raise
        if self.doom.is_dead:
            await self._bury()
            self.witness.at_risk.update(range(self._begun, len(self.telegram.calls)))

    def _begins(self) -> None:
        """Note that what was called before this moment is over, and written down."""
        self._begun = len(self.telegram.calls)

    async def _bury(self) -> None:
        await self._stack.aclose()
        await self._everything_has_arrived()
        self.bot = None
        self.doom.lift()

    async def _everything_has_arrived(self) -> None:
        """Let Telegram take in what was sent by a bot that died meanwhile."""
        runner = self.telegram._door._runner
        assert runner is not None
        assert runner.server is not None
        for _ in range(1000):
            if not runner.server.connections:
                return
            await asyncio.sleep(0)
        raise AssertionError("a dead bot holds a connection")

    async def _born(self) -> None:
        self._stack = AsyncExitStack()
        self.births += 1
        self.doom._changes = 0
        self.bot = await wire(self._settings, self._stack, Clocks(self._of_day, self.clock))
        await self.bot.worker.recover()

    def _of_day(self) -> Instant:
        return round((self.clock.now + self.skew) * 1000)

    async def _hear(self) -> None:
        bot = self._living()
        while self._has_news(bot):
            await bot.poll.once()
            self._living()
        await bot.intake.handle_all()

    def _has_news(self, bot: Darkroom) -> bool:
        updates = self.telegram.cloud.updates
        return any(each["update_id"] >= bot.poll._offset for each in updates.pending) or bool(updates._again)

    def _living(self) -> Darkroom:
        assert not self.doom.is_dead
        assert self.bot is not None
        return self.bot

    async def _settle(self) -> None:
        while (wait := await self._turn()) <= 1.0:
            self.clock.now += max(wait, 0.001)

    async def _work_until(self, end: float) -> None:
        while self.clock.now < end:
            wait = await self._turn()
            self.clock.now = min(end, self.clock.now + max(wait, 0.001))
        await self._turn()

    async def _turn(self) -> float:
        """Start everything that is due and wait until it ended; return the seconds to the next turn."""
        worker = self._living().worker
        for _ in range(MOST_ROUNDS):
            worker._bell.clear()
            self._begins()
            async with asyncio.TaskGroup() as tasks:
                seconds = await worker.start_due(tasks)
            self._living()
            await self.kie.wait_for(self._pictures_are_made)
            if seconds > 0 and not worker._bell.is_set():
                return seconds
        raise AssertionError("the worker goes round in circles")

    def _pictures_are_made(self) -> bool:
        return all(task.prepared_at is not None for task in self.kie.tasks.values())
