"""The page's server, and a client that sends the page's requests."""

import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from bot.sandbox.web.server import WebServer
from bot.sandbox.web.session import YOU_ID, SandboxOptions, SandboxSession, SessionManager

#: replaces the bot where only the updates matter: they stay pending
IDLE_COMMAND = (sys.executable, "-S", "-c", "import time; time.sleep(600)")

PRIVATE_CHAT = f"{YOU_ID}/0"
GROUP_CHAT = "-1000000000201/0"


@dataclass
class WebPageClient:
    """A client of the page, without a browser."""

    sessions: SessionManager
    url: str
    http: aiohttp.ClientSession

    @property
    def session(self) -> SandboxSession:
        return self.sessions.session

    @property
    def origin(self) -> str:
        return self.url.rsplit("/", 2)[0]

    @property
    def updates(self) -> list[dict[str, Any]]:
        """The pending updates, without those of the setup."""
        return [one for one in self.session.telegram.state.updates.pending if "forum_topic_created" not in str(one)]

    async def post(self, path: str, **params: object) -> tuple[int, Any]:
        """Send the request of a click; return the status and the decoded response."""
        return await self._post(path, json=params)

    async def send(self, *pictures: tuple[str, bytes], **fields: object) -> tuple[int, Any]:
        """Send a composed message; return the status and the decoded response."""
        form = aiohttp.FormData(default_to_multipart=True)
        for name, value in ({"conversation": PRIVATE_CHAT, "speaker": YOU_ID} | fields).items():
            form.add_field(name, f"{value}")
        for name, data in pictures:
            form.add_field("picture", data, filename=name)
        return await self._post("send", data=form)

    async def _post(self, path: str, **body: Any) -> tuple[int, Any]:
        headers = {"Origin": self.origin}
        async with self.http.post(self.url + path, headers=headers, **body) as answer:
            return answer.status, await answer.json()


@asynccontextmanager
async def open_web_page(words: Sequence[str] = IDLE_COMMAND) -> AsyncIterator[WebPageClient]:
    """Open a page whose bot is started by this command."""
    sessions = SessionManager(SandboxOptions(seconds=0.2, command=words))
    server = WebServer(sessions)
    try:
        async with server.open(0), aiohttp.ClientSession() as http:
            await sessions.reset()
            yield WebPageClient(sessions, server.url, http)
    finally:
        await sessions.close()


async def read_event(feed: aiohttp.StreamReader) -> dict[str, Any]:
    """Return the next server-sent event."""
    while True:
        line = await feed.readline()
        if line.startswith(b"data: "):
            event: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
            return event
