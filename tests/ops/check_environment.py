"""The environment of a `check`: the local servers, a reverse proxy, and no running bot."""

import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from bot.inbound.http_endpoints import serve_without_bot
from bot.ops.check_command import CHECK_TIMEOUT, CheckContext, run_checks
from bot.ops.checks import Finding, FindingStatus
from bot.sandbox.kie.local_kie import LocalKie
from bot.sandbox.telegram import LocalTelegram
from bot.settings import Settings
from tests import bot_api_validator
from tests.bot_harness import ManualClock
from tests.process_harness import KEY, TOKEN
from tests.reverse_proxy import ReverseProxy, open_reverse_proxy
from tests.secret_leaks import find_secret_leaks


class CheckEnvironment:
    """The servers and settings to check; `port` is free, and the reverse proxy leads there."""

    def __init__(self, telegram: LocalTelegram, kie: LocalKie, proxy: ReverseProxy, folder: Path, port: int) -> None:
        self.telegram = telegram
        self.kie = kie
        self.reverse_proxy = proxy
        self.folder = folder
        self.port = port
        #: this machine's clock, as opposed to that of the servers
        self.clock = ManualClock()
        self.printed_findings: list[str] = []

    @property
    def database(self) -> Path:
        """The path of the bot's database."""
        return self.folder / "darkroom.db"

    def settings(self, **changes: Any) -> Settings:
        """Return the bot's settings, with `changes`."""
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

    async def run_checks(self, *, patience: float = CHECK_TIMEOUT, **changes: Any) -> list[Finding]:
        """Run all checks and return their findings, each within `patience` seconds."""
        settings = self.settings(**changes)
        findings = await run_checks(settings, CheckContext(serve_without_bot, wall_clock=self.clock, timeout=patience))
        self.printed_findings.append(repr(findings))
        assert [secret for secret in settings.secrets if secret in self.printed_findings[-1]] == []
        return findings

    async def find_problems(self, **changes: Any) -> dict[str, Finding]:
        """Run all checks and return the findings that are not ok, by name."""
        return {each.name: each for each in await self.run_checks(**changes) if each.status is not FindingStatus.OK}

    async def find_finding(self, name: str, **changes: Any) -> Finding:
        """Run all checks and return the finding about a subject."""
        [finding] = [each for each in await self.run_checks(**changes) if each.name == name]
        return finding


def find_free_port() -> int:
    """Return a free port below the ephemeral ones."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


@asynccontextmanager
async def open_check_environment(
    folder: Path, clock: Callable[[], float] | None = None
) -> AsyncIterator[CheckEnvironment]:
    """Open an environment whose servers have this clock, by default a manual one.

    At the end, asserts that nothing was ordered, uploaded or received, and that no secret leaked.
    """
    clock = clock or ManualClock()
    telegram = LocalTelegram(token=TOKEN, clock=clock, check=bot_api_validator.validate_request)
    kie = LocalKie(key=KEY, clock=clock)
    async with AsyncExitStack() as stack:
        for server in (telegram, kie):
            await server.start()
            stack.push_async_callback(server.stop)
        proxy = await stack.enter_async_context(open_reverse_proxy())
        port = find_free_port()
        proxy.upstream = f"http://127.0.0.1:{port}"
        site = CheckEnvironment(telegram, kie, proxy, folder, port)
        yield site
    assert telegram.check_failures == []
    assert {call.name for call in kie.calls} <= {"credit", "uploadHost"}
    assert {call.method for call in telegram.calls} <= {"getMe", "getWebhookInfo"}
    assert find_secret_leaks(telegram, kie, folder, site.printed_findings, token=TOKEN, key=KEY) == []
