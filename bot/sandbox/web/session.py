"""A sandbox session: the local Telegram with its chats and people, the local or the real Kie, and the bot's process."""

import asyncio
import os
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bot.sandbox.bot_process import (
    BOT_COMMAND,
    BotLog,
    RestartableBot,
    ServiceEndpoints,
    build_environment,
    task_duration_setting,
)
from bot.sandbox.harness import STARTING_CREDITS, fake_key, fake_token
from bot.sandbox.kie.local_kie import LocalKie
from bot.sandbox.kie.tasks import MEDIAN_SECONDS, TaskDurations
from bot.sandbox.telegram import Group, LocalTelegram, Person
from bot.sandbox.web.fault_switches import FaultSwitches

YOU_ID, GRACE_ID, OPERATOR_ID = 1001, 1002, 1003
FRIENDS_ID, CLUB_ID = -1_000_000_000_201, -1_000_000_000_202
#: variables that lead the bot to the real Kie through a proxy
PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@dataclass(frozen=True)
class Conversation:
    """A chat of the page, or one topic of a forum."""

    title: str
    #: "private", "group", or "topic"
    kind: str
    chat_id: int
    #: the people who can speak here; the first one does by default
    speakers: tuple[Person, ...]
    #: shown below the title
    about: str
    group: Group | None = None
    thread: int | None = None

    @property
    def key(self) -> str:
        return f"{self.chat_id}/{self.thread or 0}"


def create_conversations(telegram: LocalTelegram) -> list[Conversation]:
    """Create the chats of the page with their members, in display order."""
    you = telegram.person(YOU_ID, "You")
    grace = telegram.person(GRACE_ID, "Grace")
    operator = telegram.person(OPERATOR_ID, "Operator")
    both = (you, grace)
    friends = telegram.group(FRIENDS_ID, "Friends", both)
    club = telegram.group(CLUB_ID, "Photo club", both, is_forum=True)
    for group in (friends, club):
        group.promote(you.user)
    topics = {name: club.open_topic(name, grace.user) for name in ("Holidays", "Pets")}
    return [
        Conversation("Darkroom", "private", you.id, (you,), "the bot, in private"),
        Conversation("Friends", "group", friends.id, both, "group: you, Grace, the bot", friends),
        Conversation("Photo club", "group", club.id, both, "group with topics", club),
        *(Conversation(name, "topic", club.id, both, "topic of Photo club", club, topics[name]) for name in topics),
        Conversation("Operator", "private", operator.id, (operator,), "an admin of the bot, in private"),
    ]


@dataclass(frozen=True)
class SandboxOptions:
    """The options of the command line."""

    #: median duration of an edit at the local Kie
    seconds: float
    #: API key for the real Kie; None selects the local one
    live_key: str | None = None
    #: the command that starts the bot
    command: Sequence[str] = BOT_COMMAND


class SandboxSession:
    """The servers, the people and the bot behind the page; `seconds` may be changed at any time."""

    def __init__(self, options: SandboxOptions, folder: Path, port: int) -> None:
        self._live_key = options.live_key
        self._folder = folder
        self._port = port
        self.seconds = options.seconds
        self._durations = TaskDurations()
        self.telegram = LocalTelegram(token=fake_token())
        self.kie: LocalKie | None = None
        if not self.uses_real_kie:
            self.kie = LocalKie(key=fake_key(), duration=self._next_task_seconds, credits=STARTING_CREDITS)
        self.conversations = {each.key: each for each in create_conversations(self.telegram)}
        self.fault_switches = FaultSwitches(self.telegram, self.kie, self.default_person)
        self.bot_log = BotLog(time.time)
        self.bot = RestartableBot(options.command, self.bot_environment, folder, self.bot_log.on_log_line)

    @property
    def uses_real_kie(self) -> bool:
        return self._live_key is not None

    @property
    def default_person(self) -> Person:
        """The person who speaks unless another one is selected."""
        return next(iter(self.conversations.values())).speakers[0]

    def bot_environment(self) -> dict[str, str]:
        """Return the bot's whole environment; call it after the servers were opened."""
        kie_url = self.kie.url if self.kie is not None else ""
        endpoints = ServiceEndpoints(self.telegram.url, fake_token(), kie_url, self._live_key or fake_key())
        variables = build_environment(endpoints, self._folder, os.environ) | {"ADMIN_IDS": f"{OPERATOR_ID}"}
        if self.uses_real_kie:
            # the bot knows the real Kie's addresses, and the real Kie cannot call back to this machine
            del variables["KIE_API_URL"], variables["KIE_UPLOAD_URL"]
            proxies = {name: os.environ[name] for name in PROXY_VARIABLES if name in os.environ}
            return variables | proxies | {"NO_PROXY": "127.0.0.1"}
        public_url = {"PORT": f"{self._port}", "PUBLIC_URL": f"http://127.0.0.1:{self._port}"}
        return variables | task_duration_setting(self.seconds) | public_url

    def _next_task_seconds(self) -> float:
        """Return the duration of a new task, and script its outcome: Kie asks once per order."""
        outcome = self.fault_switches.outcome
        if outcome is not None and self.kie is not None:
            self.kie.script_outcomes(outcome)
        self._durations.scale = self.seconds / MEDIAN_SECONDS
        return self.fault_switches.task_seconds or self._durations()


@asynccontextmanager
async def open_session(options: SandboxOptions) -> AsyncIterator[SandboxSession]:
    """Start the servers and the bot, without waiting until it is ready; stop them at the end."""
    with tempfile.TemporaryDirectory(prefix="darkroom-sandbox-", ignore_cleanup_errors=True) as name:
        session = SandboxSession(options, Path(name), _find_free_port())
        servers: list[LocalTelegram | LocalKie] = [session.telegram, *([session.kie] if session.kie else [])]
        try:
            for server in servers:
                await server.start()
            await session.bot.start()
            yield session
        finally:
            await session.bot.kill()  # SIGKILL will do: the database is deleted anyway
            for server in servers:
                await server.stop()


def _find_free_port() -> int:
    """Return a free port for the bot's HTTP server: Kie's callback URL has to be known before the bot starts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


#: seconds after which the page is refreshed without a notification: for the progress of tasks and new log lines
MAX_UPDATE_SECONDS = 0.25
#: minimum seconds between two updates of the page
MIN_UPDATE_SECONDS = 0.04


class SessionManager:
    """Holds the current session; `closing` is set when no other one will follow."""

    def __init__(self, options: SandboxOptions) -> None:
        self._options = options
        self._stack = AsyncExitStack()
        self._session: SandboxSession | None = None
        self._lock = asyncio.Lock()
        self.closing = asyncio.Event()

    @property
    def session(self) -> SandboxSession:
        """The current session; raises LookupError while there is none."""
        if self._session is None:
            raise LookupError("everything is being reset, one moment")
        return self._session

    async def reset(self) -> None:
        """Replace the session by a new one: chats, people, Kie, the bot and its database."""
        async with self._lock:
            await self._close()
            self._session = await self._stack.enter_async_context(open_session(self._options))

    async def close(self) -> None:
        """Close the session for good."""
        self.closing.set()
        async with self._lock:
            await self._close()

    async def wait_for_change(self) -> None:
        """Return after a change, or after MAX_UPDATE_SECONDS."""
        await asyncio.sleep(MIN_UPDATE_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(MAX_UPDATE_SECONDS):
                if self._session is None:
                    await self.closing.wait()
                else:
                    await self._session.telegram.state.changes.wait()

    async def _close(self) -> None:
        self._session = None
        await self._stack.aclose()
