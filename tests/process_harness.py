"""The bot as a process between a local Telegram and a local Kie.

The servers outlive the bot, whatever is done to it, so that tests can ask them what arrived.
"""

import asyncio
import io
import os
import re
import shutil
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from PIL import Image

from bot.i18n import sentence
from bot.sandbox.kie.local_kie import LocalKie
from bot.sandbox.telegram import LocalTelegram
from tests import bot_api_validator
from tests.secret_leaks import find_logged_user_content, find_secret_leaks

#: Canary secrets: of the right form, obviously fake, and easy to find where they should not be.
TOKEN = "424242:" + "canary-telegram-" * 2 + "token"
KEY = "canary-kie-" * 3 + "key"

#: Seconds that a test waits for anything.
TIMEOUT_SECONDS = 40.0

PROJECT_ROOT = Path(__file__).parents[1]


def make_photo(colour: str = "navy", size: tuple[int, int] = (320, 240)) -> bytes:
    """Return a JPEG without metadata."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


class BotSubprocess:
    """The bot as a child process, with its log."""

    def __init__(self, environment: Mapping[str, str], folder: Path, command: Sequence[str]) -> None:
        self._environment = environment
        self._folder = folder
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._log_changed = asyncio.Condition()
        self.log = ""
        #: called after every line of the log, and at the end of the process
        self.on_log_line: Callable[[], None] = lambda: None
        #: where the log of the current process begins
        self._log_offset = 0
        self._has_exited = False

    @property
    def pid(self) -> int:
        """The id of the process that runs, or ran last."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start the process without waiting."""
        self._log_offset = len(self.log)
        self._has_exited = False
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *self._command,
            cwd=self._folder,
            env=dict(self._environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        self._reader = asyncio.create_task(self._read_log(self._process))

    async def start_until_ready(self) -> str:
        """Start the process, and return its ready line."""
        await self.start()
        return await self.wait_for_log_line("ready: ")

    async def wait_for_log_line(self, *words: str) -> str:
        """Wait until the running process has logged a line with any of these words, and return it."""
        async with asyncio.timeout(TIMEOUT_SECONDS), self._log_changed:
            await self._log_changed.wait_for(lambda: self._has_exited or self._find_log_line(words))
        line = self._find_log_line(words)
        assert line, f"the bot ended without any of {words}:\n{self.log[self._log_offset :]}"
        return line

    def _find_log_line(self, words: Sequence[str]) -> str | None:
        lines = self.log[self._log_offset :].splitlines()
        return next((line for line in lines if any(word in line for word in words)), None)

    async def wait_for_exit(self) -> int:
        """Wait for the end of the process, within TIMEOUT_SECONDS, and return its exit code."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await self.wait_without_timeout()

    async def wait_without_timeout(self) -> int:
        """Wait for the end of the process without a limit, and return its exit code."""
        assert self._process is not None
        assert self._reader is not None
        code = await self._process.wait()
        await self._reader
        return code

    @property
    def was_started(self) -> bool:
        """Whether the bot was ever started."""
        return self._process is not None

    async def kill(self) -> None:
        """Kill it with SIGKILL."""
        await self._terminate(signal.SIGKILL)

    async def stop(self) -> int:
        """Stop it with SIGTERM, and return its exit code."""
        return await self._terminate(signal.SIGTERM)

    async def _terminate(self, number: signal.Signals) -> int:
        assert self._process is not None
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                # not by the process object, which would take the exit code away from asyncio's child watcher
                os.kill(self._process.pid, number)
        return await self.wait_for_exit()

    async def _read_log(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            self.log += line.decode("utf-8", "replace")
            await self._notify()
        self._has_exited = True
        await self._notify()

    async def _notify(self) -> None:
        async with self._log_changed:
            self._log_changed.notify_all()
        self.on_log_line()


class ProcessHarness:
    """Telegram, Kie and a bot with its working directory."""

    def __init__(self, telegram: LocalTelegram, kie: LocalKie, folder: Path) -> None:
        self.telegram = telegram
        self.kie = kie
        self.folder = folder
        self._bots: list[BotSubprocess] = []

    @property
    def database(self) -> Path:
        """The bot's database file."""
        return self.folder / "data" / "darkroom.db"

    def copy_database_from(self, database: Path) -> None:
        """Start from a copy of another bot's database."""
        self.database.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(database, self.database)

    def environment(self, **settings: str) -> dict[str, str]:
        """Return the environment variables of the bot."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(PROJECT_ROOT),
            "SSL_CERT_FILE": os.environ["SSL_CERT_FILE"],
            "TELEGRAM_BOT_TOKEN": TOKEN,
            "TELEGRAM_API_URL": self.telegram.url,
            "KIE_API_KEY": KEY,
            "KIE_API_URL": self.kie.url,
            "KIE_UPLOAD_URL": self.kie.url,
            "DATABASE_PATH": str(self.database),
            "PORT": "0",
            "LOG_LEVEL": "DEBUG",
            "DAILY_EDITS_PER_USER": "0",
            "DAILY_EDITS_PER_CHAT": "0",
            "DAILY_EDITS": "0",
            # without callbacks, the first poll should find the image
            "TASK_USUAL_SECONDS": "10" if "PUBLIC_URL" in settings else "0.5",
        } | settings

    def create_bot(self, *, command: Sequence[str] = ("-m", "bot", "run"), **settings: str) -> BotSubprocess:
        """Return a bot that can be started repeatedly."""
        bot = BotSubprocess(self.environment(**settings), self.folder, command)
        self._bots.append(bot)
        return bot

    async def close(self) -> None:
        """Kill every running bot, and stop the servers."""
        for bot in self._bots:
            if bot.was_started:
                await bot.kill()
        await self.kie.stop()
        await self.telegram.stop()

    async def wait_for_pictures(self, chat_id: int, count: int = 1) -> list[dict[str, Any]]:
        """Wait until a chat has that many images from the bot, and return their messages."""

        def shown(telegram: LocalTelegram) -> list[dict[str, Any]] | None:
            found = [m for m in telegram.bot_messages(chat_id) if "photo" in m or "document" in m]
            return found if len(found) >= count else None

        return await self.telegram.wait_for(shown, TIMEOUT_SECONDS)

    async def wait_for_texts(self, chat_id: int, count: int = 1) -> list[str]:
        """Wait until a chat has that many texts from the bot, without progress messages, and return them."""

        def said(telegram: LocalTelegram) -> list[str] | None:
            progress_ids = read_progress_message_ids(self.database, chat_id)
            texts = [m for m in telegram.bot_messages(chat_id) if "text" in m]
            found = [m["text"] for m in texts if m["message_id"] not in progress_ids]
            return found if len(found) >= count else None

        return await self.telegram.wait_for(said, TIMEOUT_SECONDS)

    async def wait_for_question(self, chat_id: int) -> str:
        """Wait until a chat has the question about an uncertain order, and return it."""

        def asked(telegram: LocalTelegram) -> str | None:
            texts = [message.get("text", "") for message in telegram.bot_messages(chat_id)]
            return next((text for text in texts if text == render_english("doubt")), None)

        return await self.telegram.wait_for(asked, TIMEOUT_SECONDS)

    def query(self, sql: str) -> list[sqlite3.Row]:
        """Query the bot's database."""
        return query_database(self.database, sql)

    def count_orders(self) -> int:
        """Return how many orders Kie accepted."""
        return len(self.kie.tasks)


@asynccontextmanager
async def open_process_harness(folder: Path, **kie: Any) -> AsyncIterator[ProcessHarness]:
    """Open a harness whose Telegram validates every request; the bot is not started."""
    telegram = LocalTelegram(token=TOKEN, check=bot_api_validator.validate_request)
    local_kie = LocalKie(key=KEY, **kie)
    folder.mkdir(parents=True, exist_ok=True)
    await telegram.start()
    await local_kie.start()
    harness = ProcessHarness(telegram, local_kie, folder)
    try:
        yield harness
    finally:
        await harness.close()
        assert telegram.check_failures == []
        found = find_secret_leaks(telegram, local_kie, folder, [bot.log for bot in harness._bots], token=TOKEN, key=KEY)
        assert found == []
        lines = [line for bot in harness._bots for line in bot.log.splitlines() if "DEBUG" not in line]
        assert find_logged_user_content(telegram, lines) == []


def render_english(name: str, **values: str | float) -> str:
    """Return a text in English, for a private chat unless `where` says otherwise."""
    return sentence(name, **({"where": "private"} | values)).translate("en")


def query_database(path: Path, sql: str) -> list[sqlite3.Row]:
    """Query a database that a bot may have open."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    db.row_factory = sqlite3.Row
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def read_progress_message_ids(path: Path, chat_id: int) -> set[int]:
    """Return the ids of the progress messages in a chat."""
    found = query_database(
        path, "SELECT chat_id, message_id FROM outbox WHERE kind = 'progress_message' AND message_id IS NOT NULL"
    )
    return {row["message_id"] for row in found if row["chat_id"] == chat_id}


def parse_port(ready_line: str) -> int:
    """Return the port that a ready line names."""
    found = re.search(r"http://127\.0\.0\.1:(\d+)", ready_line)
    assert found is not None
    return int(found.group(1))
