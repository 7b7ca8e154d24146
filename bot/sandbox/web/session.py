"""The cast: who can speak on the page, and where."""

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
from bot.sandbox.telegram.local_telegram import LocalTelegram
from bot.sandbox.telegram.people_and_groups import Group, Person
from bot.sandbox.web.fault_switches import FaultSwitches

YOU_ID, GRACE_ID, OPERATOR_ID = 1001, 1002, 1003
_FRIENDS_ID, _CLUB_ID = -1_000_000_000_201, -1_000_000_000_202
_TOPICS = ("Holidays", "Pets")


@dataclass(frozen=True)
class Conversation:
    """Where one can write: a chat, or a topic of one."""

    title: str
    #: "private", "group", or "topic"
    kind: str
    chat_id: int
    #: the first one speaks unless another is chosen
    speakers: tuple[Person, ...]
    #: a word below the title
    about: str
    group: Group | None = None
    thread: int | None = None

    @property
    def key(self) -> str:
        return f"{self.chat_id}/{self.thread or 0}"


def create_conversations(telegram: LocalTelegram) -> list[Conversation]:
    """Found the chats of the page, and let its people join them; in the order in which they are shown."""
    you = telegram.person(YOU_ID, "You")
    grace = telegram.person(GRACE_ID, "Grace")
    operator = telegram.person(OPERATOR_ID, "Operator")
    friends = _create_group(telegram, _FRIENDS_ID, "Friends", you, grace)
    club = _create_group(telegram, _CLUB_ID, "Photo club", you, grace, is_forum=True)
    both = (you, grace)
    topics = [
        Conversation(name, "topic", club.id, both, "topic of Photo club", club, club.open_topic(name, grace.user))
        for name in _TOPICS
    ]
    return [
        Conversation("Darkroom", "private", you.id, (you,), "the bot, in private"),
        Conversation("Friends", "group", friends.id, both, "group: you, Grace, the bot", friends),
        Conversation("Photo club", "group", club.id, both, "group with topics", club),
        *topics,
        Conversation("Operator", "private", operator.id, (operator,), "an admin of the bot, in private"),
    ]


def _create_group(telegram: LocalTelegram, chat_id: int, title: str, *members: Person, is_forum: bool = False) -> Group:
    group = telegram.group(chat_id, title, members, is_forum)
    group.promote(members[0].user)
    return group


#: what may stand between this machine and the real Kie
_PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@dataclass(frozen=True)
class SandboxOptions:
    """How the sandbox was asked for."""

    #: what half of the edits of the local Kie take at most
    seconds: float
    #: the key for the real Kie, None for the local one
    live_key: str | None = None
    #: what starts the bot
    command: Sequence[str] = BOT_COMMAND


class SandboxSession:
    """Everything that the page shows; `seconds` can be set at any time."""

    def __init__(self, options: SandboxOptions, folder: Path, port: int) -> None:
        self._live_key = options.live_key
        self._folder = folder
        self._port = port
        self.seconds = options.seconds
        self._durations = TaskDurations()
        self.telegram = LocalTelegram(token=fake_token())
        self.kie = (
            None
            if self.uses_real_kie
            else LocalKie(key=fake_key(), duration=self._next_task_seconds, credits=STARTING_CREDITS)
        )
        self.conversations: dict[str, Conversation] = {
            place.key: place for place in create_conversations(self.telegram)
        }
        self.fault_switches = FaultSwitches(self.telegram, self.kie, self.default_person)
        self.bot_log = BotLog(time.time)
        self.bot = RestartableBot(options.command, self.bot_environment, folder, self.bot_log.on_log_line)

    @property
    def uses_real_kie(self) -> bool:
        """Whether the real Kie makes the pictures."""
        return self._live_key is not None

    @property
    def default_person(self) -> Person:
        """Who speaks unless another person is chosen."""
        return next(iter(self.conversations.values())).speakers[0]

    async def open(self) -> None:
        """Open the servers and start the bot, without waiting until it is ready."""
        await self.telegram.start()
        if self.kie is not None:
            await self.kie.start()
        await self.bot.start()

    async def close(self) -> None:
        """End the bot and close the servers."""
        # nothing of it is needed any more, so it need not end in good order
        await self.bot.kill()
        await self.telegram.stop()
        if self.kie is not None:
            await self.kie.stop()

    def bot_environment(self) -> dict[str, str]:
        """The bot's whole environment, known once the servers are open."""
        kie_url = self.kie.url if self.kie is not None else ""
        servers = ServiceEndpoints(self.telegram.url, fake_token(), kie_url, self._live_key or fake_key())
        variables = build_environment(servers, self._folder, os.environ) | {"ADMIN_IDS": f"{OPERATOR_ID}"}
        if self.uses_real_kie:
            # the bot knows where Kie is, and Kie cannot call back to this machine
            kept = {name: value for name, value in variables.items() if name not in {"KIE_API_URL", "KIE_UPLOAD_URL"}}
            proxies = {name: os.environ[name] for name in _PROXY_VARIABLES if name in os.environ}
            return kept | proxies | {"NO_PROXY": "127.0.0.1"}
        public = {"PORT": f"{self._port}", "PUBLIC_URL": f"http://127.0.0.1:{self._port}"}
        return variables | task_duration_setting(self.seconds) | public

    def _next_task_seconds(self) -> float:
        """Say how long a task takes; Kie asks once per order, so this is the moment to say how it ends as well."""
        outcome = self.fault_switches.outcome
        if outcome is not None and self.kie is not None:
            self.kie.script_outcomes(outcome)
        self._durations.scale = self.seconds / MEDIAN_SECONDS
        return self.fault_switches.task_seconds or self._durations()


@asynccontextmanager
async def open_session(options: SandboxOptions) -> AsyncIterator[SandboxSession]:
    """Open a scene on a throw-away database and take it down again."""
    with tempfile.TemporaryDirectory(prefix="darkroom-sandbox-", ignore_cleanup_errors=True) as name:
        scene = SandboxSession(options, Path(name), _find_free_port())
        try:
            await scene.open()
            yield scene
        finally:
            await scene.close()


def _find_free_port() -> int:
    """A port for the bot's door, which has to be known before the bot opens it: Kie is told where to call."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


#: how long it takes at most until something shows that rings no bell, in seconds: a task's progress, a line of the log
MAX_UPDATE_SECONDS = 0.25
#: at most so often is told what changed, in seconds
MIN_UPDATE_SECONDS = 0.04


class SessionManager:
    """One scene at a time; `closing` is set when there will be no other."""

    def __init__(self, options: SandboxOptions) -> None:
        self._options = options
        self._stack = AsyncExitStack()
        self._session: SandboxSession | None = None
        self._lock = asyncio.Lock()
        self.closing = asyncio.Event()

    @property
    def session(self) -> SandboxSession:
        """The scene that is played; raises LookupError while there is none."""
        if self._session is None:
            raise LookupError("everything is being set up anew, one moment")
        return self._session

    async def reset(self) -> None:
        """Begin anew: chats, people, Kie, the bot and its database."""
        async with self._lock:
            await self._close()
            self._session = await self._stack.enter_async_context(open_session(self._options))

    async def close(self) -> None:
        """Take everything down."""
        self.closing.set()
        async with self._lock:
            await self._close()

    async def wait_for_change(self) -> None:
        """Return when something may have changed, soon at the latest."""
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
