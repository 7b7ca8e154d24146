"""The scene: the local Telegram with its people and chats, the local Kie, and the real bot between them.

A reset opens another one. With a live Kie only Telegram is local, and the key
goes to the bot's process and nowhere else.
"""

import os
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.sandbox.child import BOT, Servers, environment, usual
from bot.sandbox.durations import MEDIAN, Durations
from bot.sandbox.kie import LocalKie
from bot.sandbox.page.actor import Actor
from bot.sandbox.page.cast import OPERATOR, Place, cast
from bot.sandbox.page.journal import Journal
from bot.sandbox.page.troubles import Troubles
from bot.sandbox.stage import CREDITS, made_up_key, made_up_token
from bot.sandbox.telegram.people import Person
from bot.sandbox.telegram.server import LocalTelegram

#: what may stand between this machine and the real Kie
_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@dataclass(frozen=True)
class Options:
    """How the sandbox was asked for."""

    #: what half of the edits of the local Kie take at most
    seconds: float
    #: the key for the real Kie, None for the local one
    live_key: str | None = None
    #: what starts the bot
    words: Sequence[str] = BOT


class Scene:
    """Everything that the page shows; `seconds` can be set at any time."""

    def __init__(self, options: Options, folder: Path, port: int) -> None:
        self._live_key = options.live_key
        self._folder = folder
        self._port = port
        self.seconds = options.seconds
        self._durations = Durations()
        self.telegram = LocalTelegram(token=made_up_token())
        self.kie = None if self.is_live else LocalKie(key=made_up_key(), duration=self._ordered, credits=CREDITS)
        self.places: dict[str, Place] = {place.key: place for place in cast(self.telegram)}
        self.troubles = Troubles(self.telegram, self.kie, self.you)
        self.journal = Journal(time.time)
        self.bot = Actor(options.words, self.variables, folder, self.journal.hear)

    @property
    def is_live(self) -> bool:
        """Whether the real Kie makes the pictures."""
        return self._live_key is not None

    @property
    def you(self) -> Person:
        """Who speaks unless another person is chosen."""
        return next(iter(self.places.values())).speakers[0]

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

    def variables(self) -> dict[str, str]:
        """The bot's whole environment, known once the servers are open."""
        kie_url = self.kie.url if self.kie is not None else ""
        servers = Servers(self.telegram.url, made_up_token(), kie_url, self._live_key or made_up_key())
        variables = environment(servers, self._folder, os.environ) | {"ADMIN_IDS": f"{OPERATOR}"}
        if self.is_live:
            # the bot knows where Kie is, and Kie cannot call back to this machine
            kept = {name: value for name, value in variables.items() if name not in {"KIE_API_URL", "KIE_UPLOAD_URL"}}
            proxies = {name: os.environ[name] for name in _PROXIES if name in os.environ}
            return kept | proxies | {"NO_PROXY": "127.0.0.1"}
        public = {"PORT": f"{self._port}", "PUBLIC_URL": f"http://127.0.0.1:{self._port}"}
        return variables | usual(self.seconds) | public

    def _ordered(self) -> float:
        """Say how long a task takes; Kie asks once per order, so this is the moment to say how it ends as well."""
        outcome = self.troubles.outcome
        if outcome is not None and self.kie is not None:
            self.kie.script(outcome)
        self._durations.scale = self.seconds / MEDIAN
        return self.troubles.seconds or self._durations()


@asynccontextmanager
async def a_scene(options: Options) -> AsyncIterator[Scene]:
    """Open a scene on a throw-away database and take it down again."""
    with tempfile.TemporaryDirectory(prefix="darkroom-sandbox-", ignore_cleanup_errors=True) as name:
        scene = Scene(options, Path(name), _free_port())
        try:
            await scene.open()
            yield scene
        finally:
            await scene.close()


def _free_port() -> int:
    """A port for the bot's door, which has to be known before the bot opens it: Kie is told where to call."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
