"""The bot's parts in this process, between the local servers, with a manual clock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from bot.app import Application, wire
from bot.clock import Clocks, Instant
from bot.job import Job
from bot.sandbox.kie.local_kie import LocalKie
from bot.sandbox.telegram import LocalTelegram
from bot.settings import Settings
from bot.telegram.client import BotAccount
from tests import bot_api_validator
from tests.process_harness import KEY, TOKEN, read_progress_message_ids
from tests.reverse_proxy import ReverseProxy, open_reverse_proxy
from tests.secret_leaks import LogCapture, capture_log, find_logged_user_content, find_secret_leaks

NOON = 1_800_000_000.0

#: Long tests must not exceed daily limits.
NO_DAILY_LIMITS = {"daily_edits_per_user": 0, "daily_edits_per_chat": 0, "daily_edits": 0}


class ManualClock:
    """Seconds since 1970; changes only when a test sets `now`."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now

    def instant(self) -> Instant:
        """Return the milliseconds."""
        return round(self.now * 1000)


class BotHarness:
    """One bot, run step by step."""

    bot: Application

    def __init__(
        self,
        telegram: LocalTelegram,
        kie: LocalKie,
        settings: Settings,
        clock: ManualClock,
        proxy: ReverseProxy,
        log_capture: LogCapture,
    ) -> None:
        self.telegram = telegram
        #: the bot's log
        self.log_capture = log_capture
        self.kie = kie
        self.clock = clock
        self.reverse_proxy = proxy
        self.ada = telegram.person(user_id=1001)
        self._settings = settings
        self._stack = AsyncExitStack()

    async def open(self) -> None:
        """Open the bot, and its HTTP server if Kie is to call back."""
        self.bot = await wire(self._settings, self._stack, Clocks(self.clock.instant, self.clock))
        me = self.telegram.state.bot_user
        await self.bot.set_identity(
            BotAccount(me["id"], me["username"], can_read_all_group_messages=not self.telegram.state.privacy_mode)
        )
        if self._settings.public_url is not None:
            self.reverse_proxy.upstream = await self.bot.http_server.open("127.0.0.1", 0)

    async def close(self) -> None:
        """Close the bot; its database remains."""
        if self.reverse_proxy.upstream is not None:
            await self.bot.http_server.close()
        self.reverse_proxy.upstream = None
        await self._stack.aclose()

    async def restart(self) -> None:
        """Replace the bot by a new one on the same database."""
        await self.close()
        await self.open()
        await self.bot.worker.recover()

    async def receive_updates(self) -> None:
        """Receive and handle the pending updates."""
        pending = [
            each for each in self.telegram.state.updates.pending if each["update_id"] >= self.bot.long_poller._offset
        ]
        if pending:  # otherwise getUpdates would wait, as Telegram's does
            await self.bot.long_poller.poll_once()
        await self.bot.dispatcher.handle_all()

    async def process_updates(self) -> None:
        """Receive and handle the pending updates, and run all work that is due."""
        await self.receive_updates()
        await self.settle()
        await self.bot.dispatcher.handle_all()  # updates that waited for group admins
        await self.settle()

    async def run_due_work(self) -> float:
        """Run everything that is due; return the seconds until more is due."""
        woken = self.bot.worker._wakeup
        while True:
            woken.clear()
            async with asyncio.TaskGroup() as tasks:
                seconds = await self.bot.worker.start_due(tasks)
            if seconds > 0 and not woken.is_set():
                return seconds

    async def advance_time(self, seconds: float) -> None:
        """Advance the clock from one due time to the next, and run the due work."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            wait = await self.run_due_work()
            await self.kie.wait_for(self._are_results_ready)
            self.clock.now = min(end, self.clock.now + max(min([wait, *self._seconds_until_callbacks()]), 0.001))
            await self.kie.wait_for_callbacks()
        await self.run_due_work()

    def _seconds_until_callbacks(self) -> list[float]:
        """Return the seconds until each of Kie's possible callbacks."""
        if self._settings.public_url is None:
            return []
        return [*self.kie._account.seconds_until_changes(), *self.kie.callbacks.seconds_until_due()]

    def _are_results_ready(self) -> bool:
        return all(task.prepared_at is not None for task in self.kie.tasks.values())

    async def settle(self) -> None:
        """Run everything that is due within the second that Telegram wants between two messages to a chat."""
        while (wait := await self.run_due_work()) <= 1.0:
            self.clock.now += max(wait, 0.001)

    async def request_edit(self, photo: bytes, caption: str = "make it snow", **how: Any) -> int:
        """Let Ada send a photo, and run all work that is due; return the id of her message."""
        message_id = self.ada.send_photo(photo, caption=caption, **how)
        await self.receive_updates()
        await self.settle()
        return message_id

    async def read_job(self, job_id: int = 1) -> Job:
        """Return a stored job."""
        job = await self.bot.db.transact(lambda tx: tx.jobs.get(job_id))
        assert job is not None
        return job

    def sent_texts(self, chat_id: int | None = None) -> list[str]:
        """Return the bot's texts to Ada or to another chat, without progress messages."""
        progress_ids = self._progress_message_ids(chat_id)
        return [m["text"] for m in self._text_messages(chat_id) if m["message_id"] not in progress_ids]

    def progress_message(self, chat_id: int | None = None) -> dict[str, Any]:
        """Return the only progress message of Ada's or another chat."""
        [message] = self.progress_messages(chat_id)
        return message

    def progress_messages(self, chat_id: int | None = None) -> list[dict[str, Any]]:
        """Return the progress messages, oldest first."""
        progress_ids = self._progress_message_ids(chat_id)
        return [m for m in self._text_messages(chat_id) if m["message_id"] in progress_ids]

    def _text_messages(self, chat_id: int | None) -> list[dict[str, Any]]:
        return [m for m in self.telegram.bot_messages(chat_id or self.ada.id) if "text" in m]

    def _progress_message_ids(self, chat_id: int | None) -> set[int]:
        return read_progress_message_ids(Path(self.bot.settings.database_path), chat_id or self.ada.id)

    def pictures(self, chat_id: int | None = None) -> list[dict[str, Any]]:
        """Return the images that the bot has sent to Ada or to another chat."""
        messages = self.telegram.bot_messages(chat_id or self.ada.id)
        return [m for m in messages if "photo" in m or "document" in m]


@asynccontextmanager
async def open_bot_harness(
    folder: Path, *, kie: dict[str, Any] | None = None, is_called: bool = False, **settings: Any
) -> AsyncIterator[BotHarness]:
    """Open a harness whose Telegram validates every request; with `is_called` Kie calls back."""
    clock = ManualClock()
    telegram = LocalTelegram(token=TOKEN, clock=clock, check=bot_api_validator.validate_request)
    local_kie = LocalKie(key=KEY, clock=clock, **{"duration": lambda: 20.0, **(kie or {})})
    async with AsyncExitStack() as stack:
        log_capture = stack.enter_context(capture_log())
        stack.callback(lambda: _assert_no_complaints(telegram))
        for server in (telegram, local_kie):
            await server.start()
            stack.push_async_callback(server.stop)
        proxy = await stack.enter_async_context(open_reverse_proxy())
        public = {"public_url": proxy.url} if is_called else {}
        house = BotHarness(
            telegram,
            local_kie,
            build_settings(folder, telegram, local_kie, public | settings),
            clock,
            proxy,
            log_capture,
        )
        stack.push_async_callback(house.close)
        await house.open()
        yield house
        assert find_logged_user_content(telegram, log_capture.lines) == []
        knows_token = house._settings.image_transport == "direct"
        assert (
            find_secret_leaks(
                telegram, local_kie, folder, log_capture.lines, token=TOKEN, key=KEY, kie_knows_the_token=knows_token
            )
            == []
        )


def build_settings(folder: Path, telegram: LocalTelegram, kie: LocalKie, changes: dict[str, Any]) -> Settings:
    values: dict[str, Any] = {
        "telegram_bot_token": TOKEN,
        "telegram_api_url": telegram.url,
        "kie_api_key": KEY,
        "kie_api_url": kie.url,
        "kie_upload_url": kie.url,
        "database_path": str(folder / "darkroom.db"),
    } | NO_DAILY_LIMITS
    return Settings(_env_file=None, **(values | changes))


def _assert_no_complaints(telegram: LocalTelegram) -> None:
    assert telegram.check_failures == []
