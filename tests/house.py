"""The bot's own parts in this process, between the real local servers, with a clock that is turned by hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from bot.app import Clocks, Darkroom, wire
from bot.chat.client import Me
from bot.job import Instant, Job
from bot.sandbox.kie import LocalKie
from bot.sandbox.telegram import LocalTelegram
from bot.settings import Settings
from tests import oracle
from tests.canary import Listener, leaks, listening, repeated
from tests.front import Front, a_front
from tests.world import KEY, TOKEN, ids_of_statuses

NOON = 1_800_000_000.0

#: Who plays with the bot for hours must not run into a limit that is about something else.
UNLIMITED = {"daily_edits_per_user": 0, "daily_edits_per_chat": 0, "daily_edits": 0}


class Clock:
    """Seconds since 1970; stands still until it is turned."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now

    def instant(self) -> Instant:
        """Return the milliseconds."""
        return round(self.now * 1000)


class House:
    """One bot, taken a step at a time."""

    bot: Darkroom

    def __init__(
        self,
        telegram: LocalTelegram,
        kie: LocalKie,
        settings: Settings,
        clock: Clock,
        front: Front,
        heard: Listener,
    ) -> None:
        self.telegram = telegram
        #: what the bot has logged
        self.heard = heard
        self.kie = kie
        self.clock = clock
        self.front = front
        self.ada = telegram.person(user_id=1001)
        self._settings = settings
        self._stack = AsyncExitStack()

    async def open(self) -> None:
        """Open the bot, and its door if Kie is to call back."""
        self.bot = await wire(self._settings, self._stack, Clocks(self.clock.instant, self.clock))
        me = self.telegram.cloud.me
        await self.bot.meet(Me(me["id"], me["username"], hears_all=not self.telegram.cloud.privacy_mode))
        if self._settings.public_url is not None:
            self.front.door = await self.bot.door.open("127.0.0.1", 0)

    async def close(self) -> None:
        """Close the bot; what it knows stays in its database."""
        if self.front.door is not None:
            await self.bot.door.close()
        self.front.door = None
        await self._stack.aclose()

    async def restart(self) -> None:
        """Let another process take over."""
        await self.close()
        await self.open()
        await self.bot.worker.recover()

    async def receive(self) -> None:
        """Let the updates that wait in, and handle them."""
        news = [each for each in self.telegram.cloud.updates.pending if each["update_id"] >= self.bot.poll._offset]
        if news:  # else the question would be held open, as by the real one
            await self.bot.poll.once()
        await self.bot.intake.handle_all()

    async def hear(self) -> None:
        """Let everything in that waits, and take it as far as it gets at this moment."""
        await self.receive()
        await self.settle()
        await self.bot.intake.handle_all()  # what could only be understood once something was known
        await self.settle()

    async def turn(self) -> float:
        """Start everything that is due and wait until it ended; return the seconds to the next turn."""
        woken = self.bot.worker._bell
        while True:
            woken.clear()
            async with asyncio.TaskGroup() as tasks:
                seconds = await self.bot.worker.start_due(tasks)
            if seconds > 0 and not woken.is_set():
                return seconds

    async def pass_time(self, seconds: float) -> None:
        """Let time pass as the worker would: from one moment that it knows of to the next."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            wait = await self.turn()
            await self.kie.wait_for(self._pictures_are_made)  # also of what was ordered only now
            self.clock.now = min(end, self.clock.now + max(min([wait, *self._calls_ahead()]), 0.001))
            await self.kie.calls_back()
        await self.turn()

    def _calls_ahead(self) -> list[float]:
        """Return the seconds until Kie may call back."""
        if self._settings.public_url is None:
            return []
        return [*self.kie._account.moments_ahead(), *self.kie.callbacks.moments_ahead()]

    def _pictures_are_made(self) -> bool:
        return all(task.prepared_at is not None for task in self.kie.tasks.values())

    async def settle(self) -> None:
        """Let everything happen that needs no more than the second between two messages to a chat."""
        while (wait := await self.turn()) <= 1.0:
            self.clock.now += max(wait, 0.001)

    async def ask(self, photo: bytes, caption: str = "make it snow", **how: Any) -> int:
        """Let Ada send a photo, and the bot take it as far as it gets at this moment."""
        message_id = self.ada.send_photo(photo, caption=caption, **how)
        await self.receive()
        await self.settle()
        return message_id

    async def job(self, job_id: int = 1) -> Job:
        """Return a job as it is stored."""
        job = await self.bot.db.unit(lambda tx: tx.jobs.get(job_id))
        assert job is not None
        return job

    def words(self, chat_id: int | None = None) -> list[str]:
        """Return the texts that the bot has sent to Ada, or to another chat, but for those that tell how it stands."""
        of_statuses = self._status_ids(chat_id)
        return [m["text"] for m in self._texts(chat_id) if m["message_id"] not in of_statuses]

    def status(self, chat_id: int | None = None) -> dict[str, Any]:
        """Return the one message that tells how Ada's edit stands, or somebody else's."""
        [message] = self.statuses(chat_id)
        return message

    def statuses(self, chat_id: int | None = None) -> list[dict[str, Any]]:
        """Return the messages that tell how edits stand, oldest first."""
        of_statuses = self._status_ids(chat_id)
        return [m for m in self._texts(chat_id) if m["message_id"] in of_statuses]

    def _texts(self, chat_id: int | None) -> list[dict[str, Any]]:
        return [m for m in self.telegram.bot_messages(chat_id or self.ada.id) if "text" in m]

    def _status_ids(self, chat_id: int | None) -> set[int]:
        return ids_of_statuses(Path(self.bot.settings.database_path), chat_id or self.ada.id)

    def pictures(self, chat_id: int | None = None) -> list[dict[str, Any]]:
        """Return the pictures that the bot has sent to Ada, or to another chat."""
        messages = self.telegram.bot_messages(chat_id or self.ada.id)
        return [m for m in messages if "photo" in m or "document" in m]


@asynccontextmanager
async def a_house(
    folder: Path, *, kie: dict[str, Any] | None = None, is_called: bool = False, **settings: Any
) -> AsyncIterator[House]:
    """Open a house whose Telegram validates every request of the bot; with `is_called` Kie calls it back."""
    clock = Clock()
    telegram = LocalTelegram(token=TOKEN, clock=clock, check=oracle.check)
    local_kie = LocalKie(key=KEY, clock=clock, **{"duration": lambda: 20.0, **(kie or {})})
    async with AsyncExitStack() as stack:
        heard = stack.enter_context(listening())
        stack.callback(lambda: _content(telegram))
        for server in (telegram, local_kie):
            await server.start()
            stack.push_async_callback(server.stop)
        front = await stack.enter_async_context(a_front())
        public = {"public_url": front.url} if is_called else {}
        house = House(
            telegram, local_kie, _settings(folder, telegram, local_kie, public | settings), clock, front, heard
        )
        stack.push_async_callback(house.close)
        await house.open()
        yield house
        assert repeated(telegram, heard.lines) == []
        hands_on = house._settings.image_transport == "direct"  # the token, as was asked for
        assert leaks(telegram, local_kie, folder, heard.lines, token=TOKEN, key=KEY, kie_knows_the_token=hands_on) == []


def _settings(folder: Path, telegram: LocalTelegram, kie: LocalKie, changes: dict[str, Any]) -> Settings:
    values: dict[str, Any] = {
        "telegram_bot_token": TOKEN,
        "telegram_api_url": telegram.url,
        "kie_api_key": KEY,
        "kie_api_url": kie.url,
        "kie_upload_url": kie.url,
        "database_path": str(folder / "darkroom.db"),
    } | UNLIMITED
    return Settings(_env_file=None, **(values | changes))


def _content(telegram: LocalTelegram) -> None:
    assert telegram.complaints == []
