"""A site: the local servers around a bot that has not been started, to go round at."""

import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from bot.doors.http import open_alone
from bot.operate.check.finding import Finding, Status
from bot.operate.check.round import PATIENCE, Means, go_round
from bot.sandbox.kie import LocalKie
from bot.sandbox.telegram import LocalTelegram
from bot.settings import Settings
from tests import oracle
from tests.canary import leaks
from tests.front import Front, a_front
from tests.house import Clock
from tests.world import KEY, TOKEN


class Site:
    """What `check` looks at; `port` is free, and the front leads there."""

    def __init__(self, telegram: LocalTelegram, kie: LocalKie, front: Front, folder: Path, port: int) -> None:
        self.telegram = telegram
        self.kie = kie
        self.front = front
        self.folder = folder
        self.port = port
        #: ours, as against that of the servers
        self.clock = Clock()
        self.shown: list[str] = []

    @property
    def database(self) -> Path:
        """Where the bot's database is, or will be."""
        return self.folder / "darkroom.db"

    def settings(self, **changes: Any) -> Settings:
        """Return the settings of a bot here, with some of them others."""
        values: dict[str, Any] = {
            "telegram_bot_token": TOKEN,
            "telegram_api_url": self.telegram.url,
            "kie_api_key": KEY,
            "kie_api_url": self.kie.url,
            "kie_upload_url": self.kie.url,
            "database_path": str(self.database),
            "port": self.port,
        }
        return Settings(_env_file=None, **(values | changes))

    async def round(self, *, patience: float = PATIENCE, **changes: Any) -> list[Finding]:
        """Go round with these settings."""
        settings = self.settings(**changes)
        findings = await go_round(settings, Means(open_alone, of_day=self.clock, patience=patience))
        self.shown.append(repr(findings))
        assert [secret for secret in settings.secrets if secret in self.shown[-1]] == []
        return findings

    async def troubles(self, **changes: Any) -> dict[str, Finding]:
        """Go round and return what is not well, by name."""
        return {each.name: each for each in await self.round(**changes) if each.status is not Status.OK}

    async def found(self, name: str, **changes: Any) -> Finding:
        """Go round and return the one finding about a subject."""
        [finding] = [each for each in await self.round(**changes) if each.name == name]
        return finding


def a_free_port() -> int:
    """Return a port that nobody has, below those that are given out to whoever asks for any."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


@asynccontextmanager
async def a_site(folder: Path, clock: Callable[[], float] | None = None) -> AsyncIterator[Site]:
    """Open a site whose servers have this clock, or one that stands still.

    What was done there must have ordered, stored and received nothing, and told no secret.
    """
    clock = clock or Clock()
    telegram = LocalTelegram(token=TOKEN, clock=clock, check=oracle.check)
    kie = LocalKie(key=KEY, clock=clock)
    async with AsyncExitStack() as stack:
        for server in (telegram, kie):
            await server.start()
            stack.push_async_callback(server.stop)
        front = await stack.enter_async_context(a_front())
        port = a_free_port()
        front.door = f"http://127.0.0.1:{port}"
        site = Site(telegram, kie, front, folder, port)
        yield site
    assert telegram.complaints == []
    assert {call.name for call in kie.calls} <= {"credit", "uploadHost"}
    assert {call.method for call in telegram.calls} <= {"getMe", "getWebhookInfo"}
    assert leaks(telegram, kie, folder, site.shown, token=TOKEN, key=KEY) == []
